//! Orders as they are listed.

use booking_gateway::order::{Order, Status};
use messaging::store::StoreError;
use rusqlite::{Connection, Row, params};
use system::view::{Filter, Page, PageError, Paged};

use super::database::Database;
use super::{Statements, notes, orders, paging};

/// How many orders have each status.
pub(crate) async fn by_status(database: &Database) -> Result<Vec<(Status, u64)>, StoreError> {
    database.scan(notes::orders_by_status).await
}

/// A page of orders: newest first, or those first that have waited longest.
pub(crate) async fn orders(
    database: &Database,
    filter: Filter,
    page: &Page,
) -> Result<Paged<Order>, PageError> {
    let limit = page.limit;
    let (after, before) = (paging::after(page)?, paging::before(page)?);
    let read = move |connection: &Connection| {
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(5)?, orders::order(row)?));
        let most = limit + 1;
        if filter == Filter::UNSETTLED {
            // Accepted first has waited longest, but for the few that were cancelled later.
            return connection.rows(
                "SELECT id, body, next_check, checks, digest, seq FROM orders WHERE seq IN (
                     SELECT seq FROM orders INDEXED BY unsettled
                     WHERE next_check IS NOT NULL AND seq > ?1 ORDER BY seq LIMIT ?2
                 ) ORDER BY seq",
                params![after, most],
                read,
            );
        }
        connection.rows(
            "SELECT id, body, next_check, checks, digest, seq FROM orders
             WHERE seq < ?1 AND (?3 IS NULL OR json_extract(body, '$.history[#-1].status') = ?3)
                 AND (?4 IS NULL OR (next_check IS NULL) = ?4)
             ORDER BY seq DESC LIMIT ?2",
            params![before, most, filter.status.map(notes::status_name), filter.settled],
            read,
        )
    };
    Ok(paging::page(database.scan(read).await?, limit))
}
