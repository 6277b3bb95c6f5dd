//! The port for what an operator sees and changes on a platform.

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
/// **Crash contract:** a change is made once the call has returned, and survives a restart. `redrive`: each letter
/// is in its dead-letter queue or in its topic, before and after, and never in both.
#[async_trait]
pub trait Operations: Send + Sync {
    /// Whether a topic's consumer runs.
    fn is_running(&self, topic: Topic) -> bool;

    /// Starts a topic's consumer, or stops it: its messages then stay in the topic.
    async fn switch(&self, topic: Topic, running: bool) -> Result<(), StoreError>;

    /// The state of every topic.
    async fn topics(&self) -> Result<Vec<(Topic, TopicState)>, StoreError>;

    /// The dead letters, by topic, oldest first.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError>;

    /// Moves dead letters back to their topics: one, or all of them; answers how many.
    async fn redrive(&self, one: Option<i64>) -> Result<usize, StoreError>;

    /// Forgets the passenger of an order, in every record, copy of a mail and dead letter. All of it or nothing
    /// is erased.
    async fn erase(&self, order: OrderId) -> Result<Erased, StoreError>;

    /// The mails that were sent, newest first.
    async fn mails(&self) -> Result<Vec<SentMail>, StoreError>;

    /// The payment provider if it is the simulated one, which alone can be broken and has its ledger here.
    fn simulated_provider(&self) -> Option<&dyn SimulatedProvider>;
}

/// What became of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    /// The passenger is forgotten, now or before.
    Erased,
    /// There is no such order.
    Unknown,
    /// It may not be forgotten yet, for this reason.
    Refused(&'static str),
}

/// What the simulated payment provider can do beyond a provider's port.
#[async_trait]
pub trait SimulatedProvider: Send + Sync {
    /// Its mode.
    fn mode(&self) -> ProviderMode;

    /// Sets its mode.
    async fn set_mode(&self, mode: ProviderMode) -> Result<(), StoreError>;

    /// Its ledger, oldest payment first.
    async fn ledger(&self) -> Result<Vec<LedgerEntry>, StoreError>;
}

/// How the simulated provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderMode {
    /// Works.
    Up,
    /// Refuses every call before doing anything, as with a 503.
    Unavailable,
    /// Does the work, but the reply is lost after 2 s; only `retrieve` answers.
    Timeout,
    /// Takes 2 s a call.
    Slow,
}

/// The state of a topic.
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
    /// Its id.
    pub id: i64,
    /// The topic whose dead-letter queue it is in.
    pub topic: Topic,
    /// As it was received.
    pub body: String,
    /// Why it was dead-lettered.
    pub failure: String,
    /// How many times it was tried.
    pub attempts: u32,
    /// The consumer that dead-lettered it.
    pub source: String,
    /// When it was dead-lettered.
    pub dead_lettered_at: Timestamp,
}

/// A mail that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct SentMail {
    /// The order it is about.
    pub booking_id: OrderId,
    /// The outcome that it reports.
    pub outcome: NoticeOutcome,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The mail.
    #[serde(flatten)]
    pub mail: Mail,
}

/// The simulated provider's ledger entry of one booking, in minor units.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerEntry {
    /// The order that was paid for.
    pub booking_id: OrderId,
    /// The sum of all captures.
    pub captured: u64,
    /// All that was ever refunded.
    pub refunded: u64,
    /// The currency of both.
    pub currency: Currency,
}
