//! The waiting receivers, and what there is for them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use messaging::consumer::Delivery;
use messaging::topics::Outgoing;
use protocol::headline::Headline;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::in_flight::InFlight;
use super::messages::Row;
use super::recovery::Recovery;
use super::{letters, lock, messages};

/// The waiting receivers, and the topics that have news for them.
#[derive(Default)]
pub(super) struct WaitList {
    waiting: Mutex<HashMap<Topic, VecDeque<Receiver>>>,
    /// Messages that were handed to a receiver which had just stopped waiting.
    pub(super) undelivered: Mutex<Vec<Delivery>>,
    /// The topics to be looked at.
    touched: Mutex<BTreeSet<Topic>>,
    /// What the group in progress has sent, to be received at once. It is not written yet.
    pub(super) sent: Mutex<Vec<Row>>,
    /// What of it was handed out and is not finished. It is written before the commit.
    pub(super) unwritten: Mutex<BTreeMap<i64, Row>>,
    pub(super) in_flight: Mutex<InFlight>,
    /// How each topic's consumer fares, in the order of [`Topic::ALL`].
    pub(super) recovery: Mutex<[Recovery; Topic::COUNT]>,
    /// The topics whose messages are handed out after their commit alone.
    commit_first: Mutex<BTreeSet<Topic>>,
    last_id: AtomicI64,
    /// In Unix milliseconds: until then, messages are handed out after their commit alone.
    careful_until: AtomicI64,
    /// The messages that were in flight when a process died, for the second time or more.
    pub(super) suspects: Mutex<HashSet<i64>>,
    /// The one of them that is handled, and until when it is in flight.
    alone: Mutex<Option<(i64, Timestamp)>>,
}

/// A receiver that waits for messages of a topic.
pub(super) struct Receiver {
    /// The most messages it takes.
    pub(super) most: usize,
    /// The visibility timeout of the messages.
    pub(super) visibility: Duration,
    /// Whether it takes part in the groups: what it does with a message is undone with the group that sent it.
    pub(super) is_within: bool,
    /// Gets the messages.
    pub(super) reply: oneshot::Sender<Vec<Delivery>>,
}

impl WaitList {
    /// The file's last message has that id; what else is in it is not known yet.
    pub(super) fn begin_after(&self, last_id: i64) {
        self.touch_all();
        self.last_id.store(last_id, Ordering::Relaxed);
    }

    /// Sends a message within a group; answers it if it is to be received at once, and then it is not written yet. A dead
    /// letter, or a copy, of a message that was redriven is still that `letter`.
    pub(super) fn send(
        &self,
        connection: &Connection,
        message: &Outgoing,
        letter: Option<i64>,
        now: Timestamp,
    ) -> rusqlite::Result<Option<Row>> {
        if let Some(failure) = &message.dead_letter {
            letters::add(connection, message.topic, &message.body, failure, letter, now)?;
            return Ok(None);
        }
        let since = match &message.about {
            Some(about) => Some(about.time),
            None => Headline::of(&message.body).time,
        };
        let row = self.row(message.topic, message.body.clone(), since.unwrap_or(now), letter);
        if message.delay.is_zero() {
            return Ok(Some(row));
        }
        messages::insert(connection, &row, Some(now + message.delay), now)?;
        self.touch(message.topic);
        Ok(None)
    }

    /// A new message. Ids are never given twice by a process: a receiver that comes too late must not finish another's.
    pub(super) fn row(&self, topic: Topic, body: String, since: Timestamp, letter: Option<i64>) -> Row {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        Row { id, topic, since, receive_count: 0, letter, body }
    }

    /// Adds a receiver that waits for its topic's messages.
    pub(super) fn wait(&self, topic: Topic, receiver: Receiver) {
        let mut waiting = lock(&self.waiting);
        let queue = waiting.entry(topic).or_default();
        queue.retain(|receiver| !receiver.reply.is_closed());
        queue.push_back(receiver);
    }

    /// Puts a receiver that got nothing back at the front.
    pub(super) fn wait_on(&self, topic: Topic, receiver: Receiver) {
        lock(&self.waiting).entry(topic).or_default().push_front(receiver);
    }

    /// Notes that rows of the topic have become visible.
    pub(super) fn touch(&self, topic: Topic) {
        lock(&self.touched).insert(topic);
    }

    /// Notes the same of every topic.
    pub(super) fn touch_all(&self) {
        lock(&self.touched).extend(Topic::ALL);
    }

    /// The topics that were touched.
    pub(super) fn touched(&self) -> BTreeSet<Topic> {
        std::mem::take(&mut *lock(&self.touched))
    }

    /// Requeues messages that their receiver did not fetch: the next group makes them visible, and the receive does
    /// not count.
    pub(super) fn requeue(&self, deliveries: Vec<Delivery>) {
        lock(&self.undelivered).extend(deliveries);
    }

    /// Notes the messages that are to be handled alone.
    pub(super) fn suspect(&self, suspects: Vec<i64>) {
        *lock(&self.suspects) = suspects.into_iter().collect();
    }

    /// That message is handled alone until then.
    pub(super) fn handled_alone(&self, id: i64, until: Timestamp) {
        *lock(&self.alone) = Some((id, until));
    }

    /// No message is handled alone any more.
    pub(super) fn none_alone(&self) {
        *lock(&self.alone) = None;
        self.touch_all();
    }

    /// Notes that a message is in flight no longer.
    pub(super) fn landed(&self, id: i64) {
        if lock(&self.alone).is_some_and(|(one, _)| one == id) {
            self.none_alone();
        }
    }

    /// Until when a message is handled alone, if one is.
    pub(super) fn alone(&self, now: Timestamp) -> Option<Timestamp> {
        lock(&self.alone).map(|(_, until)| until).filter(|until| *until > now)
    }

    /// The receiver that waits longest for a topic.
    pub(super) fn next(&self, topic: Topic) -> Option<Receiver> {
        self.next_if(topic, |_| true)
    }

    /// The same, if it takes part in the groups.
    pub(super) fn next_within(&self, topic: Topic) -> Option<Receiver> {
        self.next_if(topic, |receiver| receiver.is_within)
    }

    fn next_if(&self, topic: Topic, fits: impl Fn(&Receiver) -> bool) -> Option<Receiver> {
        let mut waiting = lock(&self.waiting);
        let queue = waiting.get_mut(&topic)?;
        while queue.front().is_some_and(|receiver| receiver.reply.is_closed()) {
            queue.pop_front();
        }
        queue.pop_front_if(|receiver| fits(receiver))
    }

    /// From now on, messages of that topic are handed out after their commit alone.
    pub(super) fn commit_first(&self, topic: Topic) {
        lock(&self.commit_first).insert(topic);
    }

    /// Whether messages of that topic are handed out after their commit alone.
    pub(super) fn commits_first(&self, topic: Topic) -> bool {
        lock(&self.commit_first).contains(&topic)
    }

    /// Until then, messages are handed out after their commit alone.
    pub(super) fn be_careful_until(&self, until: Timestamp) {
        self.careful_until.fetch_max(until.as_millis(), Ordering::Relaxed);
    }

    /// Whether messages are handed out after their commit alone.
    pub(super) fn is_careful(&self, now: Timestamp) -> bool {
        now.as_millis() < self.careful_until.load(Ordering::Relaxed)
    }

    /// Writes a message that was handed out in the group that sent it, and is to be redelivered.
    pub(super) fn write(&self, connection: &Connection, id: i64, now: Timestamp) -> rusqlite::Result<()> {
        match lock(&self.unwritten).get(&id) {
            Some(row) => messages::insert(connection, row, None, now),
            None => Ok(()),
        }
    }

    /// Whether a receiver waits for a topic.
    pub(super) fn is_awaited(&self, topic: Topic) -> bool {
        lock(&self.waiting).get(&topic).is_some_and(|queue| !queue.is_empty())
    }
}
