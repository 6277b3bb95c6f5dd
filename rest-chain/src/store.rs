//! The chain's own SQLite file. Each server uses its own tables alone.
//!
//! There is no name, no address and no payment token in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use group_commit::{Database, NoHook};
use messaging::entropy::Entropy;
use messaging::store::StoreError;
use protocol::secret::Secret;
use rusqlite::Connection;
use thiserror::Error;
use tokio::sync::OnceCell;
use tracing::error;

/// The file's name in the data directory.
pub const FILE: &str = "rest-chain.sqlite";

/// Marks a file as the chain's: "RCHN".
const APPLICATION: i64 = 0x5243_484e;

const VERSION: i64 = 1;

/// Rows are stored in the order of arrival, so that a group commit writes few pages.
const TABLES: &str = "
CREATE TABLE secret (value BLOB NOT NULL) STRICT;

-- gateway: what was answered 200
CREATE TABLE bookings (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    amount TEXT NOT NULL,
    digest BLOB
) STRICT;

-- ticket server
CREATE TABLE seats (
    flight_id TEXT PRIMARY KEY,
    held INTEGER NOT NULL CHECK (held >= 0)
) STRICT;
CREATE TABLE reservations (
    seq INTEGER PRIMARY KEY,
    booking_id BLOB NOT NULL UNIQUE,
    held INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

-- billing server
CREATE TABLE charges (
    seq INTEGER PRIMARY KEY,
    booking_id BLOB NOT NULL UNIQUE,
    captured INTEGER NOT NULL,
    amount TEXT NOT NULL
) STRICT;

-- the payment provider's own books
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,
    booking_id BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

-- email server
CREATE TABLE mails (
    seq INTEGER PRIMARY KEY,
    booking_id BLOB NOT NULL UNIQUE
) STRICT;
";

/// The file, opened when it is first needed: a server whose chain is never used has no such file.
pub(crate) struct Store {
    path: PathBuf,
    entropy: Arc<dyn Entropy>,
    opened: OnceCell<Opened>,
}

/// The open file.
pub(crate) struct Opened {
    pub(crate) database: Database,
    /// What ids are derived from idempotency keys with.
    pub(crate) secret: Secret,
}

#[derive(Debug, Error)]
enum OpenError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("it is not a file of this version's REST chain; move it away")]
    Foreign,
}

impl Store {
    pub(crate) fn new(directory: &Path, entropy: Arc<dyn Entropy>) -> Self {
        Self { path: directory.join(FILE), entropy, opened: OnceCell::new() }
    }

    /// The open file.
    ///
    /// # Errors
    /// It cannot be opened; the next call tries again.
    pub(crate) async fn open(&self) -> Result<&Opened, StoreError> {
        self.opened
            .get_or_try_init(async || {
                let mut secret = [0; 32];
                self.entropy.fill(&mut secret);
                let path = self.path.clone();
                let opening = tokio::task::spawn_blocking(move || open(&path, secret));
                opening.await.map_err(StoreError::unavailable)?
            })
            .await
    }

    /// Finishes the writes in the queue, and closes the file if it was opened.
    pub(crate) async fn close(&self) {
        if let Some(Opened { database, .. }) = self.opened.get() {
            let database = database.clone();
            let _ = tokio::task::spawn_blocking(move || database.close()).await;
        }
    }
}

fn open(path: &Path, fresh: [u8; 32]) -> Result<Opened, StoreError> {
    let unusable = |reason: &dyn std::fmt::Display| {
        error!("the REST chain's file {} cannot be used: {reason}", path.display());
        StoreError::unavailable(reason)
    };
    let mut secret = Vec::new();
    let prepare = |connection: &mut Connection| {
        secret = prepare(connection, &fresh)?;
        Ok::<_, OpenError>(())
    };
    let database = Database::open(path, prepare, NoHook).map_err(|error| unusable(&error))?;
    let secret = Secret::new(&secret).ok_or_else(|| unusable(&"its secret is too short"))?;
    Ok(Opened { database, secret })
}

/// Makes the tables of an empty file, and refuses every other that is not the chain's; answers its secret.
///
/// **Crash contract:** one transaction. A process that dies during it leaves the file as it was.
fn prepare(connection: &mut Connection, fresh: &[u8]) -> Result<Vec<u8>, OpenError> {
    let transaction = connection.transaction()?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (pragma("application_id")?, pragma("user_version")?) {
        (APPLICATION, VERSION) => {}
        (0, 0) if tables == 0 => {
            transaction.execute_batch(TABLES)?;
            transaction.execute("INSERT INTO secret (value) VALUES (?1)", [fresh])?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        _ => return Err(OpenError::Foreign),
    }
    let secret = transaction.query_row("SELECT value FROM secret", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(secret)
}
