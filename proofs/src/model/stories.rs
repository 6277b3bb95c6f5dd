//! What the model's customers want, and how much may go wrong for them.

use std::time::Duration;

use booking_gateway::order::Request;
use shared::flight::{FlightId, SeatCount};
use shared::money::{Currency, Money};
use shared::passenger::{EmailAddress, Passenger, PassengerName};
use shared::payment::PaymentMethod;
use ticket_service::flight::Flight;

use super::running::start;
use super::state::Left;

/// How far a check goes. Within its bounds it is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How often what nobody wishes for happens, in all.
    pub left: Left,
    /// How many handlers are at work at the same time, at most.
    pub at_once: usize,
}

/// Faults, copies, early looks, cancellations; handlers at once.
const fn bounds(faults: u8, copies: u8, looks: u8, cancels: u8, at_once: usize) -> Bounds {
    Bounds { left: Left { faults, copies, looks, cancels }, at_once }
}

/// The checks of one order: in seconds, or in minutes.
pub fn bounds_of_one(deep: bool) -> Vec<Bounds> {
    let mut all = vec![bounds(1, 0, 0, 1, 2), bounds(1, 1, 0, 1, 1), bounds(2, 0, 0, 1, 1)];
    if deep {
        all.extend([
            bounds(1, 1, 0, 1, 2),
            bounds(1, 1, 1, 1, 1),
            bounds(0, 0, 1, 1, 2),
            bounds(2, 1, 0, 0, 2),
        ]);
    }
    all
}

/// The checks of two orders: in seconds, or in minutes.
pub fn bounds_of_two(deep: bool) -> Vec<Bounds> {
    let mut all = vec![bounds(0, 0, 0, 1, 1), bounds(1, 0, 0, 0, 2)];
    if deep {
        all.extend([
            bounds(1, 0, 0, 1, 1),
            bounds(0, 0, 0, 1, 2),
            bounds(1, 1, 0, 0, 2),
            bounds(0, 0, 0, 2, 1),
        ]);
    }
    all
}

/// The customers of one story, and the seats they compete for.
#[derive(Clone, Debug)]
pub struct Story {
    /// The flight.
    pub flight: Flight,
    /// What is asked for, one order each.
    pub requests: Vec<Request>,
}

/// One customer: one whose card pays, one whose card is refused, one whose flight there is not.
pub fn one_order() -> Vec<Story> {
    let cases =
        [("OS-101", "pm_card_visa"), ("OS-101", "pm_card_chargeDeclined"), ("OS-999", "pm_card_visa")];
    cases
        .into_iter()
        .map(|(flight, card)| Story { flight: seats(1), requests: vec![request(flight, card)] })
        .collect()
}

/// Two customers, and one seat; the first one's card pays, or does not.
pub fn two_orders() -> Vec<Story> {
    let second = request("OS-101", "pm_card_visa");
    let firsts = [request("OS-101", "pm_card_visa"), request("OS-101", "pm_card_chargeDeclined")];
    firsts
        .into_iter()
        .map(|first| Story { flight: seats(1), requests: vec![first, second.clone()] })
        .collect()
}

#[expect(clippy::unwrap_used, reason = "these are well-formed")]
fn seats(capacity: u32) -> Flight {
    Flight {
        id: FlightId::parse("OS-101").unwrap(),
        from: "Vienna".to_owned(),
        to: "Oslo".to_owned(),
        departs_at: start() + Duration::from_secs(30 * 86_400),
        capacity,
        price: Money { value: 12_950, currency: Currency::parse("EUR").unwrap() },
    }
}

#[expect(clippy::unwrap_used, reason = "these are well-formed")]
fn request(flight: &str, card: &str) -> Request {
    Request {
        flight_id: FlightId::parse(flight).unwrap(),
        seats: SeatCount::try_from(1).unwrap(),
        passenger: Passenger {
            name: PassengerName::parse("Ada Byron").unwrap(),
            email: EmailAddress::parse("ada@example.com").unwrap(),
        },
        payment_method: PaymentMethod::parse(card).unwrap(),
    }
}
