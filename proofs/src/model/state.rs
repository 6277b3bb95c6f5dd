//! Everything there is between two steps of the model, as plain data.

use std::collections::BTreeMap;
use std::ops::Range;

use protocol::ids::OrderId;
use protocol::messages::OrderUpdate;
use protocol::topic::Topic;

use super::message::TopicMessage;
use crate::memory::script::{Answer, StepFault};
use crate::port_call::PortCall;
use crate::stores::Contents;

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelState {
    /// The place of its customers among those of the check.
    pub customers: usize,
    /// What the stores and the provider hold.
    pub contents: Contents,
    /// The messages that wait in their topics. Any of them may be delivered next.
    pub waiting: Vec<TopicMessage>,
    /// The handlers at work.
    pub handlers: Vec<PausedHandler>,
    /// The time.
    pub phase: Phase,
    /// How many orders were placed.
    pub placed: usize,
    /// What may still happen.
    pub budget: Budget,
    /// The version of each unsettled order for which the reconciler has sent everything.
    pub reconciled: BTreeMap<OrderId, u64>,
    /// Something that must not happen, and did.
    pub violation: Option<String>,
}

/// The time, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Before the orders' deadline.
    InTime,
    /// Past it, by less than the reconciler's grace.
    Late,
    /// Past both.
    Over,
}

impl Phase {
    /// The phase after it; the last one does not end.
    pub fn next(self) -> Self {
        match self {
            Phase::InTime => Phase::Late,
            Phase::Late | Phase::Over => Phase::Over,
        }
    }
}

/// How often each thing may still happen that goes beyond one `POST` for each customer and one delivery
/// for each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Crashes, and calls that go wrong.
    pub faults: u8,
    /// Messages that are delivered once more than they were sent, and `POST`s that are repeated.
    pub copies: u8,
    /// Checks of the reconciler on an order that does not wait for one.
    pub early_checks: u8,
    /// `DELETE`s.
    pub cancels: u8,
    /// Messages that are dropped because their successors are under way.
    pub expiries: u8,
}

/// Something that the product is to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// A customer's `POST`: the order of that number.
    Post(usize),
    /// The `DELETE` of an order.
    Delete(OrderId),
    /// The reconciler's check of an order.
    Check(OrderId),
    /// A message.
    Consume(TopicMessage),
    /// The `reserve` commands of two orders, in one batch: a run.
    ConsumeRun([TopicMessage; 2]),
}

/// A handler that is stopped before its next call. To leave it there is what a crash does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PausedHandler {
    /// What it works on.
    pub work: Work,
    /// What its calls were answered. With these it can be run to here again.
    pub answers: Vec<Answer>,
    /// The call it makes next; none before its first.
    pub next_call: Option<PortCall>,
    /// Whether none of its calls went wrong.
    pub without_fault: bool,
}

/// A step of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A handler begins, and makes its first call.
    Begin(Work, Option<StepFault>),
    /// A handler begins on a copy of a message, or a `POST` is repeated.
    BeginOnCopy(Work),
    /// The handler in that place makes its next call; if it was the last one, it is done.
    Resume(usize, Option<StepFault>),
    /// The process of the handler in that place dies.
    Crash(usize),
    /// A message expires, and is dropped. The reconciler will check its order.
    Expire(TopicMessage),
    /// A request lands at the provider whose caller has stopped waiting.
    Land(usize),
    /// Time passes.
    TimePasses,
}

impl ModelState {
    /// Whether a handler works on that order, or will without the reconciler.
    pub fn is_moving(&self, order: OrderId) -> bool {
        self.waiting.iter().any(|message| message.order == order && message.topic.is_awaited())
            || self.handlers.iter().any(|handler| handler.order().is_none_or(|other| other == order))
            || !self.contents.payments.late.is_empty()
    }

    /// Whether that order waits for the reconciler's next check.
    pub fn waits_for_check(&self, order: OrderId) -> bool {
        let version = self.contents.orders.by_id.get(&order).map(|order| order.version);
        self.contents.orders.checks.contains_key(&order)
            && !self.is_moving(order)
            && self.reconciled.get(&order).copied() != version
    }

    /// The places of the handlers that may go on now.
    ///
    /// Of two that conflict, either. Of two that do not, the one that began last (and stands last):
    /// their calls touch different records, so a call of the other one might as well have come before
    /// this one began, or come when it is done.
    pub fn runnable(&self) -> Range<usize> {
        match &self.handlers[..] {
            [first, second] if !first.conflicts_with(second) => 1..2,
            handlers => 0..handlers.len(),
        }
    }

    /// Whether it matters that time passes now: to a charge, or to the reconciler. For everything else
    /// it might as well pass later.
    pub fn is_time_of_interest(&self) -> bool {
        self.waiting.iter().any(|message| message.name == CHARGE)
            || self.handlers.iter().any(|handler| match &handler.work {
                Work::Consume(message) => message.name == CHARGE,
                Work::Check(_) => true,
                Work::Post(_) | Work::Delete(_) | Work::ConsumeRun(_) => false,
            })
            || self
                .contents
                .orders
                .checks
                .keys()
                .any(|order| self.budget.early_checks > 0 || self.waits_for_check(*order))
    }

    /// Whether nothing happens any more, unless a customer asks or time passes.
    ///
    /// An order that is stuck is at rest too: the reconciler has checked it, its messages were all
    /// consumed, and it has not moved.
    pub fn is_at_rest(&self) -> bool {
        self.waiting.is_empty()
            && self.handlers.is_empty()
            && self.contents.payments.late.is_empty()
            && !self.contents.orders.checks.keys().any(|order| self.waits_for_check(*order))
    }

    /// The runs of `reserve` commands that wait, in either order.
    pub fn runs(&self) -> impl Iterator<Item = [TopicMessage; 2]> + '_ {
        let reserves = || self.waiting.iter().filter(|message| message.name == RESERVE);
        let pairs = reserves().flat_map(move |first| reserves().map(move |second| (first, second)));
        pairs
            .filter(|(first, second)| first.order != second.order)
            .map(|(first, second)| [first.clone(), second.clone()])
    }

    /// The updates that wait for the gateway, with their orders.
    pub fn updates(&self) -> impl Iterator<Item = (OrderId, &OrderUpdate)> + '_ {
        self.waiting.iter().filter_map(|message| Some((message.order, message.update.as_ref()?)))
    }
}

/// The one command whose answer depends on the time.
const CHARGE: &str = "charge";

/// The one command that is handled in runs.
const RESERVE: &str = "reserve";

impl Work {
    /// The service whose records it reads and writes, by the topic that it consumes.
    pub fn owner(&self) -> Topic {
        match self {
            Work::Post(_) | Work::Delete(_) | Work::Check(_) => Topic::OrderUpdates,
            Work::Consume(message) => message.topic,
            Work::ConsumeRun(_) => Topic::Tickets,
        }
    }

    /// The messages that it works on.
    pub fn messages(&self) -> &[TopicMessage] {
        match self {
            Work::Post(_) | Work::Delete(_) | Work::Check(_) => &[],
            Work::Consume(message) => std::slice::from_ref(message),
            Work::ConsumeRun(messages) => messages,
        }
    }
}

impl PausedHandler {
    /// Whether the two read or write the same records. Orders share none but the seats.
    pub fn conflicts_with(&self, other: &PausedHandler) -> bool {
        let same_order = match (self.order(), other.order()) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let owner = self.work.owner();
        owner == other.work.owner() && (same_order || owner == Topic::Tickets)
    }

    /// The order it is about; a `POST` may be about any, and a run is about two.
    pub fn order(&self) -> Option<OrderId> {
        match &self.work {
            Work::Post(_) | Work::ConsumeRun(_) => None,
            Work::Delete(order) | Work::Check(order) => Some(*order),
            Work::Consume(message) => Some(message.order),
        }
    }
}
