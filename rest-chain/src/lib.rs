//! The baseline that the topics are compared with: the same purchase as a chain of synchronous HTTP calls.
//!
//! ```text
//! page ──POST──▶ gateway ──▶ ticket server, and waits
//!   (spinner)       │ ─────▶ billing server, and waits ──▶ payment provider, and waits
//!                   │ ─────▶ email server, and waits
//!   ◀── 200, or a problem ──┘
//! ```
//!
//! It is well built within its pattern: connections are kept, every call has a timeout and an idempotency key, a refused card
//! or a `503` of billing releases the seats, every write is on disk before it is answered. It loses by design: what is not done
//! when the customer must be answered is not done at all. One stopped server turns every customer away. Where the provider's
//! reply is lost, it answers `504` because it does not know; the money is taken, and no ticket follows.
//!
//! | noun | module |
//! |---|---|
//! | what the host serves, and forwards | `front` |
//! | the servers | `gateway`, `tickets`, `billing`, `email` |
//! | the payment provider and its ledger | `provider` |
//! | a call from one server to another | `call` |
//! | its own SQLite file | `store` |
//! | the port to the operator's switches | [`Switches`] |
//!
//! It knows no platform and no topic.

mod billing;
mod call;
mod email;
mod front;
mod gateway;
mod provider;
mod server;
mod store;
mod switches;
mod tickets;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use messaging::clock::Clock;
use messaging::entropy::Entropy;
use messaging::store::StoreError;
use shared_http::Problem;
use ticket_service::flight::Flight;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::billing::BillingServer;
use self::call::Caller;
use self::email::EmailServer;
use self::gateway::Gateway;
use self::provider::Provider;
use self::server::Port;
pub use self::store::FILE;
use self::store::Store;
pub use self::switches::{Link, ProviderMode, Switches};
use self::tickets::TicketServer;

/// How long a chain that stops waits for the bookings in progress.
const DRAIN: Duration = Duration::from_secs(5);

/// What the chain is started with.
pub struct Ports {
    /// The directory of its file, [`FILE`]. It is created by the first request.
    pub directory: PathBuf,
    /// The flights that it sells, with seats of its own.
    pub flights: Vec<Flight>,
    /// What the operator has switched off or broken.
    pub switches: Arc<dyn Switches>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of ids.
    pub entropy: Arc<dyn Entropy>,
}

/// The running chain. Until it is used it costs four listening sockets.
pub struct RestChain {
    router: Router,
    store: Arc<Store>,
    ending: watch::Sender<()>,
    servers: JoinSet<()>,
}

impl RestChain {
    /// Starts its servers, each on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(ports: Ports) -> io::Result<Self> {
        let Ports { directory, flights, switches, clock, entropy } = ports;
        let store = Arc::new(Store::new(&directory, entropy.clone()));
        let provider = Arc::new(Provider { store: store.clone(), switches: switches.clone() });
        let caller = Caller::new();
        let (ending, ended) = watch::channel(());
        let mut servers = JoinSet::new();

        let (gateway, tickets, billing, email) =
            (Port::take().await?, Port::take().await?, Port::take().await?, Port::take().await?);
        let front = front::router(gateway.address, caller.clone());
        let gateway_router = Gateway {
            store: store.clone(),
            caller,
            tickets: tickets.address,
            billing: billing.address,
            email: email.address,
            provider: provider.clone(),
            entropy,
            in_progress: Mutex::default(),
        }
        .router();
        let flights = flights.into_iter().map(|flight| (flight.id.clone(), flight)).collect();
        let ticket_server = TicketServer { store: store.clone(), flights, switches: switches.clone(), clock };
        let billing_server = BillingServer { store: store.clone(), provider, switches: switches.clone() };
        let email_server = EmailServer { store: store.clone(), switches };
        gateway.serve(&mut servers, gateway_router, ended.clone());
        tickets.serve(&mut servers, ticket_server.router(), ended.clone());
        billing.serve(&mut servers, billing_server.router(), ended.clone());
        email.serve(&mut servers, email_server.router(), ended);
        Ok(Self { router: front, store, ending, servers })
    }

    /// `POST /rest-chain/bookings` and `GET /rest-chain/payments`, forwarded to its gateway. For the operator alone: the
    /// host puts its guard before it.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Finishes the bookings in progress, and closes the file. Call it once the host forwards no more requests.
    pub async fn stop(self) {
        let Self { store, ending, mut servers, router } = self;
        drop((router, ending));
        let _ = tokio::time::timeout(DRAIN, async { while servers.join_next().await.is_some() {} }).await;
        store.close().await;
    }
}

/// `503`: the file does not take or show anything.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unavailable(error: StoreError) -> Problem {
    tracing::error!(%error, "the REST chain's file cannot be reached");
    Problem::unavailable()
}
