//! What customers want, and what can begin in a simulation and end.

use std::time::Duration;

use protocol::ids::OrderId;
use protocol::topic::Topic;

/// How a simulation begins.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The seats of its flight.
    pub capacity: u32,
    /// How long until its flight leaves.
    pub departs_in: Duration,
    /// What its customers want, one each.
    pub purchases: Vec<Purchase>,
    /// How long an order may take.
    pub deadline: Duration,
    /// The seed of the services' randomness.
    pub seed: u64,
}

/// What a customer wants.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// The card.
    pub card: &'static str,
    /// The seats.
    pub seats: u64,
    /// What the customer expects them to cost, in minor units; `None` to take any price.
    pub expected: Option<u64>,
}

impl Purchase {
    /// That many seats by that card, at any price.
    pub fn new(card: &'static str, seats: u64) -> Self {
        Self { card, seats, expected: None }
    }
}

/// A customer, and what the services have answered.
#[derive(Clone, Debug)]
pub struct Customer {
    /// What the customer wants.
    pub purchase: Purchase,
    /// The order, once it is accepted.
    pub order: Option<OrderId>,
    /// Whether a `DELETE` was answered.
    pub cancel_answered: bool,
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
    /// The reconciler runs.
    Reconcile,
}

/// What came of a job that did not die.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// The customer has an order.
    Ordered(OrderId),
    /// The customer was answered that the order is, or cannot be, cancelled.
    CancelAnswered,
    /// The customer has no answer.
    NoAnswer,
    /// The messages with these ids are to be redelivered; all others were acknowledged.
    Consumed(Vec<String>),
    /// The reconciler is done.
    Reconciled,
}
