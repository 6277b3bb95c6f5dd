//! What the writing thread has done: figures that do not depend on how fast a machine is.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was done since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Groups that were committed and had something to write: each is one flush of the log.
    pub groups: u64,
    /// Statements that were run on the writing connection.
    pub statements: u64,
    /// Pages of 4 KiB that were appended to the log.
    pub pages_logged: u64,
    /// Pages that checkpoints copied from the log into the file, each once a checkpoint. Where the system does not tell,
    /// as often as they are in the log.
    pub pages_copied: u64,
    /// Checkpoints: each flushes the log and the file.
    pub checkpoints: u64,
}

/// The counters, as the writing thread keeps them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    groups: AtomicU64,
    statements: AtomicU64,
    pages_logged: AtomicU64,
    pages_copied: AtomicU64,
    checkpoints: AtomicU64,
}

impl Counts {
    pub(crate) fn committed(&self, statements: u64, pages: u64) {
        self.groups.fetch_add(u64::from(pages > 0), Ordering::Relaxed);
        self.statements.fetch_add(statements, Ordering::Relaxed);
        self.pages_logged.fetch_add(pages, Ordering::Relaxed);
    }

    pub(crate) fn checkpointed(&self, pages: u64) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.pages_copied.fetch_add(pages, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        Counters {
            groups: self.groups.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
            pages_logged: self.pages_logged.load(Ordering::Relaxed),
            pages_copied: self.pages_copied.load(Ordering::Relaxed),
            checkpoints: self.checkpoints.load(Ordering::Relaxed),
        }
    }
}
