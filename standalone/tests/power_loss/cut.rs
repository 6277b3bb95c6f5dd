//! A power loss: the disk of that moment, a server started on it, and what it must still know.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use client::ServerProcess;
use serde_json::Value;
use standalone::sqlite::database::{FILE, reader};
use tokio::task::JoinSet;

use super::recording::{DATA, serve};
use super::run::Booking;
use super::support::{self, Http};

/// More than the time to the reconciler's first check of an order whose commands were not sent.
const PATIENCE: Duration = Duration::from_secs(120);
const CLIENTS: usize = 16;
/// Of every so many customers one books again, under the same key.
const REPEATED: usize = 50;

/// What a power loss has broken.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The server does not start on that disk.
    NoStart(String),
    /// A booking that was answered `202` is not there, or not as was answered.
    Lost { booking: Booking, found: String },
    /// A booking does not settle, or messages stay.
    Stuck(String),
    /// The audit or SQLite's own check has found something.
    Discrepancy(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStart(reason) => write!(f, "the server does not start: {reason}"),
            Self::Lost { booking, found } => write!(f, "lost: {booking:?}, but {found}"),
            Self::Stuck(what) => write!(f, "stuck: {what}"),
            Self::Discrepancy(what) => write!(f, "discrepancy: {what}"),
        }
    }
}

/// Starts the server on the disk that was rebuilt for that position, and checks that what was answered before holds; answers
/// how many bookings that were.
pub(crate) async fn check(
    root: &Path,
    flights: &Path,
    position: u64,
    http: &Http,
    bookings: &[Booking],
) -> Result<usize, Broken> {
    let server = ServerProcess::start(serve(root, flights));
    let server = server.map_err(|error| Broken::NoStart(error.to_string()))?;
    let http = http.moved_to(server.url());
    let integrity = integrity(root).unwrap_or_else(|error| error.to_string());
    if integrity != "ok" {
        return Err(Broken::Discrepancy(integrity));
    }
    let answered: Arc<[Booking]> =
        bookings.iter().filter(|booking| booking.promise.booked <= position).cloned().collect();

    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let (http, answered) = (http.clone(), answered.clone());
        clients.spawn(async move {
            for booking in answered.iter().skip(first).step_by(CLIENTS) {
                still_holds(&http, booking, position).await?;
            }
            Ok(())
        });
    }
    while let Some(checked) = clients.join_next().await {
        checked.unwrap()?;
    }
    let topics = http.0.at_rest(PATIENCE).await.map_err(|error| Broken::Stuck(error.to_string()))?;
    if topics.as_object().unwrap().values().any(|topic| topic["dead_lettered"] != 0) {
        return Err(Broken::Discrepancy(topics.to_string()));
    }
    let audit = support::bookings().arg("audit").arg("--data").arg(root.join(DATA)).output().unwrap();
    if !audit.status.success() {
        let said = [audit.stdout, audit.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        return Err(Broken::Discrepancy(said.concat()));
    }
    let ended = server.terminate().unwrap();
    match ended.success() {
        true => Ok(answered.len()),
        false => Err(Broken::Discrepancy(format!("the server ended with {ended}"))),
    }
}

/// What SQLite finds in the database, as the server has opened it.
fn integrity(root: &Path) -> rusqlite::Result<String> {
    let connection = reader(&root.join(DATA).join(FILE))?;
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))
}

/// The customer's key still opens its booking, which settles as was answered. The same request finds it.
async fn still_holds(http: &Http, booking: &Booking, position: u64) -> Result<(), Broken> {
    let Booking { id, customer, promise } = booking;
    let lost = |found: String| Broken::Lost { booking: booking.clone(), found };
    let found = http.0.booking(id).await.map_err(|error| lost(error.to_string()))?;
    // Without the secret of before, a booking does not show this.
    if found["passenger"] == Value::Null {
        return Err(lost(found.to_string()));
    }
    let found = http.0.settled(id, PATIENCE).await.map_err(|error| Broken::Stuck(error.to_string()))?;
    let is_as_answered = match (promise.cancelled, &promise.settled) {
        (Some(at), _) => at > position || found["status"] != "confirmed",
        (None, Some((at, status))) => *at > position || found["status"] == **status,
        (None, None) => true,
    };
    if !is_as_answered {
        return Err(lost(found.to_string()));
    }
    if customer.number % REPEATED == 1 {
        let again = http.0.book(&customer.request(), Some(&customer.key())).await;
        let again = again.map_err(|error| lost(error.to_string()))?;
        if again["id"] != **id {
            return Err(lost(again.to_string()));
        }
    }
    Ok(())
}
