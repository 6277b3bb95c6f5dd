//! The one error of every store: every service handles it the same way.

use std::fmt::Display;

use thiserror::Error;

/// A store did not answer, or answered with something this version cannot read.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// The store is unavailable or too busy; whether a write was applied is not known. Waiting helps,
    /// and every write of a port may be repeated.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What the store holds cannot be read. Waiting does not help.
    #[error("the store holds a record this version cannot read: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// The store is unavailable, for this reason.
    pub fn unavailable(reason: impl Display) -> Self {
        Self::Unavailable(reason.to_string())
    }

    /// A record could not be read, for this reason.
    pub fn unreadable(reason: impl Display) -> Self {
        Self::Unreadable(reason.to_string())
    }
}
