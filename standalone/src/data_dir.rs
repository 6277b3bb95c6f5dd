//! The data directory: created if it is missing, and locked, so that one server at a time uses it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A data directory that this process has locked. Unlocked when dropped; the operating system unlocks it when the
/// process dies.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// The data directory cannot be used.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum DataDirError {
    #[error("{0} is a file; --data must name a directory")]
    NotADirectory(PathBuf),
    #[error("there is no directory {0}; start the server once, or name another with --data")]
    Missing(PathBuf),
    #[error("{0} is in use by another server; stop that one, or choose another directory with --data")]
    InUse(PathBuf),
    #[error(
        "{path} cannot be written to: {error}; make it writable, or choose another directory with --data"
    )]
    NotWritable { path: PathBuf, error: io::Error },
}

impl DataDir {
    /// Locks the directory, and creates it where there is none.
    pub fn lock(path: &Path) -> Result<Self, DataDirError> {
        let not_writable = |error| DataDirError::NotWritable { path: path.to_owned(), error };
        if path.exists() && !path.is_dir() {
            return Err(DataDirError::NotADirectory(path.to_owned()));
        }
        fs::create_dir_all(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                DataDirError::NotADirectory(path.to_owned())
            }
            _ => not_writable(error),
        })?;
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(not_writable(error)),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds a directory to read from, whether it is locked or not.
    pub fn find(path: &Path) -> Result<&Path, DataDirError> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(path),
            Ok(_) => Err(DataDirError::NotADirectory(path.to_owned())),
            Err(_) => Err(DataDirError::Missing(path.to_owned())),
        }
    }
}
