//! The embedded ground: the whole booking system in one process, on one SQLite file.
//!
//! | noun | module |
//! |---|---|
//! | the server: HTTP in front of the ground | [`server`] |
//! | the ground: the services, and what they stand on | [`ground`] |
//! | what Lambda does on AWS: batches, retries, acknowledgements | [`workers`] |
//! | topics, stores, ledger and mailbox on SQLite | [`sqlite`] |
//! | Stripe and mail servers, if any | [`outside`], [`smtp`] |
//! | the data directory | [`data_dir`] |
//! | `/local/*` | [`control`] |
//! | expected state against actual | [`audit`] |
//! | what an operator does about dead letters | [`dead_letters`] |
//! | the load command | [`load`] |
//! | the outage drill | [`drill`] |

pub mod audit;
pub mod client;
pub mod control;
pub mod data_dir;
pub mod dead_letters;
pub mod drill;
pub mod ground;
pub mod load;
pub mod outside;
pub mod server;
pub mod smtp;
pub mod sqlite;
pub mod workers;

pub use server::{Options, Server, StartError};
