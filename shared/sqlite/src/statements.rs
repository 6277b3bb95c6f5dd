//! Short forms for statements, and values stored as JSON.

use std::cell::Cell;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value stored as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

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
pub trait Statements {
    /// A prepared statement, from the cache or for it.
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
        RUN.set(RUN.get() + 1);
        self.prepare_cached(sql)
    }
}

thread_local! {
    static RUN: Cell<u64> = const { Cell::new(0) };
}

/// How many statements this thread has run.
pub(crate) fn run_here() -> u64 {
    RUN.get()
}
