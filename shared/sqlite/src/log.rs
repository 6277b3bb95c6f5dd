//! The write-ahead log: how long it is, and when it is copied into the file.

use std::cell::Cell;
use std::ffi::c_int;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::Statements;
use crate::counters::Counts;

/// A checkpoint begins when the log has so many pages: each page that was written more than once is copied once.
const CHECKPOINT: u64 = 8000;

/// Where a reader kept a checkpoint from its end, the next one begins so many pages later.
const AGAIN: u64 = 1000;

/// In bytes.
const PAGE: u64 = 4096;

thread_local! {
    /// How many pages the log has after the last commit of this thread.
    static PAGES: Cell<u64> = const { Cell::new(0) };
}

/// The log of a writing connection. It belongs to the connection's thread.
pub(crate) struct Log {
    pages: u64,
    checkpoint_at: u64,
}

impl Log {
    /// Takes the checkpoints over from SQLite, which would make them before a commit is answered.
    pub(crate) fn of(connection: &Connection) -> Self {
        let note: fn(&Wal, c_int) -> rusqlite::Result<()> = |_, pages| {
            PAGES.set(pages.try_into().unwrap_or_default());
            Ok(())
        };
        connection.wal_hook(Some(note));
        PAGES.set(0);
        Self { pages: 0, checkpoint_at: CHECKPOINT }
    }

    /// After a commit: how many pages it has appended.
    pub(crate) fn appended(&mut self) -> u64 {
        let (before, now) = (self.pages, PAGES.get());
        self.pages = now;
        // After a checkpoint the log begins again.
        if now < before { now } else { now - before }
    }

    /// Copies the log into the file if it is long. A commit is on disk without that, so its callers have their answers.
    pub(crate) fn checkpoint(&mut self, connection: &Connection, counts: &Counts) -> rusqlite::Result<()> {
        if self.pages < self.checkpoint_at {
            return Ok(());
        }
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let before = bytes_written();
        let (length, copied) = connection.row("PRAGMA wal_checkpoint(PASSIVE)", [], row)?.unwrap_or_default();
        let pages = before.zip(bytes_written()).map(|(before, after)| (after - before) / PAGE);
        counts.checkpointed(pages.unwrap_or_else(|| copied.try_into().unwrap_or_default()));
        self.checkpoint_at = if copied >= length { CHECKPOINT } else { self.pages + AGAIN };
        Ok(())
    }
}

/// How many bytes this thread has written, where the system counts them as Linux does.
fn bytes_written() -> Option<u64> {
    let counts = std::fs::read_to_string("/proc/thread-self/io").ok()?;
    counts.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}
