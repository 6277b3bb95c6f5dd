//! The scenarios of the fault matrix.

use std::time::Duration;

use booking_gateway::order::Status;
use protocol::topic::Topic;

use super::minutes;
use crate::fault::Fault;
use crate::fixtures::{CARD_DECLINED, CARD_THAT_PAYS, DEPARTS_IN};
use crate::simulation::job::Purchase;

/// Customers with one flight, what happens to them, and how their orders end.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// The seats of the flight.
    pub(super) capacity: u32,
    /// How long until it leaves.
    pub(super) departs_in: Duration,
    /// What each customer wants.
    pub(super) purchases: Vec<Purchase>,
    /// The first customer cancels as soon as the order has this status.
    pub(super) cancels_at: Option<Status>,
    /// How many minutes an order may take; a deployment decides this.
    pub(super) deadline: u64,
    /// A topic whose consumer is stopped for so many of the first minutes.
    pub(super) stopped: Option<(Topic, u64)>,
    /// For how many of the first minutes the payment provider is down.
    pub(super) provider_down: u64,
    /// How the first captures go wrong.
    pub(super) captures: &'static [Fault],
    /// How many messages are delivered at once.
    pub(super) batch: usize,
    /// How the orders end, sorted by name.
    pub ends: &'static [Status],
}

impl Scenario {
    fn new(name: &'static str, card: &'static str, ends: &'static [Status]) -> Self {
        Self {
            name,
            capacity: 9,
            departs_in: DEPARTS_IN,
            purchases: vec![Purchase::new(card, 2)],
            cancels_at: None,
            deadline: 48 * 60,
            stopped: None,
            provider_down: 0,
            captures: &[],
            batch: 1,
            ends,
        }
    }

    fn of_two(name: &'static str, capacity: u32, ends: &'static [Status]) -> Self {
        let purchases = vec![Purchase::new(CARD_THAT_PAYS, 1); 2];
        Self { capacity, purchases, batch: 10, ..Self::new(name, CARD_THAT_PAYS, ends) }
    }

    /// Whether the reconciler checks its order many times, which makes it long.
    pub fn is_long(&self) -> bool {
        self.deadline < 60
    }
}

/// All scenarios.
pub fn all() -> Vec<Scenario> {
    use Status::{Cancelled, Confirmed, PaymentDeclined, Rejected};
    let pays = |name, ends| Scenario::new(name, CARD_THAT_PAYS, ends);
    let cancelled = |name, at| Scenario { cancels_at: Some(at), ..pays(name, &[Cancelled]) };
    let stopped = |name, topic, minutes, ends| Scenario {
        // The reconciler finds such an order expired at its check after 2 h 7 min.
        deadline: 10,
        stopped: Some((topic, minutes)),
        ..pays(name, ends)
    };
    vec![
        pays("booked", &[Confirmed]),
        Scenario { capacity: 1, ..pays("sold out", &[Rejected]) },
        Scenario {
            purchases: vec![Purchase { expected: Some(25_899), ..Purchase::new(CARD_THAT_PAYS, 2) }],
            ..pays("the price has changed", &[Rejected])
        },
        Scenario {
            purchases: vec![Purchase { expected: Some(25_900), ..Purchase::new(CARD_THAT_PAYS, 2) }],
            ..pays("booked at the expected price", &[Confirmed])
        },
        Scenario {
            departs_in: minutes(3),
            stopped: Some((Topic::Tickets, 5)),
            ..pays("the flight left while tickets was stopped", &[Rejected])
        },
        Scenario {
            departs_in: minutes(3),
            stopped: Some((Topic::Billing, 5)),
            ..pays("the flight left while billing was stopped", &[Cancelled])
        },
        Scenario::new("declined", CARD_DECLINED, &[PaymentDeclined]),
        cancelled("cancelled at once", Status::Pending),
        cancelled("cancelled while the charge waits", Status::TicketsReserved),
        cancelled("cancelled when confirmed", Status::Confirmed),
        stopped("expired while tickets was stopped", Topic::Tickets, 130, &[Cancelled]),
        stopped("expired while billing was stopped", Topic::Billing, 130, &[Cancelled]),
        stopped("charged after the deadline", Topic::Billing, 11, &[Cancelled]),
        stopped(
            "the deadline passed while order-updates was stopped",
            Topic::OrderUpdates,
            130,
            &[Cancelled],
        ),
        stopped("order-updates was stopped for a while", Topic::OrderUpdates, 5, &[Confirmed]),
        Scenario { provider_down: 1, ..pays("the provider was down for a while", &[Confirmed]) },
        Scenario {
            captures: &[Fault::ReplyLost],
            ..pays("the outcome was unknown, and it was captured", &[Confirmed])
        },
        Scenario {
            captures: &[Fault::LandsLater],
            ..pays("the outcome was unknown, and the capture landed late", &[Confirmed])
        },
        Scenario {
            captures: &[Fault::LandsLater],
            cancels_at: Some(Status::TicketsReserved),
            ..pays("cancelled while a capture was under way", &[Cancelled])
        },
        Scenario::of_two("two at once, in batches", 9, &[Confirmed, Confirmed]),
        Scenario::of_two("two for the last seat", 1, &[Confirmed, Rejected]),
        Scenario {
            purchases: [1, 3, 1].map(|seats| Purchase::new(CARD_THAT_PAYS, seats)).to_vec(),
            ..Scenario::of_two(
                "three at once, of which one wants too much",
                2,
                &[Confirmed, Confirmed, Rejected],
            )
        },
    ]
}
