//! What happened lately: each message's way through the topics, each order's changes, each switch. A bounded ring in
//! memory.
//!
//! It is written whether anyone looks or not, so it costs little: no text is made before someone asks for it. **Crash
//! contract:** it is empty after a restart; what it shows was committed before it was recorded.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use booking_gateway::order::{Order, State};
use messaging::topics::{About, Outgoing};
use protocol::event::VERSION;
use protocol::headline::Headline;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::{Deserialize, Serialize};

use crate::view::ProviderMode;

/// How many entries are kept: some 5,000 bookings.
pub const CAPACITY: usize = 65_536;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// To a message.
    Message(Message),
    /// To an order.
    Order(Changed),
    /// A service was started or stopped.
    Service {
        /// The topic it consumes.
        topic: Topic,
        /// Whether it runs.
        running: bool,
    },
    /// The payment provider behaves in another way.
    Provider(ProviderMode),
}

/// What happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: Topic,
    /// The order it is about, if that can be read.
    pub order: Option<OrderId>,
    /// What it is.
    pub kind: Kind,
    /// What happened.
    pub phase: Phase,
    /// How many delayed copies came before it.
    pub attempt: u32,
    /// When it can be received, if it was delayed.
    pub due: Option<Timestamp>,
    /// Why it waits, was dead-lettered or discarded.
    pub reason: Option<Box<str>>,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A command or update of this version, by its name.
    Known(&'static str),
    /// A CloudEvents type, as it was read.
    Read(Box<str>),
    /// Not an event.
    Unreadable,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It was sent to its topic.
    Sent,
    /// A consumer received it.
    Received,
    /// Its consumer has handled it, and its answers are sent.
    Answered,
    /// It waits: a delayed copy of it was sent, or it is redelivered after a pause.
    Delayed,
    /// It is in the dead-letter queue.
    DeadLettered,
    /// It was moved from the dead-letter queue back to its topic.
    Redriven,
    /// It was deleted from the dead-letter queue, for a reason.
    Discarded,
}

/// How an order stands after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The order.
    pub id: OrderId,
    /// Where it stands.
    pub state: State,
    /// Since when it waits, if it does.
    pub waiting_since: Option<Timestamp>,
    /// When it changed.
    pub updated_at: Timestamp,
}

impl Changed {
    /// How that order stands.
    pub fn of(order: &Order) -> Self {
        let (waiting_since, updated_at) = (order.waiting_since(), order.updated_at());
        Self { id: order.id, state: order.state, waiting_since, updated_at }
    }
}

impl Message {
    /// A message that is sent, copied or dead-lettered at the moment `now`.
    pub fn outgoing(message: &Outgoing, now: Timestamp) -> Self {
        let phase = match &message.dead_letter {
            Some(_) => Phase::DeadLettered,
            None if message.is_copy() => Phase::Delayed,
            None => Phase::Sent,
        };
        let due = (!message.delay.is_zero()).then(|| now + message.delay);
        let failure = message.dead_letter.as_ref().map(|failure| failure.failure.as_str().into());
        match &message.about {
            Some(About { order, name, attempt, reason, .. }) => {
                let reason = failure.or_else(|| reason.clone());
                let (topic, order, kind, attempt) =
                    (message.topic, Some(*order), Kind::Known(name), *attempt);
                Self { topic, order, kind, phase, attempt, due, reason }
            }
            None => Self { due, reason: failure, ..Self::read(message.topic, &message.body, phase) },
        }
    }

    /// A message of that body.
    pub fn read(topic: Topic, body: &str, phase: Phase) -> Self {
        let Headline { order, kind, attempt, .. } = Headline::of(body);
        let kind = kind.map_or(Kind::Unreadable, |kind| Kind::Read(kind.into()));
        Self { topic, order, kind, phase, attempt, due: None, reason: None }
    }
}

impl Kind {
    /// Its CloudEvents type, `booking.charge.v1`.
    pub fn cloud_events_type(&self) -> Option<String> {
        match self {
            Self::Known(name) => Some(format!("booking.{name}.v{VERSION}")),
            Self::Read(kind) => Some(kind.to_string()),
            Self::Unreadable => None,
        }
    }
}

/// An entry, with its place and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its number: each is larger than all before it, over restarts too.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub entry: Entry,
}

/// The ring.
#[derive(Debug)]
pub struct Journal(Mutex<Ring>);

#[derive(Debug)]
struct Ring {
    started_at: Timestamp,
    next: u64,
    capacity: usize,
    entries: VecDeque<Recorded>,
}

/// What happened since a subscriber looked last.
#[derive(Debug, Default)]
pub struct News {
    /// What is told, oldest first.
    pub told: Vec<Recorded>,
    /// How many messages and orders are not told.
    pub skipped: u64,
    /// The number of the last one, told or not.
    pub last: u64,
}

impl Journal {
    /// An empty one, which keeps `capacity` entries. Its numbers begin with the time in microseconds: so they are larger than
    /// those of a process before, which recorded less than one a microsecond.
    pub fn new(now: Timestamp, capacity: usize) -> Self {
        let next = u64::try_from(now.as_millis()).unwrap_or_default().saturating_mul(1_000);
        Self(Mutex::new(Ring { started_at: now, next, capacity, entries: VecDeque::new() }))
    }

    /// Adds what has happened; the oldest entries make room.
    pub fn record(&self, at: Timestamp, entries: impl IntoIterator<Item = Entry>) {
        let mut ring = self.ring();
        for entry in entries {
            if ring.entries.len() == ring.capacity {
                ring.entries.pop_front();
            }
            let seq = ring.next;
            ring.entries.push_back(Recorded { seq, at, entry });
            ring.next += 1;
        }
    }

    /// When the process started that keeps it.
    pub fn started_at(&self) -> Timestamp {
        self.ring().started_at
    }

    /// The number of the last entry.
    pub fn last(&self) -> u64 {
        self.ring().next - 1
    }

    /// What happened after the entry of that number; `None` if not all of it is kept. At most `most` messages and orders are
    /// told; if there are more, none is. Switches are always told.
    pub fn since(&self, seq: u64, most: usize) -> Option<News> {
        let ring = self.ring();
        let first = ring.next - ring.entries.len() as u64;
        if seq + 1 < first || seq >= ring.next {
            return None;
        }
        let start = usize::try_from(seq + 1 - first).unwrap_or(usize::MAX);
        let is_switch = |recorded: &&Recorded| match recorded.entry {
            Entry::Service { .. } | Entry::Provider(_) => true,
            Entry::Message(_) | Entry::Order(_) => false,
        };
        let fresh = || ring.entries.range(start..);
        let many = fresh().count() - fresh().filter(is_switch).count();
        let told: Vec<_> = if many > most {
            fresh().filter(is_switch).cloned().collect()
        } else {
            fresh().cloned().collect()
        };
        let skipped = if many > most { many as u64 } else { 0 };
        Some(News { told, skipped, last: ring.next - 1 })
    }

    /// The messages about an order, oldest first; and before when there may have been others, if that is after `created_at`.
    pub fn about(&self, order: OrderId, created_at: Timestamp) -> (Vec<Recorded>, Option<Timestamp>) {
        let ring = self.ring();
        let is_about = |recorded: &&Recorded| matches!(&recorded.entry, Entry::Message(message) if message.order == Some(order));
        let messages = ring.entries.iter().filter(is_about).cloned().collect();
        let begins = match ring.entries.front() {
            Some(oldest) if ring.entries.len() == ring.capacity => oldest.at,
            _ => ring.started_at,
        };
        (messages, (created_at < begins).then_some(begins))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
