//! Hands messages to waiting receivers, without polling.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use messaging::clock::Clock;
use messaging::consumer::Delivery;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::writer::Hook;
use super::{lock, messages};

/// The waiting receivers, and the topics that have news for them.
#[derive(Default)]
pub(super) struct WaitList {
    waiting: Mutex<HashMap<Topic, VecDeque<Receiver>>>,
    /// Messages that were handed to a receiver which had just stopped waiting.
    undelivered: Mutex<Vec<Delivery>>,
    touched: Mutex<BTreeSet<Topic>>,
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

    fn next(&self, topic: Topic) -> Option<Receiver> {
        let mut waiting = lock(&self.waiting);
        let queue = waiting.get_mut(&topic)?;
        std::iter::from_fn(|| queue.pop_front()).find(|receiver| !receiver.reply.is_closed())
    }
}

/// Hands messages to waiting receivers, in the group that sends them or when they become visible.
pub(super) struct Dispatch {
    wait_list: Arc<WaitList>,
    clock: Arc<dyn Clock>,
    /// When the next message of each topic can be received, as of the last look.
    due: HashMap<Topic, Timestamp>,
    /// The messages that this group hands out; their receivers get them after the commit.
    handed_out: Vec<(Topic, Receiver, Vec<Delivery>)>,
    /// How many of the undelivered messages this group requeues.
    requeued: usize,
    failed: bool,
}

impl Dispatch {
    pub(super) fn new(wait_list: Arc<WaitList>, clock: Arc<dyn Clock>) -> Self {
        Self { wait_list, clock, due: HashMap::new(), handed_out: Vec::new(), requeued: 0, failed: false }
    }

    fn hand_out(&mut self, connection: &Connection, topic: Topic, now: Timestamp) -> rusqlite::Result<()> {
        while let Some(receiver) = self.wait_list.next(topic) {
            let received = messages::receive(connection, topic, receiver.most, receiver.visibility, now);
            let deliveries = match received {
                Ok(deliveries) => deliveries,
                Err(error) => {
                    // The receiver keeps waiting: the group fails, and is tried again.
                    self.wait_list.wait_on(topic, receiver);
                    return Err(error);
                }
            };
            if deliveries.is_empty() {
                self.wait_list.wait_on(topic, receiver);
                match messages::next_visible(connection, topic)? {
                    Some(due) => self.due.insert(topic, due),
                    None => self.due.remove(&topic),
                };
                break;
            }
            self.handed_out.push((topic, receiver, deliveries));
        }
        Ok(())
    }
}

impl Hook for Dispatch {
    fn before_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let now = self.clock.now();
        let undelivered = lock(&self.wait_list.undelivered).clone();
        self.requeued = undelivered.len();
        for delivery in &undelivered {
            messages::requeue(connection, delivery, now)?;
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
            lock(&self.wait_list.undelivered).drain(..self.requeued);
        }
        self.requeued = 0;
        for (topic, receiver, deliveries) in self.handed_out.drain(..) {
            if committed {
                if let Err(deliveries) = receiver.reply.send(deliveries) {
                    self.wait_list.requeue(deliveries);
                }
            } else {
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
