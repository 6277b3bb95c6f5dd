//! The server that is compared: a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use client::{ProcessError, ServerProcess};
use serde_json::{Value, json};

/// The price of a seat, in cents.
pub(super) const PRICE: u64 = 12_950;

/// How many flights it offers.
pub(super) const FLIGHTS: u32 = 8;

/// What Linux counts CPU time in: `USER_HZ`.
const TICK: Duration = Duration::from_millis(10);

/// A server on a directory of its own.
pub(super) struct Process {
    program: PathBuf,
    scratch: PathBuf,
    server: ServerProcess,
}

impl Process {
    /// Starts it, with that many seats on each flight.
    pub(super) fn start(program: PathBuf, scratch: &Path, seats: u64) -> Result<Self, ProcessError> {
        let flight = |number| {
            json!({
                "id": format!("CP-{number}"), "from": "Vienna", "to": "Lisbon", "departs_at": "2099-01-01T06:40:00Z",
                "capacity": seats, "price": {"value": PRICE, "currency": "EUR"},
            })
        };
        let flights = Value::from_iter((0..FLIGHTS).map(flight));
        std::fs::write(flights_file(scratch), flights.to_string())?;
        let server = ServerProcess::start(serve(&program, scratch, 0))?;
        Ok(Self { program, scratch: scratch.to_owned(), server })
    }

    pub(super) fn url(&self) -> &str {
        self.server.url()
    }

    /// Its data directory.
    pub(super) fn data(&self) -> PathBuf {
        data(&self.scratch)
    }

    /// Kills it, and starts it on the same directory and port.
    pub(super) fn kill_and_start(&mut self) -> Result<(), ProcessError> {
        let port = self.server.port();
        self.server.kill();
        self.server = ServerProcess::start(serve(&self.program, &self.scratch, port))?;
        Ok(())
    }

    /// The CPU time that it has used, where the system says so as Linux does.
    pub(super) fn cpu(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server.id())).ok()?;
        // The name before the last parenthesis may hold spaces. User and system time are the fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
        Some(TICK * (times.next()?.ok()? + times.next()?.ok()?))
    }
}

fn data(scratch: &Path) -> PathBuf {
    scratch.join("data")
}

fn flights_file(scratch: &Path) -> PathBuf {
    scratch.join("flights.json")
}

fn serve(program: &Path, scratch: &Path, port: u16) -> Command {
    let mut command = Command::new(program);
    command.args(["serve", "--port", &port.to_string(), "--data"]).arg(data(scratch));
    command.arg("--flights").arg(flights_file(scratch)).env("RUST_LOG", "off");
    command
}
