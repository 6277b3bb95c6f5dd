//! The customers of the model, and how much may go wrong for them.

use booking_gateway::order::Request;
use protocol::flight::FlightId;
use ticket_service::flight::Flight;

use super::state::Budget;
use crate::fixtures::{self, CARD_DECLINED, CARD_THAT_PAYS, DEPARTS_IN};

/// How far a check goes. Within its bounds it is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What may happen, in all.
    pub budget: Budget,
    /// How many handlers are at work at the same time, at most.
    pub handlers: usize,
}

/// Faults, copies, early checks, cancellations; handlers at the same time.
const fn bounds(faults: u8, copies: u8, early_checks: u8, cancels: u8, handlers: usize) -> Bounds {
    Bounds { budget: Budget { faults, copies, early_checks, cancels, expiries: 0 }, handlers }
}

/// The same, with so many messages that expire.
const fn expiring(expiries: u8, Bounds { budget, handlers }: Bounds) -> Bounds {
    Bounds { budget: Budget { expiries, ..budget }, handlers }
}

/// The checks of one order: in seconds, or in minutes if `deep`.
pub fn bounds_of_one(deep: bool) -> Vec<Bounds> {
    let mut all = vec![bounds(1, 0, 0, 1, 2), bounds(1, 1, 0, 1, 1), bounds(2, 0, 0, 1, 1)];
    all.push(expiring(2, bounds(1, 0, 0, 1, 1)));
    if deep {
        all.extend([
            expiring(1, bounds(1, 1, 0, 1, 2)),
            expiring(2, bounds(2, 0, 0, 1, 1)),
            bounds(1, 1, 0, 1, 2),
            bounds(1, 1, 1, 1, 1),
            bounds(0, 0, 1, 1, 2),
            bounds(2, 1, 0, 0, 2),
        ]);
    }
    all
}

/// The checks of two orders: in seconds, or in minutes if `deep`.
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

/// Customers, one order each, and the flight whose seats they compete for.
#[derive(Clone, Debug)]
pub struct Customers {
    /// The flight.
    pub flight: Flight,
    /// What they ask for.
    pub requests: Vec<Request>,
}

/// The flight that exists.
const FLIGHT: &str = "OS-101";

/// One customer: one whose card pays, one whose card is declined, one whose flight does not exist, one who
/// expects another price.
pub fn one_order() -> Vec<Customers> {
    let cases = [(FLIGHT, CARD_THAT_PAYS), (FLIGHT, CARD_DECLINED), ("OS-999", CARD_THAT_PAYS)];
    let expects_less = fixtures::request(flight_id(FLIGHT), 1, CARD_THAT_PAYS, Some(1));
    let requests = cases.into_iter().map(|(flight, card)| request(flight, card)).chain([expects_less]);
    requests.map(|request| with_one_seat(vec![request])).collect()
}

/// Two customers, and one seat; the first one's card pays, or does not.
pub fn two_orders() -> Vec<Customers> {
    let firsts = [CARD_THAT_PAYS, CARD_DECLINED];
    let two = |first| vec![request(FLIGHT, first), request(FLIGHT, CARD_THAT_PAYS)];
    firsts.into_iter().map(|first| with_one_seat(two(first))).collect()
}

fn with_one_seat(requests: Vec<Request>) -> Customers {
    Customers { flight: fixtures::flight(flight_id(FLIGHT), 1, DEPARTS_IN), requests }
}

fn request(flight: &str, card: &str) -> Request {
    fixtures::request(flight_id(flight), 1, card, None)
}

#[expect(clippy::expect_used, reason = "tests only")]
fn flight_id(id: &str) -> FlightId {
    FlightId::parse(id).expect("a flight's id")
}
