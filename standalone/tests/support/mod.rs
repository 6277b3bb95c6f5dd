//! What the tests of the binary and of the platform share.
#![allow(dead_code, clippy::unwrap_used, clippy::allow_attributes, reason = "each test file uses its part")]

pub(crate) mod openapi;
pub(crate) mod smtp_server;
pub(crate) mod socket;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use client::{Bookings, ServerProcess};
use serde_json::{Value, json};

/// How long a test waits; shorter than the time of the reconciler's first check.
const PATIENCE: Duration = Duration::from_secs(30);

/// The command that the tests are about.
pub(crate) fn bookings() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bookings"))
}

/// The real binary, serving.
pub(crate) fn serve(data: &Path, flights: Option<&Path>) -> ServerProcess {
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data"]).arg(data).env("RUST_LOG", "error");
    if let Some(flights) = flights {
        command.arg("--flights").arg(flights);
    }
    ServerProcess::start(command).unwrap()
}

/// A client of one server, for tests: a failed call fails the test.
#[derive(Clone)]
pub(crate) struct Http(pub(crate) Bookings);

impl Http {
    pub(crate) fn new(url: &str) -> Self {
        Self(Bookings::at(url).unwrap())
    }

    /// The same bookings on another server.
    pub(crate) fn moved_to(&self, url: &str) -> Self {
        Self(self.0.moved_to(url).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.0.get(path).await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: Value) {
        self.0.put(path, &body).await.unwrap();
    }

    /// Books; answers the id.
    pub(crate) async fn book(&self, flight: &str, seats: u64, method: &str) -> String {
        let booking = self.0.book(&booking(flight, seats, method), None).await.unwrap();
        booking["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn cancel(&self, id: &str) {
        self.0.cancel(id).await.unwrap();
    }

    pub(crate) async fn settled(&self, id: &str) -> Value {
        self.0.settled(id, PATIENCE).await.unwrap()
    }

    pub(crate) async fn at_rest(&self) {
        self.0.at_rest(PATIENCE * 2).await.unwrap();
    }

    /// Polls a path until the answer is as wanted; answers it.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let look = || async {
            let found = self.get(path).await;
            if wanted(&found) { Ok(found) } else { Err(found) }
        };
        client::eventually(PATIENCE, Duration::from_millis(5), look).await.unwrap()
    }
}

pub(crate) fn booking(flight: &str, seats: u64, method: &str) -> Value {
    json!({
        "flight_id": flight, "seats": seats, "payment_method": method,
        "passenger": {"name": "Ada Byron", "email": "ada@example.com"},
    })
}
