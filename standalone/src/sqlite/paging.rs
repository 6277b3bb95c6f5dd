//! Pages of rows: a page begins after the number of the last row of the one before.

use system::view::{Page, PageError, Paged};

/// The rows of a page that is sorted newest first have smaller numbers than this.
pub(super) fn before(page: &Page) -> Result<i64, PageError> {
    Ok(number(page)?.unwrap_or(i64::MAX))
}

/// The rows of a page that is sorted oldest first have larger numbers than this.
pub(super) fn after(page: &Page) -> Result<i64, PageError> {
    Ok(number(page)?.unwrap_or(i64::MIN))
}

fn number(page: &Page) -> Result<Option<i64>, PageError> {
    let number = |after: &str| after.parse().ok().filter(|number| *number > 0).ok_or(PageError::After);
    page.after.as_deref().map(number).transpose()
}

/// A page of `limit` items out of one more, each with its row's number.
pub(super) fn page<T>(found: Vec<(i64, T)>, limit: usize) -> Paged<T> {
    Paged::of(found, limit, |(row, _)| row.to_string()).map(|(_, item)| item)
}
