//! The Email Service's record of what was mailed.

use std::collections::HashMap;

use async_trait::async_trait;
use email_service::store::{Delivery, MailStore};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use rusqlite::{Connection, params};

use super::{Json, SqliteStores, Statements};

#[async_trait]
impl MailStore for SqliteStores {
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError> {
        let sql = "SELECT outcome FROM mails WHERE order_id = ?1";
        let read = move |connection: &Connection| {
            connection.row(sql, [order.as_bytes()], |row| row.get::<_, Json<NoticeOutcome>>(0))
        };
        Ok(self.0.read(read).await?.map(|Json(outcome)| outcome))
    }

    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError> {
        let orders = orders.to_vec();
        let sql = "SELECT outcome FROM mails WHERE order_id = ?1";
        let read = move |connection: &Connection| {
            let mut last = HashMap::with_capacity(orders.len());
            for order in orders {
                let found =
                    connection.row(sql, [order.as_bytes()], |row| row.get::<_, Json<NoticeOutcome>>(0))?;
                last.extend(found.map(|Json(outcome)| (order, outcome)));
            }
            Ok(last)
        };
        self.0.read(read).await
    }

    async fn mark(
        &self,
        order: OrderId,
        outcome: NoticeOutcome,
        delivery: Delivery,
    ) -> Result<(), StoreError> {
        let undeliverable = delivery == Delivery::Undeliverable;
        let sql = "INSERT INTO mails (order_id, outcome, step, undeliverable) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (order_id) DO UPDATE SET outcome = ?2, step = ?3, undeliverable = ?4 WHERE step < ?3";
        let notes = self.0.notes();
        let write = move |connection: &Connection| {
            let params = params![order.as_bytes(), Json(&outcome), outcome.step(), undeliverable];
            connection.change(sql, params)?;
            notes.changed(order);
            Ok(())
        };
        self.0.join(write).await
    }

    async fn delivery(&self, order: OrderId) -> Result<Option<Delivery>, StoreError> {
        let sql = "SELECT undeliverable FROM mails WHERE order_id = ?1";
        let read = move |connection: &Connection| connection.row(sql, [order.as_bytes()], |row| row.get(0));
        let delivery = |undeliverable| if undeliverable { Delivery::Undeliverable } else { Delivery::Sent };
        Ok(self.0.read(read).await?.map(delivery))
    }
}
