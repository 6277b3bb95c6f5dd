//! Acceptance tests, by topic.
//!
//! One binary: it links once, and waiting tests run in parallel.

mod booking_life;
mod chaos;
mod crowds;
mod http_contract;
mod openapi;
mod outages;
mod races;
mod standalone;
