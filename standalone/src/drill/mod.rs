//! The outage drill: a series of failures while customers book at a steady rate, on a server of its own
//! in a temporary directory.
//!
//! | of the bookings | what happens |
//! |---|---|
//! | the first fifth | nothing |
//! | the second | the Billing Service is down |
//! | the third | it is back; the payment provider does its work and loses every reply |
//! | the fourth | the server is killed (`SIGKILL`) and started again; the provider still loses replies |
//! | the last | everything is back |
//!
//! Then all orders settle, and the provider's own ledger and the audit show whether an order was lost or
//! paid for nothing.

mod customer;
mod outcome;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use client::{Bookings, ClientError, ProcessError, ServerProcess};
use customer::{Bought, Customer};
use messaging::clock::{Clock, SystemClock};
use outcome::Ending;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::task::JoinSet;

use crate::sqlite::snapshot::{self, SnapshotError};
pub use outcome::Outcome;

/// How long the orders have to settle once everything is back.
const PATIENCE: Duration = Duration::from_secs(300);

/// The size of a drill.
#[derive(Clone, Debug)]
pub struct Drill {
    /// How many bookings are made.
    pub bookings: u32,
    /// How many of them a second.
    pub rate: u32,
    /// This program: the server is a process of its own, so that it can be killed.
    pub program: PathBuf,
}

/// The drill could not be run.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum DrillError {
    #[error("the temporary directory cannot be created: {0}")]
    Scratch(std::io::Error),
    #[error(transparent)]
    Server(#[from] ProcessError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// The phases of the drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Before,
    BillingDown,
    RepliesLost,
    Killed,
    After,
}

impl Drill {
    /// Runs the drill; `say` gets a line for every phase.
    pub async fn run(self, say: impl Fn(&str)) -> Result<Outcome, DrillError> {
        let scratch = tempfile::tempdir().map_err(DrillError::Scratch)?;
        let data = scratch.path().join("data");
        let flights = scratch.path().join("flights.json");
        std::fs::write(&flights, self.flights().to_string()).map_err(DrillError::Scratch)?;
        let serve = |port| ServerProcess::start(self.serve(&data, &flights, port));
        let mut server = serve(0)?;
        let client = Bookings::at(server.url())?;

        let began = Instant::now();
        let mut customers = JoinSet::new();
        let mut act = Act::Before;
        say(&format!("{} bookings, {} a second; everything is up", self.bookings, self.rate));
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
                        say(&format!(
                            "{number} booked: the Billing Service is back; the provider loses every reply"
                        ));
                    }
                    Act::Killed => {
                        let port = server.port();
                        server.kill();
                        server = serve(port)?;
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
        let _ = client.at_rest(PATIENCE).await;
        let ledger = client.all("/operator/payments").await?;
        let audit = snapshot::audit(&data, SystemClock.now())?;
        drop(server);
        Ok(Outcome::new(&bought, &endings, &ledger, recovery, &audit))
    }

    /// The command that serves.
    fn serve(&self, data: &Path, flights: &Path, port: u16) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--port", &port.to_string(), "--data"]).arg(data);
        command.arg("--flights").arg(flights).env("RUST_LOG", "off");
        command
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

async fn set_billing(client: &Bookings, running: bool) -> Result<(), ClientError> {
    client.put("/operator/services/billing-service", &json!({"running": running})).await.map(drop)
}

async fn set_provider(client: &Bookings, mode: &str) -> Result<(), ClientError> {
    client.put("/operator/payment-provider", &json!({"mode": mode})).await.map(drop)
}

/// Watches all orders until they are settled or [`PATIENCE`] is over; answers how each ended.
async fn settle(client: &Bookings, bought: &[Bought]) -> Vec<Option<Ending>> {
    let began = Instant::now();
    let mut endings = Vec::with_capacity(bought.len());
    for bought in bought {
        let settled = client.settled(&bought.id, PATIENCE.saturating_sub(began.elapsed())).await;
        endings.push(settled.ok().and_then(|booking| Ending::of(&booking)));
    }
    endings
}
