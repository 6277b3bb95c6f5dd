//! The real stores that worlds stand on.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use billing_service::dynamodb::DynamoPayments;
use booking_gateway::dynamodb::DynamoOrders;
use email_service::dynamodb::DynamoMails;
use local::sqlite::database::Database;
use local::sqlite::mails::SqliteMails;
use local::sqlite::orders::SqliteOrders;
use local::sqlite::payments::SqlitePayments;
use local::sqlite::tickets::SqliteTickets;
use shared::aws::in_process;
use shared::entropy::SeededEntropy;
use shared::time::SystemClock;
use tempfile::TempDir;
use ticket_service::dynamodb::DynamoTickets;

use super::jobs::Beginning;
use super::ports::Stores;
use super::{World, stand_still};

/// Which stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The embedded ground's.
    Sqlite,
    /// Those of AWS, on a DynamoDB in this process.
    DynamoDb,
}

/// How many worlds use the same stores, one after another: to make new ones takes longer than most
/// worlds last.
const WORLDS: u32 = 50;

/// Stores of one kind, in which one world at a time begins and ends.
pub struct Ground {
    kind: Kind,
    stores: Stores,
    worlds: u32,
    file: Option<File>,
}

struct File {
    database: Database,
    _directory: TempDir,
}

impl Drop for File {
    fn drop(&mut self) {
        self.database.close();
    }
}

impl Ground {
    /// Stores that hold nothing.
    pub async fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let (file, stores) = sqlite();
                Self { kind, stores, worlds: 0, file: Some(file) }
            }
            Kind::DynamoDb => Self { kind, stores: dynamodb().await, worlds: 0, file: None },
        }
    }

    /// A new world, of that number, which no other on these stores may have.
    pub async fn world(&mut self, number: u64, beginning: Beginning) -> World {
        self.worlds += 1;
        if self.worlds > WORLDS {
            // The old file is closed before the new one opens.
            self.file = None;
            *self = Self { worlds: 1, ..Self::new(self.kind).await };
        }
        World::new(self.stores.clone(), number, beginning).await
    }

    /// A world on these stores ended badly, and they are not to be used again.
    pub fn spoil(&mut self) {
        self.worlds = WORLDS;
    }
}

/// Does `work` once for each number, on two threads, each with a ground of its own.
pub fn each(kind: Kind, numbers: Range<u64>, work: impl AsyncFn(&mut Ground, u64) + Sync) {
    let next = AtomicU64::new(numbers.start);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                stand_still(async {
                    let mut ground = Ground::new(kind).await;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= numbers.end {
                            return;
                        }
                        work(&mut ground, number).await;
                    }
                });
            });
        }
    });
}

/// In memory where the machine has a file system there: what a disk does to a commit is shown by
/// the `kill -9` test, and here it would only take time.
#[expect(clippy::expect_used, reason = "tests only")]
fn sqlite() -> (File, Stores) {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let directory = directory.expect("a temporary directory");
    let database = Database::open(directory.path(), Arc::new(SystemClock)).expect("a database");
    let stores = Stores {
        orders: Arc::new(SqliteOrders(database.clone())),
        tickets: Arc::new(SqliteTickets(database.clone())),
        payments: Arc::new(SqlitePayments(database.clone())),
        mails: Arc::new(SqliteMails(database.clone())),
    };
    (File { database, _directory: directory }, stores)
}

async fn dynamodb() -> Stores {
    let client = in_process::client();
    let table = async |resource| in_process::table(&client, resource).await;
    let (orders, tickets) = (table("OrdersTable").await, table("TicketsTable").await);
    let (payments, emails) = (table("PaymentsTable").await, table("EmailsTable").await);
    let client = || client.clone();
    Stores {
        orders: Arc::new(DynamoOrders { client: client(), table: orders }),
        tickets: Arc::new(DynamoTickets::new(client(), tickets, Arc::new(SeededEntropy::new(1)))),
        payments: Arc::new(DynamoPayments { client: client(), table: payments }),
        mails: Arc::new(DynamoMails { client: client(), table: emails }),
    }
}
