//! The data directory: created if it is missing, locked, so that one server at a time uses it, and closed to other users
//! of the machine: there are names, addresses and secrets in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tracing::warn;

use crate::sqlite::database;

/// The file that is locked.
const LOCK: &str = "lock";

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
        create(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                DataDirError::NotADirectory(path.to_owned())
            }
            _ => not_writable(error),
        })?;
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(not_writable(error)),
        }
        close_to_others(path);
        Ok(Self { path: path.to_owned(), _lock: lock })
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

/// Creates a directory, and those above it that are missing, and syncs the directories that they are in: SQLite syncs what is
/// in the data directory, and without this a power loss might leave no data directory.
///
/// **Crash contract:** the one that holds the data directory is synced at each start, so also where a process died between
/// the two.
fn create(path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|directory| !directory.exists()).count();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for directory in path.ancestors().take(missing.max(1)) {
        let Some(parent) = directory.parent() else { continue };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        // It may be closed to this user, or on a file system that syncs no directories.
        if let Err(error) = File::open(parent).and_then(|parent| parent.sync_all()) {
            warn!(%error, "{} cannot be synced; after a power loss {} may be missing", parent.display(), path.display());
        }
    }
    Ok(())
}

/// Closes what a version of before, or someone, has left open to other users: the server's files, and the directory where it
/// holds nothing else. Another directory may be shared on purpose.
fn close_to_others(path: &Path) {
    let is_ours =
        |name: &str| name == LOCK || name.starts_with(database::FILE) || name.starts_with(::rest_chain::FILE);
    let mut all_are_ours = true;
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        match is_ours(&entry.file_name().to_string_lossy()) {
            true => close(&entry.path(), 0o600),
            false => all_are_ours = false,
        }
    }
    if all_are_ours {
        close(path, 0o700);
    } else if is_open(path) {
        warn!(
            "{} has other files too, and other users of this machine can enter it; chmod 700 closes it",
            path.display()
        );
    }
}

fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

fn close(path: &Path, mode: u32) {
    if !is_open(path) {
        return;
    }
    match fs::set_permissions(path, Permissions::from_mode(mode)) {
        Ok(()) => warn!("{} was open to other users of this machine, and is no more", path.display()),
        Err(error) => warn!(%error, "{} is open to other users of this machine", path.display()),
    }
}
