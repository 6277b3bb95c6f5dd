//! What is answered with the commit of a group: a write, or work that has ended.

use messaging::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::here;
use crate::writer::Job;

/// The answer to work that has ended within the group in progress.
pub(crate) struct Worked<T> {
    pub(crate) output: T,
    pub(crate) answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send> Job for Worked<T> {
    fn run(&mut self, _: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), &str>) {
        let answer = match committed {
            Ok(()) => Ok(self.output),
            Err(reason) => Err(StoreError::unavailable(reason)),
        };
        let _ = self.answer.send(answer);
    }
}

/// How a write that fails is undone.
#[derive(Clone, Copy)]
pub(crate) enum Undone {
    /// Without the others of its group.
    WithASavepoint,
    /// With its group, if it has changed something before it failed: SQLite undoes a statement that fails by itself.
    WithItsGroup,
}

impl Undone {
    pub(crate) fn run<T>(
        self,
        connection: &Connection,
        write: impl FnOnce() -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        match self {
            Self::WithASavepoint => here::atomically(connection, write),
            Self::WithItsGroup => here::or_no_group(connection, write),
        }
    }
}

/// A write, and its answer.
pub(crate) struct Write<F, T> {
    /// `None` once it ran.
    write: Option<F>,
    undone: Undone,
    wrote: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Write<F, T> {
    pub(crate) fn new(write: F, undone: Undone, answer: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { write: Some(write), undone, wrote: None, answer }
    }
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
        match self.undone.run(connection, || write(connection)) {
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

/// A record that does not decode is unreadable; every other error may be temporary.
pub fn store_error(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
            StoreError::unreadable(error)
        }
        _ => StoreError::unavailable(error),
    }
}
