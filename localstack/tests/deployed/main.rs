//! What only a deployed stack can show: its own queues, mappings and mail.
//!
//! ```text
//! AWS_ENDPOINT_URL=http://localhost:4566 cargo test --package localstack --test deployed
//! ```
//!
//! | variable | |
//! |---|---|
//! | `AWS_ENDPOINT_URL` | the LocalStack. Without it these tests print that they were skipped |
//! | `STACK` | the stack's name; `bookings` by default |
//! | `FLIGHTS` | the file that `deploy.sh --flights` was given. Without it, its test is skipped |
//!
//! These tests disable consumers, spoil records and purge dead-letter queues. Each has the stack to
//! itself ([`stack::alone`]). Cargo runs test targets one after another, so no other target runs beside
//! this one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bookings;
mod control;
mod dead_letters;
mod operator;
mod outages;
mod queues;
mod redelivery;
mod stack;
