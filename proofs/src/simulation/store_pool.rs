//! The real stores that simulations run on. New ones take longer to make than most simulations last,
//! so simulations use them one after another.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use messaging::clock::SystemClock;
use standalone::sqlite::database::Database;
use standalone::sqlite::{self, SqliteStores};
use system::Stores;
use tempfile::TempDir;

use super::job::Setup;
use super::{Simulation, with_paused_time};
use crate::stores::on_dynamodb;

/// Which stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Those of standalone.
    Sqlite,
    /// Those of AWS, on a DynamoDB in this process.
    DynamoDb,
}

impl Backend {
    /// Both of them.
    pub const ALL: [Backend; 2] = [Backend::Sqlite, Backend::DynamoDb];
}

/// How many simulations use the same stores.
const SIMULATIONS: u32 = 50;

/// Stores for simulations, one at a time.
pub struct StorePool {
    backend: Backend,
    stores: Stores,
    simulations: u32,
    file: Option<DatabaseFile>,
}

struct DatabaseFile {
    database: Database,
    _directory: TempDir,
}

impl Drop for DatabaseFile {
    fn drop(&mut self) {
        self.database.close();
    }
}

impl StorePool {
    /// A pool with empty stores.
    pub async fn new(backend: Backend) -> Self {
        let (file, stores) = match backend {
            Backend::Sqlite => {
                let (file, stores) = sqlite_stores();
                (Some(file), stores)
            }
            Backend::DynamoDb => (None, on_dynamodb().await),
        };
        Self { backend, stores, simulations: 0, file }
    }

    /// A new simulation. No other in this pool may have the same number.
    pub async fn simulation(&mut self, number: u64, setup: Setup) -> Simulation {
        self.simulations += 1;
        if self.simulations > SIMULATIONS {
            // The old file is closed before the new one opens.
            self.file = None;
            *self = Self { simulations: 1, ..Self::new(self.backend).await };
        }
        Simulation::new(self.stores.clone(), number, setup).await
    }

    /// Has the next simulation get new stores: the last one left orders behind that are not settled.
    pub fn discard_stores(&mut self) {
        self.simulations = SIMULATIONS;
    }
}

/// Does `work` once for each number, on two threads, each with a pool of its own.
pub fn for_each(backend: Backend, numbers: Range<u64>, work: impl AsyncFn(&mut StorePool, u64) + Sync) {
    let next = AtomicU64::new(numbers.start);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                with_paused_time(async {
                    let mut pool = StorePool::new(backend).await;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= numbers.end {
                            return;
                        }
                        work(&mut pool, number).await;
                    }
                });
            });
        }
    });
}

/// The file is in memory where the machine has a file system there. What a crash does to a commit on
/// disk is shown by the `kill -9` test of standalone.
#[expect(clippy::expect_used, reason = "tests only")]
fn sqlite_stores() -> (DatabaseFile, Stores) {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let directory = directory.expect("a temporary directory");
    // Its topics are not used: the simulation has its own.
    let (database, _) = sqlite::open(directory.path(), Arc::new(SystemClock)).expect("a database");
    let stores = Stores::of(SqliteStores(database.clone()));
    (DatabaseFile { database, _directory: directory }, stores)
}
