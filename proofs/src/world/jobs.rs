//! What customers wish, and what can begin in a world and end.

use std::time::Duration;

use booking_gateway::order::Request;
use shared::flight::{FlightId, SeatCount};
use shared::ids::OrderId;
use shared::money::{Currency, Money};
use shared::passenger::{EmailAddress, Passenger, PassengerName};
use shared::payment::PaymentMethod;
use shared::topic::Topic;
use ticket_service::flight::Flight;

use super::beginning;

/// A card that pays.
pub const PAYS: &str = "pm_card_visa";

/// A card that never does.
pub const REFUSED: &str = "pm_card_chargeDeclined";

/// A customer's wish.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The card.
    pub card: &'static str,
    /// The seats.
    pub seats: u64,
}

/// Something that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// A customer orders, or asks again after no answer.
    Order(usize),
    /// A customer cancels, or asks again after no answer.
    Cancel(usize),
    /// A batch of a topic is delivered.
    Deliver(Topic, Vec<u64>),
    /// The reconciler looks.
    Reconcile,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The customer has an order.
    Ordered(OrderId),
    /// The customer was told that it is, or cannot be, cancelled.
    Told,
    /// The customer has no answer.
    NoAnswer,
    /// These are to be delivered again.
    Consumed(Vec<String>),
    /// The reconciler is through.
    Reconciled,
}

/// How a world begins.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The seats of its flight.
    pub capacity: u32,
    /// What its customers wish.
    pub wishes: Vec<Wish>,
    /// How long an order may take.
    pub deadline: Duration,
    /// Of its services' randomness.
    pub seed: u64,
}

/// A customer, as far as the customer knows.
#[derive(Clone, Debug)]
pub struct Customer {
    /// What is wished.
    pub wish: Wish,
    /// The order, once it is accepted.
    pub order: Option<OrderId>,
    /// Whether the wish to cancel was answered.
    pub told: bool,
}

#[expect(clippy::expect_used, reason = "tests only")]
pub(super) fn flight(id: &FlightId, capacity: u32) -> Flight {
    Flight {
        id: id.clone(),
        from: "VIE".to_owned(),
        to: "LHR".to_owned(),
        departs_at: beginning() + Duration::from_secs(90 * 24 * 60 * 60),
        capacity,
        price: Money { value: 12_950, currency: Currency::parse("EUR").expect("a currency") },
    }
}

#[expect(clippy::expect_used, reason = "tests only")]
pub(super) fn request(flight_id: &FlightId, wish: &Wish) -> Request {
    Request {
        flight_id: flight_id.clone(),
        seats: SeatCount::try_from(wish.seats).expect("1 to 9 seats"),
        passenger: Passenger {
            name: PassengerName::parse("Ada Byron").expect("a name"),
            email: EmailAddress::parse("ada@example.com").expect("an address"),
        },
        payment_method: PaymentMethod::parse(wish.card).expect("a payment method"),
    }
}
