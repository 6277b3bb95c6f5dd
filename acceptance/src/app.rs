//! The system under test, behind one base URL.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use client::{Bookings, Client};
use serde_json::Value;
use tempfile::TempDir;

use crate::{NewFlight, Request};

/// How a standalone server is started.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Written to a flights file when there are any; else the default seed is served.
    pub flights: Vec<NewFlight>,
    /// How long an order may take, when not the default.
    pub deadline: Option<Duration>,
    /// How many bookings each client may make a minute; without it this machine's are not limited.
    pub bookings_per_client: Option<u32>,
}

/// A running system: a standalone server of this test's own, or the deployment at `BOOKING_URL`.
pub struct TestApp {
    pub(crate) server: Bookings,
    standalone: Option<Standalone>,
}

/// Dropped in this order: the server before its directory.
struct Standalone {
    server: Option<standalone::Server>,
    setup: Setup,
    directory: TempDir,
}

impl TestApp {
    /// The deployment at `BOOKING_URL`, or else a standalone server with the default flights.
    pub async fn start() -> Self {
        match std::env::var("BOOKING_URL") {
            Ok(url) => Self::at(&url),
            Err(_) => Self::start_standalone(Setup::default()).await,
        }
    }

    /// A standalone server, or `None` (and a printed line) when the tests run against a deployment.
    pub async fn standalone(test: &str) -> Option<Self> {
        Self::standalone_with(test, Setup::default()).await
    }

    /// As [`TestApp::standalone`], with these flights only in a flights file.
    pub async fn with_flights(test: &str, flights: &[NewFlight]) -> Option<Self> {
        Self::standalone_with(test, Setup { flights: flights.to_vec(), ..Setup::default() }).await
    }

    /// As [`TestApp::standalone`], started as `setup` says.
    pub async fn standalone_with(test: &str, setup: Setup) -> Option<Self> {
        if std::env::var_os("BOOKING_URL").is_some() {
            // Not `println!`: the harness hides the output of a test that passes.
            let _ = writeln!(std::io::stderr(), "skipped, it needs the standalone platform: {test}");
            return None;
        }
        Some(Self::start_standalone(setup).await)
    }

    fn at(url: &str) -> Self {
        let server = Bookings::at(url);
        let server = server.unwrap_or_else(|error| panic!("BOOKING_URL (plain http only): {error}"));
        Self { server, standalone: None }
    }

    async fn start_standalone(setup: Setup) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the data");
        let mut standalone = Standalone { server: None, setup, directory };
        let url = standalone.start().await.expect("the standalone server starts");
        let server = Bookings::at(&url).expect("a server has an http URL");
        Self { server, standalone: Some(standalone) }
    }

    fn own(&mut self) -> &mut Standalone {
        self.standalone.as_mut().expect("only a standalone server can be started and stopped")
    }

    /// Stops the standalone server with SIGTERM and starts another one on the same data.
    pub async fn restart(&mut self) {
        self.own().stop().await;
        let url = self.own().start().await.expect("the standalone server starts again");
        self.moved_to(&url);
    }

    /// As [`TestApp::restart`], with other flights in the flights file, which the server may refuse.
    pub async fn restart_with(&mut self, flights: &[NewFlight]) -> Result<(), String> {
        let own = self.own();
        own.stop().await;
        own.setup.flights = flights.to_vec();
        let url = own.start().await.map_err(|error| error.to_string())?;
        self.moved_to(&url);
        Ok(())
    }

    /// The customers keep the keys to their bookings over a restart.
    fn moved_to(&mut self, url: &str) {
        self.server = self.server.moved_to(url).expect("a server has an http URL");
    }

    /// Starts a second server on the same data beside the first; that must fail.
    pub async fn start_beside(&mut self) -> Result<(), String> {
        let options = self.own().options();
        standalone::Server::start(options).await.map(drop).map_err(|error| error.to_string())
    }

    /// Whether the `/operator/*` routes exist and this test alone uses the system.
    pub fn is_standalone(&self) -> bool {
        self.standalone.is_some()
    }

    /// The base URL without a slash at its end; it may have a path (an API stage).
    pub fn base(&self) -> &str {
        self.server.url()
    }

    /// How long an order may take to come to rest when every service is up.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(if self.is_standalone() { 20 } else { 60 })
    }

    /// Any method on a path below the base URL.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request(self.server.request(method, path))
    }

    /// `GET` of a path below the base URL.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// `GET` of an absolute URL.
    pub fn get_url(&self, url: &str) -> Request {
        Request(Client::default().request("GET", url))
    }

    /// `PUT` of a JSON body on a path below the base URL.
    pub fn put(&self, path: &str, body: &Value) -> Request {
        self.request("PUT", path).json(body)
    }
}

impl Standalone {
    /// Starts a server on the data of the one before, with the flights of the setup; answers its URL.
    async fn start(&mut self) -> Result<String, standalone::StartError> {
        let mut options = self.options();
        options.flights = self.flights_file();
        let server = standalone::Server::start(options).await?;
        let url = server.url().to_owned();
        self.server = Some(server);
        Ok(url)
    }

    fn options(&self) -> standalone::Options {
        let mut options = standalone::Options::new(self.directory.path().join("data"));
        if let Some(deadline) = self.setup.deadline {
            options.deadlines.deadline = deadline;
        }
        if let Some(limit) = self.setup.bookings_per_client {
            options.bookings.client = limit;
            options.clients.limit_loopback = true;
        }
        options
    }

    fn flights_file(&self) -> Option<PathBuf> {
        if self.setup.flights.is_empty() {
            return None;
        }
        let path = self.directory.path().join("flights.json");
        let json = Value::Array(self.setup.flights.iter().map(NewFlight::json).collect());
        std::fs::write(&path, json.to_string()).expect("the flights file is written");
        Some(path)
    }

    async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}
