//! What is audited, as the database has it: one order's case after another, in one read transaction, also while a server
//! runs. However many orders there are, only what is in the topics is in memory at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use billing_service::provider::ProviderName;
use messaging::store::StoreError;
use protocol::headline::Headline;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::{Connection, Row};
use system::audit::{Audit, Auditor, Case, Row as Compared, Snapshot, Tally};
use thiserror::Error;
use ticket_service::flight::Offer;

use super::database::{FILE, reader};
use super::parts::TemporaryParts;
use super::schema::{self, SchemaError};
use super::{Json, Statements, orders};
use crate::data_dir::{DataDir, DataDirError};

/// The database cannot be read.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum SnapshotError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("the database in {0} cannot be read: {1}")]
    Schema(std::path::PathBuf, SchemaError),
    #[error("no service knows an order {0}")]
    Unknown(OrderId),
}

/// What is known of each order: columns of the tables, in the order of [`Case`].
macro_rules! cases {
    ($ids:literal) => {
        concat!(
            "SELECT ids.id, orders.body, orders.next_check, reservations.body, payments.body, ledger.body, mails.outcome,
                    payments.refused, mails.undeliverable
             FROM (", $ids, ") AS ids
             LEFT JOIN orders ON orders.id = ids.id
             LEFT JOIN reservations ON reservations.order_id = ids.id
             LEFT JOIN payments ON payments.order_id = ids.id
             LEFT JOIN ledger ON ledger.order_id = ids.id
             LEFT JOIN mails ON mails.order_id = ids.id"
        )
    };
}

/// Each table has an index on the ids, so the union is a merge and keeps nothing.
const ALL: &str = cases!(
    "SELECT id FROM orders UNION SELECT order_id FROM reservations UNION SELECT order_id FROM payments
     UNION SELECT order_id FROM ledger UNION SELECT order_id FROM mails ORDER BY 1"
);
const ONE: &str = cases!("SELECT ?1 AS id");

/// A snapshot of the database in that directory, all of it in memory. Nothing is written.
pub fn read(directory: &Path) -> Result<Snapshot, SnapshotError> {
    in_directory(directory, |connection| {
        let mut snapshot = Snapshot { books: books(), ..Snapshot::default() };
        let mut others = Others::read(connection)?;
        each_case(connection, &mut others, |id, case| {
            snapshot.cases.insert(id, case);
            Ok(())
        })?;
        snapshot.nameless_dead_letters = others.nameless;
        snapshot.flights = flights(connection)?;
        Ok(snapshot)
    })
}

/// Audits the database in that directory, at the moment `now`. Nothing is written.
pub fn audit(directory: &Path, now: Timestamp) -> Result<Audit, SnapshotError> {
    in_directory(directory, |connection| audit_all(connection, now))
}

/// Audits one order of the database in that directory: what was found, and the evidence.
pub fn audit_order(
    directory: &Path,
    order: OrderId,
    now: Timestamp,
) -> Result<(Audit, Vec<Compared>), SnapshotError> {
    let case = in_directory(directory, |connection| case(connection, order))?;
    if case.order.is_none() {
        return Err(SnapshotError::Unknown(order));
    }
    let mut auditor = Auditor::new(books(), now);
    auditor.case(order, &case);
    Ok((auditor.without_flights(), Compared::of(&case, &books())))
}

/// Runs `work` in one read transaction, so that all tables are seen at one moment.
fn in_directory<T>(
    directory: &Path,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, SnapshotError> {
    let directory = DataDir::find(directory)?;
    let file = directory.join(FILE);
    if !file.is_file() {
        return Err(DataDirError::Missing(file).into());
    }
    let open = || {
        let mut connection = reader(&file)?;
        schema::check(&connection)?;
        let transaction = connection.transaction()?;
        Ok(work(&transaction)?)
    };
    open().map_err(|error| SnapshotError::Schema(directory.to_owned(), error))
}

/// The ledger that is in the database.
pub(crate) fn books() -> BTreeSet<ProviderName> {
    BTreeSet::from([ProviderName::SIMULATED])
}

/// Audits everything. In a transaction, or the tables are seen at different moments.
pub(crate) fn audit_all(connection: &Connection, now: Timestamp) -> rusqlite::Result<Audit> {
    let mut auditor = Auditor::new(books(), now);
    let mut others = Others::read(connection)?;
    each_case(connection, &mut others, |id, case| {
        auditor.case(id, &case);
        Ok(())
    })?;
    for (topic, failure) in &others.nameless {
        auditor.nameless_dead_letter(*topic, failure);
    }
    Ok(auditor.finish(&flights(connection)?))
}

/// Audits everything into a new tally, unless the server stops: it would wait for this. In a transaction.
pub(crate) fn tally_all(
    connection: &Connection,
    now: Timestamp,
    stops: impl Fn() -> bool,
) -> rusqlite::Result<Tally> {
    let mut tally = Tally::new(books(), Box::new(TemporaryParts::create()?));
    tally.begin(now);
    let mut others = Others::read(connection)?;
    each_case(connection, &mut others, |id, case| {
        tally.case(id, &case).map_err(unkept)?;
        if stops() { Err(interrupted()) } else { Ok(()) }
    })?;
    finish(connection, &mut tally, &others)?;
    Ok(tally)
}

/// Audits these orders, and those that `changed` names once the transaction's moment is fixed; `None` if it cannot tell.
/// In a transaction.
pub(crate) fn tally_changed(
    connection: &Connection,
    mut tally: Tally,
    mut orders: BTreeSet<OrderId>,
    now: Timestamp,
    changed: impl FnOnce() -> Option<BTreeSet<OrderId>>,
) -> rusqlite::Result<Option<(Tally, BTreeSet<OrderId>)>> {
    tally.begin(now);
    // The first read fixes the moment.
    let mut others = Others::letters(connection)?;
    let Some(changed) = changed() else { return Ok(None) };
    orders.extend(&changed);
    orders.extend(tally.due(now));
    let mut suspects = Vec::new();
    for id in orders {
        let case = others.about(id, records(connection, id)?);
        if tally.is_suspect(id, &case) {
            suspects.push(id);
        } else {
            tally.case(id, &case).map_err(unkept)?;
        }
    }
    if !suspects.is_empty() {
        others.messages = Others::messages(connection)?;
    }
    for id in suspects {
        let case = others.about(id, records(connection, id)?);
        tally.case(id, &case).map_err(unkept)?;
    }
    finish(connection, &mut tally, &others)?;
    Ok(Some((tally, changed)))
}

/// What is about no order.
fn finish(connection: &Connection, tally: &mut Tally, others: &Others) -> rusqlite::Result<()> {
    for (topic, failure) in &others.nameless {
        tally.nameless_dead_letter(*topic, failure);
    }
    tally.flights(&flights(connection)?);
    Ok(())
}

/// As SQLite says it of a value that it cannot store.
fn unkept(error: StoreError) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// As SQLite says it of a statement that was ended.
fn interrupted() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT), None)
}

/// What the services and the provider know of one order.
fn records(connection: &Connection, id: OrderId) -> rusqlite::Result<Case> {
    let found = connection.row(ONE, [id.as_bytes()], |row| known(row).map(|(_, case)| case))?;
    Ok(found.unwrap_or_default())
}

/// What is known of one order.
pub(crate) fn case(connection: &Connection, id: OrderId) -> rusqlite::Result<Case> {
    let found = records(connection, id)?;
    // The events name their order thus, and so do those of before.
    let subject = format!("%\"subject\":\"{id}\"%");
    let messages = "SELECT count(*) FROM messages WHERE body LIKE ?1";
    let letters =
        "SELECT topic, failure FROM dead_letters WHERE redriven_at IS NULL AND body LIKE ?1 ORDER BY id";
    let dead_letters =
        connection.rows(letters, [&subject], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let dead_letters =
        dead_letters.into_iter().filter_map(|(topic, failure)| Some((topic.parse().ok()?, failure)));
    Ok(Case {
        messages: connection.row(messages, [&subject], |row| row.get(0))?.unwrap_or_default(),
        dead_letters: dead_letters.collect(),
        ..found
    })
}

fn flights(connection: &Connection) -> rusqlite::Result<Vec<Offer>> {
    connection.rows("SELECT body, seats_left FROM flights ORDER BY id", [], |row| {
        let Json(flight) = row.get(0)?;
        Ok(Offer { flight, seats_left: row.get(1)? })
    })
}

/// What is in the topics and their dead-letter queues, by order.
#[derive(Default)]
struct Others {
    messages: BTreeMap<OrderId, usize>,
    dead_letters: BTreeMap<OrderId, Vec<(Topic, String)>>,
    /// Dead letters without a readable order id.
    nameless: Vec<(Topic, String)>,
}

impl Others {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { messages: Self::messages(connection)?, ..Self::letters(connection)? })
    }

    /// How many messages are in the topics, by order.
    fn messages(connection: &Connection) -> rusqlite::Result<BTreeMap<OrderId, usize>> {
        let mut messages = BTreeMap::new();
        let mut statement = connection.prepare("SELECT body FROM messages")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // A body without an order id will be dead-lettered, and found there.
            if let Some(order) = Headline::of(row.get_ref(0)?.as_str()?).order {
                *messages.entry(order).or_default() += 1;
            }
        }
        Ok(messages)
    }

    /// What is in the dead-letter queues; no messages.
    fn letters(connection: &Connection) -> rusqlite::Result<Self> {
        let mut others = Self::default();
        let sql = "SELECT topic, failure, body FROM dead_letters WHERE redriven_at IS NULL ORDER BY id";
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Ok(topic) = row.get_ref(0)?.as_str()?.parse::<Topic>() else { continue };
            let letter = (topic, row.get(1)?);
            match Headline::of(row.get_ref(2)?.as_str()?).order {
                Some(order) => others.dead_letters.entry(order).or_default().push(letter),
                None => others.nameless.push(letter),
            }
        }
        Ok(others)
    }

    /// The case of that order, with what is about it here.
    fn about(&self, id: OrderId, case: Case) -> Case {
        let messages = self.messages.get(&id).copied().unwrap_or_default();
        let dead_letters = self.dead_letters.get(&id).cloned().unwrap_or_default();
        Case { messages, dead_letters, ..case }
    }

    /// Moves what is about that order to its case.
    fn complete(&mut self, id: OrderId, case: Case) -> Case {
        let messages = self.messages.remove(&id).unwrap_or_default();
        let dead_letters = self.dead_letters.remove(&id).unwrap_or_default();
        Case { messages, dead_letters, ..case }
    }
}

/// Each order that a service, the provider, a topic or a dead-letter queue knows.
fn each_case(
    connection: &Connection,
    others: &mut Others,
    mut take: impl FnMut(OrderId, Case) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(ALL)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, case) = known(row)?;
        take(id, others.complete(id, case))?;
    }
    let left: BTreeSet<_> = others.messages.keys().chain(others.dead_letters.keys()).copied().collect();
    for id in left {
        take(id, others.complete(id, Case::default()))?;
    }
    Ok(())
}

/// What the records say of an order.
fn known(row: &Row<'_>) -> rusqlite::Result<(OrderId, Case)> {
    fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
        Ok(row.get::<_, Option<Json<T>>>(column)?.map(|Json(value)| value))
    }
    let id = OrderId::stored(row.get(0)?);
    let order = row.get_ref(1)?.as_str_or_null()?.map(|body| orders::read(id, body)).transpose()?;
    let case = Case {
        order,
        next_check: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
        reservation: json(row, 3)?,
        payment: json(row, 4)?,
        account: json(row, 5)?,
        mailed: json(row, 6)?,
        refused: row.get(7)?,
        undeliverable: row.get::<_, Option<bool>>(8)?.unwrap_or_default(),
        ..Case::default()
    };
    Ok((id, case))
}
