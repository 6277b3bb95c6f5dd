//! The system under test, behind one base URL.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::NewFlight;
use crate::client::{Client, Request};

/// How an embedded server is started.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Written to a flights file when there are any; else the default seed is served.
    pub flights: Vec<NewFlight>,
    /// How long an order may take, when not the default.
    pub deadline: Option<Duration>,
}

/// A running system: an embedded server of this test's own, or the deployment at `BOOKING_URL`.
pub struct TestApp {
    client: Client,
    base: String,
    embedded: Option<Embedded>,
}

/// Dropped in this order: the server before its directory.
struct Embedded {
    server: Option<local::Server>,
    setup: Setup,
    directory: TempDir,
}

impl TestApp {
    /// The deployment at `BOOKING_URL`, or else an embedded server with the default flights.
    pub async fn start() -> Self {
        match std::env::var("BOOKING_URL") {
            Ok(url) => Self::at(&url),
            Err(_) => Self::embedded_with(Setup::default()).await,
        }
    }

    /// An embedded server, or `None` (and a printed line) when the tests ask a deployment.
    pub async fn embedded(test: &str) -> Option<Self> {
        Self::embedded_setup(test, Setup::default()).await
    }

    /// As [`TestApp::embedded`], with these flights only in a flights file.
    pub async fn with_flights(test: &str, flights: &[NewFlight]) -> Option<Self> {
        Self::embedded_setup(test, Setup { flights: flights.to_vec(), ..Setup::default() }).await
    }

    /// As [`TestApp::embedded`], started as `setup` says.
    pub async fn embedded_setup(test: &str, setup: Setup) -> Option<Self> {
        if std::env::var_os("BOOKING_URL").is_some() {
            // Not `println!`: the harness would swallow the line of a test that passes.
            let _ = writeln!(std::io::stderr(), "skipped, it needs the embedded ground: {test}");
            return None;
        }
        Some(Self::embedded_with(setup).await)
    }

    fn at(url: &str) -> Self {
        assert!(!url.starts_with("https:"), "BOOKING_URL {url}: this client speaks plain http only");
        assert!(url.starts_with("http://"), "BOOKING_URL {url}: not an http URL");
        Self { client: Client::new(), base: url.trim_end_matches('/').to_owned(), embedded: None }
    }

    async fn embedded_with(setup: Setup) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the data");
        let embedded = Embedded { server: None, setup, directory };
        let mut app = Self { client: Client::new(), base: String::new(), embedded: Some(embedded) };
        app.serve().await.expect("the embedded server starts");
        app
    }

    fn ground(&mut self) -> &mut Embedded {
        self.embedded.as_mut().expect("only the embedded ground can be started and stopped")
    }

    /// Starts an embedded server on the data of the one before, with the flights of the setup.
    async fn serve(&mut self) -> Result<(), local::StartError> {
        let ground = self.ground();
        let mut options = ground.options();
        options.flights = ground.flights_file();
        let server = local::Server::start(options).await?;
        let base = server.url().trim_end_matches('/').to_owned();
        ground.server = Some(server);
        self.base = base;
        self.client = Client::new();
        Ok(())
    }

    /// Stops the embedded server in good order and starts another one on the same data.
    pub async fn restart(&mut self) {
        self.ground().stop().await;
        self.serve().await.expect("the embedded server starts again");
    }

    /// As [`TestApp::restart`], with other flights in the flights file, which the server may refuse.
    pub async fn restart_with(&mut self, flights: &[NewFlight]) -> Result<(), String> {
        self.ground().stop().await;
        self.ground().setup.flights = flights.to_vec();
        self.serve().await.map_err(|error| error.to_string())
    }

    /// Starts a second server on the same data beside the first, which must not work.
    pub async fn start_beside(&mut self) -> Result<(), String> {
        let options = self.ground().options();
        local::Server::start(options).await.map(drop).map_err(|error| error.to_string())
    }

    /// Whether the `/local/*` routes exist and nobody else uses the system.
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The base URL without a slash at its end; it may have a path (an API stage).
    pub fn base(&self) -> &str {
        &self.base
    }

    /// How long an order may take to come to rest when nothing is down.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(if self.is_embedded() { 20 } else { 60 })
    }

    /// Any method on a path below the base URL.
    pub fn request(&self, method: &str, path: &str) -> Request {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// `GET` of a path below the base URL.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// `GET` of an absolute URL.
    pub fn get_url(&self, url: &str) -> Request {
        self.client.request("GET", url.to_owned())
    }

    /// `PUT` of a JSON body on a path below the base URL.
    pub fn put(&self, path: &str, body: &Value) -> Request {
        self.request("PUT", path).json(body)
    }
}

impl Embedded {
    fn options(&self) -> local::Options {
        let mut options = local::Options::new(self.directory.path().join("data"));
        if let Some(deadline) = self.setup.deadline {
            options.deadline = deadline;
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
