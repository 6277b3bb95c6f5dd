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
use system::journal::{Entry, Message, Phase};
use system::view::TopicState;
use tokio::sync::oneshot;

use super::Statements;
use super::database::Database;
use super::dispatch::{Receiver, WaitList};
use super::notes::{self, Notes};
use super::{MAX_RECEIVE_COUNT, letters, messages};

/// The topics in a database.
#[derive(Clone)]
pub struct SqliteTopics {
    pub(super) database: Database,
    pub(super) wait_list: Arc<WaitList>,
    pub(super) clock: Arc<dyn Clock>,
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

    /// Records in the journal that these messages were received.
    pub fn record(&self, received: &[Message]) {
        self.database.notes().record(received.iter().cloned().map(Entry::Message));
    }

    /// Does `work` on the writing thread: see [`group_commit::Database::within`].
    pub fn within<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        self.database.within(work)
    }

    /// Begins the handling of a batch.
    pub fn attempt(&self) -> Attempt {
        Attempt { failures: self.database.failures() }
    }

    /// Finishes a batch in one write: for each message, deletes it and sends what its consumer answers, or has it redelivered
    /// after a pause.
    ///
    /// A message that was redelivered in the meantime is left alone: it belongs to its new receiver. If a group was not
    /// committed since the `attempt` began, nothing is finished: what was written for the batch may be lost.
    ///
    /// # Errors
    /// Nothing is finished: every message is redelivered after its visibility timeout.
    pub async fn finish(
        &self,
        topic: Topic,
        batch: Vec<Finished>,
        attempt: Attempt,
    ) -> Result<(), StoreError> {
        if self.database.failures() != attempt.failures {
            return Err(StoreError::unavailable("a group was not committed"));
        }
        let now = self.clock.now();
        let (wait_list, notes) = (self.wait_list.clone(), self.database.notes());
        let write = move |connection: &Connection| {
            let sent = || batch.iter().flat_map(|finished| &finished.messages);
            if let Some(message) = sent().find(|message| message.body.len() > LARGEST) {
                // A message must not be acknowledged if its answer cannot be sent.
                return Err(rusqlite::Error::ToSqlConversionFailure(too_large(message.body.len()).into()));
            }
            let mut ends = Vec::with_capacity(batch.len());
            for finished in &batch {
                ends.push(finish_one(connection, &wait_list, topic, finished, now)?);
            }
            for (finished, end) in batch.iter().zip(ends) {
                match end {
                    End::Acknowledged => {
                        notes.finished(topic);
                        notes.message(finished.is_answered().then(|| finished.seen(Phase::Answered)));
                    }
                    End::GivenUp(failure) => {
                        notes.finished(topic);
                        let reason = Some(failure.into());
                        notes.message([Message { reason, ..finished.seen(Phase::DeadLettered) }]);
                    }
                    End::Redelivered(due) => {
                        let reason = Some("it could not be handled, and is redelivered".into());
                        notes.message([Message { due: Some(due), reason, ..finished.seen(Phase::Delayed) }]);
                    }
                    End::OfAnother => {}
                }
                finished.messages.iter().for_each(|message| notes.sent(message, now));
            }
            Ok(())
        };
        self.database.join(write).await
    }

    /// The state of every topic.
    pub async fn states(&self) -> Result<Vec<(Topic, TopicState)>, StoreError> {
        let now = self.clock.now();
        self.database
            .scan(move |connection| {
                let _one_moment = connection.unchecked_transaction()?;
                Topic::ALL.into_iter().map(|topic| Ok((topic, state(connection, topic, now)?))).collect()
            })
            .await
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

/// When the handling of a batch began.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// How many groups could not be committed before.
    failures: u64,
}

/// What a consumer decided about a message that it received.
#[derive(Debug)]
pub struct Finished {
    /// The receive.
    pub receipt: Receipt,
    /// What it was.
    pub message: Message,
    /// Its answers; or its copy, or the dead letter that it has become.
    pub messages: Vec<Outgoing>,
    /// Whether it is redelivered. Else it is acknowledged.
    pub redeliver: bool,
}

impl Finished {
    /// A message that was received, acknowledged without an answer; `None` if it is not from these topics.
    pub fn of(topic: Topic, delivery: &Delivery) -> Option<Self> {
        let receipt = Receipt::of(delivery)?;
        let message = Message::read(topic, &delivery.body, Phase::Received);
        Some(Self { receipt, message, messages: Vec::new(), redeliver: false })
    }

    /// Whether it is done: neither copied, nor dead-lettered, nor redelivered.
    fn is_answered(&self) -> bool {
        !self.redeliver
            && !self.messages.iter().any(|message| message.is_copy() || message.dead_letter.is_some())
    }

    fn seen(&self, phase: Phase) -> Message {
        Message { phase, ..self.message.clone() }
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
        let (wait_list, notes) = (self.wait_list.clone(), self.database.notes());
        let topics: Vec<_> = messages.iter().map(|message| (message.topic, message.body.len())).collect();
        let sent = self.database.join(move |connection| send(connection, &wait_list, &notes, &messages, now));
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
    notes: &Notes,
    messages: &[Outgoing],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let sent = || messages.iter().filter(|message| message.body.len() <= LARGEST);
    for message in sent() {
        messages::send(connection, message, None, now)?;
        wait_list.touch(message.topic);
    }
    sent().for_each(|message| notes.sent(message, now));
    Ok(())
}

/// What became of a message that was finished.
enum End {
    /// It is deleted.
    Acknowledged,
    /// It can be received again at that moment.
    Redelivered(Timestamp),
    /// It was received too often, and is dead-lettered with that failure.
    GivenUp(String),
    /// It was redelivered in the meantime, and is its new receiver's.
    OfAnother,
}

/// Finishes a message, and sends its answers.
fn finish_one(
    connection: &Connection,
    wait_list: &WaitList,
    topic: Topic,
    finished: &Finished,
    now: Timestamp,
) -> rusqlite::Result<End> {
    let Finished { receipt: Receipt { id, receive_count }, messages, redeliver, .. } = finished;
    let receipt = params![id, receive_count];
    wait_list.landed(*id);
    if *redeliver && *receive_count < MAX_RECEIVE_COUNT {
        let due = now + messages::pause(*receive_count);
        let sql = "UPDATE messages SET visible_at = ?3 WHERE id = ?1 AND receive_count = ?2";
        let changed = connection.change(sql, params![id, receive_count, due.as_millis()])?;
        wait_list.touch_all();
        return Ok(if changed == 1 { End::Redelivered(due) } else { End::OfAnother });
    }
    if *redeliver {
        let sql = "DELETE FROM messages WHERE id = ?1 AND receive_count = ?2 RETURNING body, letter";
        let given_up = connection.row(sql, receipt, |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let Some((body, letter)) = given_up else { return Ok(End::OfAnother) };
        let failure = messages::give_up(connection, topic, &body, *receive_count, letter, now)?;
        return Ok(End::GivenUp(failure));
    }
    let sql = "DELETE FROM messages WHERE id = ?1 AND receive_count = ?2 RETURNING letter";
    let deleted: Option<Option<i64>> = connection.row(sql, receipt, |row| row.get(0))?;
    let letter = deleted.flatten();
    for message in messages {
        let own = message.is_copy() || message.dead_letter.is_some();
        messages::send(connection, message, letter.filter(|_| own), now)?;
        wait_list.touch(message.topic);
    }
    if let Some(letter) = letter.filter(|_| finished.is_answered()) {
        letters::handled(connection, letter)?;
    }
    Ok(if deleted.is_some() { End::Acknowledged } else { End::OfAnother })
}

/// All of it is in one index, at one moment.
fn state(connection: &Connection, topic: Topic, now: Timestamp) -> rusqlite::Result<TopicState> {
    let live = "SELECT count(*) FILTER (WHERE visible_at <= ?2),
                       count(*) FILTER (WHERE visible_at > ?2 AND receive_count > 0),
                       count(*) FILTER (WHERE visible_at > ?2 AND receive_count = 0),
                       min(since)
                FROM messages WHERE topic = ?1";
    let (sent, finished) = notes::sent_and_finished(connection, topic)?;
    let dead_lettered = letters::count(connection, topic)?;
    let found = connection.row(live, params![topic.name(), now.as_millis()], |row| {
        let oldest: Option<i64> = row.get(3)?;
        let age = oldest.map_or(Duration::ZERO, |oldest| now.since(Timestamp::from_millis(oldest)));
        Ok(TopicState {
            waiting: row.get(0)?,
            in_flight: row.get(1)?,
            delayed: row.get(2)?,
            dead_lettered,
            oldest_age_seconds: Some(age.as_secs()),
            sent: Some(sent),
            finished: Some(finished),
        })
    })?;
    Ok(found.unwrap_or_default())
}
