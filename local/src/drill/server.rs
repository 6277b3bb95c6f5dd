//! The server of the drill: a process, so that it can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::DrillError;

/// A server that runs. Dropped, it is killed.
pub(super) struct Process {
    child: Child,
    pub(super) url: String,
}

impl Process {
    /// Starts one and waits until it serves.
    pub(super) fn start(program: &Path, data: &Path, flights: &Path, port: u16) -> Result<Self, DrillError> {
        let mut child = Command::new(program)
            .args(["serve", "--port", &port.to_string(), "--data"])
            .arg(data)
            .arg("--flights")
            .arg(flights)
            .env("RUST_LOG", "off")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(DrillError::Server)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(DrillError::Server)?;
        }
        match line.trim().strip_prefix("listening on ") {
            Some(url) => Ok(Self { url: url.to_owned(), child }),
            None => Err(DrillError::Silent(line)),
        }
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// SIGKILL: it gets no chance to finish anything.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
