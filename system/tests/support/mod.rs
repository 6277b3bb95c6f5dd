//! Orders as the services know them.
#![allow(dead_code, clippy::unwrap_used, clippy::allow_attributes, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet};

use billing_service::payment::{Intent, Payment};
use billing_service::provider::{PaymentRef, ProviderName};
use billing_service::simulated::{Account, Stage};
use booking_gateway::order::{Order, State};
use booking_gateway_contract::order;
use messaging::store::StoreError;
use protocol::flight::{FlightId, SeatCount, TimeZoneName};
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::money::{Currency, Money};
use protocol::time::Timestamp;
use system::audit::{Case, Part, Parts, Tally};
use ticket_service::flight::{Flight, Offer};
use ticket_service::reservation::{Hold, Reservation};

/// The flights of the tests.
pub(crate) const FLIGHTS: [&str; 2] = ["OS-101", "OS-512"];

/// How many seats each has.
pub(crate) const CAPACITY: u32 = 100_000;

/// An empty tally, its parts in memory.
pub(crate) fn tally() -> Tally {
    Tally::new(BTreeSet::from([ProviderName::SIMULATED]), Box::<InMemory>::default())
}

#[derive(Debug, Default)]
struct InMemory(BTreeMap<OrderId, i64>);

impl Parts for InMemory {
    fn replace(&mut self, order: OrderId, part: Option<Part>) -> Result<Option<Part>, StoreError> {
        let before = match part {
            Some(part) => self.0.insert(order, part.to_bits()),
            None => self.0.remove(&order),
        };
        Ok(before.map(Part::from_bits))
    }
}

/// A moment, in seconds after the first order was accepted.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + second * 1_000)
}

/// The id of an order.
pub(crate) fn id(number: u64) -> OrderId {
    order(number, 0).id
}

fn amount() -> Money {
    Money { value: 25_900, currency: Currency::parse("EUR").unwrap() }
}

fn accepted(number: u64, second: u64, flight: &str, seats: u64) -> Order {
    let mut order = order(number, second);
    order.request.flight_id = FlightId::parse(flight).unwrap();
    order.request.seats = SeatCount::try_from(seats).unwrap();
    order
}

/// An order that waits since that second, with so many messages in the topics.
pub(crate) fn pending(number: u64, second: u64, messages: usize) -> Case {
    let order = Some(accepted(number, second, FLIGHTS[0], 1));
    Case { order, next_check: Some(at(1_000_000)), messages, ..Case::default() }
}

/// A confirmed order, at rest.
pub(crate) fn confirmed(number: u64, flight: &str, seats: u64) -> Case {
    let order = accepted(number, 0, flight, seats);
    let hold = Hold {
        flight_id: order.request.flight_id.clone(),
        seats: order.request.seats,
        amount: amount(),
        departs_at: at(1_000_000),
        route: None,
    };
    let intent = Intent {
        provider: ProviderName::SIMULATED,
        reference: PaymentRef(format!("sim_{number}")),
        amount: amount(),
    };
    Case {
        order: Some(Order { state: State::Confirmed, amount: Some(amount()), ..order }),
        reservation: Some(Reservation::Held(hold)),
        payment: Some(Payment::Captured(intent)),
        account: Some(Account { amount: amount(), pays: true, stage: Stage::Captured }),
        mailed: Some(NoticeOutcome::Confirmed),
        ..Case::default()
    }
}

/// The flights, with what these cases leave free.
pub(crate) fn offers<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Vec<Offer> {
    let held: Vec<_> = cases
        .into_iter()
        .filter_map(|case| match &case.reservation {
            Some(Reservation::Held(hold)) => Some((hold.flight_id.as_str(), u32::from(hold.seats.get()))),
            None | Some(Reservation::Refused { .. } | Reservation::Released) => None,
        })
        .collect();
    let offer = |flight: &str| {
        let held: u32 = held.iter().filter(|(of, _)| *of == flight).map(|(_, seats)| seats).sum();
        let id = FlightId::parse(flight).unwrap();
        let (from, to) = ("Vienna".to_owned(), "Lisbon".to_owned());
        let time_zone = TimeZoneName::parse("Europe/Vienna").unwrap();
        let (departs_at, price) = (at(1_000_000), amount());
        let flight = Flight { id, from, to, departs_at, time_zone, capacity: CAPACITY, price };
        Offer { flight, seats_left: CAPACITY - held }
    };
    FLIGHTS.into_iter().map(offer).collect()
}
