//! Forgets a passenger: in the order, the copies of its mails and its dead letters, in one transaction.

use booking_gateway::erasure::Erasure;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::Notice;
use protocol::passenger::Passenger;
use protocol::time::Timestamp;
use rusqlite::{Connection, params};
use system::view::Erased;

use super::database::Database;
use super::mailbox::Kept;
use super::{Json, Statements, orders};

/// What stands for the text of a mail that is kept as text.
const TEXT: &str = "This mail was erased.\n";

/// Erases the passenger of that order, if it may be.
pub(crate) async fn erase(database: &Database, id: OrderId, now: Timestamp) -> Result<Erased, StoreError> {
    let notes = database.notes();
    let write = move |connection: &Connection| {
        let erased = erase_in(connection, id, now)?;
        notes.changed(id);
        Ok(erased)
    };
    database.write(write).await
}

fn erase_in(connection: &Connection, id: OrderId, now: Timestamp) -> rusqlite::Result<Erased> {
    let Some(order) = orders::find(connection, id)? else { return Ok(Erased::Unknown) };
    let erased = match order.erase(now) {
        Erasure::Unsettled => return Ok(Erased::Refused("the booking is not settled yet")),
        Erasure::NotDeparted => {
            return Ok(Erased::Refused("the booking is confirmed, and its flight has not departed"));
        }
        Erasure::Before => None,
        Erasure::Erased(next) => Some(next),
    };
    // It has the passenger's name, or leads to a mail that has.
    let subject = format!("%\"subject\":\"{id}\"%");
    if connection.row("SELECT 1 FROM messages WHERE body LIKE ?1 LIMIT 1", [&subject], |_| Ok(()))?.is_some()
    {
        return Ok(Erased::Refused("a message about the booking is waiting"));
    }
    if let Some(next) = erased {
        let address = order.request.passenger.email.as_str().to_lowercase();
        connection.change("DELETE FROM undeliverable WHERE address = ?1", [address])?;
        let sql = "UPDATE orders SET version = ?2, body = ?3 WHERE id = ?1";
        connection.change(sql, params![id.as_bytes(), next.version, orders::body(&next)?])?;
    }
    let mails =
        connection.rows("SELECT id, body FROM mailbox WHERE order_id = ?1", [id.as_bytes()], |row| {
            let Json(kept) = row.get::<_, Json<Kept>>(1)?;
            Ok((row.get::<_, i64>(0)?, kept))
        })?;
    for (row, kept) in mails {
        let erased = match kept {
            Kept::Facts { notice, at } => {
                Kept::Facts { notice: Notice { passenger: Passenger::erased(), ..notice }, at }
            }
            Kept::Text { subject, .. } => {
                Kept::Text { to: Passenger::erased().email, subject, body: TEXT.to_owned() }
            }
        };
        connection.change("UPDATE mailbox SET body = ?2 WHERE id = ?1", params![row, Json(&erased)])?;
    }
    // Only a command to mail has a passenger.
    let sql = "UPDATE dead_letters SET body = json_set(body, '$.data.passenger', json(?2))
               WHERE body LIKE ?1 AND json_valid(body) AND json_type(body, '$.data.passenger') IS NOT NULL";
    connection.change(sql, params![subject, Json(&Passenger::erased())])?;
    Ok(Erased::Erased)
}
