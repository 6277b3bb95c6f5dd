//! The Billing Service's payments.

use async_trait::async_trait;
use billing_service::payment::Payment;
use billing_service::store::{Begun, PaymentStore};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use rusqlite::{Connection, params};

use super::database::Database;
use super::{Json, SqliteStores, Statements};

fn find(connection: &Connection, order: OrderId) -> rusqlite::Result<Option<Payment>> {
    let sql = "SELECT body FROM payments WHERE order_id = ?1";
    connection
        .row(sql, [order.as_bytes()], |row| row.get::<_, Json<Payment>>(0))
        .map(|found| found.map(|Json(payment)| payment))
}

/// Whether the provider may be asked next.
fn is_intent(payment: &Payment) -> bool {
    match payment {
        Payment::Charging(_) | Payment::Reversing(_) => true,
        Payment::Captured(_) | Payment::Declined { .. } | Payment::Reversed { .. } => false,
    }
}

/// Writes `to`; `found` says which record the answer has. An intent is on disk before it is answered, whether this call or another has recorded it;
/// what the provider has done may be committed with the message that tells it.
async fn write<T: Send + 'static>(
    database: &Database,
    to: &Payment,
    write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    found: fn(&T) -> Option<&Payment>,
) -> Result<T, StoreError> {
    if is_intent(to) {
        return database.write_lightly(write).await;
    }
    let answer = database.join(write).await?;
    if found(&answer).is_some_and(is_intent) {
        // It may be in the group in progress.
        database.write_lightly(|_| Ok(())).await?;
    }
    Ok(answer)
}

#[async_trait]
impl PaymentStore for SqliteStores {
    /// Of what is committed alone: the provider may be asked next.
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.0.read_committed(move |connection| find(connection, order)).await
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        let (begun, notes) = (payment.clone(), self.0.notes());
        let insert = move |connection: &Connection| {
            let sql = "INSERT INTO payments (order_id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            if connection.change(sql, params![order.as_bytes(), Json(&begun)])? == 1 {
                notes.changed(order);
                return Ok(Begun::Begun);
            }
            find(connection, order)?.map(Begun::Exists).ok_or(rusqlite::Error::QueryReturnedNoRows)
        };
        write(&self.0, payment, insert, |begun| match begun {
            Begun::Begun => None,
            Begun::Exists(payment) => Some(payment),
        })
        .await
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        let (from, next, notes) = (from.clone(), to.clone(), self.0.notes());
        let update = move |connection: &Connection| {
            let stands = find(connection, order)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            if stands != from {
                return Ok(stands);
            }
            let sql = "UPDATE payments SET body = ?2, refused = NULL WHERE order_id = ?1";
            connection.change(sql, params![order.as_bytes(), Json(&next)])?;
            notes.changed(order);
            Ok(next)
        };
        write(&self.0, to, update, |stands| Some(stands)).await
    }

    async fn note_refusal(&self, order: OrderId, reason: &str) -> Result<(), StoreError> {
        let (reason, notes) = (reason.to_owned(), self.0.notes());
        let write = move |connection: &Connection| {
            let sql = "UPDATE payments SET refused = ?2 WHERE order_id = ?1";
            connection.change(sql, params![order.as_bytes(), reason])?;
            notes.changed(order);
            Ok(())
        };
        self.0.join(write).await
    }

    async fn refusal(&self, order: OrderId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT refused FROM payments WHERE order_id = ?1";
        let read = move |connection: &Connection| connection.row(sql, [order.as_bytes()], |row| row.get(0));
        Ok(self.0.read(read).await?.flatten())
    }
}
