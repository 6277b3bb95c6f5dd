//! The database: one connection writes, on its own thread; the others only read.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use messaging::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, oneshot};

use crate::lock;
use crate::writer::{self, Ask, Hook, Job};

/// A handle to the database; its clones share it.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// `None` once it is closed.
    writer: Mutex<Option<(Sender<Ask>, JoinHandle<()>)>>,
    /// The connections that are idle.
    readers: Mutex<Vec<Connection>>,
    /// One for each scan that may run.
    scans: Arc<Semaphore>,
}

/// How many scans run at the same time; the others wait, since each has a connection with a cache of its own. Point reads
/// need no bound: each occupies a thread of the runtime.
const SCANS: usize = 4;

impl Database {
    /// Opens the database in that file, creating it if it is missing. `prepare` checks or makes its tables before
    /// anything else is done with it; `hook` takes part in every group of writes.
    ///
    /// # Errors
    /// What `prepare` refuses, or SQLite's own.
    pub fn open<E: From<rusqlite::Error>>(
        path: &Path,
        prepare: impl FnOnce(&mut Connection) -> Result<(), E>,
        hook: impl Hook,
    ) -> Result<Self, E> {
        // Made here, since other users of the machine must not read it; SQLite gives its other files the mode of this
        // one. Where it cannot be made, SQLite says why.
        let _ = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let mut connection = Connection::open(path)?;
        tune(&connection, 128)?;
        // A file of a newer version or another program is refused before anything is changed.
        prepare(&mut connection)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // A commit is on disk before it is answered.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        connection.pragma_update(None, "cache_size", -16 * 1024)?;

        let (asks, requests) = channel();
        let work = move || writer::work(&connection, &requests, hook);
        #[expect(clippy::expect_used, reason = "without its one writing thread nothing can start")]
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(work)
            .expect("a thread can be started");
        let writer = Mutex::new(Some((asks, thread)));
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            writer,
            readers: Mutex::default(),
            scans: Arc::new(Semaphore::new(SCANS)),
        })))
    }

    /// Hands a write to the next group at once; the answer comes with its commit. The write takes
    /// place even if the answer is no longer awaited.
    pub fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Run(Box::new(Write { write: Some(write), wrote: None, answer })));
        async move { answered.await.unwrap_or_else(|_| Err(StoreError::unavailable("the database is closed"))) }
    }

    /// Runs a group, even an empty one, so that waiting receivers and due messages are looked at.
    pub fn wake(&self) {
        self.ask(Ask::Wake);
    }

    fn ask(&self, ask: Ask) {
        if let Some((asks, _)) = &*lock(&self.0.writer) {
            // The thread ends only when this end is dropped.
            let _ = asks.send(ask);
        }
    }

    /// Reads a few rows of what is committed, by their keys. On the caller's thread: handing such
    /// a read to another costs more than the read.
    pub async fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.0.read(read).map_err(|error| store_error(&error))
    }

    /// Reads any amount of what is committed, on a thread where that blocks no other task.
    pub async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.0.clone();
        let turn = inner.scans.clone().acquire_owned().await.map_err(StoreError::unavailable)?;
        let task = tokio::task::spawn_blocking(move || {
            // Kept by the thread: a caller that stops waiting does not stop the scan.
            let _turn = turn;
            inner.read(read)
        });
        task.await.map_err(StoreError::unavailable)?.map_err(|error| store_error(&error))
    }

    /// Finishes the writes in the queue, and closes the file. Later writes are refused.
    pub fn close(&self) {
        // The writer's connection is closed last, so that SQLite can checkpoint the WAL into the file.
        lock(&self.0.readers).clear();
        if let Some((asks, thread)) = lock(&self.0.writer).take() {
            drop(asks);
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = lock(&self.readers).pop();
        let connection = idle.map_or_else(|| reader(&self.path), Ok)?;
        let found = read(&connection);
        lock(&self.readers).push(connection);
        found
    }
}

/// A connection that cannot write.
pub fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    tune(&connection, 32)?;
    Ok(connection)
}

fn tune(connection: &Connection, statements: usize) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(statements);
    // Without this, SQLite plans a statement again for every new value of a bound parameter.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// A record that does not decode is unreadable; every other error may be temporary.
fn store_error(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
            StoreError::unreadable(error)
        }
        _ => StoreError::unavailable(error),
    }
}

struct Write<F, T> {
    write: Option<F>,
    wrote: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Write<F, T>
where
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(write) = self.write.take() else {
            return Ok(());
        };
        match write(connection) {
            Ok(value) => {
                self.wrote = Some(Ok(value));
                Ok(())
            }
            Err(error) => {
                self.wrote = Some(Err(store_error(&error)));
                Err(error)
            }
        }
    }

    fn finish(self: Box<Self>, committed: Result<(), &str>) {
        let answer = match (committed, self.wrote) {
            (Ok(()), Some(wrote)) => wrote,
            (Ok(()), None) => Err(StoreError::unavailable("the write panicked")),
            (Err(reason), _) => Err(StoreError::unavailable(reason)),
        };
        let _ = self.answer.send(answer);
    }
}
