//! The port to what an operator sees and changes on a platform, beside what the services answer.

use async_trait::async_trait;
use email_service::mail::Mail;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::money::Currency;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::{Deserialize, Serialize};

/// A platform, as its operator sees it.
///
/// **Crash contract** of the changes: before the call nothing is changed, once it is answered it is,
/// and survives a restart. Of `redrive`: each letter is in its dead-letter queue or in its topic,
/// before and after, and never in both.
#[async_trait]
pub trait Operations: Send + Sync {
    /// Whether a topic's consumer runs.
    fn is_running(&self, topic: Topic) -> bool;

    /// Has a topic's consumer run, or leave its messages where they are.
    async fn switch(&self, topic: Topic, running: bool) -> Result<(), StoreError>;

    /// How every topic stands.
    async fn topics(&self) -> Result<Vec<(Topic, TopicState)>, StoreError>;

    /// What is in the dead-letter queues: by topic, oldest first.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError>;

    /// Moves dead letters back to their topics: one, or all of them; answers how many.
    async fn redrive(&self, one: Option<i64>) -> Result<usize, StoreError>;

    /// The mails that were sent, newest first.
    async fn mails(&self) -> Result<Vec<SentMail>, StoreError>;

    /// The payment provider, if it is the simulated one: it alone can be broken, and its books are
    /// here.
    fn simulated_provider(&self) -> Option<&dyn SimulatedProvider>;
}

/// The simulated payment provider, beside what every provider can do.
#[async_trait]
pub trait SimulatedProvider: Send + Sync {
    /// How it behaves.
    fn mode(&self) -> ProviderMode;

    /// Makes it behave like that.
    async fn set_mode(&self, mode: ProviderMode) -> Result<(), StoreError>;

    /// Its own books, oldest payment first.
    async fn ledger(&self) -> Result<Vec<LedgerEntry>, StoreError>;
}

/// How the simulated provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderMode {
    /// As it should.
    Up,
    /// Refuses every call before doing anything, as with a 503.
    Unavailable,
    /// Does the work, but the reply is lost after 2 s; only `retrieve` answers.
    Timeout,
    /// Takes 2 s a call.
    Slow,
}

/// How a topic stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TopicState {
    /// Messages that can be received now.
    pub waiting: u64,
    /// Messages that were received and not acknowledged yet.
    pub in_flight: u64,
    /// Messages that were sent with a delay that has not passed.
    pub delayed: u64,
    /// Messages in its dead-letter queue.
    pub dead_lettered: u64,
    /// How long ago the oldest of the first three was sent; 0 if there are none.
    pub oldest_age_seconds: u64,
}

/// A message in a dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Names it.
    pub id: i64,
    /// Whose dead-letter queue.
    pub topic: Topic,
    /// As it was received.
    pub body: String,
    /// Why it was given up.
    pub failure: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The consumer that gave it up.
    pub source: String,
    /// When.
    pub dead_lettered_at: Timestamp,
}

/// A mail that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct SentMail {
    /// The order it is about.
    pub booking_id: OrderId,
    /// What it tells.
    pub outcome: NoticeOutcome,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The mail.
    #[serde(flatten)]
    pub mail: Mail,
}

/// What the simulated provider's books say of one booking, in minor units.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerEntry {
    /// The order that was paid for.
    pub booking_id: OrderId,
    /// All that was ever taken.
    pub captured: u64,
    /// All that was ever given back.
    pub refunded: u64,
    /// What they are units of.
    pub currency: Currency,
}
