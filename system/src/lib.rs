//! The services as one system: wiring, audit, operator's API.
//!
//! | noun | module |
//! |---|---|
//! | the wiring: ports in, running services out | [`services`] |
//! | expected state against actual | [`audit`] |
//! | the port for what an operator sees and changes on a platform | [`operations`] |
//! | the operator's API | [`operator`] |
//! | a dead letter as an operator sees it | [`dead_letters`] |
//!
//! It knows every service and no platform: neither SQLite nor AWS.

pub mod audit;
pub mod dead_letters;
pub mod operations;
pub mod operator;
pub mod services;

pub use services::{Ports, Services, Settings, Stores};
