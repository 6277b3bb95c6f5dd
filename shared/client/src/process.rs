//! A server that is a process of its own, so that it can be killed.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

use thiserror::Error;

/// The server could not be started.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum ProcessError {
    #[error("the server could not be started: {0}")]
    Start(#[from] io::Error),
    #[error("the server ended before it served; its last line was {0:?}")]
    Silent(String),
}

/// A server that runs. Dropped, it is killed.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    url: String,
}

impl ServerProcess {
    /// Starts one, and waits for the line that says where it listens.
    ///
    /// # Errors
    /// It cannot be started, or ends before it serves.
    pub fn start(mut command: Command) -> Result<Self, ProcessError> {
        let child = command.stdout(Stdio::piped()).spawn()?;
        let mut server = Self { child, url: String::new() };
        let mut line = String::new();
        if let Some(stdout) = server.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        match line.trim().strip_prefix("listening on ") {
            Some(url) => url.clone_into(&mut server.url),
            None => return Err(ProcessError::Silent(line)),
        }
        Ok(server)
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// SIGKILL: it gets no chance to finish anything.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; answers how it ended.
    ///
    /// # Errors
    /// It cannot be signalled or waited for.
    pub fn terminate(mut self) -> io::Result<ExitStatus> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        self.child.wait()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
