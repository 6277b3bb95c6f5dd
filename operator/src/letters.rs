//! The dead letters of a stack.
//!
//! SQS cannot show a message without receiving it. A look receives every letter for `LOOK` and then makes each visible
//! again, so two operators who look at once may see only a part each; [`Looked::missed`] tells.
//!
//! A letter is named by the id of its message when it was first dead-lettered. A redrive sends that along as attributes
//! ([`Redriven`]), and the consumer gives them to its delayed copies and back to the letter.

use std::time::Duration;

use aws::letters::Redriven;
use aws_sdk_sqs::error::{BuildError, SdkError};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};
use futures_util::future::{join_all, try_join_all};
use messaging::error_chain::error_chain;
use messaging::store::StoreError;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use system::view::{DeadLetter, LetterId};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::queues::SqsQueues;

/// For how long a look hides the letters from other receivers, at most.
const LOOK: Duration = Duration::from_secs(60);

/// How many letters of a topic one look receives at most: SQS hides no more than 120,000 at once, and an operator reads
/// fewer.
pub const MOST: usize = 1_000;

/// How often a consumer receives a message before SQS itself dead-letters it: the stack's `maxReceiveCount`.
pub const RECEIVES: u32 = 20;

/// The dead letters of a stack.
pub struct Letters {
    queues: SqsQueues,
    /// The pause between two redrives.
    pause: Duration,
    /// One look at a time.
    looking: tokio::sync::Mutex<()>,
}

/// A letter that this program has received, and hides from others.
struct Received {
    letter: DeadLetter,
    receipt: String,
}

/// What a look saw.
pub struct Looked {
    /// The letters, by topic, oldest first.
    pub letters: Vec<DeadLetter>,
    /// How many more SQS counts: hidden by another receiver, beyond [`MOST`], or counted late.
    pub missed: u64,
}

fn unavailable<E: std::error::Error + Send + Sync + 'static>(error: SdkError<E>) -> StoreError {
    StoreError::unavailable(error_chain(&error))
}

fn odd(error: BuildError) -> StoreError {
    StoreError::unavailable(error)
}

impl Letters {
    /// Those of these queues; at most so many a second are redriven.
    pub fn new(queues: SqsQueues, redrives_a_second: u32) -> Self {
        let pause = Duration::from_secs(1) / redrives_a_second.max(1);
        Self { queues, pause, looking: tokio::sync::Mutex::default() }
    }

    /// All of them.
    pub async fn look(&self) -> Result<Looked, StoreError> {
        let _one = self.looking.lock().await;
        let received = self.receive_all().await?;
        let letters: Vec<_> = received.iter().map(|received| received.letter.clone()).collect();
        self.show(&received).await;
        let counted: u64 = self.queues.states().await?.iter().map(|(_, state)| state.dead_lettered).sum();
        let missed = counted.saturating_sub(u64::try_from(letters.len()).unwrap_or(u64::MAX));
        Ok(Looked { letters, missed })
    }

    /// Sends letters to their topics, one or all, and then deletes them: a crash in between leaves both, and the consumer
    /// answers the second from its record. Answers how many.
    pub async fn redrive(&self, one: Option<&LetterId>) -> Result<usize, StoreError> {
        let _one = self.looking.lock().await;
        let (wanted, others): (Vec<_>, Vec<_>) = self
            .receive_all()
            .await?
            .into_iter()
            .partition(|received| one.is_none_or(|id| received.letter.id == *id));
        self.show(&others).await;
        let mut due = Instant::now();
        for (done, received) in wanted.iter().enumerate() {
            sleep_until(due).await;
            due = Instant::now() + self.pause;
            if let Err(error) = self.redrive_one(received).await {
                self.show(&wanted[done..]).await;
                return Err(error);
            }
        }
        Ok(wanted.len())
    }

    /// Deletes a letter; answers how many there were. SQS keeps nothing of it: the caller records what it was.
    pub async fn discard(&self, id: &LetterId) -> Result<Vec<DeadLetter>, StoreError> {
        let _one = self.looking.lock().await;
        let (wanted, others): (Vec<_>, Vec<_>) =
            self.receive_all().await?.into_iter().partition(|received| received.letter.id == *id);
        self.show(&others).await;
        for received in &wanted {
            self.delete(received).await?;
        }
        Ok(wanted.into_iter().map(|received| received.letter).collect())
    }

    async fn redrive_one(&self, received: &Received) -> Result<(), StoreError> {
        let DeadLetter { id, topic, body, attempts, redrives, first_at, .. } = &received.letter;
        let (letter, first_at) = (id.to_string(), *first_at);
        let kept = Redriven { letter, first_at, attempts: *attempts, redrives: redrives.saturating_add(1) };
        let attributes = kept.attributes().map_err(odd)?;
        let url = &self.queues.of(*topic)?.topic;
        let send = self.queues.client.send_message().queue_url(url).message_body(body);
        send.set_message_attributes(Some(attributes)).send().await.map_err(unavailable)?;
        self.delete(received).await
    }

    async fn delete(&self, received: &Received) -> Result<(), StoreError> {
        let url = &self.queues.of(received.letter.topic)?.dead_letters;
        let delete = self.queues.client.delete_message().queue_url(url).receipt_handle(&received.receipt);
        delete.send().await.map(drop).map_err(unavailable)
    }

    async fn receive_all(&self) -> Result<Vec<Received>, StoreError> {
        let received = try_join_all(Topic::ALL.map(|topic| self.receive(topic))).await?;
        Ok(received.into_iter().flatten().collect())
    }

    /// Receives until nothing is left. A long poll asks every server of SQS.
    async fn receive(&self, topic: Topic) -> Result<Vec<Received>, StoreError> {
        let url = &self.queues.of(topic)?.dead_letters;
        let mut found: Vec<Received> = Vec::new();
        while found.len() < MOST {
            let ask = self
                .queues
                .client
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(10)
                .wait_time_seconds(1)
                .visibility_timeout(i32::try_from(LOOK.as_secs()).unwrap_or(60))
                .message_attribute_names("All")
                .message_system_attribute_names(System::SentTimestamp);
            let messages = ask.send().await.map_err(unavailable)?.messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            found.extend(messages.into_iter().filter_map(|message| read(topic, message)));
        }
        found.sort_by_key(|received| (received.letter.first_at, received.letter.id.clone()));
        Ok(found)
    }

    /// Makes letters visible again. One that cannot be is visible again after [`LOOK`].
    async fn show(&self, received: &[Received]) {
        let shown = received.iter().map(|received| async move {
            let url = &self.queues.of(received.letter.topic)?.dead_letters;
            let change = self.queues.client.change_message_visibility().queue_url(url);
            let change = change.receipt_handle(&received.receipt).visibility_timeout(0);
            change.send().await.map(drop).map_err(unavailable)
        });
        for failed in join_all(shown).await.into_iter().filter_map(Result::err) {
            warn!(error = %failed, "a dead letter stays hidden for up to {} s", LOOK.as_secs());
        }
    }
}

/// The letter of a message. SQS gives every message an id, a receipt and a time.
fn read(topic: Topic, message: Message) -> Option<Received> {
    let sent = message.attributes.as_ref()?.get(&System::SentTimestamp)?.parse().ok()?;
    let dead_lettered_at = Timestamp::from_millis(sent);
    let attributes = message.message_attributes.unwrap_or_default();
    let text = |name: &str| attributes.get(name)?.string_value.as_deref();
    let before = Redriven::of(text);
    let tried = text("attempts").and_then(|attempts| attempts.parse().ok());
    let (failure, attempts) = match text("failure") {
        Some(failure) => (failure.to_owned(), tried.unwrap_or(1)),
        // SQS moved it, with the attributes that it was sent with.
        None => (
            format!("received {RECEIVES} times in vain"),
            RECEIVES.saturating_add(before.as_ref().map_or(0, |before| before.attempts)),
        ),
    };
    let id = before.as_ref().map_or_else(|| message.message_id, |before| Some(before.letter.clone()))?;
    let letter = DeadLetter {
        id: LetterId::Name(id),
        topic,
        body: message.body.unwrap_or_default(),
        failure,
        attempts,
        redrives: before.as_ref().map_or(0, |before| before.redrives),
        source: text("source").unwrap_or(topic.consumer()).to_owned(),
        first_at: before.as_ref().map_or(dead_lettered_at, |before| before.first_at),
        dead_lettered_at,
    };
    Some(Received { letter, receipt: message.receipt_handle? })
}
