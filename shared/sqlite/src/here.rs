//! What the writing thread has at hand: its connection, and the group in progress. Code that runs on that thread, within
//! a group, writes at once and reads what the group has written.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use rusqlite::Connection;

use crate::Statements;
use crate::writer::Job;

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// A group in progress on this thread.
struct Here {
    /// Which database it is of.
    database: u64,
    connection: Rc<Connection>,
    /// What is answered with the group's commit.
    jobs: Vec<Box<dyn Job>>,
    /// Why the group cannot be committed.
    broken: Option<rusqlite::Error>,
}

/// Runs `body` within a group of that database. Answers the jobs that are answered with its commit, and why it cannot be
/// committed if it cannot.
pub(crate) fn within(
    database: u64,
    connection: &Rc<Connection>,
    body: impl FnOnce(),
) -> (Vec<Box<dyn Job>>, rusqlite::Result<()>) {
    let here = Here { database, connection: connection.clone(), jobs: Vec::new(), broken: None };
    HERE.set(Some(here));
    body();
    let here = HERE.take();
    here.map_or((Vec::new(), Ok(())), |here| (here.jobs, here.broken.map_or(Ok(()), Err)))
}

/// The writing connection, if this thread is within a group of that database.
pub(crate) fn connection(database: u64) -> Option<Rc<Connection>> {
    HERE.with_borrow(|here| {
        let here = here.as_ref().filter(|here| here.database == database)?;
        Some(here.connection.clone())
    })
}

/// Has the job answered with the commit of the group in progress.
pub(crate) fn answer_later(job: Box<dyn Job>) {
    HERE.with_borrow_mut(|here| {
        if let Some(here) = here {
            here.jobs.push(job);
        }
    });
}

/// The group in progress cannot be committed.
fn cannot_commit(reason: rusqlite::Error) {
    HERE.with_borrow_mut(|here| {
        if let Some(here) = here {
            here.broken.get_or_insert(reason);
        }
    });
}

/// Whether the group in progress cannot be committed, so that nothing more is to be written in it. A read that fails can end
/// its transaction too.
pub(crate) fn is_lost(connection: &Connection) -> bool {
    if connection.is_autocommit() {
        cannot_commit(error("its transaction has ended"));
    }
    HERE.with_borrow(|here| here.as_ref().is_some_and(|here| here.broken.is_some()))
}

/// Runs one write of a group: on an error or a panic it alone is undone. The panic is the caller's.
pub(crate) fn atomically<T>(
    connection: &Connection,
    write: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    in_a_transaction(connection, || {
        connection.change("SAVEPOINT write", [])?;
        let ran: Result<_, Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(write));
        if !matches!(ran, Ok(Ok(_)))
            && let Err(error) = connection.change("ROLLBACK TO write", [])
        {
            cannot_commit(error);
        }
        if let Err(error) = connection.change("RELEASE write", []) {
            cannot_commit(error);
        }
        ran.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Runs one write of a group: after an error or a panic, the group is not committed if the write has changed something. The
/// panic is the caller's.
pub(crate) fn or_no_group<T>(
    connection: &Connection,
    write: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    in_a_transaction(connection, || {
        let before = connection.total_changes();
        let ran: Result<_, Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(write));
        if !matches!(ran, Ok(Ok(_))) && connection.total_changes() != before {
            cannot_commit(error("a write of it failed half-way"));
        }
        ran.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Runs a write unless the group is lost. SQLite ends a transaction by itself where a disk fails: what would be written after
/// that would be committed alone.
fn in_a_transaction<T>(
    connection: &Connection,
    write: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    if is_lost(connection) {
        return Err(error("its group cannot be committed"));
    }
    write()
}

fn error(reason: &'static str) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(reason.into())
}
