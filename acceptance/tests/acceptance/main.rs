//! Acceptance tests, by topic.
//!
//! One binary: it links once, and the tests that wait do so beside each other.

mod booking_life;
mod chaos;
mod crowds;
mod http_contract;
mod openapi;
mod outages;
mod races;
mod standalone;
