//! How messages are sent and handled, on every platform.
//!
//! | noun | module |
//! |---|---|
//! | the port to the topics | [`topics`] |
//! | the one batch consumer, and how long it waits | [`consumer`], [`backoff`] |
//! | the one error of every store | [`store`] |
//! | what is counted | [`metrics`] |
//! | what is injected: clock and randomness | [`clock`], [`entropy`] |
//! | an error and its causes, in one line | [`error_chain`] |
//!
//! It knows no platform: neither SQS nor SQLite.

pub mod backoff;
pub mod clock;
pub mod consumer;
pub mod entropy;
pub mod error_chain;
pub mod metrics;
mod service;
pub mod store;
pub mod topics;
