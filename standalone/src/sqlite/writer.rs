//! The one connection that writes: a thread that runs what concurrent work asks for in groups, one
//! transaction and one fsync a group.
//!
//! While a group is on its way to the disk the next one gathers, so the more is asked at once, the
//! more shares a commit; nobody waits for company. **Crash contract:** a write is answered only
//! after the commit of its group; a process that dies before that leaves nothing of the group.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;
use tracing::error;

use super::Statements;

/// The most writes that share a commit.
const LARGEST_GROUP: usize = 512;

/// One write of a group.
pub(super) trait Job: Send {
    /// Writes. What it finds out it keeps until it is told that the group is committed. On an
    /// error, what it wrote is undone, and that of the group's other writes is not.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// Answers whoever asked: the group is on disk, or nothing of it is.
    fn finish(self: Box<Self>, committed: Result<(), &str>);
}

/// What takes part in every group, behind its writes.
pub(super) trait Hook: Send + 'static {
    /// Runs in the group's transaction, before its commit.
    fn before_commit(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// The group is on disk, or nothing of it is.
    fn after_commit(&mut self, committed: bool);

    /// When a group is to be run though nobody asks for one.
    fn next_wake(&mut self) -> Option<Duration>;
}

/// What the writer is asked.
pub(super) enum Ask {
    /// To run a write.
    Run(Box<dyn Job>),
    /// To run a group, even an empty one.
    Wake,
}

/// Works until nobody can ask any more.
pub(super) fn work(connection: &Connection, asked: &Receiver<Ask>, mut hook: impl Hook) {
    let mut group: Vec<Box<dyn Job>> = Vec::new();
    loop {
        let first = match hook.next_wake() {
            None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => asked.recv_timeout(wait),
        };
        match first {
            Ok(Ask::Run(job)) => group.push(job),
            Ok(Ask::Wake) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while group.len() < LARGEST_GROUP {
            match asked.try_recv() {
                Ok(Ask::Run(job)) => group.push(job),
                Ok(Ask::Wake) => {}
                Err(_) => break,
            }
        }
        let committed = run(connection, &mut group, &mut hook).map_err(|error| error.to_string());
        if let Err(reason) = &committed {
            error!("a group of {} writes was not committed: {reason}", group.len());
            // COMMIT itself may have failed; without this the next BEGIN would too.
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
