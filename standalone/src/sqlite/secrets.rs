//! The deployment's secrets; each is made at the first start that needs it.

use messaging::entropy::Entropy;
use messaging::store::StoreError;
use protocol::manage::ManageSecrets;
use protocol::secret::Secret;
use rusqlite::{Connection, params};

use super::Statements;
use super::database::Database;

/// What ids are derived from idempotency keys with.
const ID: &str = "secret";
/// What the customers' keys to their bookings are derived with.
const MANAGE: &str = "manage-secret";
/// The same, before it was rotated.
const PREVIOUS: &str = "previous-manage-secret";

/// The deployment's secrets.
pub(crate) struct Secrets {
    pub(crate) id: Secret,
    pub(crate) manage: ManageSecrets,
}

/// Reads them.
pub(crate) async fn load(database: &Database, entropy: &dyn Entropy) -> Result<Secrets, StoreError> {
    let (id, manage) = (fresh(entropy), fresh(entropy));
    let write = move |connection: &Connection| {
        let id = get_or_make(connection, ID, id)?;
        let manage = get_or_make(connection, MANAGE, manage)?;
        Ok((id, manage, get(connection, PREVIOUS)?))
    };
    let (id, current, previous) = database.write(write).await?;
    let previous = previous.as_deref().map(secret).transpose()?;
    Ok(Secrets { id: secret(&id)?, manage: ManageSecrets { current: secret(&current)?, previous } })
}

/// Makes a new secret for the customers' keys. Those made with the one before still count, older ones do not.
///
/// **Crash contract:** one transaction.
pub async fn rotate(database: &Database, entropy: &dyn Entropy) -> Result<(), StoreError> {
    let fresh = fresh(entropy);
    let write = move |connection: &Connection| {
        if let Some(current) = get(connection, MANAGE)? {
            set(connection, PREVIOUS, &current)?;
        }
        set(connection, MANAGE, &fresh)
    };
    database.write(write).await
}

fn fresh(entropy: &dyn Entropy) -> [u8; 32] {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    bytes
}

fn secret(bytes: &[u8]) -> Result<Secret, StoreError> {
    Secret::new(bytes).ok_or_else(|| StoreError::unreadable("a secret of the deployment is too short"))
}

fn get(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection.row("SELECT value FROM settings WHERE name = ?1", [name], |row| row.get(0))
}

fn set(connection: &Connection, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.change(sql, params![name, value]).map(drop)
}

fn get_or_make(connection: &Connection, name: &str, fresh: [u8; 32]) -> rusqlite::Result<Vec<u8>> {
    if let Some(kept) = get(connection, name)? {
        return Ok(kept);
    }
    set(connection, name, &fresh)?;
    Ok(fresh.to_vec())
}
