//! The HTTP contract, line by line.

mod accepting;
mod bad_orders;
mod cancelling;
mod flights_and_page;
mod hostile_clients;
mod idempotency;
mod managing;
mod methods_and_limits;
mod reading;
