//! An order's journey: its messages, and what is expected of it against what is.

use booking_gateway::order::Order;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::{Deserialize, Serialize};

use crate::audit::{Case, Row};
use crate::journal::{Entry, Phase, Recorded};
use crate::view::View;

/// The way of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Journey {
    /// What happened to its messages, oldest first.
    pub messages: Vec<Step>,
    /// Messages of before are not known any more.
    pub cut_before: Option<Timestamp>,
    /// Expected against actual.
    pub rows: Vec<Row>,
}

/// What happened to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its place among all that happened.
    pub seq: u64,
    /// The message's topic.
    pub topic: Topic,
    /// Its CloudEvents type, if that can be read.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What happened.
    pub phase: Phase,
    /// How many delayed copies came before it.
    pub attempt: u32,
    /// When it happened.
    pub at: Timestamp,
    /// When it can be received, if it was delayed.
    pub due: Option<Timestamp>,
    /// Why it waits, was dead-lettered or discarded.
    pub reason: Option<String>,
}

impl Journey {
    /// That of an order.
    pub fn of(order: &Order, case: &Case, view: &dyn View) -> Self {
        let (recorded, cut_before) = match view.journal() {
            Some(journal) => journal.about(order.id, order.created_at),
            None => (Vec::new(), Some(order.updated_at())),
        };
        let messages = recorded.into_iter().filter_map(step).collect();
        Self { messages, cut_before, rows: Row::of(case, &view.books()) }
    }
}

fn step(Recorded { seq, at, entry }: Recorded) -> Option<Step> {
    let Entry::Message(message) = entry else { return None };
    Some(Step {
        seq,
        topic: message.topic,
        kind: message.kind.cloud_events_type(),
        phase: message.phase,
        attempt: message.attempt,
        at,
        due: message.due,
        reason: message.reason.map(String::from),
    })
}
