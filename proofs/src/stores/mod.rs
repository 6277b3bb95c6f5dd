//! The stores of the services, as proofs use them. One file for each has all that is about it: its calls,
//! its records and its adapter in memory, its table on DynamoDB, and the adapter whose calls wait and may
//! go wrong.

pub mod mails;
pub mod orders;
pub mod payments;
pub mod tickets;

use std::sync::Arc;

use protocol::topic::Topic;
use system::Stores;
use testkit::dynamodb;

use crate::memory::contents::SentMessage;
use crate::port_call::PortCall;

/// Derives from the wiring's table of the stores, each named like its module here, what is about all of them.
macro_rules! stores {
    ($($store:ident,)+) => {
        /// All that the adapters in memory hold.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub struct Contents {
            $(
                #[doc = concat!("What is behind `", stringify!($store), "`.")]
                pub $store: $store::Records,
            )+
            /// What was sent to topics and not yet taken out of here.
            pub sent: Vec<SentMessage>,
        }

        impl Contents {
            /// Replaces the records of one service by those in `from`. No service reaches the records of
            /// another.
            pub fn replace_records_of(&mut self, owner: Topic, from: Contents) {
                $(if $store::OWNER == owner {
                    self.$store = from.$store;
                })+
            }
        }

        /// The calls that services make to their stores to finish an order.
        pub(crate) const ORDER_PATH: &[&[PortCall]] = &[$($store::ORDER_PATH,)+];

        /// The same stores, with calls that wait and may go wrong.
        pub fn intercepted(stores: &Stores) -> Stores {
            Stores { $($store: Arc::new(Intercepted(stores.$store.clone())),)+ }
        }

        /// The stores of AWS, on a DynamoDB in this process.
        pub async fn on_dynamodb() -> Stores {
            let client = dynamodb::client();
            Stores { $($store: $store::on_dynamodb(&client).await,)+ }
        }
    };
}

system::each_store!(stores);

impl Contents {
    /// The records of one service, and nothing else.
    pub fn records_of(&self, owner: Topic) -> Contents {
        let mut contents = Contents::default();
        contents.replace_records_of(owner, self.clone());
        contents
    }
}

/// A store whose calls wait and may go wrong.
struct Intercepted<P: ?Sized>(Arc<P>);

/// Every adapter keeps the contract of its port: here those in memory and on SQLite, beside each adapter those
/// on DynamoDB.
#[cfg(test)]
mod tests {
    use messaging::clock::SystemClock;
    use standalone::sqlite::{self, SqliteStores};
    use tempfile::TempDir;

    use super::*;
    use crate::memory::Memory;

    pub(super) fn in_memory() -> Stores {
        Stores::of(Memory::default())
    }

    #[expect(clippy::expect_used, reason = "tests only")]
    pub(super) fn on_sqlite() -> (Stores, TempDir) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (database, _) = sqlite::open(directory.path(), Arc::new(SystemClock)).expect("a database");
        (Stores::of(SqliteStores(database)), directory)
    }
}
