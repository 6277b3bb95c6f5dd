//! The database's file. How it is written and read is `group_commit`'s.

pub use group_commit::{Database, reader};

/// The file's name in the data directory.
pub const FILE: &str = "bookings.sqlite";
