//! The comparison: the same customers against the REST chain and the topics, in turns, healthy and through the same
//! outages, on a server of its own in a temporary directory.
//!
//! | phase | what happens |
//! |---|---|
//! | full rate | 32 customers, one booking after the other; nothing is broken |
//! | healthy | customers at a steady rate, as in all that follow; nothing is broken |
//! | billing down | the billing service is stopped before the first customer, and started after the last has an answer |
//! | replies lost | so long, the payment provider does its work and loses every reply |
//! | killed | the process is killed (`SIGKILL`) when half of the customers have come, and started again |
//!
//! A customer has a key, and sends the same request again where no answer came. An answer is final: a customer who is
//! turned away goes. One in ten has a card that is declined.

mod books;
mod customer;
mod outcome;
mod process;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::{Bookings, ClientError, ProcessError};
use group_commit::lock;
use messaging::clock::{Clock, SystemClock};
use serde_json::json;
use system::audit::audit;
use tempfile::TempDir;
use thiserror::Error;
use tokio::task::JoinSet;

use self::books::Books;
use self::customer::{Bought, Customer};
pub use self::outcome::{Outcome, Row};
use self::process::Process;
use crate::sqlite::snapshot::{self, SnapshotError};

/// How many customers book at full rate.
const CONCURRENCY: usize = 32;

/// How long the orders have to settle once nothing is broken any more.
const PATIENCE: Duration = Duration::from_secs(300);

/// The size of a comparison.
#[derive(Clone, Debug)]
pub struct Compare {
    /// How many bookings at full rate, on each system.
    pub bookings: u32,
    /// How many customers a second in the other phases.
    pub rate: u32,
    /// For how long they come, in each of these phases.
    pub outage: Duration,
    /// This program: the server is a process of its own, so that it can be killed.
    pub program: PathBuf,
}

/// The comparison could not be made.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum CompareError {
    #[error("the temporary directory cannot be created: {0}")]
    Scratch(std::io::Error),
    #[error(transparent)]
    Server(#[from] ProcessError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// One of the two systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// Synchronous calls.
    Chain,
    /// One-way messages.
    Topics,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Chain => "chain",
            Self::Topics => "topics",
        })
    }
}

/// What happens to a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// As many bookings a second as it makes.
    FullRate,
    /// Nothing.
    Healthy,
    /// Billing is stopped.
    BillingDown,
    /// The payment provider loses every reply.
    RepliesLost,
    /// The process is killed.
    Killed,
}

impl Phase {
    const ALL: [Self; 5] =
        [Self::FullRate, Self::Healthy, Self::BillingDown, Self::RepliesLost, Self::Killed];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FullRate => "full rate",
            Self::Healthy => "healthy",
            Self::BillingDown => "billing down",
            Self::RepliesLost => "replies lost",
            Self::Killed => "killed",
        })
    }
}

impl Compare {
    /// Makes the comparison; `say` gets a line for every phase.
    pub async fn run(self, say: impl Fn(&str)) -> Result<Outcome, CompareError> {
        let scratch = TempDir::new().map_err(CompareError::Scratch)?;
        let seats = u64::from(self.bookings) + self.arrivals() * Phase::ALL.len() as u64;
        let process = Process::start(self.program.clone(), scratch.path(), seats)?;
        let client = Bookings::at(process.url())?;
        let process = Arc::new(Mutex::new(process));
        let mut run = Run { compare: self, process, client, books: Books::default() };
        let mut rows = Vec::new();
        for phase in Phase::ALL {
            for system in [System::Chain, System::Topics] {
                say(&format!("{system}: {phase}"));
                rows.push(run.phase(system, phase).await?);
            }
        }
        let _ = run.client.at_rest(PATIENCE).await;
        let audit = audit(&snapshot::read(&lock(&run.process).data())?, SystemClock.now());
        Ok(Outcome::new(rows, &audit))
    }

    /// How many customers come in a phase at a steady rate.
    fn arrivals(&self) -> u64 {
        u64::from(self.rate) * self.outage.as_secs()
    }
}

/// A comparison in progress.
struct Run {
    compare: Compare,
    process: Arc<Mutex<Process>>,
    client: Bookings,
    books: Books,
}

impl Run {
    async fn phase(&mut self, system: System, phase: Phase) -> Result<Row, CompareError> {
        let cpu = lock(&self.process).cpu();
        let began = Instant::now();
        let mut bought = match phase {
            Phase::FullRate => self.full_rate(system).await,
            _ => self.steadily(system, phase).await?,
        };
        let took = began.elapsed();
        let full_rate = phase == Phase::FullRate;
        let cpu =
            cpu.zip(lock(&self.process).cpu()).filter(|_| full_rate).map(|(before, after)| after - before);
        if system == System::Topics {
            for bought in &mut bought {
                bought.settle(&self.client, PATIENCE.saturating_sub(began.elapsed())).await;
            }
        }
        let charges = self.books.read(&self.client, system).await?;
        Ok(Row::new(system, phase, &bought, &charges, full_rate.then_some(took), cpu))
    }

    /// Some customers, each one booking after the other.
    async fn full_rate(&self, system: System) -> Vec<Bought> {
        let mut customers = JoinSet::new();
        let next = Arc::new(AtomicU32::new(0));
        for _ in 0..CONCURRENCY {
            let (client, next, bookings) = (self.client.clone(), next.clone(), self.compare.bookings);
            customers.spawn(async move {
                let mut bought = Vec::new();
                let mut usual = Duration::from_millis(2);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= bookings {
                        return bought;
                    }
                    let customer =
                        Customer { client: client.clone(), system, phase: Phase::FullRate, number };
                    let one = customer.buy().await;
                    one.watch(&client, &mut usual).await;
                    bought.push(one);
                }
            });
        }
        customers.join_all().await.into_iter().flatten().collect()
    }

    /// Customers at a steady rate, while something is broken.
    async fn steadily(&self, system: System, phase: Phase) -> Result<Vec<Bought>, CompareError> {
        self.breaks(phase, true).await?;
        let arrivals = u32::try_from(self.compare.arrivals()).unwrap_or(u32::MAX);
        let began = Instant::now();
        let mut customers = JoinSet::new();
        let mut restarted = None;
        for number in 0..arrivals {
            let due = began + Duration::from_secs_f64(f64::from(number) / f64::from(self.compare.rate));
            tokio::time::sleep_until(due.into()).await;
            if phase == Phase::Killed && number == arrivals / 2 {
                // Customers come meanwhile.
                let process = self.process.clone();
                restarted = Some(tokio::task::spawn_blocking(move || lock(&process).kill_and_start()));
            }
            customers.spawn(Customer { client: self.client.clone(), system, phase, number }.buy());
        }
        if let Some(restarted) = restarted {
            restarted.await.map_err(std::io::Error::from).map_err(ProcessError::Start)??;
        }
        let bought = customers.join_all().await;
        self.breaks(phase, false).await?;
        Ok(bought)
    }

    async fn breaks(&self, phase: Phase, broken: bool) -> Result<(), ClientError> {
        match phase {
            Phase::FullRate | Phase::Healthy | Phase::Killed => Ok(()),
            Phase::BillingDown => {
                let running = json!({"running": !broken});
                self.client.put("/operator/services/billing-service", &running).await.map(drop)
            }
            Phase::RepliesLost => {
                let mode = json!({"mode": if broken { "timeout" } else { "up" }});
                self.client.put("/operator/payment-provider", &mode).await.map(drop)
            }
        }
    }
}
