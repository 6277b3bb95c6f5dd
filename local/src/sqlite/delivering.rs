//! Handing messages to those who wait for them, without polling.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, params};
use shared::consumer::Delivery;
use shared::time::{Clock, Timestamp};
use shared::topic::{Failure, Topic};
use tokio::sync::oneshot;
use tracing::error;

use super::Statements;
use super::database::lock;
use super::topics::{MAX_RECEIVE_COUNT, bury};
use super::writer::Hook;

/// Who waits for messages, and which topics got some.
#[derive(Default)]
pub(super) struct Post {
    waiting: Mutex<HashMap<Topic, VecDeque<Receiver>>>,
    /// What was delivered to somebody who had just stopped waiting.
    undelivered: Mutex<Vec<Delivery>>,
    touched: AtomicU8,
}

/// Somebody who waits for messages of one topic.
pub(super) struct Receiver {
    /// Up to so many.
    pub(super) most: usize,
    /// For so long nobody else is to receive them.
    pub(super) visibility: Duration,
    /// Where they go.
    pub(super) reply: oneshot::Sender<Vec<Delivery>>,
}

impl Post {
    /// Has a receiver wait for its topic's messages.
    pub(super) fn wait(&self, topic: Topic, receiver: Receiver) {
        let mut waiting = lock(&self.waiting);
        let queue = waiting.entry(topic).or_default();
        queue.retain(|receiver| !receiver.reply.is_closed());
        queue.push_back(receiver);
        self.touch(topic);
    }

    /// Has a receiver that got nothing wait on, in its place.
    fn wait_on(&self, topic: Topic, receiver: Receiver) {
        lock(&self.waiting).entry(topic).or_default().push_front(receiver);
    }

    /// The topic has messages, or somebody who waits for some.
    pub(super) fn touch(&self, topic: Topic) {
        self.touched.fetch_or(1 << topic as u8, Ordering::SeqCst);
    }

    /// Any topic may have.
    pub(super) fn touch_all(&self) {
        self.touched.store(u8::MAX, Ordering::SeqCst);
    }

    /// Takes back what nobody came to fetch: the next group makes it as if it had not been received.
    pub(super) fn take_back(&self, deliveries: Vec<Delivery>) {
        lock(&self.undelivered).extend(deliveries);
    }

    fn next(&self, topic: Topic) -> Option<Receiver> {
        let mut waiting = lock(&self.waiting);
        let queue = waiting.get_mut(&topic)?;
        std::iter::from_fn(|| queue.pop_front()).find(|receiver| !receiver.reply.is_closed())
    }
}

/// Hands messages to those who wait, in the group that sends them or when their time has come.
pub(super) struct Delivering {
    post: Arc<Post>,
    clock: Arc<dyn Clock>,
    /// When the next message of each topic can be received, as of the last look.
    due: HashMap<Topic, Timestamp>,
    /// What this group delivers, told when it is committed.
    delivered: Vec<(Topic, Receiver, Vec<Delivery>)>,
    /// How much of the undelivered this group gives back.
    given_back: usize,
    failed: bool,
}

impl Delivering {
    pub(super) fn new(post: Arc<Post>, clock: Arc<dyn Clock>) -> Self {
        Self { post, clock, due: HashMap::new(), delivered: Vec::new(), given_back: 0, failed: false }
    }

    fn deliver(&mut self, connection: &Connection, topic: Topic, now: Timestamp) -> rusqlite::Result<()> {
        while let Some(receiver) = self.post.next(topic) {
            let deliveries = match take(connection, topic, &receiver, now) {
                Ok(deliveries) => deliveries,
                Err(error) => {
                    // It waits on: the group fails, and is tried again.
                    self.post.wait_on(topic, receiver);
                    return Err(error);
                }
            };
            if deliveries.is_empty() {
                self.post.wait_on(topic, receiver);
                let earliest = "SELECT min(visible_at) FROM messages WHERE topic = ?1";
                let due: Option<i64> = connection.row(earliest, [topic.name()], |row| row.get(0))?.flatten();
                match due {
                    Some(due) => self.due.insert(topic, Timestamp::from_millis(due)),
                    None => self.due.remove(&topic),
                };
                break;
            }
            self.delivered.push((topic, receiver, deliveries));
        }
        Ok(())
    }
}

/// Takes up to `most` messages for a receiver; what was received too often goes to the
/// dead-letter queue instead.
fn take(
    connection: &Connection,
    topic: Topic,
    receiver: &Receiver,
    now: Timestamp,
) -> rusqlite::Result<Vec<Delivery>> {
    let sql = "SELECT id, receive_count, body FROM messages WHERE topic = ?1 AND visible_at <= ?2 ORDER BY visible_at LIMIT ?3";
    let mut deliveries = Vec::new();
    loop {
        let found = connection.rows(
            sql,
            params![topic.name(), now.as_millis(), receiver.most - deliveries.len()],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get::<_, String>(2)?)),
        )?;
        if found.is_empty() {
            return Ok(deliveries);
        }
        for (id, received, body) in found {
            if received >= MAX_RECEIVE_COUNT {
                error!(
                    "a message of {topic} was received {received} times and never acknowledged: it goes to the dead-letter queue"
                );
                let failure = format!("received {received} times and never acknowledged");
                bury(
                    connection,
                    topic,
                    &body,
                    &Failure { failure, attempts: received, source: "/topics" },
                    now,
                )?;
                connection.change("DELETE FROM messages WHERE id = ?1", [id])?;
            } else {
                let visible_at = (now + receiver.visibility).as_millis();
                let sql =
                    "UPDATE messages SET visible_at = ?2, receive_count = receive_count + 1 WHERE id = ?1";
                connection.change(sql, params![id, visible_at])?;
                deliveries.push(Delivery { id: id.to_string(), body, receive_count: received + 1 });
            }
        }
        if deliveries.len() >= receiver.most {
            return Ok(deliveries);
        }
    }
}

impl Hook for Delivering {
    fn before_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let now = self.clock.now();
        let undelivered = lock(&self.post.undelivered).clone();
        self.given_back = undelivered.len();
        for delivery in &undelivered {
            let sql = "UPDATE messages SET visible_at = ?2, receive_count = receive_count - 1 WHERE id = ?1 AND receive_count = ?3";
            connection.change(sql, params![delivery.id, now.as_millis(), delivery.receive_count])?;
            self.post.touch_all();
        }
        let touched = self.post.touched.swap(0, Ordering::SeqCst);
        for topic in Topic::ALL {
            if touched & (1 << topic as u8) != 0 || self.due.get(&topic).is_some_and(|&due| due <= now) {
                self.deliver(connection, topic, now)?;
            }
        }
        Ok(())
    }

    fn after_commit(&mut self, committed: bool) {
        self.failed = !committed;
        if committed {
            lock(&self.post.undelivered).drain(..self.given_back);
        }
        self.given_back = 0;
        for (topic, receiver, deliveries) in self.delivered.drain(..) {
            if committed {
                if let Err(deliveries) = receiver.reply.send(deliveries) {
                    self.post.take_back(deliveries);
                }
            } else {
                self.post.wait_on(topic, receiver);
                self.post.touch_all();
            }
        }
    }

    fn next_wake(&mut self) -> Option<Duration> {
        if self.failed {
            self.post.touch_all();
            return Some(Duration::from_millis(100));
        }
        if !lock(&self.post.undelivered).is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now();
        let waiting = lock(&self.post.waiting);
        let awaited = |topic: &Topic| waiting.get(topic).is_some_and(|queue| !queue.is_empty());
        let due = self.due.iter().filter(|(topic, _)| awaited(topic)).map(|(_, due)| due).min()?;
        Some(due.since(now))
    }
}
