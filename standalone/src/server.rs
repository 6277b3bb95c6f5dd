//! The server: the platform, and HTTP in front of it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::rest_chain::RestChain;
use axum::middleware::from_fn_with_state;
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::limits::Limits;
use messaging::clock::{Clock, SystemClock};
use messaging::entropy::{Entropy, OsEntropy};
use messaging::store::StoreError;
use protocol::manage::PublicUrl;
use system::operator::{self, Beside, Operator};
use thiserror::Error;
use ticket_service::catalogue::{self, FlightsError};
use ticket_service::flight::Flight;
use ticket_service::store::TicketStore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client_address::{Clients, with_client};
use crate::data_dir::{DataDir, DataDirError};
use crate::http;
use crate::integrations::Integrations;
use crate::platform::{Platform, PlatformError, PlatformOptions};
use crate::rest_chain;
use crate::sqlite;
use crate::sqlite::SqliteStores;
use crate::sqlite::schema::SchemaError;
use crate::sqlite::secrets;

/// How long a stopping server waits for the requests in progress.
const DRAIN: Duration = Duration::from_secs(10);

/// How a server is started.
#[derive(Clone)]
pub struct Options {
    /// Its data directory.
    pub data: PathBuf,
    /// The address it listens on.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The port of 127.0.0.1 for the operator's API where the address is not loopback; 0 takes a free one.
    pub operator_port: u16,
    /// A file of flights to add or change. Without it, a new server offers default flights.
    pub flights: Option<PathBuf>,
    /// How long an order may take.
    pub deadlines: DeadlinePolicy,
    /// Who moves the money, and who delivers mail.
    pub integrations: Integrations,
    /// Where customers find the page; without it mail has no link.
    pub public_url: Option<PublicUrl>,
    /// How long a client may take, and how many there may be.
    pub limits: http::Limits,
    /// How many orders a client may place.
    pub bookings: Limits,
    /// Whose a request is.
    pub clients: Clients,
    /// Whether the REST chain stands beside the topics.
    pub rest_chain: bool,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Options {
    /// The defaults: a free port on loopback, default flights, 48 h, simulated payments, mail kept.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            host: "127.0.0.1".to_owned(),
            port: 0,
            operator_port: 0,
            flights: None,
            deadlines: DeadlinePolicy::default(),
            integrations: Integrations::default(),
            public_url: None,
            limits: http::Limits::default(),
            bookings: Limits::default(),
            clients: Clients::default(),
            rest_chain: true,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        }
    }
}

/// The server could not start. Each message says what to do.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum StartError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("the database {path} cannot be opened: {error}")]
    Database { path: PathBuf, error: SchemaError },
    #[error(transparent)]
    Flights(FlightsError),
    #[error(
        "cannot listen on {address}: {error}; choose another with --host and --port, or a free port with --port 0"
    )]
    Listen { address: String, error: io::Error },
    #[error(
        "cannot listen on 127.0.0.1:{port} for the operator's API: {error}; choose another port with --operator-port, or a free one with --operator-port 0"
    )]
    ListenForOperator { port: u16, error: io::Error },
    #[error("the REST chain cannot listen on 127.0.0.1: {0}; start without it by --no-rest-chain")]
    ListenForRestChain(io::Error),
    #[error("the database {path} cannot be used: {error}; is the disk full, or the file read-only?")]
    Store { path: PathBuf, error: StoreError },
    #[error(transparent)]
    Platform(PlatformError),
}

impl StartError {
    /// An error while the database at that path was used: it is named, since that is what its owner must look at.
    fn at(path: &Path, error: impl Into<Self>) -> Self {
        match error.into() {
            Self::Flights(FlightsError::Store(error)) | Self::Platform(PlatformError::Store(error)) => {
                Self::Store { path: path.to_owned(), error }
            }
            other => other,
        }
    }
}

impl From<FlightsError> for StartError {
    fn from(error: FlightsError) -> Self {
        Self::Flights(error)
    }
}

impl From<PlatformError> for StartError {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Platform(error.into())
    }
}

/// A running server.
pub struct Server {
    url: String,
    operator_url: String,
    platform: Platform,
    rest_chain: Option<RestChain>,
    ending: watch::Sender<()>,
    serving: JoinSet<()>,
    _data: DataDir,
}

/// Makes a new secret for the customers' keys to their bookings. Links made with the one before still work, older
/// ones do not.
///
/// # Errors
/// The directory has no database, or a server is running on it.
pub async fn rotate_manage_secret(data: &Path) -> Result<(), StartError> {
    let data = DataDir::lock(DataDir::find(data)?)?;
    let path = data.path().join(sqlite::database::FILE);
    if !path.is_file() {
        return Err(DataDirError::Missing(path).into());
    }
    let opened = sqlite::open(data.path(), Arc::new(SystemClock));
    let (database, _) = opened.map_err(|error| StartError::Database { path: path.clone(), error })?;
    secrets::rotate(&database, &OsEntropy).await.map_err(|error| StartError::at(&path, error))
}

impl Server {
    /// Starts a server. It accepts requests once this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        // The flights file, the directory and the address are checked before anything is changed.
        let file = options.flights.as_deref().map(catalogue::read).transpose()?;
        let data = DataDir::lock(&options.data)?;
        let (listener, address) = listen(&options.host, options.port).await?;
        let operator = match address.ip().is_loopback() {
            true => None,
            false => Some(listen_for_operator(options.operator_port).await?),
        };

        let path = data.path().join(sqlite::database::FILE);
        let (database, topics) = sqlite::open(data.path(), options.clock.clone())
            .map_err(|error| StartError::Database { path: path.clone(), error })?;
        let offered = offer(&SqliteStores(database.clone()), file, options.clock.as_ref()).await;
        offered.map_err(|error| StartError::at(&path, error))?;
        let beside = rest_chain::Host::of(&options, data.path(), &database);
        let Options {
            clock, entropy, deadlines, integrations, public_url, limits, bookings, clients, ..
        } = options;
        let limits = limits.within_descriptors();
        let options = PlatformOptions { deadlines, integrations, public_url, limits: bookings };
        let platform = Platform::start((database, topics), clock.clone(), entropy, options).await;
        let platform = platform.map_err(|error| StartError::at(&path, error))?;
        let rest_chain = beside.start(platform.view.clone()).await;
        let rest_chain = rest_chain.map_err(|error| StartError::at(&path, error))?;

        let public = platform.router().layer(from_fn_with_state(clients, with_client));
        let (ending, ended) = watch::channel(());
        let beside = Beside { bookings: true, rest_chain: rest_chain.is_some() };
        let seen = Operator::new(platform.view.clone(), clock, beside, ended.clone());
        let all = public.clone().merge(operator::router(seen));
        let all = all.merge(rest_chain::router(rest_chain.as_ref()));
        let url = format!("http://{address}");
        let mut serving = JoinSet::new();
        let operator_url = match operator {
            // The page, the customers' API and the operator's API, all on loopback.
            None => {
                serving.spawn(http::serve(listener, all, limits, ended));
                url.clone()
            }
            // The public port has nothing of the operator's. The other has everything.
            Some((operator, address)) => {
                serving.spawn(http::serve(listener, public, limits, ended.clone()));
                serving.spawn(http::serve(operator, all, limits.of_operator(), ended));
                format!("http://{address}")
            }
        };
        Ok(Self { url, operator_url, platform, rest_chain, ending, serving, _data: data })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the operator's API is: the same, or a port of its own on 127.0.0.1.
    pub fn operator_url(&self) -> &str {
        &self.operator_url
    }

    /// The platform that it serves.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Takes no new requests, finishes the requests and batches in progress, and closes the database.
    pub async fn stop(self) {
        let Self { platform, rest_chain, ending, mut serving, .. } = self;
        drop(ending);
        let _ = tokio::time::timeout(DRAIN, async { while serving.join_next().await.is_some() {} }).await;
        if let Some(rest_chain) = rest_chain {
            rest_chain.stop().await;
        }
        platform.stop().await;
    }
}

/// Adds or changes the flights of a file. Without one, a new server offers default flights.
async fn offer(
    tickets: &SqliteStores,
    file: Option<Vec<Flight>>,
    clock: &dyn Clock,
) -> Result<(), FlightsError> {
    match file {
        Some(flights) => catalogue::upsert(tickets, &flights).await,
        None if tickets.offers().await?.is_empty() => {
            catalogue::upsert(tickets, &catalogue::seed(clock.now())).await
        }
        None => Ok(()),
    }
}

/// Listens; answers where.
async fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    // An IPv6 address may be given as in a URL.
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let bound = bind(host, port).await;
    bound.map_err(|error| StartError::Listen { address: format!("{host}:{port}"), error })
}

/// Listens on loopback for the operator; answers where.
async fn listen_for_operator(port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    bind("127.0.0.1", port).await.map_err(|error| StartError::ListenForOperator { port, error })
}

async fn bind(host: &str, port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((host, port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
