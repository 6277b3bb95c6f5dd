//! The topics on SQLite. Like SQS standard queues: at least once, unordered, with a visibility timeout, a
//! receive count, delays and a dead-letter queue.
//!
//! Receivers do not poll: the group that sends a message hands it to a waiting receiver before the commit
//! (`dispatch.rs`), so a hop costs one fsync.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use messaging::clock::Clock;
use messaging::consumer::Delivery;
use messaging::store::StoreError;
use messaging::topics::{Outgoing, SendError, Topics};
use protocol::event::LARGEST;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, params};
use system::operations::{DeadLetter, TopicState};
use tokio::sync::oneshot;

use super::Statements;
use super::database::Database;
use super::dispatch::{Receiver, WaitList};
use super::messages;

/// The topics in a database.
#[derive(Clone)]
pub struct SqliteTopics {
    database: Database,
    wait_list: Arc<WaitList>,
    clock: Arc<dyn Clock>,
}

impl SqliteTopics {
    pub(super) fn new(database: Database, wait_list: Arc<WaitList>, clock: Arc<dyn Clock>) -> Self {
        Self { database, wait_list, clock }
    }

    /// Makes every in-flight message visible again. Called at start-up: the process that received it no longer exists.
    ///
    /// **Crash contract:** a process that is stopped leaves no message in flight. If it dies, those in flight were received
    /// once more, since one of them may be what it died of. A message that ends the process whenever it is handled is
    /// dead-lettered after [`super::MAX_RECEIVE_COUNT`] receives, and no other with it: after the second crash, those that were
    /// in flight are handled one at a time.
    pub fn requeue_in_flight(&self) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        let now = self.clock.now();
        let wait_list = self.wait_list.clone();
        self.database.write(move |connection| {
            messages::bring_back(connection, now)?;
            wait_list.suspect(messages::requeue_in_flight(connection, now)?);
            Ok(())
        })
    }

    /// Requeues what was handed to receivers that had just stopped waiting; those receives do not count. Called when no
    /// receiver is left, before the database is closed.
    pub fn requeue_undelivered(&self) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        // Every group does that.
        self.database.write(|_| Ok(()))
    }

    /// Waits until there are messages, and receives up to `most` of them. They are invisible to other receivers for
    /// `visibility`. Cancel-safe: a dropped receive leaves its messages in the topic.
    pub async fn receive(&self, topic: Topic, most: usize, visibility: Duration) -> Vec<Delivery> {
        let (reply, delivered) = oneshot::channel();
        self.wait_list.wait(topic, Receiver { most, visibility, reply });
        self.database.wake();
        let mut waiting = Waiting { topics: self, delivered };
        // The sender is dropped only when the database is closed.
        match (&mut waiting.delivered).await {
            Ok(deliveries) => deliveries,
            Err(_) => std::future::pending().await,
        }
    }

    /// Finishes a batch in one write: sends `messages`, deletes the `done` ones, and has the `failed` ones redelivered
    /// after a pause.
    ///
    /// A message that was redelivered in the meantime is left alone: it belongs to its new receiver.
    pub fn finish(
        &self,
        messages: Vec<Outgoing>,
        done: Vec<Receipt>,
        failed: Vec<Receipt>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        let now = self.clock.now();
        let wait_list = self.wait_list.clone();
        self.database.write(move |connection| {
            if let Some(message) = messages.iter().find(|message| message.body.len() > LARGEST) {
                // A message must not be acknowledged if its answer cannot be sent.
                return Err(rusqlite::Error::ToSqlConversionFailure(too_large(message.body.len()).into()));
            }
            send(connection, &wait_list, &messages, now)?;
            done.iter().chain(&failed).for_each(|receipt| wait_list.landed(receipt.id));
            for Receipt { id, receive_count } in done {
                connection.change(
                    "DELETE FROM messages WHERE id = ?1 AND receive_count = ?2",
                    params![id, receive_count],
                )?;
            }
            for receipt in failed {
                let sql = "UPDATE messages SET visible_at = ?3 WHERE id = ?1 AND receive_count = ?2";
                let visible_at = (now + messages::pause(receipt.receive_count)).as_millis();
                connection.change(sql, params![receipt.id, receipt.receive_count, visible_at])?;
                wait_list.touch_all();
            }
            Ok(())
        })
    }

    /// The state of every topic.
    pub async fn states(&self) -> Result<Vec<(Topic, TopicState)>, StoreError> {
        let now = self.clock.now();
        self.database
            .scan(move |connection| {
                Topic::ALL.into_iter().map(|topic| Ok((topic, state(connection, topic, now)?))).collect()
            })
            .await
    }

    /// The dead letters of a topic, oldest first.
    pub async fn dead_letters(&self, topic: Topic) -> Result<Vec<DeadLetter>, StoreError> {
        let sql = "SELECT id, body, failure, attempts, source, dead_lettered_at FROM dead_letters
                   WHERE topic = ?1 ORDER BY id";
        let read = move |connection: &Connection| {
            connection.rows(sql, [topic.name()], |row| {
                let (id, body, failure, attempts, source) =
                    (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
                let dead_lettered_at = Timestamp::from_millis(row.get(5)?);
                Ok(DeadLetter { id, topic, body, failure, attempts, source, dead_lettered_at })
            })
        };
        self.database.scan(read).await
    }

    /// Moves dead letters back to their topics: one, or all of them; answers how many.
    ///
    /// **Crash contract:** each letter is in its dead-letter queue or in its topic, before and after, and never in both.
    pub async fn redrive(&self, one: Option<i64>) -> Result<usize, StoreError> {
        let now = self.clock.now().as_millis();
        let wait_list = self.wait_list.clone();
        let write = move |connection: &Connection| {
            let send = "INSERT INTO messages (topic, visible_at, sent_at, body)
                        SELECT topic, ?2, ?2, body FROM dead_letters WHERE ?1 IS NULL OR id = ?1 ORDER BY id";
            let moved = connection.change(send, params![one, now])?;
            connection.change("DELETE FROM dead_letters WHERE ?1 IS NULL OR id = ?1", [one])?;
            wait_list.touch_all();
            Ok(moved)
        };
        self.database.write(write).await
    }
}

/// A receive in progress. If it is dropped after messages were handed to it, it requeues them: they must not
/// wait for a visibility timeout because their receiver stopped waiting at that moment.
struct Waiting<'a> {
    topics: &'a SqliteTopics,
    delivered: oneshot::Receiver<Vec<Delivery>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.delivered.close();
        if let Ok(deliveries) = self.delivered.try_recv() {
            self.topics.wait_list.requeue(deliveries);
            self.topics.database.wake();
        }
    }
}

/// Names one receive of one message.
#[derive(Clone, Copy, Debug)]
pub struct Receipt {
    id: i64,
    receive_count: u32,
}

impl Receipt {
    /// The receipt that came with a delivery; `None` if it is not from these topics.
    pub fn of(delivery: &Delivery) -> Option<Self> {
        Some(Self { id: delivery.id.parse().ok()?, receive_count: delivery.receive_count })
    }
}

#[async_trait]
impl Topics for SqliteTopics {
    /// Sends all in one write: all of them, or none.
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        let now = self.clock.now();
        let wait_list = self.wait_list.clone();
        let topics: Vec<_> = messages.iter().map(|message| (message.topic, message.body.len())).collect();
        let sent = self.database.write(move |connection| send(connection, &wait_list, &messages, now));
        let sent = sent.await;
        let answer = |(topic, length)| match &sent {
            _ if length > LARGEST => Err(SendError { topic, reason: too_large(length) }),
            Ok(()) => Ok(()),
            Err(error) => Err(SendError { topic, reason: error.to_string() }),
        };
        topics.into_iter().map(answer).collect()
    }
}

fn too_large(length: usize) -> String {
    format!("{length} bytes are more than the {LARGEST} a message may have")
}

/// Sends the messages that are not too large, and notes their topics for dispatch.
fn send(
    connection: &Connection,
    wait_list: &WaitList,
    messages: &[Outgoing],
    now: Timestamp,
) -> rusqlite::Result<()> {
    messages::send(connection, messages, now)?;
    messages.iter().for_each(|message| wait_list.touch(message.topic));
    Ok(())
}

fn state(connection: &Connection, topic: Topic, now: Timestamp) -> rusqlite::Result<TopicState> {
    let live = "SELECT count(*) FILTER (WHERE visible_at <= ?2),
                       count(*) FILTER (WHERE visible_at > ?2 AND receive_count > 0),
                       count(*) FILTER (WHERE visible_at > ?2 AND receive_count = 0),
                       min(sent_at)
                FROM messages WHERE topic = ?1";
    let found = connection.row(live, params![topic.name(), now.as_millis()], |row| {
        let oldest: Option<i64> = row.get(3)?;
        Ok(TopicState {
            waiting: row.get(0)?,
            in_flight: row.get(1)?,
            delayed: row.get(2)?,
            dead_lettered: 0,
            oldest_age_seconds: oldest
                .map_or(0, |oldest| now.since(Timestamp::from_millis(oldest)).as_secs()),
        })
    })?;
    let dead =
        connection
            .row("SELECT count(*) FROM dead_letters WHERE topic = ?1", [topic.name()], |row| row.get(0))?;
    Ok(TopicState { dead_lettered: dead.unwrap_or_default(), ..found.unwrap_or_default() })
}
