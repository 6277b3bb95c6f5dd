//! The embedded ground: the same services as on AWS, on one SQLite file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use billing_service::service::BillingService;
use booking_gateway::desk::{BookingDesk, Secret};
use booking_gateway::gateway::Gateway;
use booking_gateway::updates::OrderUpdates;
use email_service::service::EmailService;
use rusqlite::{Connection, params};
use shared::consumer::{Consumer, Service};
use shared::entropy::Entropy;
use shared::store::StoreError;
use shared::time::Clock;
use ticket_service::service::TicketService;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use crate::control::Control;
use crate::outside::{self, Outside};
use crate::server::StartError;
use crate::sqlite::database::Database;
use crate::sqlite::mailbox::Mailbox;
use crate::sqlite::mails::SqliteMails;
use crate::sqlite::orders::SqliteOrders;
use crate::sqlite::payments::SqlitePayments;
use crate::sqlite::tickets::SqliteTickets;
use crate::sqlite::topics::SqliteTopics;
use crate::workers::{self, Running};

/// How often the reconciler runs.
const RECONCILE_EVERY: Duration = Duration::from_secs(10);

/// The most pages of checks that one run works off; what is left waits for the next.
const RECONCILE_PAGES: usize = 50;

/// The services and what they stand on, at work.
pub struct Ground {
    /// The Booking Gateway, and the desk where its orders are accepted.
    pub desk: BookingDesk,
    /// The flights.
    pub tickets: Arc<SqliteTickets>,
    /// What `/local/*` acts on.
    pub control: Arc<Control>,
    database: Database,
    tasks: JoinSet<()>,
    reconciler: tokio::task::JoinHandle<()>,
}

impl Ground {
    /// Starts every service on that database.
    pub async fn start(
        database: Database,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        deadline: Duration,
        outside: Outside,
    ) -> Result<Self, StartError> {
        let topics = SqliteTopics::new(database.clone(), clock.clone());
        topics.take_back().await?;
        let tickets = Arc::new(SqliteTickets(database.clone()));
        let (provider, simulated) = outside.payments.provider(&database, &clock)?;
        remember_provider(&database, outside.payments.name()).await?;
        let mailbox = Arc::new(Mailbox { database: database.clone(), clock: clock.clone() });
        let gateway = Gateway {
            orders: Arc::new(SqliteOrders(database.clone())),
            topics: Arc::new(topics.clone()),
            clock: clock.clone(),
        };
        let desk = BookingDesk {
            gateway: gateway.clone(),
            entropy: entropy.clone(),
            secret: secret(&database, entropy.as_ref()).await?,
            deadline,
        };

        let mut services =
            Services { tasks: JoinSet::new(), switches: HashMap::new(), topics: topics.clone(), entropy };
        let payments = Arc::new(SqlitePayments(database.clone()));
        services.start("order-updates", OrderUpdates(gateway.clone()));
        services.start("ticket-service", TicketService { store: tickets.clone(), clock: clock.clone() });
        let mailer = outside::mailer(outside.mail, &mailbox, &clock);
        services.start("billing-service", BillingService { store: payments, provider, clock });
        let mails = Arc::new(SqliteMails(database.clone()));
        services.start("email-service", EmailService { store: mails, mailer });

        let reconciler = tokio::spawn(reconcile(gateway));
        let control = Arc::new(Control { services: services.switches, simulated, topics, mailbox });
        Ok(Self { desk, tickets, control, database, tasks: services.tasks, reconciler })
    }

    /// Lets every service finish what it has in hand, and closes the database.
    pub async fn stop(mut self) {
        self.reconciler.abort();
        for switch in self.control.services.values() {
            switch.send_replace(Running::Ending);
        }
        while self.tasks.join_next().await.is_some() {}
        let database = self.database.clone();
        let _ = tokio::task::spawn_blocking(move || database.close()).await;
    }
}

struct Services {
    tasks: JoinSet<()>,
    switches: HashMap<&'static str, watch::Sender<Running>>,
    topics: SqliteTopics,
    entropy: Arc<dyn Entropy>,
}

impl Services {
    fn start<S: Service + 'static>(&mut self, name: &'static str, service: S) {
        let (switch, running) = watch::channel(Running::Yes);
        let consumer = Consumer::new(service, self.entropy.clone());
        workers::start(&mut self.tasks, consumer, &self.topics, &running);
        self.switches.insert(name, switch);
    }
}

async fn reconcile(gateway: Gateway) {
    let mut ticks = tokio::time::interval(RECONCILE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = gateway.reconcile(RECONCILE_PAGES).await {
            warn!(%error, "the reconciler could not look; it will in {RECONCILE_EVERY:?}");
        }
    }
}

/// Notes who moves the money, for the audit.
async fn remember_provider(database: &Database, name: &'static str) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO settings (name, value) VALUES ('payment-provider-' || ?1, x'') ON CONFLICT DO NOTHING";
    database.write(move |connection: &Connection| connection.execute(sql, [name]).map(drop)).await
}

/// The deployment's secret, made at the first start.
async fn secret(database: &Database, entropy: &dyn Entropy) -> Result<Secret, StoreError> {
    let mut fresh = [0; 32];
    entropy.fill(&mut fresh);
    let write = move |connection: &Connection| {
        connection.execute(
            "INSERT INTO settings (name, value) VALUES ('secret', ?1) ON CONFLICT DO NOTHING",
            params![fresh],
        )?;
        connection
            .query_row("SELECT value FROM settings WHERE name = 'secret'", [], |row| row.get::<_, Vec<u8>>(0))
    };
    let bytes = database.write(write).await?;
    Secret::new(&bytes).ok_or_else(|| StoreError::unreadable("the deployment's secret is too short"))
}
