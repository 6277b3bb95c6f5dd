//! A server that is recorded: the preloaded recorder, its trace, and starts and kills.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use client::ServerProcess;
use serde_json::json;
use tempfile::TempDir;

use super::disk::Disk;
use super::support::bookings;
use super::trace::Trace;

/// The data directory below the root of a disk.
pub(crate) const DATA: &str = "data";

/// One disk with the servers that run on it, one after the other.
pub(crate) struct Recording {
    scratch: TempDir,
    /// The positions at which they were started.
    pub(crate) starts: Vec<u64>,
}

impl Recording {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let recording = Self { scratch, starts: Vec::new() };
        fs::create_dir(recording.root()).unwrap();
        File::create(recording.trace()).unwrap();
        let flight = |id, capacity: u64| {
            json!({"id": id, "from": "Vienna", "to": "Oslo", "departs_at": "2099-01-01T00:00:00Z",
                   "capacity": capacity, "price": {"value": 9_900, "currency": "EUR"}})
        };
        let offered = json!([flight("PL-1", 100_000), flight("PL-2", 100_000), flight("PL-FULL", 20)]);
        fs::write(recording.flights(), offered.to_string()).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_loss/record.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut compile = Command::new(compiler);
        compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]);
        assert!(compile.arg(recording.library()).arg(source).status().unwrap().success());
        recording
    }

    /// The paths are compared with those that the server opens, which have no links.
    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path("disk")
    }

    fn trace(&self) -> PathBuf {
        self.path("trace")
    }

    fn library(&self) -> PathBuf {
        self.path("record.so")
    }

    pub(crate) fn flights(&self) -> PathBuf {
        self.path("flights.json")
    }

    /// The server, recorded.
    pub(crate) fn serve(&mut self) -> ServerProcess {
        self.starts.push(self.position());
        let mut command = serve(&self.root(), &self.flights());
        command.env("LD_PRELOAD", self.library());
        command.env("RECORD_ROOT", self.root()).env("RECORD_TRACE", self.trace());
        ServerProcess::start(command).unwrap()
    }

    /// SIGKILL. What was written is in the trace: the recorder writes under this lock.
    pub(crate) fn kill(&self, server: &mut ServerProcess) {
        let trace = File::open(self.trace()).unwrap();
        trace.lock().unwrap();
        server.kill();
    }

    /// The position that the trace has reached.
    fn position(&self) -> u64 {
        fs::metadata(self.trace()).unwrap().len()
    }

    pub(crate) fn records(&self) -> Trace {
        Trace::open(&self.trace())
    }

    pub(crate) fn disk(&self) -> Disk {
        Disk::empty(fs::metadata(self.root()).unwrap().ino())
    }
}

/// The command that serves what is on a disk.
pub(crate) fn serve(root: &Path, flights: &Path) -> Command {
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data"]).arg(root.join(DATA)).arg("--flights").arg(flights);
    command.env("RUST_LOG", "error");
    command
}
