//! The gateway's orders.

use std::borrow::Cow;
use std::collections::HashMap;

use async_trait::async_trait;
use booking_gateway::check::NextCheck;
use booking_gateway::idempotency::RequestDigest;
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, From, OrderStore, Postponed, Updated, Watch};
use group_commit::store_error;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row, params};

use super::{SqliteStores, Statements};

/// How an order is read: [`order`] takes these columns.
const FIND: &str = "SELECT id, body, next_check, checks, digest FROM orders WHERE id = ?1";

pub(super) fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    let order = read(OrderId::stored(row.get(0)?), row.get_ref(1)?.as_str()?)?;
    let at: Option<i64> = row.get(2)?;
    let count = row.get(3)?;
    let next_check = at.map(|at| NextCheck { at: Timestamp::from_millis(at), count });
    let digest = row.get::<_, Option<[u8; 16]>>(4)?.map(RequestDigest::from_bytes);
    Ok(Order { next_check, digest, ..order })
}

/// How much room an order gets: what one of average names needs in the end, so that it grows where it is and its page is
/// not split. Five fill a page.
const ROOM: usize = 760;

/// How an order begins as JSON. It is stored without, since its id is in a column of its own.
fn beginning(id: OrderId) -> String {
    format!("{{\"id\":\"{id}\",")
}

/// An order as it is stored, with the room to grow.
pub(super) fn body(order: &Order) -> rusqlite::Result<String> {
    let body = serde_json::to_string(order);
    let mut body = body.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let beginning = beginning(order.id);
    if body.starts_with(&beginning) {
        body.replace_range(1..beginning.len(), "");
    }
    if !order.state.is_settled() {
        body.extend(std::iter::repeat_n(' ', ROOM.saturating_sub(body.len())));
    }
    Ok(body)
}

/// The order of that id; of what a version before has stored, too.
pub(super) fn read(id: OrderId, body: &str) -> rusqlite::Result<Order> {
    let whole = match body.strip_prefix('{') {
        Some(rest) if !rest.starts_with("\"id\"") => Cow::Owned(beginning(id) + rest),
        _ => Cow::Borrowed(body),
    };
    serde_json::from_str(&whole).map_err(|error| FromSqlError::Other(error.into()).into())
}

pub(super) fn find(connection: &Connection, id: OrderId) -> rusqlite::Result<Option<Order>> {
    connection.row(FIND, [id.as_bytes()], order)
}

/// The columns of a check.
fn columns(check: Option<NextCheck>) -> (Option<i64>, u32) {
    (check.map(|check| check.at.as_millis()), check.map_or(0, |check| check.count))
}

#[async_trait]
impl OrderStore for SqliteStores {
    async fn create(&self, order: &Order) -> Result<Created, StoreError> {
        let (order, notes) = (order.clone(), self.0.notes());
        let write = move |connection: &Connection| {
            let sql = "INSERT INTO orders (id, version, next_check, checks, digest, body)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let (at, count) = columns(order.next_check);
            let digest = order.digest.as_ref().map(RequestDigest::as_bytes);
            let params = params![order.id.as_bytes(), order.version, at, count, digest, body(&order)?];
            if connection.change(sql, params)? == 1 {
                notes.order(&order);
                return Ok(Created::Created);
            }
            let existing = find(connection, order.id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            Ok(Created::Exists(Box::new(existing)))
        };
        self.0.join(write).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.0.read(move |connection| find(connection, id)).await
    }

    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        let ids = ids.to_vec();
        let read = move |connection: &Connection| {
            ids.into_iter()
                .filter_map(|id| find(connection, id).map(|found| Some((id, found?))).transpose())
                .collect()
        };
        self.0.read(read).await
    }

    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError> {
        let (next, notes) = (next.clone(), self.0.notes());
        let write = move |connection: &Connection| {
            let (id, before) = (next.id.as_bytes(), next.version - 1);
            let check = match watch {
                Watch::Keep => None,
                Watch::Enter(check) => Some(Some(check)),
                Watch::Leave => Some(None),
            };
            let changed = match check {
                None => {
                    let sql = "UPDATE orders SET version = ?3, body = ?4 WHERE id = ?1 AND version = ?2";
                    connection.change(sql, params![id, before, next.version, body(&next)?])?
                }
                Some(check) => {
                    let (at, count) = columns(check);
                    let sql = "UPDATE orders SET version = ?3, body = ?4, next_check = ?5, checks = ?6
                               WHERE id = ?1 AND version = ?2";
                    connection.change(sql, params![id, before, next.version, body(&next)?, at, count])?
                }
            };
            if changed == 0 {
                return Ok(Updated::Stale);
            }
            notes.order(&next);
            Ok(Updated::Updated)
        };
        self.0.join(write).await
    }

    /// One index, read at once.
    fn shards(&self) -> usize {
        1
    }

    async fn due(
        &self,
        _shard: usize,
        now: Timestamp,
        from: From<'_>,
        limit: usize,
    ) -> Result<Vec<Check>, StoreError> {
        let now = now.as_millis();
        // Checks that are due at the same moment are in the order of their ids.
        let (from, sql) = match from {
            From::Oldest(last) => (
                last.map_or((i64::MIN, [0; 16]), |last| (last.at.as_millis(), *last.order.as_bytes())),
                "SELECT id, next_check, checks FROM orders WHERE next_check <= ?1 AND (next_check, id) > (?2, ?3)
                 ORDER BY next_check, id LIMIT ?4",
            ),
            From::Freshest => (
                (i64::MIN, [0; 16]),
                "SELECT id, next_check, checks FROM orders WHERE next_check <= ?1 AND (next_check, id) > (?2, ?3)
                 ORDER BY next_check DESC, id DESC LIMIT ?4",
            ),
        };
        let read = move |connection: &Connection| {
            connection.rows(sql, params![now, from.0, from.1, limit], |row| {
                let order = OrderId::stored(row.get(0)?);
                Ok(Check { at: Timestamp::from_millis(row.get(1)?), order, count: row.get(2)? })
            })
        };
        self.0.scan(read).await
    }

    async fn postpone(&self, check: &Check, next: NextCheck) -> Result<Postponed, StoreError> {
        let (check, notes) = (check.clone(), self.0.notes());
        let write = move |connection: &Connection| {
            let sql = "UPDATE orders SET next_check = ?4, checks = ?5
                       WHERE id = ?1 AND next_check = ?2 AND checks = ?3 RETURNING id, body, next_check, checks, digest";
            let (id, at) = (check.order.as_bytes(), check.at.as_millis());
            let params = params![id, at, check.count, next.at.as_millis(), next.count];
            // One that cannot be read is moved on too.
            let moved = connection.row(sql, params, |row| Ok(order(row)))?;
            notes.changed(check.order);
            Ok(moved)
        };
        Ok(match self.0.write_lightly(write).await? {
            None => Postponed::Gone,
            Some(Ok(order)) => Postponed::Moved(Box::new(order)),
            Some(Err(error)) => return Err(store_error(&error)),
        })
    }
}
