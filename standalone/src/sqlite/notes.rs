//! What a group of writes notes of itself: the entries of the journal, and how often each thing was counted. The counts are
//! written with the group, the entries are recorded after its commit.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use booking_gateway::order::{Order, Status};
use group_commit::{Hook, Statements, lock};
use messaging::clock::Clock;
use messaging::topics::Outgoing;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, params_from_iter};
use system::journal::{CAPACITY, Changed, Entry, Journal, Message, Phase};

use super::changed::ChangedOrders;

/// Every status of an order.
const STATUSES: [Status; 7] = [
    Status::Pending,
    Status::TicketsReserved,
    Status::Confirmed,
    Status::Rejected,
    Status::PaymentDeclined,
    Status::Cancelling,
    Status::Cancelled,
];

/// What is counted, for good: a column of the table `counters`.
#[derive(Clone, Copy, Debug)]
enum Counter {
    Sent(Topic),
    Finished(Topic),
    Orders(Status),
}

const COUNTERS: usize = 2 * Topic::COUNT + STATUSES.len();

impl Counter {
    fn all() -> impl Iterator<Item = Self> {
        let topics = Topic::ALL.into_iter();
        let sent = topics.clone().map(Self::Sent);
        sent.chain(topics.map(Self::Finished)).chain(STATUSES.map(Self::Orders))
    }

    /// Its place in [`Counter::all`].
    fn place(self) -> usize {
        match self {
            Self::Sent(topic) => topic as usize,
            Self::Finished(topic) => Topic::COUNT + topic as usize,
            Self::Orders(status) => 2 * Topic::COUNT + status as usize,
        }
    }

    /// Its column.
    fn column(self) -> String {
        match self {
            Self::Sent(topic) => format!("sent_{}", topic.name().replace('-', "_")),
            Self::Finished(topic) => format!("finished_{}", topic.name().replace('-', "_")),
            Self::Orders(status) => format!("orders_{}", status_name(status)),
        }
    }
}

/// As on the wire.
pub(super) fn status_name(status: Status) -> String {
    let name = serde_json::to_value(status).ok();
    name.and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
}

/// What the writes of the group in progress note, and the journal of those that were committed.
pub(crate) struct Notes {
    group: Mutex<Group>,
    /// How many messages were sent by the groups that were committed.
    sent: AtomicU64,
    journal: Journal,
    changed: ChangedOrders,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Group {
    entries: Vec<Entry>,
    /// Orders whose other records were written.
    changed: Vec<OrderId>,
    counts: [i64; COUNTERS],
}

impl Notes {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let journal = Journal::new(clock.now(), CAPACITY);
        let (group, sent, changed) = Default::default();
        Arc::new(Self { group, sent, journal, changed, clock })
    }

    /// How many messages this process has sent.
    pub(crate) fn sent_so_far(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What was committed lately.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Records what is in no write: a receive, a switch.
    pub(crate) fn record(&self, entries: impl IntoIterator<Item = Entry>) {
        self.journal.record(self.clock.now(), entries);
    }

    /// Takes the orders that changed by committed writes: see [`ChangedOrders::take`].
    pub(crate) fn take_changed(&self) -> Option<BTreeSet<OrderId>> {
        self.changed.take()
    }

    /// A write has changed a record of that order which the audit sees. Messages and orders are noted by themselves.
    pub(super) fn changed(&self, order: OrderId) {
        lock(&self.group).changed.push(order);
    }

    /// A write has these messages in it. As all that is noted, at its end.
    pub(super) fn message(&self, messages: impl IntoIterator<Item = Message>) {
        lock(&self.group).entries.extend(messages.into_iter().map(Entry::Message));
    }

    /// A write has sent, copied or dead-lettered that message. Noted at the end of a write, since one that fails is undone.
    pub(super) fn sent(&self, message: &Outgoing, now: Timestamp) {
        let mut group = lock(&self.group);
        if message.dead_letter.is_none() {
            group.counts[Counter::Sent(message.topic).place()] += 1;
        }
        group.entries.push(Entry::Message(Message::outgoing(message, now)));
    }

    /// A message of that topic is acknowledged or dead-lettered.
    pub(super) fn finished(&self, topic: Topic) {
        lock(&self.group).counts[Counter::Finished(topic).place()] += 1;
    }

    /// A message of that body is dead-lettered, since it was received too often.
    pub(super) fn given_up(&self, topic: Topic, body: &str, failure: &str) {
        self.finished(topic);
        let message =
            Message { reason: Some(failure.into()), ..Message::read(topic, body, Phase::DeadLettered) };
        lock(&self.group).entries.push(Entry::Message(message));
    }

    /// A dead letter of that body was redriven or discarded.
    pub(super) fn letter(&self, topic: Topic, body: &str, phase: Phase, reason: Option<&str>) {
        let reason = reason.map(Into::into);
        let message = Message { reason, ..Message::read(topic, body, phase) };
        let mut group = lock(&self.group);
        if phase == Phase::Redriven {
            group.counts[Counter::Sent(topic).place()] += 1;
        }
        group.entries.push(Entry::Message(message));
    }

    /// That order was written. Its status before is in its history.
    pub(super) fn order(&self, order: &Order) {
        let mut group = lock(&self.group);
        let before = order.history.iter().rev().nth(1).map(|change| change.status);
        if let Some(before) = before {
            group.counts[Counter::Orders(before).place()] -= 1;
        }
        group.counts[Counter::Orders(order.state.status()).place()] += 1;
        group.entries.push(Entry::Order(Changed::of(order)));
    }
}

/// Writes the counts of each group, and records its entries after the commit, before `next` hands out the messages.
pub(super) struct NoteTaker<H> {
    notes: Arc<Notes>,
    /// Adds to every count in one statement.
    add: String,
    next: H,
}

impl<H> NoteTaker<H> {
    pub(super) fn new(notes: Arc<Notes>, next: H) -> Self {
        let columns = (1..).zip(Counter::all()).map(|(number, counter)| {
            let column = counter.column();
            format!("{column} = {column} + ?{number}")
        });
        let add = format!("UPDATE counters SET {}", columns.collect::<Vec<_>>().join(", "));
        Self { notes, add, next }
    }
}

impl<H: Hook> Hook for NoteTaker<H> {
    fn between(&mut self) {
        self.next.between();
    }

    fn before_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.next.before_commit(connection)?;
        let counts = lock(&self.notes.group).counts;
        if counts.iter().any(|count| *count != 0) {
            connection.change(&self.add, params_from_iter(counts))?;
        }
        self.notes.changed.commit_begins();
        Ok(())
    }

    fn after_commit(&mut self, committed: bool) {
        let Group { entries, counts, changed } = std::mem::take(&mut *lock(&self.notes.group));
        let about = entries.iter().filter_map(about);
        // Also of a group that may have been committed: an order more does no harm.
        self.notes.changed.commit_ended(about.chain(changed));
        if committed {
            let sent = Topic::ALL.map(|topic| counts[Counter::Sent(topic).place()]).iter().sum::<i64>();
            self.notes.sent.fetch_add(sent.unsigned_abs(), Ordering::Relaxed);
            self.notes.record(entries);
        }
        self.next.after_commit(committed);
    }

    fn next_wake(&mut self) -> Option<Duration> {
        self.next.next_wake()
    }
}

/// The order that an entry is about.
fn about(entry: &Entry) -> Option<OrderId> {
    match entry {
        Entry::Message(message) => message.order,
        Entry::Order(changed) => Some(changed.id),
        Entry::Service { .. } | Entry::Provider(_) => None,
    }
}

/// How many messages were ever sent to a topic, and how many of them are finished.
pub(super) fn sent_and_finished(connection: &Connection, topic: Topic) -> rusqlite::Result<(u64, u64)> {
    Ok((value(connection, Counter::Sent(topic))?, value(connection, Counter::Finished(topic))?))
}

/// How many orders have each status.
pub(super) fn orders_by_status(connection: &Connection) -> rusqlite::Result<Vec<(Status, u64)>> {
    let all = STATUSES.into_iter().map(|status| Ok((status, value(connection, Counter::Orders(status))?)));
    all.collect()
}

fn value(connection: &Connection, counter: Counter) -> rusqlite::Result<u64> {
    let sql = format!("SELECT {} FROM counters", counter.column());
    let value: Option<i64> = connection.row(&sql, [], |row| row.get(0))?;
    Ok(value.unwrap_or_default().try_into().unwrap_or_default())
}
