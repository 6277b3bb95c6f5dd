//! The topics on SQLite. Like SQS standard queues: at least once, unordered, with a visibility timeout, a
//! receive count, delays and a dead-letter queue.
//!
//! Receivers do not poll: the group that sends a message hands it to a waiting receiver (`dispatch.rs`), so a hop costs one
//! fsync at most.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use messaging::backoff;
use messaging::clock::Clock;
use messaging::consumer::Delivery;
use messaging::store::StoreError;
use messaging::topics::{Outgoing, SendError, Topics};
use protocol::event::LARGEST;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, params};
use system::journal::{Message, Phase};
use system::view::TopicState;
use tokio::sync::oneshot;

use super::database::Database;
use super::in_flight::Receive;
use super::messages::Row;
use super::notes::{self, Notes};
use super::recovery::Recovery;
use super::wait_list::{Receiver, WaitList};
use super::{MAX_RECEIVE_COUNT, Statements, letters, lock, messages};

/// Stands in the settings while a process uses the topics.
const IN_USE: &str = "topics-in-use";

/// How long after a crash messages are committed before they are handed out.
pub const CAREFUL: Duration = Duration::from_secs(600);

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

    /// Begins to use the topics, before a service runs: makes every in-flight message visible again, since the process that
    /// received it no longer exists, and tries what waited for a downstream.
    ///
    /// **Crash contract:** a process that is stopped ([`SqliteTopics::end`]) leaves no message in flight. If it dies, those in
    /// flight were received once more, since one of them may be what it died of. A message that ends the process whenever it is
    /// handled is dead-lettered after [`super::MAX_RECEIVE_COUNT`] receives, and no other with it: after the second crash, those
    /// that were in flight are handled one at a time. It may have died of a message that was handled in the group that sent it,
    /// which is undone: so for [`CAREFUL`] each is committed before it is handed out.
    pub fn begin(&self) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        let now = self.clock.now();
        let wait_list = self.wait_list.clone();
        self.database.write(move |connection| {
            messages::bring_back(connection, now)?;
            wait_list.suspect(messages::requeue_in_flight(connection, now)?);
            let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            if connection.change(sql, params![IN_USE, b"true"])? == 0 {
                wait_list.be_careful_until(now + CAREFUL);
            }
            *lock(&wait_list.recovery) = Topic::ALL.map(|topic| Recovery::begun(topic, now));
            wait_list.touch_all();
            Ok(())
        })
    }

    /// Ends their use, when no receiver is left and before the database is closed: what was handed to receivers that had just
    /// stopped waiting is requeued, and those receives do not count.
    pub fn end(&self) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        // Every group requeues.
        self.database
            .write(|connection| connection.change("DELETE FROM settings WHERE name = ?1", [IN_USE]).map(drop))
    }

    /// Waits until there are messages, and receives up to `most` of them. They are invisible to other receivers for
    /// `visibility`. Cancel-safe: a dropped receive leaves its messages in the topic.
    pub async fn receive(&self, topic: Topic, most: usize, visibility: Duration) -> Vec<Delivery> {
        let (reply, delivered) = oneshot::channel();
        let is_within = self.database.is_within();
        self.wait_list.wait(topic, Receiver { most, visibility, is_within, reply });
        // The group in progress looks at the waiting receivers before its commit.
        if !is_within {
            self.database.wake();
        }
        let mut waiting = Waiting { topics: self, delivered };
        // The sender is dropped only when the database is closed.
        match (&mut waiting.delivered).await {
            Ok(deliveries) => deliveries,
            Err(_) => std::future::pending().await,
        }
    }

    /// Notes for the journal that these messages were received.
    pub fn received(&self, messages: &[Message]) {
        self.database.notes().message(messages.iter().cloned());
    }

    /// Does `work` on the writing thread: see [`group_commit::Database::within`].
    pub fn within<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        self.database.within(work)
    }

    /// Does `work` as long as every group is committed: see [`group_commit::Database::attempt`].
    pub fn attempt<T, W: Future<Output = T> + Send>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, W> {
        self.database.attempt(work)
    }

    /// Has the messages of that topic handed out after their commit: its service does something outside before it has recorded
    /// that it will. The Email Service does; Billing does with a provider whose books are not in this database.
    pub fn commit_first(&self, topic: Topic) {
        self.wait_list.commit_first(topic);
    }

    /// Finishes a batch in one write: for each message, deletes it and sends what its consumer answers, or has it redelivered
    /// after a pause.
    ///
    /// A message that was redelivered in the meantime is left alone: it belongs to its new receiver.
    ///
    /// # Errors
    /// Nothing is finished: every message is redelivered after its visibility timeout.
    pub async fn finish(&self, topic: Topic, mut batch: Vec<Finished>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (wait_list, notes) = (self.wait_list.clone(), self.database.notes());
        if lock(&wait_list.recovery)[topic as usize].is_outage() {
            // An answer wakes it. Until then one copy is tried for all.
            let copies = batch.iter_mut().flat_map(|finished| &mut finished.messages);
            copies.filter(|message| message.is_copy()).for_each(|copy| copy.delay = backoff::LONGEST);
        }
        let write = move |connection: &Connection| {
            let sent = || batch.iter().flat_map(|finished| &finished.messages);
            if let Some(message) = sent().find(|message| message.body.len() > LARGEST) {
                // A message must not be acknowledged if its answer cannot be sent.
                return Err(rusqlite::Error::ToSqlConversionFailure(too_large(message.body.len()).into()));
            }
            let mut ends = Vec::with_capacity(batch.len());
            let mut rows = Vec::with_capacity(batch.len());
            for finished in &batch {
                ends.push(finish_one(connection, &wait_list, finished, now, &mut rows)?);
            }
            // Noted at the end, since a write that fails is undone.
            for Finished { receipt, .. } in &batch {
                lock(&wait_list.in_flight).end(receipt.id, receipt.receive_count);
                lock(&wait_list.unwritten).remove(&receipt.id);
                wait_list.landed(receipt.id);
            }
            lock(&wait_list.sent).extend(rows);
            let mut recovery = lock(&wait_list.recovery);
            for finished in &batch {
                let waits = finished.messages.iter().any(Outgoing::is_copy);
                if waits || (finished.is_answered() && !finished.expired) {
                    recovery[topic as usize].saw(topic, !waits, now);
                }
            }
            drop(recovery);
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
        let (now, wait_list) = (self.clock.now(), self.wait_list.clone());
        self.database
            .scan(move |connection| {
                let _one_moment = connection.unchecked_transaction()?;
                let state = |topic| Ok((topic, state(connection, &wait_list, topic, now)?));
                Topic::ALL.into_iter().map(state).collect()
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
    /// Whether it is acknowledged because it has expired: no downstream has answered.
    pub expired: bool,
}

impl Finished {
    /// A message that was received, acknowledged without an answer; `None` if it is not from these topics.
    pub fn of(topic: Topic, delivery: &Delivery) -> Option<Self> {
        let receipt = Receipt::of(delivery)?;
        let message = Message::read(topic, &delivery.body, Phase::Received);
        Some(Self { receipt, message, messages: Vec::new(), redeliver: false, expired: false })
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
        let write = move |connection: &Connection| send(connection, &wait_list, &notes, &messages, now);
        let sent = self.database.join(write).await;
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

/// Sends the messages that are not too large.
fn send(
    connection: &Connection,
    wait_list: &WaitList,
    notes: &Notes,
    messages: &[Outgoing],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let sent = || messages.iter().filter(|message| message.body.len() <= LARGEST);
    let mut rows = Vec::with_capacity(messages.len());
    for message in sent() {
        rows.extend(wait_list.send(connection, message, None, now)?);
    }
    // Noted at the end, since a write that fails is undone.
    lock(&wait_list.sent).extend(rows);
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

/// Finishes a message, and sends its answers: those to be received at once are added to `sent`.
fn finish_one(
    connection: &Connection,
    wait_list: &WaitList,
    finished: &Finished,
    now: Timestamp,
    sent: &mut Vec<Row>,
) -> rusqlite::Result<End> {
    let Finished { receipt: Receipt { id, receive_count }, messages, redeliver, .. } = finished;
    let receive = lock(&wait_list.in_flight).of(*id, *receive_count);
    if *redeliver {
        let Some(Receive { topic, count, letter, .. }) = receive else { return Ok(End::OfAnother) };
        wait_list.write(connection, *id, now)?;
        if count >= MAX_RECEIVE_COUNT {
            let (_, failure) = messages::give_up(connection, *id, (topic, count, letter), now)?;
            return Ok(End::GivenUp(failure));
        }
        let due = now + messages::pause(count);
        messages::land(connection, *id, due, count)?;
        wait_list.touch(topic);
        return Ok(End::Redelivered(due));
    }
    if receive.is_some() && !lock(&wait_list.unwritten).contains_key(id) {
        messages::delete(connection, *id)?;
    }
    let letter = receive.and_then(|receive| receive.letter);
    for message in messages {
        let own = message.is_copy() || message.dead_letter.is_some();
        sent.extend(wait_list.send(connection, message, letter.filter(|_| own), now)?);
    }
    if let Some(letter) = letter.filter(|_| finished.is_answered()) {
        letters::handled(connection, letter)?;
    }
    Ok(if receive.is_some() { End::Acknowledged } else { End::OfAnother })
}

/// All of it is at one moment but the age of what is in flight. How much that is follows from what was sent and finished.
fn state(
    connection: &Connection,
    wait_list: &WaitList,
    topic: Topic,
    now: Timestamp,
) -> rusqlite::Result<TopicState> {
    let (sent, finished) = notes::sent_and_finished(connection, topic)?;
    let (waiting, delayed, oldest) = messages::count(connection, topic, now)?;
    let in_flight = sent.saturating_sub(finished).saturating_sub(waiting + delayed);
    let oldest_in_flight = lock(&wait_list.in_flight).oldest(topic).filter(|_| in_flight > 0);
    let oldest = oldest.into_iter().chain(oldest_in_flight).min();
    Ok(TopicState {
        waiting,
        in_flight,
        delayed,
        dead_lettered: letters::count(connection, topic)?,
        oldest_age_seconds: Some(oldest.map_or(0, |oldest| now.since(oldest).as_secs())),
        sent: Some(sent),
        finished: Some(finished),
    })
}
