//! The Billing Service's payments.

use async_trait::async_trait;
use billing_service::payment::Payment;
use billing_service::store::{Begun, PaymentStore};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use rusqlite::{Connection, params};

use super::{Json, SqliteStores, Statements};

fn find(connection: &Connection, order: OrderId) -> rusqlite::Result<Option<Payment>> {
    let sql = "SELECT body FROM payments WHERE order_id = ?1";
    connection
        .row(sql, [order.as_bytes()], |row| row.get::<_, Json<Payment>>(0))
        .map(|found| found.map(|Json(payment)| payment))
}

#[async_trait]
impl PaymentStore for SqliteStores {
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.0.read(move |connection| find(connection, order)).await
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        let payment = payment.clone();
        let write = move |connection: &Connection| {
            let sql = "INSERT INTO payments (order_id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            if connection.change(sql, params![order.as_bytes(), Json(&payment)])? == 1 {
                return Ok(Begun::Begun);
            }
            find(connection, order)?.map(Begun::Exists).ok_or(rusqlite::Error::QueryReturnedNoRows)
        };
        self.0.write(write).await
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        let (from, to) = (from.clone(), to.clone());
        let write = move |connection: &Connection| {
            let stands = find(connection, order)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            if stands != from {
                return Ok(stands);
            }
            let sql = "UPDATE payments SET body = ?2 WHERE order_id = ?1";
            connection.change(sql, params![order.as_bytes(), Json(&to)])?;
            Ok(to)
        };
        self.0.write(write).await
    }
}
