//! SQLite with group commit: one connection writes on its own thread, concurrent writes share a commit and its fsync, and
//! other connections only read.
//!
//! | noun | module |
//! |---|---|
//! | the database: writes, reads, scans | [`Database`] |
//! | the thread that writes, and what takes part in every group | [`Hook`] |
//! | work that runs on that thread, within the groups | [`Database::within`] |
//! | what was done, in figures | [`Counters`] |
//! | short forms for statements, and values stored as JSON | [`Statements`], [`Json`] |
//!
//! It knows no table: who opens a file prepares its schema.

mod counters;
mod database;
mod here;
mod jobs;
mod log;
mod statements;
mod workers;
mod writer;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::counters::Counters;
pub use self::database::{Database, reader};
pub use self::jobs::store_error;
pub use self::statements::{Json, Statements};
pub use self::writer::{Hook, NoHook};

/// Locks, also after another thread panicked while it held the lock.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
