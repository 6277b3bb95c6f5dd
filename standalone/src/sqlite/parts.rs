//! What each order adds to the verdict, in a temporary database: a server with many orders needs no more memory.

use group_commit::{Statements, store_error};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use rusqlite::Connection;
use system::audit::{Part, Parts};

/// Parts in a file that SQLite makes once they outgrow a megabyte, and that is gone with its connection.
#[derive(Debug)]
pub(crate) struct TemporaryParts(Connection);

impl TemporaryParts {
    pub(crate) fn create() -> rusqlite::Result<Self> {
        // What has no name is temporary. One transaction without an end, and no journal: a failure ends its use.
        let connection = Connection::open("")?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF;
             PRAGMA cache_size = -1024;
             BEGIN;
             CREATE TABLE parts (order_id BLOB PRIMARY KEY, part INTEGER NOT NULL) WITHOUT ROWID;",
        )?;
        Ok(Self(connection))
    }

    fn try_replace(&self, order: OrderId, part: Option<Part>) -> rusqlite::Result<Option<Part>> {
        let id = order.as_bytes();
        let before = self.0.row("SELECT part FROM parts WHERE order_id = ?1", [id], |row| row.get(0))?;
        let before = before.map(Part::from_bits);
        match part {
            part if part == before => {}
            Some(part) => {
                self.0.change("INSERT OR REPLACE INTO parts VALUES (?1, ?2)", (id, part.to_bits()))?;
            }
            None => {
                self.0.change("DELETE FROM parts WHERE order_id = ?1", [id])?;
            }
        }
        Ok(before)
    }
}

impl Parts for TemporaryParts {
    fn replace(&mut self, order: OrderId, part: Option<Part>) -> Result<Option<Part>, StoreError> {
        self.try_replace(order, part).map_err(|error| store_error(&error))
    }
}
