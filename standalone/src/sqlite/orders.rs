//! The gateway's orders.

use std::collections::HashMap;

use async_trait::async_trait;
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, FIRST_CHECK, OrderStore, Postponed, Updated, Watch};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use rusqlite::{Connection, params};

use super::database::Database;
use super::{Json, Statements};

/// Orders in a table, with the index of the unsettled ones.
pub struct SqliteOrders(pub Database);

fn find(connection: &Connection, id: OrderId) -> rusqlite::Result<Option<Order>> {
    connection
        .row("SELECT body FROM orders WHERE id = ?1", [id.as_bytes()], |row| row.get::<_, Json<Order>>(0))
        .map(|found| found.map(|Json(order)| order))
}

#[async_trait]
impl OrderStore for SqliteOrders {
    async fn create(&self, order: &Order) -> Result<Created, StoreError> {
        let order = order.clone();
        let write = move |connection: &Connection| {
            let sql = "INSERT INTO orders (id, version, next_check, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            let first_check = (order.created_at + FIRST_CHECK).as_millis();
            if connection
                .change(sql, params![order.id.as_bytes(), order.version, first_check, Json(&order)])?
                == 1
            {
                return Ok(Created::Created);
            }
            let existing = find(connection, order.id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            Ok(Created::Exists(Box::new(existing)))
        };
        self.0.write(write).await
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
        let next = next.clone();
        let write = move |connection: &Connection| {
            let (id, before) = (next.id.as_bytes(), next.version - 1);
            let sql = "UPDATE orders SET version = ?3, body = ?4 WHERE id = ?1 AND version = ?2";
            if connection.change(sql, params![id, before, next.version, Json(&next)])? == 0 {
                return Ok(Updated::Stale);
            }
            let sql = "UPDATE orders SET next_check = ?2, checks = 0 WHERE id = ?1";
            match watch {
                Watch::Keep => 0,
                Watch::Enter(at) => connection.change(sql, params![id, at.as_millis()])?,
                Watch::Leave => connection.change(sql, params![id, None::<i64>])?,
            };
            Ok(Updated::Updated)
        };
        self.0.write(write).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Check>, StoreError> {
        let sql =
            "SELECT id, next_check, checks FROM orders WHERE next_check <= ?1 ORDER BY next_check LIMIT ?2";
        let read = move |connection: &Connection| {
            connection.rows(sql, params![now.as_millis(), limit], |row| {
                let order = OrderId::from_bytes(row.get(0)?);
                Ok(Check { order, at: Timestamp::from_millis(row.get(1)?), count: row.get(2)? })
            })
        };
        self.0.scan(read).await
    }

    async fn postpone(&self, check: &Check, next: Timestamp) -> Result<Postponed, StoreError> {
        let check = check.clone();
        let write = move |connection: &Connection| {
            let sql = "UPDATE orders SET next_check = ?4, checks = checks + 1
                       WHERE id = ?1 AND next_check = ?2 AND checks = ?3 RETURNING body";
            let params = params![check.order.as_bytes(), check.at.as_millis(), check.count, next.as_millis()];
            let moved = connection.row(sql, params, |row| row.get::<_, Json<Order>>(0))?;
            Ok(moved.map_or(Postponed::Gone, |Json(order)| Postponed::Moved(Box::new(order))))
        };
        self.0.write(write).await
    }
}
