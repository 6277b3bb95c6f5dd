//! The one connection that writes: a thread that runs concurrent writes in groups, with one transaction
//! and one fsync a group.
//!
//! While one group is committed the next one gathers, so under load more writes share a commit; no write
//! waits for others to join. Work that is handed to this thread runs within the groups, so what it writes joins the
//! group in progress without a change of threads. **Crash contract:** a write is answered only
//! after the commit of its group; a process that dies before that leaves nothing of the group.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;
use tracing::error;

use crate::Statements;
use crate::counters::Counts;
use crate::here;
use crate::log::Log;
use crate::statements::run_here;
use crate::workers::{Work, Workers};

/// The most writes of other threads that share a commit.
const LARGEST_GROUP: usize = 512;

/// How often the tasks go on in one group, so that it ends.
const MOST_ROUNDS: usize = 64;

/// One write of a group.
pub(crate) trait Job: Send {
    /// Writes, and keeps its result until the group is committed. On an error this write alone is undone, not
    /// the others of the group.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// Answers the caller: the whole group is on disk, or none of it.
    fn finish(self: Box<Self>, committed: Result<(), &str>);
}

/// Takes part in every group.
pub trait Hook: Send + 'static {
    /// Runs in the group's transaction, after its writes and whenever its tasks wait: what it gives them is done in the
    /// same group.
    ///
    /// **Crash contract:** nothing is committed yet. What a task was given here is undone with the group.
    fn between(&mut self);

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
    fn between(&mut self) {}

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
    /// Do this work, within groups.
    Work(Work),
    /// Run a group, even an empty one.
    Wake,
    /// End, after the requests before this one.
    Close,
}

/// The thread that writes.
pub(crate) struct Writer<H> {
    /// Which database it writes to.
    pub(crate) database: u64,
    pub(crate) connection: Rc<Connection>,
    pub(crate) hook: H,
    pub(crate) workers: Workers,
    pub(crate) log: Log,
    /// How many groups could not be committed.
    pub(crate) failures: Arc<AtomicU64>,
    pub(crate) counts: Arc<Counts>,
}

impl<H: Hook> Writer<H> {
    /// Works until it is closed.
    pub(crate) fn work(mut self, requests: &Receiver<Ask>) {
        let mut closing = false;
        while !closing {
            let mut group: Vec<Box<dyn Job>> = Vec::new();
            let mut next =
                if self.workers.can_go_on() { requests.try_recv().ok() } else { self.wait(requests) };
            while let Some(ask) = next.take() {
                match ask {
                    Ask::Run(job) => group.push(job),
                    Ask::Work(work) => self.workers.add(work),
                    Ask::Wake => {}
                    Ask::Close => {
                        closing = true;
                        break;
                    }
                }
                next = if group.len() < LARGEST_GROUP { requests.try_recv().ok() } else { None };
            }
            self.commit(group);
            if let Err(error) = self.log.checkpoint(&self.connection, &self.counts) {
                error!(%error, "the log was not copied into the file; it is tried again");
            }
        }
    }

    /// Waits for a request, or until a group must run without one.
    fn wait(&mut self, requests: &Receiver<Ask>) -> Option<Ask> {
        let asked = match self.hook.next_wake() {
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => requests.recv_timeout(wait),
        };
        match asked {
            Ok(ask) => Some(ask),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Ask::Close),
        }
    }

    /// Runs a group, commits it and answers its writes.
    fn commit(&mut self, group: Vec<Box<dyn Job>>) {
        let before = run_here();
        let (jobs, ran) = self.run(group);
        let committed = ran.map_err(|error| error.to_string());
        if let Err(reason) = &committed {
            error!("a group of {} writes was not committed: {reason}", jobs.len());
            self.failures.fetch_add(1, Ordering::AcqRel);
            // COMMIT itself may have failed; without a rollback the next BEGIN would fail too.
            let _ = self.connection.change("ROLLBACK", []);
        }
        self.counts.committed(run_here() - before, self.log.appended());
        self.hook.after_commit(committed.is_ok());
        for job in jobs {
            job.finish(committed.as_ref().copied().map_err(String::as_str));
        }
    }

    fn run(&mut self, mut group: Vec<Box<dyn Job>>) -> (Vec<Box<dyn Job>>, rusqlite::Result<()>) {
        if let Err(error) = self.connection.change("BEGIN IMMEDIATE", []) {
            return (group, Err(error));
        }
        let (later, ran) = here::within(self.database, &self.connection, || {
            for job in &mut group {
                // A write that panics is undone and never answered; its caller sees that as an error.
                let _ = catch_unwind(AssertUnwindSafe(|| job.run(&self.connection)));
            }
            for _ in 0..MOST_ROUNDS {
                self.workers.go_on();
                if here::is_lost(&self.connection) {
                    break;
                }
                self.hook.between();
                if !self.workers.can_go_on() {
                    break;
                }
            }
        });
        group.extend(later);
        let committed = ran
            .and_then(|()| self.hook.before_commit(&self.connection))
            .and_then(|()| self.connection.change("COMMIT", []).map(drop));
        (group, committed)
    }
}
