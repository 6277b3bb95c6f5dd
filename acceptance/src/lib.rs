//! Black-box acceptance tests: the system's promises, tested over HTTP.
//!
//! The same tests run on every platform:
//!
//! - `cargo test -p acceptance` starts a standalone server for each test, each in its own directory.
//! - `BOOKING_URL=http://host/path/prefix cargo test -p acceptance` tests a running deployment. Tests that
//!   need the `/operator/*` routes, a flights file or bytes that an API gateway would refuse print that they
//!   were skipped. The others work on a shared system, which is slower and has other customers' bookings.
//!
//! Tests talk to the system through [`TestApp`] and nothing else. Every booking and flight a test reads goes through
//! [`Booking::read`] and [`Flight::read`], which check what must hold for all of them: exact keys, types, and that
//! `status`, `awaiting`, `reason`, `amount` and `history` are consistent.

mod app;
mod booking;
mod client;
mod flight;
mod openapi;
mod order;
mod raw;
mod reference;
mod rest;
mod shape;
mod standalone;

pub use self::client::{Request, Response};
pub use self::standalone::{Charge, services};
pub use app::{Setup, TestApp};
pub use booking::Booking;
pub use flight::{Flight, NewFlight};
pub use openapi::OpenApi;
pub use order::{Order, VISA, unique};
pub use reference::resolve;
pub use rest::eventually;
