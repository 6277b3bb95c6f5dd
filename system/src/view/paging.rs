//! Long lists, a page at a time.

use messaging::store::StoreError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most items of a page.
pub const MOST: usize = 1_000;

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many items; 1 to [`MOST`].
    pub limit: usize,
    /// The `next` of the page before; `None` for the first.
    pub after: Option<String>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 100, after: None }
    }
}

/// There is no such page.
#[derive(Debug, Error)]
pub enum PageError {
    /// `after` is from no answer of this platform.
    #[error("must be the `next` of an earlier page")]
    After,
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paged<T> {
    /// Its items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

impl<T> Paged<T> {
    /// A page of `limit` items out of one more: that there is one more shows that there is another page. `cursor` names an
    /// item's place.
    pub fn of(mut found: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Self {
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(cursor);
        Self { items: found, next }
    }

    /// The same page with other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Paged<U> {
        Paged { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}
