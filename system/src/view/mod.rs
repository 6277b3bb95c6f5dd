//! The port through which an operator sees a platform and changes it. The operator's API, the system page and the command
//! line are written once, on top of it.
//!
//! What a platform may lack is an `Option`: switches, a simulated provider, a history of its messages, what is kept on this
//! machine alone.

pub mod capability;
pub mod dead_letter;
pub mod paging;
pub mod provider;
pub mod topic_state;
pub mod watched;

use std::collections::BTreeSet;

use async_trait::async_trait;
use billing_service::provider::ProviderName;
use booking_gateway::order::{Order, Status};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::passenger::EmailAddress;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::{Deserialize, Serialize};

pub use self::capability::Capability;
pub use self::dead_letter::{DeadLetter, LetterId};
pub use self::paging::{Page, PageError, Paged};
pub use self::provider::{LedgerEntry, Provider, ProviderMode, SimulatedProvider};
pub use self::topic_state::TopicState;
pub use self::watched::{Changed, Watched};
use crate::audit::{Audit, Case};
use crate::journal::Journal;

/// A platform, as its operator sees it.
///
/// **Crash contract:** what reads changes nothing. A change is made once its call has returned, and survives a restart; if
/// the process dies during the call, it was made or it was not. `redrive`: each letter is in its dead-letter queue or in its
/// topic, before and after, and never in both, on a platform that can move it in one step; else a crash may leave it in
/// both, and never in neither.
#[async_trait]
pub trait View: Send + Sync {
    /// The platform's name, `standalone`.
    fn platform(&self) -> &'static str;

    /// Whether everything may be read at any time. Where that is paid for, the orders are not counted.
    fn reads_freely(&self) -> bool {
        true
    }

    /// Whether the counts of the topics are exact; else they are approximate, and may be late.
    fn counts_exactly(&self) -> bool {
        true
    }

    /// The state of every topic.
    async fn topics(&self) -> Result<Vec<(Topic, TopicState)>, StoreError>;

    /// How many orders have each status. A status without orders may be absent.
    async fn orders_by_status(&self) -> Result<Vec<(Status, u64)>, StoreError>;

    /// Orders: newest first, or with [`Filter::UNSETTLED`] the one first that has waited longest.
    async fn orders(&self, filter: Filter, page: &Page) -> Result<Paged<Order>, PageError>;

    /// What every service knows of an order; an empty case if none knows it.
    async fn case(&self, order: OrderId) -> Result<Case, StoreError>;

    /// Compares expected with actual state, order by order. Reads everything.
    async fn audit(&self) -> Result<Audit, StoreError>;

    /// The audit of what changed alone, where every change is known. Without it nothing is audited until an operator asks.
    fn watched(&self) -> Option<&dyn Watched> {
        None
    }

    /// The letters in the dead-letter queues, by topic, oldest first.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError>;

    /// Moves dead letters back to their topics: one, or all of them; answers how many. A letter that is dead-lettered again
    /// keeps its id, its first time and its attempts.
    async fn redrive(&self, one: Option<LetterId>) -> Result<usize, StoreError>;

    /// Deletes a dead letter, and keeps a record of that with the reason; answers how many there were.
    async fn discard(&self, letter: LetterId, reason: &str) -> Result<usize, StoreError>;

    /// The payment provider that new orders are charged with.
    fn provider(&self) -> Provider<'_>;

    /// The providers whose ledgers are compared with the orders.
    fn books(&self) -> BTreeSet<ProviderName>;

    /// The history of messages and orders, where one is kept.
    fn journal(&self) -> Option<&Journal>;

    /// The switches of the services, where they have any.
    fn switches(&self) -> Option<&dyn Switches>;

    /// What only a platform on one machine can do.
    fn local(&self) -> Option<&dyn Local>;
}

/// Which orders are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of a status.
    pub status: Option<Status>,
    /// Only those that are settled, or only those that are not.
    pub settled: Option<bool>,
}

impl Filter {
    /// Every order.
    pub const ALL: Self = Self { status: None, settled: None };
    /// The orders that wait.
    pub const UNSETTLED: Self = Self { status: None, settled: Some(false) };
}

/// The switches of the topics' consumers.
#[async_trait]
pub trait Switches: Send + Sync {
    /// Whether a topic's consumer runs.
    fn is_running(&self, topic: Topic) -> bool;

    /// Starts a topic's consumer, or stops it: its messages then stay in the topic.
    async fn switch(&self, topic: Topic, running: bool) -> Result<(), StoreError>;
}

/// What only a platform on one machine can do.
#[async_trait]
pub trait Local: Send + Sync {
    /// The mails that were sent, newest first.
    async fn mails(&self, page: &Page) -> Result<Paged<SentMail>, PageError>;

    /// Forgets the passenger of an order, in every record, copy of a mail and dead letter. All of it or nothing
    /// is erased.
    async fn erase(&self, order: OrderId) -> Result<Erased, StoreError>;

    /// Sends a message that its consumer cannot handle, to try what becomes of it.
    async fn poison(&self, topic: Topic, poison: Poison) -> Result<(), StoreError>;
}

/// A message that cannot be handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Poison {
    /// It is not an event.
    Unreadable,
    /// Its version is later than this program's.
    NewerVersion,
    /// Handling it fails every time.
    Crashing,
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

/// A mail that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct SentMail {
    /// The order it is about.
    pub booking_id: OrderId,
    /// The outcome that it reports.
    pub outcome: NoticeOutcome,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// To whom.
    pub to: EmailAddress,
    /// One line.
    pub subject: String,
    /// All of its text.
    pub body: String,
}
