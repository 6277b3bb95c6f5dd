//! The embedded ground: the whole booking system in one process, on one SQLite file.
//!
//! | noun | module |
//! |---|---|
//! | the server: HTTP in front of the ground | [`server`] |
//! | the ground: the services, and what they stand on | [`ground`] |
//! | what Lambda does on AWS: batches, retries, acknowledgements | [`workers`] |
//! | topics, stores, ledger and mailbox on SQLite | [`sqlite`] |
//! | Stripe and mail servers, if any | [`outside`], [`smtp`] |
//! | the data directory, the flights | [`data_dir`], [`flights`] |
//! | `/local/*` | [`control`] |
//! | expected state against actual | [`audit`] |
//! | the load command | [`load`] |

pub mod audit;
pub mod control;
pub mod data_dir;
pub mod flights;
pub mod ground;
pub mod load;
pub mod outside;
pub mod server;
pub mod smtp;
pub mod sqlite;
pub mod workers;

pub use server::{Options, Server, StartError};
