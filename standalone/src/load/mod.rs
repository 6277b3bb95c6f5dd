//! The load command: customers who book, watch their order settle, and book again.
//!
//! `concurrency` is the number of customers, so it is also the number of unsettled orders at one time. The
//! rate is end to end, so it can be compared with that of a synchronous chain.

mod counters;
pub(crate) mod report;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::{Bookings, ClientError};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::server::{Options, Server, StartError};
pub use counters::Counted;
pub use report::Report;
use report::Tally;

/// How many flights a server of its own offers.
const FLIGHTS: usize = 8;

/// After how long an accepted order that has not settled counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// The size of a load, and its server.
#[derive(Clone, Debug)]
pub struct Load {
    /// How many orders.
    pub bookings: usize,
    /// How many customers.
    pub concurrency: usize,
    /// The URL of the server; `None` starts one.
    pub url: Option<String>,
    /// Whether what the database of a server of its own does is counted.
    pub counters: bool,
}

/// The load could not be run.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum LoadError {
    #[error("the temporary directory cannot be created: {0}")]
    Scratch(#[from] std::io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the server offers no flights; give it some with --flights")]
    NoFlights,
}

impl Load {
    /// Runs the load; `progress` gets the number of orders settled so far.
    pub async fn run(self, progress: impl Fn(usize)) -> Result<Report, LoadError> {
        match &self.url {
            Some(url) => self.run_on(url, progress).await,
            None => {
                let scratch = tempfile::tempdir()?;
                let flights = scratch.path().join("flights.json");
                self.write_flights(&flights)?;
                let options = Options { flights: Some(flights), ..Options::new(scratch.path().join("data")) };
                let server = Server::start(options).await?;
                let before = Counted::by(server.platform());
                let report = self.run_on(server.url(), progress).await;
                let counters = Counted::by(server.platform()).since(before);
                server.stop().await;
                Ok(Report { counters: self.counters.then_some(counters), ..report? })
            }
        }
    }

    /// Enough seats for every order.
    fn write_flights(&self, path: &Path) -> std::io::Result<()> {
        let capacity = self.bookings.div_ceil(FLIGHTS);
        let flight = |number| {
            json!({
                "id": format!("LD-{number}"), "from": "Vienna", "to": "Lisbon", "departs_at": "2099-01-01T06:40:00Z",
                "capacity": capacity, "price": {"value": 12_950, "currency": "EUR"},
            })
        };
        std::fs::write(path, Value::from_iter((1..=FLIGHTS).map(flight)).to_string())
    }

    async fn run_on(&self, url: &str, progress: impl Fn(usize)) -> Result<Report, LoadError> {
        let client = Bookings::at(url)?;
        let offers = client.get("/flights").await?;
        let offers = offers.as_array().map(Vec::as_slice).unwrap_or_default();
        let seats: u64 = offers.iter().filter_map(|flight| flight["seats_left"].as_u64()).sum();
        let flights: Arc<[String]> =
            offers.iter().filter_map(|flight| flight["id"].as_str().map(str::to_owned)).collect();
        if flights.is_empty() {
            return Err(LoadError::NoFlights);
        }

        let (sender, mut receiver) = mpsc::unbounded_channel();
        let next = Arc::new(AtomicUsize::new(0));
        let customers =
            Arc::new(Customers { client, flights: flights.clone(), bookings: self.bookings, next });
        let started = Instant::now();
        for _ in 0..self.concurrency {
            tokio::spawn(customers.clone().book(sender.clone()));
        }
        drop(sender);
        let mut tally = Tally::new(self.bookings);
        while let Some(seen) = receiver.recv().await {
            tally.take(seen);
            progress(tally.seen());
        }
        Ok(tally.report(self, flights.len(), seats, started.elapsed()))
    }
}

/// What a customer saw of one order.
struct Seen {
    /// From the request to the 202; `None` if it was refused or not answered.
    accept: Option<Duration>,
    /// From the request to the moment the customer saw it settled, and how; `None` if it did not.
    settle: Option<(Duration, String)>,
}

struct Customers {
    client: Bookings,
    flights: Arc<[String]>,
    bookings: usize,
    next: Arc<AtomicUsize>,
}

impl Customers {
    /// Books as one customer until all orders are made.
    async fn book(self: Arc<Self>, sender: mpsc::UnboundedSender<Seen>) {
        // Polling much earlier than orders usually settle would only add load.
        let mut usual = Duration::from_millis(2);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.bookings {
                return;
            }
            let seen = self.book_one(number, usual).await;
            if let Some((settle, _)) = &seen.settle {
                usual = (usual * 3 + *settle) / 4;
            }
            if sender.send(seen).is_err() {
                return;
            }
        }
    }

    async fn book_one(&self, number: usize, usual: Duration) -> Seen {
        let body = json!({
            "flight_id": self.flights[number % self.flights.len()],
            "seats": 1,
            "passenger": {"name": "Load Test", "email": "load@example.com"},
            "payment_method": "pm_card_visa",
        });
        let started = Instant::now();
        let Ok(booking) = self.client.post("/bookings", &body).await else {
            return Seen { accept: None, settle: None };
        };
        let accept = started.elapsed();
        let id = booking["id"].as_str().unwrap_or_default();
        tokio::time::sleep(usual.mul_f32(0.8).saturating_sub(accept)).await;
        let pause = (usual / 8).max(Duration::from_millis(1));
        let settled = self.client.settled_by(id, PATIENCE, pause).await.ok();
        let status = |booking: Value| booking["status"].as_str().unwrap_or_default().to_owned();
        Seen { accept: Some(accept), settle: settled.map(|booking| (started.elapsed(), status(booking))) }
    }
}
