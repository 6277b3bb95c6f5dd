//! What every proof begins with: one moment, one flight, two cards.

use std::time::Duration;

use booking_gateway::order::Request;
use protocol::flight::{FlightId, SeatCount, TimeZoneName};
use protocol::money::{Currency, Money};
use protocol::passenger::{EmailAddress, Passenger, PassengerName};
use protocol::payment::PaymentMethod;
use protocol::time::Timestamp;
use ticket_service::flight::Flight;

/// A card that pays.
pub const CARD_THAT_PAYS: &str = "pm_card_visa";

/// A card that is always declined.
pub const CARD_DECLINED: &str = "pm_card_chargeDeclined";

/// When every proof begins.
pub fn start() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

/// Long after every deadline.
pub const DEPARTS_IN: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A flight that leaves after that time.
pub(crate) fn flight(id: FlightId, capacity: u32, departs_in: Duration) -> Flight {
    Flight {
        id,
        from: "VIE".to_owned(),
        to: "LHR".to_owned(),
        departs_at: start() + departs_in,
        time_zone: TimeZoneName::default(),
        capacity,
        price: euros(12_950),
    }
}

#[expect(clippy::expect_used, reason = "tests only")]
fn euros(value: u64) -> Money {
    Money { value, currency: Currency::parse("EUR").expect("a currency") }
}

/// A request for that many seats on that flight, for that amount if one is expected.
#[expect(clippy::expect_used, reason = "tests only")]
pub(crate) fn request(flight_id: FlightId, seats: u64, card: &str, expected: Option<u64>) -> Request {
    Request {
        flight_id,
        seats: SeatCount::try_from(seats).expect("1 to 9 seats"),
        passenger: Passenger {
            name: PassengerName::parse("Ada Byron").expect("a name"),
            email: EmailAddress::parse("ada@example.com").expect("an address"),
        },
        payment_method: PaymentMethod::parse(card).expect("a payment method"),
        expected_amount: expected.map(euros),
    }
}
