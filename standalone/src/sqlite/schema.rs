//! The tables, and their version.

use rusqlite::Connection;
use thiserror::Error;
use tracing::info;

/// The version this program reads and writes: that of the last migration.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// Marks a file as a booking database: "TKTS".
const APPLICATION: i64 = 0x544b_5453;

/// What makes each version of the one before; the first makes the tables of an empty file. A migration that was released is
/// never changed.
///
/// Orders, payments of the provider and copies of mail are stored in the order of arrival (a row id, with a unique index on
/// the order's id), the services' small records by the order's id, which grows with time: so orders that are handled at the
/// same time share pages, and a group commit writes few.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- booking-gateway
CREATE TABLE orders (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    next_check INTEGER,
    checks INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX unsettled ON orders (next_check) WHERE next_check IS NOT NULL;

-- ticket-service
CREATE TABLE flights (
    id TEXT PRIMARY KEY,
    departs_at INTEGER NOT NULL,
    capacity INTEGER NOT NULL,
    seats_left INTEGER NOT NULL CHECK (seats_left BETWEEN 0 AND capacity),
    body TEXT NOT NULL
) STRICT;
CREATE TABLE reservations (
    seq INTEGER PRIMARY KEY,
    order_id BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

-- billing-service
CREATE TABLE payments (
    seq INTEGER PRIMARY KEY,
    order_id BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

-- email-service
CREATE TABLE mails (
    seq INTEGER PRIMARY KEY,
    order_id BLOB NOT NULL UNIQUE,
    outcome TEXT NOT NULL,
    step INTEGER NOT NULL
) STRICT;

-- the topics
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    visible_at INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    receive_count INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX messages_by_visibility ON messages (topic, visible_at);
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    parked_at INTEGER NOT NULL,
    failure TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    source TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letters_by_topic ON dead_letters (topic);

-- the simulated payment provider's own books, and the mails it is pretended were delivered
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    order_id BLOB NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY,
    order_id BLOB NOT NULL,
    outcome TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (order_id, outcome)
) STRICT;
",
    // A payment's record names its provider, and `parked_at` is called `dead_lettered_at`.
    "
UPDATE payments SET body = json_set(
    body, '$.provider',
    CASE WHEN substr(json_extract(body, '$.reference'), 1, 4) = 'sim_' THEN 'simulated' ELSE 'stripe' END
) WHERE json_extract(body, '$.reference') IS NOT NULL AND json_extract(body, '$.provider') IS NULL;
DELETE FROM settings WHERE name LIKE 'payment-provider-%';
ALTER TABLE dead_letters RENAME COLUMN parked_at TO dead_lettered_at;
",
    // What a repeated request is compared with. An order without it is one that its id alone opens.
    "ALTER TABLE orders ADD COLUMN digest BLOB;",
    // Addresses that do not exist, as the mail server said, in lower case.
    "
CREATE TABLE undeliverable (
    address TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    answer TEXT NOT NULL
) STRICT;
",
    // How old a message is by its own event, and which dead letter it was redriven from; letters that keep their rows while
    // they are redriven; what was discarded and why; counts that would take too long to count.
    "
ALTER TABLE messages ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN letter INTEGER;
UPDATE messages SET since = sent_at;
UPDATE messages SET since = CAST(round((julianday(json_extract(body, '$.time')) - 2440587.5) * 86400000) AS INTEGER)
WHERE json_valid(body) AND julianday(json_extract(body, '$.time')) IS NOT NULL;
DROP INDEX messages_by_visibility;
-- Messages that are due at one moment are received oldest first; the last column is for counting alone.
CREATE INDEX messages_by_visibility ON messages (topic, visible_at, since, receive_count);

ALTER TABLE dead_letters ADD COLUMN first_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN redrives INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN redriven_at INTEGER;
UPDATE dead_letters SET first_at = dead_lettered_at;
CREATE TABLE discarded (
    letter INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    order_id BLOB,
    type TEXT,
    failure TEXT NOT NULL,
    reason TEXT NOT NULL,
    discarded_at INTEGER NOT NULL
) STRICT;

-- One row, written with every group: what was sent to a topic, what of it is finished, the orders of a status.
CREATE TABLE counters (
    sent_tickets INTEGER NOT NULL,
    sent_order_updates INTEGER NOT NULL,
    sent_billing INTEGER NOT NULL,
    sent_email INTEGER NOT NULL,
    finished_tickets INTEGER NOT NULL DEFAULT 0,
    finished_order_updates INTEGER NOT NULL DEFAULT 0,
    finished_billing INTEGER NOT NULL DEFAULT 0,
    finished_email INTEGER NOT NULL DEFAULT 0,
    orders_pending INTEGER NOT NULL,
    orders_tickets_reserved INTEGER NOT NULL,
    orders_confirmed INTEGER NOT NULL,
    orders_rejected INTEGER NOT NULL,
    orders_payment_declined INTEGER NOT NULL,
    orders_cancelling INTEGER NOT NULL,
    orders_cancelled INTEGER NOT NULL
) STRICT;
INSERT INTO counters (
    sent_tickets, sent_order_updates, sent_billing, sent_email,
    orders_pending, orders_tickets_reserved, orders_confirmed, orders_rejected, orders_payment_declined,
    orders_cancelling, orders_cancelled
)
SELECT
    (SELECT count(*) FROM messages WHERE topic = 'tickets'),
    (SELECT count(*) FROM messages WHERE topic = 'order-updates'),
    (SELECT count(*) FROM messages WHERE topic = 'billing'),
    (SELECT count(*) FROM messages WHERE topic = 'email'),
    count(*) FILTER (WHERE status = 'pending'),
    count(*) FILTER (WHERE status = 'tickets_reserved'),
    count(*) FILTER (WHERE status = 'confirmed'),
    count(*) FILTER (WHERE status = 'rejected'),
    count(*) FILTER (WHERE status = 'payment_declined'),
    count(*) FILTER (WHERE status = 'cancelling'),
    count(*) FILTER (WHERE status = 'cancelled')
FROM (SELECT json_extract(body, '$.history[#-1].status') AS status FROM orders);
",
    // A message in flight has no time from which it is visible, and is in no index: it is written once and deleted. Its id
    // is given by the program. Those that were in flight or failed when the program stopped are in flight.
    "
CREATE TABLE sent (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    visible_at INTEGER,
    sent_at INTEGER NOT NULL,
    since INTEGER NOT NULL DEFAULT 0,
    receive_count INTEGER NOT NULL DEFAULT 0,
    letter INTEGER,
    body TEXT NOT NULL
) STRICT;
INSERT INTO sent (id, topic, visible_at, sent_at, since, receive_count, letter, body)
SELECT id, topic, iif(receive_count > 0, NULL, visible_at), sent_at, since, max(receive_count - 1, 0), letter, body
FROM messages;
DROP TABLE messages;
ALTER TABLE sent RENAME TO messages;
-- Messages that are due at one moment are received oldest first; the last column is for counting alone.
CREATE INDEX messages_by_visibility ON messages (topic, visible_at, since, receive_count) WHERE visible_at IS NOT NULL;
",
    // What an operator must know of: a mail that its address does not take, and why the provider refuses what a payment
    // intends.
    "
ALTER TABLE mails ADD COLUMN undeliverable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN refused TEXT;
",
    // Records that are found by their order alone are kept in its order. From here on an order is stored without its id, and
    // the copy of a mail as facts.
    "
CREATE TABLE held (
    order_id BLOB PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO held (order_id, body) SELECT order_id, body FROM reservations ORDER BY order_id;
DROP TABLE reservations;
ALTER TABLE held RENAME TO reservations;
CREATE TABLE paid (
    order_id BLOB PRIMARY KEY,
    body TEXT NOT NULL,
    refused TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO paid (order_id, body, refused) SELECT order_id, body, refused FROM payments ORDER BY order_id;
DROP TABLE payments;
ALTER TABLE paid RENAME TO payments;
CREATE TABLE mailed (
    order_id BLOB PRIMARY KEY,
    outcome TEXT NOT NULL,
    step INTEGER NOT NULL,
    undeliverable INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO mailed (order_id, outcome, step, undeliverable)
SELECT order_id, outcome, step, undeliverable FROM mails ORDER BY order_id;
DROP TABLE mails;
ALTER TABLE mailed RENAME TO mails;
",
];

/// This program cannot use the file.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// SQLite could not read it.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// It belongs to another program.
    #[error("it is not a booking database; choose another directory with --data")]
    Foreign,
    /// An earlier version of this program wrote it, and no server of this version has opened it yet.
    #[error(
        "it was written by an earlier version of this program (schema {found}, this one reads {VERSION}); start the server once, which brings it up to date"
    )]
    Older {
        /// Its version.
        found: i64,
    },
    /// A later version of this program wrote it.
    #[error(
        "it was written by a newer version of this program (schema {found}, this one knows {VERSION}); run that version, or choose another directory with --data"
    )]
    Newer {
        /// Its version.
        found: i64,
    },
}

/// Runs the migrations that an empty file or one of an earlier version lacks, and refuses every other file.
///
/// **Crash contract:** one transaction. A process that dies during it leaves the file as it was.
pub fn prepare(connection: &mut Connection) -> Result<(), SchemaError> {
    let transaction = connection.transaction()?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let found = match check(&transaction) {
        _ if version(&transaction)? == 0 && tables == 0 => {
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            0
        }
        Ok(()) => VERSION,
        Err(SchemaError::Older { found }) => {
            info!("the database is migrated from schema {found} to {VERSION}");
            found
        }
        Err(error) => return Err(error),
    };
    let missing = MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default());
    for (migration, version) in missing.zip(found + 1..) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    check(&transaction)?;
    Ok(transaction.commit()?)
}

/// Checks that a file has the tables of this version.
pub fn check(connection: &Connection) -> Result<(), SchemaError> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    match version(connection)? {
        _ if application != APPLICATION => Err(SchemaError::Foreign),
        VERSION => Ok(()),
        found @ 1..VERSION => Err(SchemaError::Older { found }),
        // No version of this program wrote 0 or less.
        ..1 => Err(SchemaError::Foreign),
        found => Err(SchemaError::Newer { found }),
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
