//! The database's file, and what its groups of writes note. How it is written and read is `group_commit`'s.

use std::ops::Deref;
use std::sync::Arc;

pub use group_commit::reader;

use super::notes::Notes;

/// The file's name in the data directory.
pub const FILE: &str = "bookings.sqlite";

/// A handle to the database; its clones share it.
#[derive(Clone)]
pub struct Database {
    file: group_commit::Database,
    notes: Arc<Notes>,
}

impl Database {
    pub(super) fn new(file: group_commit::Database, notes: Arc<Notes>) -> Self {
        Self { file, notes }
    }

    /// What the writes note of themselves.
    pub(crate) fn notes(&self) -> Arc<Notes> {
        self.notes.clone()
    }
}

impl Deref for Database {
    type Target = group_commit::Database;

    fn deref(&self) -> &group_commit::Database {
        &self.file
    }
}
