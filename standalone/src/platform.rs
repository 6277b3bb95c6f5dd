//! The standalone platform: the same services as on AWS, on one SQLite file.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::gateway::Gateway;
use booking_gateway::limits::Limits;
use group_commit::Counters;
use messaging::clock::Clock;
use messaging::entropy::Entropy;
use messaging::store::StoreError;
use protocol::manage::PublicUrl;
use protocol::topic::Topic;
use shared_http::Problem;
use stripe::StripeError;
use system::view::View;
use system::{Ports, Services, Settings, Stores};
use thiserror::Error;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{error, warn};

use crate::integrations::{self, Integrations};
use crate::limits::MemoryLimiter;
use crate::poller::{self, Running};
use crate::sqlite::SqliteStores;
use crate::sqlite::database::Database;
use crate::sqlite::ledger::SqliteProvider;
use crate::sqlite::mailbox::Mailbox;
use crate::sqlite::topics::SqliteTopics;
use crate::sqlite::{secrets, settings};
use crate::view::{SqliteView, Switchboard, running_setting};

/// How often the reconciler runs.
const RECONCILE_EVERY: Duration = Duration::from_secs(10);

/// How long one run may take; the rest of the due checks waits for the next run.
const RECONCILE_TIME: Duration = Duration::from_secs(60);

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
    pub view: Arc<dyn View>,
    switches: Arc<Switchboard>,
    database: Database,
    topics: SqliteTopics,
    pollers: JoinSet<()>,
    reconciler: JoinHandle<()>,
}

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
        topics.begin().await?;
        let simulated = Arc::new(SqliteProvider::open(database.clone()).await?);
        let PlatformOptions { deadlines, integrations, public_url, limits } = options;
        let (providers, simulated) = integrations.payments.providers(simulated, &clock)?;
        if simulated.is_none() {
            // A payment is opened before it is recorded. The books of the simulated provider are in this database.
            topics.commit_first(Topic::Billing);
        }
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
            entropy: entropy.clone(),
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
        let notes = database.notes();
        let view = SqliteView {
            switches: switches.clone(),
            database: database.clone(),
            topics: topics.clone(),
            mailbox,
            simulated,
            entropy,
            notes,
        };
        let view = Arc::new(view);
        Ok(Self { services, view, switches, database, topics, pollers, reconciler })
    }

    /// The services' APIs. A change is made on the writing thread: its writes and sends share a commit, and it is answered
    /// after that.
    pub fn router(&self) -> Router {
        self.services.router().layer(from_fn_with_state(self.database.clone(), within_groups))
    }

    /// What its database has done since it was opened.
    pub fn counters(&self) -> Counters {
        self.database.counters()
    }

    /// How many messages were sent since it started.
    pub fn hops(&self) -> u64 {
        self.database.notes().sent_so_far()
    }

    /// Lets every service finish its current batch, and closes the database.
    pub async fn stop(mut self) {
        self.reconciler.abort();
        for switch in self.switches.iter() {
            switch.send_replace(Running::Ending);
        }
        while self.pollers.join_next().await.is_some() {}
        if let Err(error) = self.topics.end().await {
            warn!(%error, "messages that were received at the last moment count as received");
        }
        let database = self.database.clone();
        let _ = tokio::task::spawn_blocking(move || database.close()).await;
    }
}

async fn within_groups(State(database): State<Database>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match database.within(database.attempt(next.run(request))).await.flatten() {
        Ok(response) => response,
        Err(error) => {
            error!(%error, "a request was not carried out");
            Problem::unavailable().into_response()
        }
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
