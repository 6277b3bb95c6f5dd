//! The database: one connection writes, on its own thread; the others only read.

use std::fs::OpenOptions;
use std::future::{poll_fn, ready};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::Either;
use messaging::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::counters::{Counters, Counts};
use crate::jobs::{Undone, Worked, Write, store_error};
use crate::log::Log;
use crate::workers::{Bell, Workers};
use crate::writer::{Ask, Hook, Job, Writer};
use crate::{here, lock};

/// A handle to the database; its clones share it.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// Tells this database from the others of the process.
    number: u64,
    /// `None` once it is closed.
    writer: Mutex<Option<(Sender<Ask>, JoinHandle<()>)>>,
    /// How many groups could not be committed.
    failures: Arc<AtomicU64>,
    counts: Arc<Counts>,
    /// The connections that are idle.
    readers: Mutex<Vec<Connection>>,
    /// One for each scan that may run.
    scans: Arc<Semaphore>,
}

/// How many scans run at the same time; the others wait, since each has a connection with a cache of its own. Point reads
/// need no bound: each occupies a thread of the runtime.
const SCANS: usize = 4;

/// In bytes: twice what a checkpoint begins with.
const LONGEST_LOG: i64 = 64 << 20;

static NUMBERS: AtomicU64 = AtomicU64::new(0);

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
        connection.pragma_update(None, "cache_size", -16 * 1024)?;
        // A long read keeps the log from being copied, and it grows; afterwards it gives its space back.
        connection.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;

        let (asks, requests) = channel();
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let failures = Arc::new(AtomicU64::new(0));
        let counts = Arc::new(Counts::default());
        let (failed, counted, bell) = (failures.clone(), counts.clone(), asks.clone());
        let work = move || {
            let (log, workers) = (Log::of(&connection), Workers::new(Bell::new(bell)));
            let (connection, failures, counts) = (Rc::new(connection), failed, counted);
            Writer { database: number, connection, hook, workers, log, failures, counts }.work(&requests);
        };
        #[expect(clippy::expect_used, reason = "without its one writing thread nothing can start")]
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(work)
            .expect("a thread can be started");
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            number,
            writer: Mutex::new(Some((asks, thread))),
            failures,
            counts,
            readers: Mutex::default(),
            scans: Arc::new(Semaphore::new(SCANS)),
        })))
    }

    /// Does `work` on the writing thread, within groups: its writes and reads need no change of threads, and it sees what
    /// the group in progress has written. Its timers and connections are those of the runtime of the caller.
    ///
    /// **Crash contract:** it is answered after the commit of the group in which it ended; an error says that this group is
    /// not on disk. Dropping the future ends the work where it waits.
    ///
    /// # Errors
    /// The group was not committed, the work panicked, or the database is closed.
    pub fn within<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        let runtime = Handle::current();
        let mut work = Box::pin(work);
        let mut answer = Some(answer);
        let work = poll_fn(move |context| {
            let _entered = runtime.enter();
            if answer.as_mut().is_none_or(|answer| answer.poll_closed(context).is_ready()) {
                return Poll::Ready(());
            }
            let Poll::Ready(output) = work.as_mut().poll(context) else { return Poll::Pending };
            if let Some(answer) = answer.take() {
                here::answer_later(Box::new(Worked { output, answer }));
            }
            Poll::Ready(())
        });
        self.ask(Ask::Work(Box::pin(work)));
        async move { answered.await.unwrap_or_else(|_| Err(ended())) }
    }

    /// Does `work`, as long as every group is committed that is run meanwhile. Work that joins groups needs this: it goes on
    /// before what it has written is committed.
    ///
    /// **Crash contract:** once a group was not committed, the work ends where it waits, as if the process had died there:
    /// nothing that it would do because of what was undone is done.
    ///
    /// # Errors
    /// A group was not committed.
    pub fn attempt<T, W: Future<Output = T> + Send>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, W> {
        let failures = self.0.failures.clone();
        let mut before = None;
        let mut work = Box::pin(work);
        poll_fn(move |context| {
            let now = failures.load(Ordering::Acquire);
            if *before.get_or_insert(now) != now {
                return Poll::Ready(Err(StoreError::unavailable("a group was not committed")));
            }
            work.as_mut().poll(context).map(Ok)
        })
    }

    /// Whether this runs on the writing thread, within a group.
    pub fn is_within(&self) -> bool {
        here::connection(self.0.number).is_some()
    }

    /// Hands a write to the next group at once; the answer comes with its commit. The write takes
    /// place even if the answer is no longer awaited.
    pub fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        self.write_as(Undone::WithASavepoint, write)
    }

    /// As [`Database::write`], without the cost of a savepoint: if it fails after it has changed something, its group is not
    /// committed. For one statement, and for what fails then only if the disk does.
    pub fn write_lightly<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        self.write_as(Undone::WithItsGroup, write)
    }

    fn write_as<T: Send + 'static>(
        &self,
        undone: Undone,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        let mut job = Box::new(Write::new(write, undone, answer));
        match here::connection(self.0.number) {
            Some(connection) => {
                let _ = job.run(&connection);
                here::answer_later(job);
            }
            None => self.ask(Ask::Run(job)),
        }
        async move { answered.await.unwrap_or_else(|_| Err(ended())) }
    }

    /// As [`Database::write_lightly`]; but from [`Database::within`], the answer comes at once, and the write is committed with
    /// the group in progress. Only for what is answered within that group: nothing outside may be done because of the answer
    /// before the commit.
    pub fn join<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let undone = Undone::WithItsGroup;
        match here::connection(self.0.number) {
            Some(connection) => {
                let wrote = undone.run(&connection, || write(&connection));
                Either::Left(ready(wrote.map_err(|error| store_error(&error))))
            }
            None => Either::Right(self.write_as(undone, write)),
        }
    }

    /// Runs a group, even an empty one, so that waiting receivers and due messages are looked at.
    pub fn wake(&self) {
        self.ask(Ask::Wake);
    }

    /// What the writing thread has done.
    pub fn counters(&self) -> Counters {
        self.0.counts.read()
    }

    fn ask(&self, ask: Ask) {
        if let Some((asks, _)) = &*lock(&self.0.writer) {
            // The thread ends only when this end is dropped.
            let _ = asks.send(ask);
        }
    }

    /// Reads a few rows by their keys: of what is committed; from [`Database::within`], also what the group in progress has
    /// written. On the caller's thread: handing such a read to another costs more than the read.
    pub async fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let read = match here::connection(self.0.number) {
            Some(connection) => read(&connection),
            None => self.0.read(read),
        };
        read.map_err(|error| store_error(&error))
    }

    /// Reads a few rows of what is committed, and nothing else.
    pub async fn read_committed<T>(
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
            let _ = asks.send(Ask::Close);
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some((asks, _)) = lock(&self.writer).take() {
            let _ = asks.send(Ask::Close);
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

fn ended() -> StoreError {
    StoreError::unavailable("the database is closed")
}
