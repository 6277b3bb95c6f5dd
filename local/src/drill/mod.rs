//! The outage drill: a story of failures, on a server of its own on a scratch directory, while
//! customers book at a steady rate.
//!
//! | of the bookings | what happens |
//! |---|---|
//! | the first fifth | nothing |
//! | the second | the Billing Service is down |
//! | the third | it is back; the payment provider does its work and loses every reply |
//! | the fourth | the server is killed (`SIGKILL`) and started again; the provider still loses replies |
//! | the last | everything is back |
//!
//! Then all orders settle, and the provider's own ledger and the audit say whether anything was
//! lost, or paid for nothing.

mod customer;
mod outcome;
mod server;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::time::{Clock, SystemClock};
use thiserror::Error;
use tokio::task::JoinSet;

use crate::audit::audit;
use crate::client::{Client, ClientError};
use crate::sqlite::snapshot::{self, SnapshotError};
use customer::{Bought, Customer};
use outcome::Ending;
pub use outcome::Outcome;
use server::Process;

/// How long the orders have to settle once everything is back.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is to be drilled.
#[derive(Clone, Debug)]
pub struct Drill {
    /// How many bookings are made.
    pub bookings: u32,
    /// How many of them a second.
    pub rate: u32,
    /// This program: the server is a process of its own, so that it can be killed.
    pub program: PathBuf,
}

/// The drill could not be held.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum DrillError {
    #[error("the scratch directory cannot be made: {0}")]
    Scratch(std::io::Error),
    #[error("the server could not be started: {0}")]
    Server(std::io::Error),
    #[error("the server ended before it served; its last line was {0:?}")]
    Silent(String),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// The acts of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Before,
    BillingDown,
    RepliesLost,
    Killed,
    After,
}

impl Drill {
    /// Holds the drill; `say` is told what happens.
    pub async fn run(self, say: impl Fn(&str)) -> Result<Outcome, DrillError> {
        let scratch = tempfile::tempdir().map_err(DrillError::Scratch)?;
        let data = scratch.path().join("data");
        let flights = scratch.path().join("flights.json");
        std::fs::write(&flights, self.flights().to_string()).map_err(DrillError::Scratch)?;
        let mut server = Process::start(&self.program, &data, &flights, 0)?;
        let client = Client::new(&server.url)?;

        let began = Instant::now();
        let mut customers = JoinSet::new();
        let mut act = Act::Before;
        say(&format!("{} bookings, {} a second; all is well", self.bookings, self.rate));
        let mut recovered = began;
        for number in 0..self.bookings {
            let due = began + Duration::from_secs_f64(f64::from(number) / f64::from(self.rate));
            tokio::time::sleep_until(due.into()).await;
            let next = self.act(number);
            if next != act {
                act = next;
                match act {
                    Act::Before => {}
                    Act::BillingDown => {
                        set_billing(&client, false).await?;
                        say(&format!("{number} booked: the Billing Service is down"));
                    }
                    Act::RepliesLost => {
                        set_billing(&client, true).await?;
                        set_provider(&client, "timeout").await?;
                        say(&format!("{number} booked: it is back; the provider loses every reply"));
                    }
                    Act::Killed => {
                        let port = server.port();
                        server.kill();
                        server = Process::start(&self.program, &data, &flights, port)?;
                        set_provider(&client, "timeout").await?;
                        say(&format!("{number} booked: the server is killed, and started again"));
                    }
                    Act::After => {
                        set_provider(&client, "up").await?;
                        recovered = Instant::now();
                        say(&format!("{number} booked: everything is back"));
                    }
                }
            }
            customers.spawn(Customer { client: client.clone(), number }.buy(act));
        }
        let bought: Vec<Bought> = customers.join_all().await;
        say(&format!("{} accepted; waiting for them to settle", bought.len()));
        let endings = settle(&client, &bought).await;
        let recovery = recovered.elapsed();
        at_rest(&client).await?;
        let ledger = client.get("/local/payments").await?;
        let audit = audit(&snapshot::read(&data)?, SystemClock.now());
        drop(server);
        Ok(Outcome::new(&bought, &endings, &ledger, recovery, &audit))
    }

    fn act(&self, number: u32) -> Act {
        match number * 5 / self.bookings {
            0 => Act::Before,
            1 => Act::BillingDown,
            2 => Act::RepliesLost,
            3 => Act::Killed,
            _ => Act::After,
        }
    }

    /// Too few seats: the last customers find the flight sold out.
    fn flights(&self) -> Value {
        json!([{
            "id": "DR-1", "from": "Vienna", "to": "Lisbon", "departs_at": "2099-01-01T06:40:00Z",
            "capacity": self.bookings * 4 / 5, "price": {"value": 12_950, "currency": "EUR"},
        }])
    }
}

async fn set_billing(client: &Client, running: bool) -> Result<(), ClientError> {
    client.put("/local/services/billing-service", &json!({"running": running})).await.map(drop)
}

async fn set_provider(client: &Client, mode: &str) -> Result<(), ClientError> {
    client.put("/local/payment-provider", &json!({"mode": mode})).await.map(drop)
}

/// Watches all orders until they are settled, or patience ends; how each stands then.
async fn settle(client: &Client, bought: &[Bought]) -> Vec<Option<Ending>> {
    let began = Instant::now();
    let mut endings = vec![None; bought.len()];
    while endings.contains(&None) && began.elapsed() < PATIENCE {
        for (bought, ending) in bought.iter().zip(&mut endings).filter(|(_, ending)| ending.is_none()) {
            if let Ok(booking) = client.get(&format!("/bookings/{}", bought.id)).await {
                *ending = Ending::of(&booking);
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    endings
}

/// Waits until nothing is on its way any more: the last mails are out.
async fn at_rest(client: &Client) -> Result<(), ClientError> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let topics = client.get("/local/topics").await?;
        let states = topics.as_object().into_iter().flatten();
        let busy = ["waiting", "in_flight", "delayed"];
        if states.into_iter().all(|(_, topic)| busy.iter().all(|state| topic[state] == 0)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
