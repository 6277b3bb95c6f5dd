//! The operator's view of this platform: the database, the pollers' switches, the simulated provider.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billing_service::provider::ProviderName;
use booking_gateway::order::{Order, Status};
use messaging::entropy::Entropy;
use messaging::store::StoreError;
use messaging::topics::{Outgoing, Topics};
use protocol::ids::OrderId;
use protocol::topic::Topic;
use rusqlite::Connection;
use system::audit::{Audit, Case, Tally};
use system::journal::{Entry, Journal};
use system::view::{
    Changed, DeadLetter, Erased, Filter, LetterId, Local, Page, PageError, Paged, Poison, Provider, SentMail,
    Switches, TopicState, View, Watched,
};
use tokio::sync::watch;

use crate::poison;
use crate::poller::Running;
use crate::sqlite::database::Database;
use crate::sqlite::erase::erase;
use crate::sqlite::ledger::SqliteProvider;
use crate::sqlite::mailbox::Mailbox;
use crate::sqlite::notes::Notes;
use crate::sqlite::topics::SqliteTopics;
use crate::sqlite::{listing, settings, snapshot};

/// The switch of each topic's pollers, in the order of [`Topic::ALL`].
pub(crate) type Switchboard = [watch::Sender<Running>; Topic::COUNT];

/// The setting that says whether a topic's consumer runs.
pub(crate) fn running_setting(topic: Topic) -> String {
    format!("running-{}", topic.switch())
}

/// The view's port on this platform.
pub(crate) struct SqliteView {
    pub(crate) switches: Arc<Switchboard>,
    pub(crate) database: Database,
    pub(crate) topics: SqliteTopics,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) simulated: Option<Arc<SqliteProvider>>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) notes: Arc<Notes>,
}

#[async_trait]
impl View for SqliteView {
    fn platform(&self) -> &'static str {
        "standalone"
    }

    async fn topics(&self) -> Result<Vec<(Topic, TopicState)>, StoreError> {
        self.topics.states().await
    }

    async fn orders_by_status(&self) -> Result<Vec<(Status, u64)>, StoreError> {
        listing::by_status(&self.database).await
    }

    async fn orders(&self, filter: Filter, page: &Page) -> Result<Paged<Order>, PageError> {
        listing::orders(&self.database, filter, page).await
    }

    async fn case(&self, order: OrderId) -> Result<Case, StoreError> {
        let read = move |connection: &Connection| {
            let one_moment = connection.unchecked_transaction()?;
            snapshot::case(&one_moment, order)
        };
        self.database.scan(read).await
    }

    async fn audit(&self) -> Result<Audit, StoreError> {
        let now = self.mailbox.clock.now();
        let read = move |connection: &Connection| {
            let one_moment = connection.unchecked_transaction()?;
            snapshot::audit_all(&one_moment, now)
        };
        self.database.scan(read).await
    }

    fn watched(&self) -> Option<&dyn Watched> {
        Some(self)
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let mut letters = Vec::new();
        for topic in Topic::ALL {
            letters.extend(self.topics.dead_letters(topic).await?);
        }
        Ok(letters)
    }

    async fn redrive(&self, one: Option<LetterId>) -> Result<usize, StoreError> {
        match one {
            None => self.topics.redrive(None).await,
            Some(LetterId::Number(id)) => self.topics.redrive(Some(id)).await,
            Some(LetterId::Name(_)) => Ok(0),
        }
    }

    async fn discard(&self, letter: LetterId, reason: &str) -> Result<usize, StoreError> {
        match letter {
            LetterId::Number(id) => self.topics.discard(id, reason).await,
            LetterId::Name(_) => Ok(0),
        }
    }

    fn provider(&self) -> Provider<'_> {
        match &self.simulated {
            Some(simulated) => Provider::Simulated(simulated.as_ref()),
            None => Provider::Stripe,
        }
    }

    fn books(&self) -> BTreeSet<ProviderName> {
        snapshot::books()
    }

    fn journal(&self) -> Option<&Journal> {
        Some(self.notes.journal())
    }

    fn switches(&self) -> Option<&dyn Switches> {
        Some(self)
    }

    fn local(&self) -> Option<&dyn Local> {
        Some(self)
    }
}

#[async_trait]
impl Watched for SqliteView {
    async fn audit_all(&self) -> Result<Tally, StoreError> {
        let (now, switches) = (self.mailbox.clock.now(), self.switches.clone());
        let read = move |connection: &Connection| {
            let one_moment = connection.unchecked_transaction()?;
            let stops = || switches.iter().any(|switch| *switch.borrow() == Running::Ending);
            snapshot::tally_all(&one_moment, now, stops)
        };
        self.database.scan(read).await
    }

    async fn audit_changed(&self, tally: Tally, also: BTreeSet<OrderId>) -> Result<Changed, StoreError> {
        let (now, notes) = (self.mailbox.clock.now(), self.notes.clone());
        let read = move |connection: &Connection| {
            let one_moment = connection.unchecked_transaction()?;
            snapshot::tally_changed(&one_moment, tally, also, now, || notes.take_changed())
        };
        Ok(match self.database.scan(read).await? {
            Some((tally, changed)) => Changed::These(Box::new(tally), changed),
            None => Changed::TooMany,
        })
    }
}

#[async_trait]
impl Switches for SqliteView {
    fn is_running(&self, topic: Topic) -> bool {
        *self.switches[topic as usize].borrow() == Running::Yes
    }

    async fn switch(&self, topic: Topic, running: bool) -> Result<(), StoreError> {
        settings::set(&self.database, &running_setting(topic), &running).await?;
        self.switches[topic as usize].send_replace(Running::from(running));
        self.notes.record([Entry::Service { topic, running }]);
        Ok(())
    }
}

#[async_trait]
impl Local for SqliteView {
    async fn mails(&self, page: &Page) -> Result<Paged<SentMail>, PageError> {
        self.mailbox.sent(page).await
    }

    async fn erase(&self, order: OrderId) -> Result<Erased, StoreError> {
        erase(&self.database, order, self.mailbox.clock.now()).await
    }

    async fn poison(&self, topic: Topic, poison: Poison) -> Result<(), StoreError> {
        let order = self.entropy.order_id();
        let body = poison::body(topic, poison, order, self.mailbox.clock.now());
        let message = Outgoing { topic, body, delay: Duration::ZERO, dead_letter: None, about: None };
        let sent = self.topics.send(vec![message]).await;
        sent.into_iter().try_for_each(|sent| sent.map_err(StoreError::unavailable))
    }
}
