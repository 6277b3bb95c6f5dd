//! The one connection that writes: a thread that runs concurrent writes in groups, with one transaction
//! and one fsync a group.
//!
//! While one group is committed the next one gathers, so under load more writes share a commit; no write
//! waits for others to join. **Crash contract:** a write is answered only
//! after the commit of its group; a process that dies before that leaves nothing of the group.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;
use tracing::error;

use crate::Statements;

/// The most writes that share a commit.
const LARGEST_GROUP: usize = 512;

/// One write of a group.
pub(crate) trait Job: Send {
    /// Writes, and keeps its result until the group is committed. On an error this write alone is undone, not
    /// the others of the group.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// Answers the caller: the whole group is on disk, or none of it.
    fn finish(self: Box<Self>, committed: Result<(), &str>);
}

/// Takes part in every group, after its writes.
pub trait Hook: Send + 'static {
    /// Runs in the group's transaction, before its commit.
    fn before_commit(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// The whole group is on disk, or none of it.
    fn after_commit(&mut self, committed: bool);

    /// After how long a group must run even without a request.
    fn next_wake(&mut self) -> Option<Duration>;
}

/// Takes part in no group.
#[derive(Clone, Copy, Debug)]
pub struct NoHook;

impl Hook for NoHook {
    fn before_commit(&mut self, _: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn after_commit(&mut self, _: bool) {}

    fn next_wake(&mut self) -> Option<Duration> {
        None
    }
}

/// A request to the writer.
pub(crate) enum Ask {
    /// Run a write.
    Run(Box<dyn Job>),
    /// Run a group, even an empty one.
    Wake,
}

/// Works until the last sender is dropped.
pub(crate) fn work(connection: &Connection, requests: &Receiver<Ask>, mut hook: impl Hook) {
    let mut group: Vec<Box<dyn Job>> = Vec::new();
    loop {
        let first = match hook.next_wake() {
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => requests.recv_timeout(wait),
        };
        match first {
            Ok(Ask::Run(job)) => group.push(job),
            Ok(Ask::Wake) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while group.len() < LARGEST_GROUP {
            match requests.try_recv() {
                Ok(Ask::Run(job)) => group.push(job),
                Ok(Ask::Wake) => {}
                Err(_) => break,
            }
        }
        let committed = run(connection, &mut group, &mut hook).map_err(|error| error.to_string());
        if let Err(reason) = &committed {
            error!("a group of {} writes was not committed: {reason}", group.len());
            // COMMIT itself may have failed; without a rollback the next BEGIN would fail too.
            let _ = connection.change("ROLLBACK", []);
        }
        hook.after_commit(committed.is_ok());
        for job in group.drain(..) {
            job.finish(committed.as_ref().copied().map_err(String::as_str));
        }
    }
}

fn run(connection: &Connection, group: &mut [Box<dyn Job>], hook: &mut impl Hook) -> rusqlite::Result<()> {
    connection.change("BEGIN IMMEDIATE", [])?;
    for job in group {
        connection.change("SAVEPOINT write", [])?;
        // A write that panics is undone and never answered; its caller sees that as an error.
        let ran = catch_unwind(AssertUnwindSafe(|| job.run(connection)));
        if !matches!(ran, Ok(Ok(()))) {
            connection.change("ROLLBACK TO write", [])?;
        }
        connection.change("RELEASE write", [])?;
    }
    hook.before_commit(connection)?;
    connection.change("COMMIT", []).map(drop)
}
