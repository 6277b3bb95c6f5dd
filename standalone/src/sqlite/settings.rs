//! Settings of a deployment: names and values that survive restarts.

use messaging::store::StoreError;
use rusqlite::{Connection, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Statements;
use super::database::Database;

/// A setting, as JSON; `None` if it was never set.
pub(crate) async fn get<T: DeserializeOwned>(
    database: &Database,
    name: &str,
) -> Result<Option<T>, StoreError> {
    let sql = "SELECT value FROM settings WHERE name = ?1";
    let value =
        database.read(|connection| connection.row(sql, [name], |row| row.get::<_, Vec<u8>>(0))).await?;
    value.map(|value| serde_json::from_slice(&value).map_err(StoreError::unreadable)).transpose()
}

/// Sets it.
pub(crate) async fn set<T: Serialize>(database: &Database, name: &str, value: &T) -> Result<(), StoreError> {
    let (name, value) = (name.to_owned(), serde_json::to_vec(value).map_err(StoreError::unreadable)?);
    let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    database
        .write(move |connection: &Connection| connection.change(sql, params![name, value]).map(drop))
        .await
}
