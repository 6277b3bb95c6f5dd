//! Hands messages to waiting receivers, without polling.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use group_commit::Hook;
use messaging::clock::Clock;
use messaging::consumer::Delivery;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tracing::warn;

use super::messages::Received;
use super::notes::Notes;
use super::{lock, messages};

/// The waiting receivers, and the topics that have news for them.
#[derive(Default)]
pub(super) struct WaitList {
    waiting: Mutex<HashMap<Topic, VecDeque<Receiver>>>,
    /// Messages that were handed to a receiver which had just stopped waiting.
    undelivered: Mutex<Vec<Delivery>>,
    touched: Mutex<BTreeSet<Topic>>,
    /// The messages that were in flight when a process died, for the second time or more.
    suspects: Mutex<HashSet<i64>>,
    /// The one of them that is handled, and until when it is in flight.
    alone: Mutex<Option<(i64, Timestamp)>>,
}

/// A receiver that waits for messages of a topic.
pub(super) struct Receiver {
    /// The most messages it takes.
    pub(super) most: usize,
    /// The visibility timeout of the messages.
    pub(super) visibility: Duration,
    /// Gets the messages.
    pub(super) reply: oneshot::Sender<Vec<Delivery>>,
}

impl WaitList {
    /// Adds a receiver that waits for its topic's messages.
    pub(super) fn wait(&self, topic: Topic, receiver: Receiver) {
        let mut waiting = lock(&self.waiting);
        let queue = waiting.entry(topic).or_default();
        queue.retain(|receiver| !receiver.reply.is_closed());
        queue.push_back(receiver);
        self.touch(topic);
    }

    /// Puts a receiver that got nothing back at the front.
    fn wait_on(&self, topic: Topic, receiver: Receiver) {
        lock(&self.waiting).entry(topic).or_default().push_front(receiver);
    }

    /// Notes that the topic has new messages or a new receiver.
    pub(super) fn touch(&self, topic: Topic) {
        lock(&self.touched).insert(topic);
    }

    /// Notes the same of every topic.
    pub(super) fn touch_all(&self) {
        lock(&self.touched).extend(Topic::ALL);
    }

    /// Requeues messages that their receiver did not fetch: the next group makes them visible, and the receive does
    /// not count.
    pub(super) fn requeue(&self, deliveries: Vec<Delivery>) {
        lock(&self.undelivered).extend(deliveries);
    }

    /// Notes the messages that are to be handled alone.
    pub(super) fn suspect(&self, suspects: HashSet<i64>) {
        *lock(&self.suspects) = suspects;
    }

    /// Notes that a message is in flight no longer.
    pub(super) fn landed(&self, id: i64) {
        let mut alone = lock(&self.alone);
        if alone.is_some_and(|(one, _)| one == id) {
            *alone = None;
            drop(alone);
            self.touch_all();
        }
    }

    /// Until when a message is handled alone, if one is.
    fn alone(&self, now: Timestamp) -> Option<Timestamp> {
        lock(&self.alone).map(|(_, until)| until).filter(|until| *until > now)
    }

    fn next(&self, topic: Topic) -> Option<Receiver> {
        let mut waiting = lock(&self.waiting);
        let queue = waiting.get_mut(&topic)?;
        std::iter::from_fn(|| queue.pop_front()).find(|receiver| !receiver.reply.is_closed())
    }
}

/// Hands messages to waiting receivers, in the group that sends them or when they become visible.
pub(super) struct Dispatch {
    wait_list: Arc<WaitList>,
    notes: Arc<Notes>,
    clock: Arc<dyn Clock>,
    /// When the next message of each topic can be received, as of the last look.
    due: HashMap<Topic, Timestamp>,
    /// The messages that this group hands out; their receivers get them after the commit.
    handed_out: Vec<(Topic, Receiver, Vec<Delivery>)>,
    /// How many of the undelivered messages this group requeues.
    requeued: usize,
    failed: bool,
    /// What the clock showed in the last group that was committed, and when that was.
    seen: Option<(Timestamp, Instant)>,
    /// The same of this group.
    sees: Option<(Timestamp, Instant)>,
}

/// Clocks are corrected by less than this all the time.
const SMALL_STEP: Duration = Duration::from_secs(1);

impl Dispatch {
    pub(super) fn new(wait_list: Arc<WaitList>, notes: Arc<Notes>, clock: Arc<dyn Clock>) -> Self {
        Self {
            wait_list,
            notes,
            clock,
            due: HashMap::new(),
            handed_out: Vec::new(),
            requeued: 0,
            failed: false,
            seen: None,
            sees: None,
        }
    }

    /// By how much the clock was set back since the last group.
    fn set_back(&self, now: Timestamp) -> Option<Duration> {
        let (before, at) = self.seen?;
        let back = before.since(now);
        (back > SMALL_STEP).then(|| back + at.elapsed())
    }

    fn hand_out(&mut self, connection: &Connection, topic: Topic, now: Timestamp) -> rusqlite::Result<()> {
        while let Some(receiver) = self.wait_list.next(topic) {
            let alone = self.wait_list.alone(now);
            let received = messages::receive(
                connection,
                topic,
                receiver.most,
                receiver.visibility,
                now,
                &lock(&self.wait_list.suspects),
                alone.is_none(),
                &self.notes,
            );
            let Received { deliveries, alone: suspect } = match received {
                Ok(received) => received,
                Err(error) => {
                    // The receiver keeps waiting: the group fails, and is tried again.
                    self.wait_list.wait_on(topic, receiver);
                    return Err(error);
                }
            };
            if deliveries.is_empty() {
                self.wait_list.wait_on(topic, receiver);
                match messages::next_due(connection, topic, now, alone)? {
                    Some(due) => self.due.insert(topic, due),
                    None => self.due.remove(&topic),
                };
                break;
            }
            if let Some(id) = suspect {
                *lock(&self.wait_list.alone) = Some((id, now + receiver.visibility));
            }
            self.handed_out.push((topic, receiver, deliveries));
        }
        Ok(())
    }
}

impl Hook for Dispatch {
    fn before_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let now = self.clock.now();
        self.sees = Some((now, Instant::now()));
        if let Some(by) = self.set_back(now) {
            warn!("the clock was set back by {by:?}");
            messages::set_back(connection, by)?;
            *lock(&self.wait_list.alone) = None;
            self.wait_list.touch_all();
        }
        let undelivered = lock(&self.wait_list.undelivered).clone();
        self.requeued = undelivered.len();
        for delivery in &undelivered {
            messages::requeue(connection, delivery, now)?;
            if let Ok(id) = delivery.id.parse() {
                self.wait_list.landed(id);
            }
            self.wait_list.touch_all();
        }
        let touched = std::mem::take(&mut *lock(&self.wait_list.touched));
        for topic in Topic::ALL {
            if touched.contains(&topic) || self.due.get(&topic).is_some_and(|&due| due <= now) {
                self.hand_out(connection, topic, now)?;
            }
        }
        Ok(())
    }

    fn after_commit(&mut self, committed: bool) {
        self.failed = !committed;
        if committed {
            self.seen = self.sees;
            lock(&self.wait_list.undelivered).drain(..self.requeued);
        }
        self.requeued = 0;
        for (topic, receiver, deliveries) in self.handed_out.drain(..) {
            if committed {
                if let Err(deliveries) = receiver.reply.send(deliveries) {
                    self.wait_list.requeue(deliveries);
                }
            } else {
                *lock(&self.wait_list.alone) = None;
                self.wait_list.wait_on(topic, receiver);
                self.wait_list.touch_all();
            }
        }
    }

    fn next_wake(&mut self) -> Option<Duration> {
        if self.failed {
            self.wait_list.touch_all();
            return Some(Duration::from_millis(100));
        }
        if !lock(&self.wait_list.undelivered).is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now();
        let waiting = lock(&self.wait_list.waiting);
        let awaited = |topic: &Topic| waiting.get(topic).is_some_and(|queue| !queue.is_empty());
        let due = self.due.iter().filter(|(topic, _)| awaited(topic)).map(|(_, due)| due).min()?;
        Some(due.since(now))
    }
}
