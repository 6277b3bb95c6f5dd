//! The REST chain beside the topics: the operator's switches break both.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::rest_chain::{Link, Ports, ProviderMode, RestChain, Switches};
use axum::Router;
use messaging::clock::Clock;
use messaging::entropy::Entropy;
use protocol::topic::Topic;
use system::operator;
use system::view::{self, Provider, View};
use ticket_service::store::TicketStore;

use crate::server::{Options, StartError};
use crate::sqlite::SqliteStores;
use crate::sqlite::database::Database;

/// The operator's switches, as the platform keeps them.
struct OfThePlatform(Arc<dyn View>);

impl Switches for OfThePlatform {
    fn is_running(&self, link: Link) -> bool {
        let topic = match link {
            Link::Tickets => Topic::Tickets,
            Link::Billing => Topic::Billing,
            Link::Email => Topic::Email,
        };
        self.0.switches().is_none_or(|switches| switches.is_running(topic))
    }

    fn provider(&self) -> ProviderMode {
        // The chain's provider is simulated also where that of the topics is Stripe, which nothing here breaks.
        let Provider::Simulated(simulated) = self.0.provider() else { return ProviderMode::Up };
        match simulated.mode() {
            view::ProviderMode::Up => ProviderMode::Up,
            view::ProviderMode::Unavailable => ProviderMode::Unavailable,
            view::ProviderMode::Timeout => ProviderMode::Timeout,
            view::ProviderMode::Slow => ProviderMode::Slow,
        }
    }
}

/// What the chain is started with, if it is.
pub(crate) struct Host {
    wanted: bool,
    directory: PathBuf,
    stores: SqliteStores,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Host {
    /// The host of that server.
    pub(crate) fn of(options: &Options, directory: &Path, database: &Database) -> Self {
        Self {
            wanted: options.rest_chain,
            directory: directory.to_owned(),
            stores: SqliteStores(database.clone()),
            clock: options.clock.clone(),
            entropy: options.entropy.clone(),
        }
    }

    /// Starts the chain on the flights that the platform offers, unless it is not wanted.
    pub(crate) async fn start(self, view: Arc<dyn View>) -> Result<Option<RestChain>, StartError> {
        let Self { wanted, directory, stores, clock, entropy } = self;
        if !wanted {
            return Ok(None);
        }
        let flights = stores.offers().await?.into_iter().map(|offer| offer.flight).collect();
        let switches = Arc::new(OfThePlatform(view));
        let started = RestChain::start(Ports { directory, flights, switches, clock, entropy }).await;
        started.map(Some).map_err(StartError::ListenForRestChain)
    }
}

/// Its paths, for those who may use the operator's API.
pub(crate) fn router(chain: Option<&RestChain>) -> Router {
    chain.map(|chain| operator::guarded(chain.router())).unwrap_or_default()
}
