//! The standalone platform: the whole booking system in one process, on one SQLite file.
//!
//! | noun | module |
//! |---|---|
//! | the server: HTTP in front of the platform | [`server`] |
//! | connections, and how long a client may take | [`http`] |
//! | the platform: services, pollers, reconciler | [`platform`] |
//! | what Lambda does on AWS: batches, retries, acknowledgements | [`poller`] |
//! | messages that cannot be handled, to try what becomes of them | `poison` |
//! | the operator's view of this platform | `view` |
//! | topics, stores, ledger and mailbox on SQLite | [`sqlite`] |
//! | Stripe and mail servers, if any | [`integrations`], [`smtp`] |
//! | the data directory | [`data_dir`] |
//! | the commands that look at a running server | [`inspect`], [`dead_letters`] |
//! | how many orders a client may place | [`limits`] |
//! | the command that asks Stripe for refunds that failed | [`refunds`] |
//! | the load command | [`load`] |
//! | the REST chain beside it, and the command that compares | `rest_chain`, [`compare`] |
//! | the outage drill | [`drill`] |

pub mod client_address;
pub mod compare;
pub mod data_dir;
pub mod dead_letters;
pub mod drill;
pub mod http;
pub mod inspect;
pub mod integrations;
pub mod limits;
pub mod load;
pub mod platform;
mod poison;
pub mod poller;
pub mod refunds;
mod rest_chain;
pub mod server;
pub mod smtp;
pub mod sqlite;
mod view;

pub use server::{Options, Server, StartError, rotate_manage_secret};
