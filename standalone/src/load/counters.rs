//! What the database does for bookings. These figures do not depend on how fast a machine is, so tests assert them.

use group_commit::Counters;

use crate::platform::Platform;

/// A page of the file; in the log it has a header of its own.
const PAGE: u64 = 4096;
const HEADER: u64 = 24;

/// A checkpoint flushes the log and the file.
const FLUSHES_OF_A_CHECKPOINT: u64 = 2;

/// What was done in a time.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// By the writing thread.
    pub database: Counters,
    /// Messages that were sent to a topic.
    pub hops: u64,
}

impl Counted {
    /// What a platform has done since it started.
    pub fn by(platform: &Platform) -> Self {
        Self { database: platform.counters(), hops: platform.hops() }
    }

    /// What was done since then.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        let (now, then) = (self.database, before.database);
        let database = Counters {
            groups: now.groups - then.groups,
            statements: now.statements - then.statements,
            pages_logged: now.pages_logged - then.pages_logged,
            pages_copied: now.pages_copied - then.pages_copied,
            checkpoints: now.checkpoints - then.checkpoints,
        };
        Self { database, hops: self.hops - before.hops }
    }

    /// Bytes that were written to the log and to the file.
    pub fn bytes(&self) -> u64 {
        self.database.pages_logged * (PAGE + HEADER) + self.database.pages_copied * PAGE
    }

    /// How often the disk was asked to keep what was written.
    pub fn flushes(&self) -> u64 {
        self.database.groups + self.database.checkpoints * FLUSHES_OF_A_CHECKPOINT
    }

    /// One line, for one of so many bookings.
    pub fn a_booking(&self, bookings: usize) -> String {
        let each = |figure: u64| figure as f64 / bookings.max(1) as f64;
        let pages = self.database.pages_logged + self.database.pages_copied;
        format!(
            "{:.1} hops, {:.1} statements, {:.1} pages, {:.1} KiB, {:.2} flushes a booking",
            each(self.hops),
            each(self.database.statements),
            each(pages),
            each(self.bytes()) / 1024.0,
            each(self.flushes()),
        )
    }
}
