//! A chain of its own, served on a free port.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use client::{Bookings, Request, Response};
use messaging::clock::SystemClock;
use messaging::entropy::OsEntropy;
use rest_chain::{Link, Ports, ProviderMode, RestChain, Switches};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the operator has switched off or broken.
#[derive(Default)]
pub(crate) struct Operator(Mutex<(Vec<Link>, Option<ProviderMode>)>);

impl Operator {
    pub(crate) fn run(&self, link: Link, running: bool) {
        let stopped = &mut self.0.lock().unwrap().0;
        stopped.retain(|other| *other != link);
        if !running {
            stopped.push(link);
        }
    }

    pub(crate) fn provider(&self, mode: ProviderMode) {
        self.0.lock().unwrap().1 = Some(mode);
    }
}

impl Switches for Operator {
    fn is_running(&self, link: Link) -> bool {
        !self.0.lock().unwrap().0.contains(&link)
    }

    fn provider(&self) -> ProviderMode {
        self.0.lock().unwrap().1.unwrap_or(ProviderMode::Up)
    }
}

pub(crate) struct Chain {
    pub(crate) client: Bookings,
    pub(crate) switches: Arc<Operator>,
    chain: RestChain,
    host: JoinHandle<()>,
    kept: TempDir,
}

impl Chain {
    pub(crate) async fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(kept: TempDir) -> Self {
        let switches = Arc::new(Operator::default());
        let flight = |id: &str, departs_at: &str, capacity: u32| {
            serde_json::from_value(json!({
                "id": id, "from": "Vienna", "to": "Lisbon", "departs_at": departs_at,
                "capacity": capacity, "price": {"value": 12_950, "currency": "EUR"},
            }))
            .unwrap()
        };
        let later = "2099-01-01T06:40:00Z";
        let ports = Ports {
            directory: kept.path().to_owned(),
            flights: vec![
                flight("RC-1", later, 1_000),
                flight("RC-2", later, 3),
                flight("RC-20", later, 20),
                flight("RC-OLD", "2020-01-01T06:40:00Z", 20),
            ],
            switches: switches.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        };
        let chain = RestChain::start(ports).await.unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = Bookings::at(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let router: Router = chain.router();
        let host = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { client, switches, chain, host, kept }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.kept.path()
    }

    /// Stops it, and starts another on the same directory.
    pub(crate) async fn restart(self) -> Self {
        self.host.abort();
        let _ = self.host.await;
        self.chain.stop().await;
        Self::on(self.kept).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        self.client.request(method, path)
    }

    pub(crate) async fn post(&self, booking: &Value, key: Option<&str>) -> Response {
        let request = self.request("POST", "/rest-chain/bookings").json(booking);
        match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        }
        .send()
        .await
        .unwrap()
    }

    /// Books, and expects a problem of that status; answers it.
    pub(crate) async fn problem(&self, booking: &Value, status: u16) -> Value {
        let answer = self.post(booking, None).await;
        assert_eq!(answer.status, status, "{answer}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{answer}");
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["status"], status, "{answer}");
        problem
    }

    /// The provider's own ledger, newest first: bookings, and what was captured.
    pub(crate) async fn charges(&self) -> Vec<(String, u64)> {
        let page = self.client.get("/rest-chain/payments?limit=1000").await.unwrap();
        let charge = |item: &Value| {
            (item["booking_id"].as_str().unwrap().to_owned(), item["captured"].as_u64().unwrap())
        };
        page["items"].as_array().unwrap().iter().map(charge).collect()
    }
}

pub(crate) fn booking(flight: &str, seats: u64, method: &str) -> Value {
    json!({
        "flight_id": flight, "seats": seats, "payment_method": method,
        "passenger": {"name": "Ada Byron", "email": "ada@example.com"},
    })
}
