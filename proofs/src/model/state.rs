//! What the model's world looks like between two steps, as plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use shared::event::Event;
use shared::ids::OrderId;
use shared::messages::{Message, OrderUpdate};
use shared::topic::Topic;

use crate::memory::contents::{Contents, Room, digest};
use crate::memory::script::{Answer, Fault};

/// The world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Which of the model's stories this is.
    pub story: usize,
    /// What the stores and the provider hold.
    pub contents: Contents,
    /// The messages that wait in their topics. Any of them may be delivered next.
    pub waiting: Vec<Letter>,
    /// What works on something now.
    pub runs: Vec<Run>,
    /// What the time is.
    pub phase: Phase,
    /// How many orders were placed.
    pub placed: usize,
    /// What may still happen.
    pub left: Left,
    /// The version of each unsettled order that the reconciler has sent everything for.
    pub looked: BTreeMap<OrderId, u64>,
    /// Something that must not happen did.
    pub wrong: Option<String>,
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
    /// The one after it; the last one does not end.
    pub fn next(self) -> Self {
        match self {
            Phase::InTime => Phase::Late,
            Phase::Late | Phase::Over => Phase::Over,
        }
    }
}

/// How often each thing that nobody wishes for may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// Crashes, and calls that go wrong.
    pub faults: u8,
    /// Messages that are delivered once more than they were sent, and `POST`s that are repeated.
    pub copies: u8,
    /// Looks of the reconciler at an order that is not waiting in vain.
    pub looks: u8,
    /// `DELETE`s.
    pub cancels: u8,
}

/// A message in a topic. Its time, and the attempts of a command, are left out: nothing rests on
/// them.
#[derive(Clone)]
pub struct Letter(Arc<Written>);

/// What a letter says.
#[derive(Debug)]
pub struct Written {
    /// Its topic.
    pub topic: Topic,
    /// The order it is about.
    pub order: OrderId,
    /// The event, as JSON.
    pub body: String,
    /// Its name, `reserve`.
    pub name: &'static str,
    /// What it tells the gateway, if it is for the gateway.
    pub update: Option<OrderUpdate>,
    /// The hash of all this.
    digest: u64,
}

impl Letter {
    /// The letter that carries that event.
    pub fn new<M: Message>(event: &Event<M>, update: Option<OrderUpdate>) -> Self {
        let (topic, body) = (M::TOPIC, event.encode());
        let digest = digest(&(topic, &body));
        Self(Arc::new(Written {
            topic,
            order: event.order,
            body,
            name: event.message.name(),
            update,
            digest,
        }))
    }
}

impl std::ops::Deref for Letter {
    type Target = Written;
    fn deref(&self) -> &Written {
        &self.0
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, &self.order.to_string()[..4])
    }
}

impl PartialEq for Letter {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Letter {}

impl Hash for Letter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl PartialOrd for Letter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Letter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.topic, self.order, self.digest).cmp(&(other.topic, other.order, other.digest))
    }
}

/// Something to be done by the product.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// A customer's `POST`: the story's order of that number.
    Post(usize),
    /// The `DELETE` of an order.
    Delete(OrderId),
    /// The reconciler's look at an order.
    Look(OrderId),
    /// A message.
    Consume(Letter),
}

/// A handler at work: what on, and how far it is. Stopping it here is what a crash does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// What it works on.
    pub work: Work,
    /// What its calls were answered. With these it can be brought here again.
    pub answers: Vec<Answer>,
    /// The call it makes next.
    pub next: &'static str,
    /// Whether all of them went well.
    pub well: bool,
}

/// One step of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A handler begins, and makes its first call.
    Begin(Work, Option<Fault>),
    /// A handler begins on a copy of a message, or a `POST` is repeated.
    BeginOnCopy(Work),
    /// The handler in that place makes its next call; if it was the last one, it is done.
    Go(usize, Option<Fault>),
    /// The process of the handler in that place dies.
    Crash(usize),
    /// A request to the provider lands whose caller has given up.
    Land(usize),
    /// Time passes.
    TimePasses,
}

impl State {
    /// Whether somebody works on that order, or will without being asked.
    pub fn is_moving(&self, order: OrderId) -> bool {
        self.waiting.iter().any(|letter| letter.order == order && letter.topic != Topic::Email)
            || self.runs.iter().any(|run| run.order().is_none_or(|other| other == order))
            || !self.contents.late.is_empty()
    }

    /// Whether the reconciler's next look at that order is what it waits for.
    pub fn waits_for_a_look(&self, order: OrderId) -> bool {
        let version = self.contents.orders.get(&order).map(|order| order.version);
        self.contents.checks.contains_key(&order)
            && !self.is_moving(order)
            && self.looked.get(&order).copied() != version
    }

    /// The places of the handlers that may go on now.
    ///
    /// Of two that mind each other, either. Of two that do not, the one that began last (and stands
    /// last): their calls touch different things, so a call of the other one might as well have
    /// come before this one began, or come when it is done.
    pub fn able(&self) -> std::ops::Range<usize> {
        match &self.runs[..] {
            [first, second] if !first.minds(second) => 1..2,
            runs => 0..runs.len(),
        }
    }

    /// Whether it matters that time passes now: to a charge, or to the reconciler. To everything
    /// else it might as well pass later.
    pub fn is_time_of_interest(&self) -> bool {
        self.waiting.iter().any(|letter| letter.name == CHARGE)
            || self.runs.iter().any(|run| matches!(&run.work, Work::Consume(letter) if letter.name == CHARGE))
            || self.runs.iter().any(|run| matches!(run.work, Work::Look(_)))
            || self.contents.checks.keys().any(|order| self.left.looks > 0 || self.waits_for_a_look(*order))
    }

    /// Whether nothing will happen any more, unless a customer comes or time passes.
    ///
    /// What is stuck is at rest too: an order that the reconciler has looked at, whose messages
    /// were all consumed, and that has not moved.
    pub fn is_at_rest(&self) -> bool {
        self.waiting.is_empty()
            && self.runs.is_empty()
            && self.contents.late.is_empty()
            && !self.contents.checks.keys().any(|order| self.waits_for_a_look(*order))
    }

    /// The updates that wait for the gateway, with their orders.
    pub fn updates(&self) -> impl Iterator<Item = (OrderId, &OrderUpdate)> + '_ {
        self.waiting.iter().filter_map(|letter| Some((letter.order, letter.update.as_ref()?)))
    }
}

/// The name of the one command that is obeyed by the clock.
const CHARGE: &str = "charge";

impl Work {
    /// Whose records it is done with.
    pub fn room(&self) -> Room {
        match self {
            Work::Post(_) | Work::Delete(_) | Work::Look(_) => Room::Gateway,
            Work::Consume(letter) => match letter.topic {
                Topic::Tickets => Room::Tickets,
                Topic::OrderUpdates => Room::Gateway,
                Topic::Billing => Room::Billing,
                Topic::Email => Room::Email,
            },
        }
    }
}

impl Run {
    /// Whether the two read or write the same records. Orders share none but the seats.
    pub fn minds(&self, other: &Run) -> bool {
        let one_order = match (self.order(), other.order()) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.work.room() == other.work.room() && (one_order || self.work.room() == Room::Tickets)
    }

    /// The order it is about; a `POST` may be about any.
    pub fn order(&self) -> Option<OrderId> {
        match &self.work {
            Work::Post(_) => None,
            Work::Delete(order) | Work::Look(order) => Some(*order),
            Work::Consume(letter) => Some(letter.order),
        }
    }
}
