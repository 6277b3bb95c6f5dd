//! The stores, the topics, the provider's ledger and the mailbox, on one SQLite file.

mod changed;
pub mod database;
mod dispatch;
pub(crate) mod erase;
mod in_flight;
pub mod ledger;
mod letters;
pub(crate) mod listing;
pub mod mailbox;
mod mails;
mod messages;
pub(crate) mod notes;
mod orders;
mod paging;
mod parts;
mod payments;
mod recovery;
pub mod schema;
pub mod secrets;
pub(crate) mod settings;
pub mod snapshot;
mod tickets;
pub mod topics;
mod wait_list;

use std::path::Path;
use std::sync::Arc;

use group_commit::{Json, Statements, lock};
use messaging::clock::Clock;
use protocol::topic::Topic;
use rusqlite::Connection;

use self::database::Database;
use self::dispatch::Dispatch;
pub use self::messages::MAX_RECEIVE_COUNT;
use self::notes::{NoteTaker, Notes};
use self::schema::SchemaError;
use self::topics::SqliteTopics;
use self::wait_list::WaitList;

/// Opens the database in that directory, creating it if it is missing, and its topics.
///
/// # Errors
/// The file is not a database that this program can use.
pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<(Database, SqliteTopics), SchemaError> {
    let wait_list = Arc::new(WaitList::default());
    let notes = Notes::new(clock.clone());
    let dispatch = Dispatch::new(wait_list.clone(), notes.clone(), clock.clone());
    let hook = NoteTaker::new(notes.clone(), dispatch);
    let prepare = |connection: &mut Connection| {
        schema::prepare(connection)?;
        wait_list.begin_after(messages::last_id(connection)?);
        Ok::<_, SchemaError>(())
    };
    let file = group_commit::Database::open(&directory.join(database::FILE), prepare, hook)?;
    let database = Database::new(file, notes);
    let topics = SqliteTopics::new(database.clone(), wait_list, clock);
    topics.commit_first(Topic::Email);
    Ok((database, topics))
}

/// The stores of all services: each keeps its records in tables of its own, by the file named like it.
#[derive(Clone)]
pub struct SqliteStores(pub Database);
