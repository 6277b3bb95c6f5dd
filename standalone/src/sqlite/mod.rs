//! The stores, the topics, the provider's ledger and the mailbox, on one SQLite file.

pub mod database;
mod dispatch;
pub(crate) mod erase;
pub mod ledger;
pub mod mailbox;
mod mails;
mod messages;
mod orders;
mod payments;
pub mod schema;
pub mod secrets;
pub(crate) mod settings;
pub mod snapshot;
mod tickets;
pub mod topics;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use messaging::clock::Clock;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::database::Database;
use self::dispatch::{Dispatch, WaitList};
pub use self::messages::MAX_RECEIVE_COUNT;
use self::schema::SchemaError;
use self::topics::SqliteTopics;

/// Opens the database in that directory, creating it if it is missing, and its topics.
///
/// # Errors
/// The file is not a database that this program can use.
pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<(Database, SqliteTopics), SchemaError> {
    let wait_list = Arc::new(WaitList::default());
    let database = Database::open(directory, Dispatch::new(wait_list.clone(), clock.clone()))?;
    Ok((database.clone(), SqliteTopics::new(database, wait_list, clock)))
}

/// The stores of all services: each keeps its records in tables of its own, by the file named like it.
#[derive(Clone)]
pub struct SqliteStores(pub Database);

/// Locks, also after another thread panicked while it held the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value stored as JSON.
struct Json<T>(T);

impl<T: Serialize> ToSql for Json<&T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(text.into())
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Json).map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// Short forms that every adapter uses, with cached prepared statements.
trait Statements {
    fn kept(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>>;

    /// Runs a change; answers how many rows it changed.
    fn change(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.kept(sql)?.execute(params)
    }

    /// The one row, if there is one.
    fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.kept(sql)?.query_row(params, read).optional()
    }

    /// All rows.
    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.kept(sql)?.query_map(params, read)?.collect()
    }
}

impl Statements for Connection {
    fn kept(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.prepare_cached(sql)
    }
}
