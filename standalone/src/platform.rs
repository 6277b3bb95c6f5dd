//! The standalone platform: the same services as on AWS, on one SQLite file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::gateway::Gateway;
use booking_gateway::limits::Limits;
use messaging::clock::Clock;
use messaging::entropy::Entropy;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::manage::PublicUrl;
use protocol::topic::Topic;
use stripe::StripeError;
use system::operations::{DeadLetter, Erased, Operations, SentMail, SimulatedProvider, TopicState};
use system::{Ports, Services, Settings, Stores};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tracing::warn;

use crate::integrations::{self, Integrations};
use crate::limits::MemoryLimiter;
use crate::poller::{self, Running};
use crate::sqlite::SqliteStores;
use crate::sqlite::database::Database;
use crate::sqlite::erase::erase;
use crate::sqlite::ledger::SqliteProvider;
use crate::sqlite::mailbox::Mailbox;
use crate::sqlite::topics::SqliteTopics;
use crate::sqlite::{secrets, settings};

/// How often the reconciler runs.
const RECONCILE_EVERY: Duration = Duration::from_secs(10);

/// How long one run may take; the rest of the due checks waits for the next run.
const RECONCILE_TIME: Duration = Duration::from_secs(60);

/// The setting that says whether a topic's consumer runs.
fn running_setting(topic: Topic) -> String {
    format!("running-{}", topic.switch())
}

/// The platform cannot start.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum PlatformError {
    #[error(transparent)]
    Stripe(#[from] StripeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a deployment chooses.
#[derive(Clone, Default)]
pub struct PlatformOptions {
    /// How long an order may take.
    pub deadlines: DeadlinePolicy,
    /// Who moves the money, and who delivers mail.
    pub integrations: Integrations,
    /// Where customers find the page; without it mail has no link.
    pub public_url: Option<PublicUrl>,
    /// How many orders a client may place.
    pub limits: Limits,
}

/// The running services and their platform.
pub struct Platform {
    /// The services.
    pub services: Services,
    /// What the operator sees and changes.
    pub operations: Arc<dyn Operations>,
    switches: Arc<Switches>,
    database: Database,
    topics: SqliteTopics,
    pollers: JoinSet<()>,
    reconciler: JoinHandle<()>,
}

/// The switch of each topic's pollers, in the order of [`Topic::ALL`].
type Switches = [watch::Sender<Running>; Topic::COUNT];

impl Platform {
    /// Starts every service on that database.
    ///
    /// # Errors
    /// The database does not answer, or no client for Stripe can be made.
    pub async fn start(
        (database, topics): (Database, SqliteTopics),
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: PlatformOptions,
    ) -> Result<Self, PlatformError> {
        topics.requeue_in_flight().await?;
        let simulated = Arc::new(SqliteProvider::open(database.clone()).await?);
        let PlatformOptions { deadlines, integrations, public_url, limits } = options;
        let (providers, simulated) = integrations.payments.providers(simulated, &clock)?;
        let secrets = secrets::load(&database, entropy.as_ref()).await?;
        let settings = Settings { id_secret: secrets.id, manage: secrets.manage, public_url, deadlines };
        let mailbox = Mailbox { database: database.clone(), clock: clock.clone(), links: settings.links() };
        let mailbox = Arc::new(mailbox);
        let limiter = MemoryLimiter::new(limits, clock.clone());
        let ports = Ports {
            stores: Stores::of(SqliteStores(database.clone())),
            providers,
            mailer: integrations::mailer(integrations.mail, &mailbox, &clock),
            topics: Arc::new(topics.clone()),
            clock,
            entropy,
            limiter: Some(Arc::new(limiter)),
        };
        let services = Services::new(&ports, settings);

        let mut pollers = JoinSet::new();
        let mut running = [Running::Yes; Topic::COUNT];
        for topic in Topic::ALL {
            if let Some(kept) = settings::get::<bool>(&database, &running_setting(topic)).await? {
                running[topic as usize] = kept.into();
            }
        }
        let switches = Topic::ALL.map(|topic| {
            poller::start(&mut pollers, services.consumer(topic), &topics, running[topic as usize])
        });
        let switches = Arc::new(switches);
        let reconciler = tokio::spawn(reconcile(services.gateway().clone()));
        let operations = OnSqlite {
            switches: switches.clone(),
            database: database.clone(),
            topics: topics.clone(),
            mailbox,
            simulated,
        };
        let operations = Arc::new(operations);
        Ok(Self { services, operations, switches, database, topics, pollers, reconciler })
    }

    /// Lets every service finish its current batch, and closes the database.
    pub async fn stop(mut self) {
        self.reconciler.abort();
        for switch in self.switches.iter() {
            switch.send_replace(Running::Ending);
        }
        while self.pollers.join_next().await.is_some() {}
        if let Err(error) = self.topics.requeue_undelivered().await {
            warn!(%error, "messages that were received at the last moment count as received");
        }
        let database = self.database.clone();
        let _ = tokio::task::spawn_blocking(move || database.close()).await;
    }
}

async fn reconcile(gateway: Gateway) {
    let mut ticks = tokio::time::interval(RECONCILE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = gateway.reconcile(RECONCILE_TIME).await {
            warn!(%error, "the reconciler could not run; it runs again in {RECONCILE_EVERY:?}");
        }
    }
}

/// The operator's port on this platform.
struct OnSqlite {
    switches: Arc<Switches>,
    database: Database,
    topics: SqliteTopics,
    mailbox: Arc<Mailbox>,
    simulated: Option<Arc<SqliteProvider>>,
}

#[async_trait]
impl Operations for OnSqlite {
    fn is_running(&self, topic: Topic) -> bool {
        *self.switches[topic as usize].borrow() == Running::Yes
    }

    async fn switch(&self, topic: Topic, running: bool) -> Result<(), StoreError> {
        settings::set(&self.database, &running_setting(topic), &running).await?;
        self.switches[topic as usize].send_replace(Running::from(running));
        Ok(())
    }

    async fn topics(&self) -> Result<Vec<(Topic, TopicState)>, StoreError> {
        self.topics.states().await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let mut letters = Vec::new();
        for topic in Topic::ALL {
            letters.extend(self.topics.dead_letters(topic).await?);
        }
        Ok(letters)
    }

    async fn redrive(&self, one: Option<i64>) -> Result<usize, StoreError> {
        self.topics.redrive(one).await
    }

    async fn erase(&self, order: OrderId) -> Result<Erased, StoreError> {
        erase(&self.database, order, self.mailbox.clock.now()).await
    }

    async fn mails(&self) -> Result<Vec<SentMail>, StoreError> {
        self.mailbox.sent().await
    }

    fn simulated_provider(&self) -> Option<&dyn SimulatedProvider> {
        self.simulated.as_deref().map(|simulated| simulated as &dyn SimulatedProvider)
    }
}
