//! Reads a snapshot: every table, in one read transaction, also while a server runs.

use std::path::Path;

use billing_service::provider::ProviderName;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, Row};
use serde_json::Value;
use system::audit::{Case, Snapshot};
use thiserror::Error;
use ticket_service::flight::Offer;

use super::database::{FILE, reader};
use super::schema::{self, SchemaError};
use super::{Json, Statements};
use crate::data_dir::{DataDir, DataDirError};

/// The database cannot be read.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum SnapshotError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("the database in {0} cannot be read: {1}")]
    Schema(std::path::PathBuf, SchemaError),
}

/// A snapshot of the database in that directory. Nothing is written.
pub fn read(directory: &Path) -> Result<Snapshot, SnapshotError> {
    let directory = DataDir::find(directory)?;
    let file = directory.join(FILE);
    if !file.is_file() {
        return Err(DataDirError::Missing(file).into());
    }
    read_file(&file).map_err(|error| SnapshotError::Schema(directory.to_owned(), error))
}

fn read_file(file: &Path) -> Result<Snapshot, SchemaError> {
    let mut connection = reader(file)?;
    schema::check(&connection)?;
    // One transaction, so that all tables are seen at one moment.
    let transaction = connection.transaction()?;
    let mut snapshot = Snapshot::default();
    take_cases(&mut snapshot, &transaction)?;
    take_messages(&mut snapshot, &transaction)?;
    snapshot.books.insert(ProviderName::SIMULATED);
    snapshot.flights = transaction.rows("SELECT body, seats_left FROM flights ORDER BY id", [], |row| {
        let Json(flight) = row.get(0)?;
        Ok(Offer { flight, seats_left: row.get(1)? })
    })?;
    Ok(snapshot)
}

fn take_cases(snapshot: &mut Snapshot, connection: &Connection) -> rusqlite::Result<()> {
    each(snapshot, connection, "SELECT id, body, next_check FROM orders", |case, row| {
        let Json(order) = row.get(1)?;
        case.order = Some(order);
        case.next_check = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis);
        Ok(())
    })?;
    each(snapshot, connection, "SELECT order_id, body FROM reservations", |case, row| {
        let Json(reservation) = row.get(1)?;
        case.reservation = Some(reservation);
        Ok(())
    })?;
    each(snapshot, connection, "SELECT order_id, body FROM payments", |case, row| {
        let Json(payment) = row.get(1)?;
        case.payment = Some(payment);
        Ok(())
    })?;
    each(snapshot, connection, "SELECT order_id, body FROM ledger", |case, row| {
        let Json(account) = row.get(1)?;
        case.account = Some(account);
        Ok(())
    })?;
    each(snapshot, connection, "SELECT order_id, outcome FROM mails", |case, row| {
        let Json(outcome) = row.get(1)?;
        case.mailed = Some(outcome);
        Ok(())
    })
}

/// Reads each row with `take` into the case of the order in its first column.
fn each(
    snapshot: &mut Snapshot,
    connection: &Connection,
    sql: &str,
    take: impl Fn(&mut Case, &Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(snapshot.case(OrderId::from_bytes(row.get(0)?)), row)?;
    }
    Ok(())
}

fn take_messages(snapshot: &mut Snapshot, connection: &Connection) -> rusqlite::Result<()> {
    for body in connection.rows("SELECT body FROM messages", [], |row| row.get::<_, String>(0))? {
        // A body without an order id will be dead-lettered, and found there.
        if let Some(order) = subject(&body) {
            snapshot.case(order).messages += 1;
        }
    }
    let sql = "SELECT topic, failure, body FROM dead_letters ORDER BY id";
    let letters = connection.rows(sql, [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    for (topic, failure, body) in letters {
        let Ok(topic) = topic.parse::<Topic>() else { continue };
        match subject(&body) {
            Some(order) => snapshot.case(order).dead_letters.push((topic, failure)),
            None => snapshot.nameless_dead_letters.push((topic, failure)),
        }
    }
    Ok(())
}

/// The order that a message is about, if it can be read.
fn subject(body: &str) -> Option<OrderId> {
    let event: Value = serde_json::from_str(body).ok()?;
    event["subject"].as_str()?.parse().ok()
}
