//! The services as one system: wiring, audit, the operator's view.
//!
//! | noun | module |
//! |---|---|
//! | the wiring: ports in, running services out | [`services`] |
//! | expected state against actual | [`audit`], [`verdict`] |
//! | the port through which an operator sees a platform and changes it | [`view`] |
//! | what happened lately; an order's part of it | [`journal`], [`journey`] |
//! | the operator's API; the view as text | [`operator`], [`text`] |
//! | the page that shows all of it | `page` |
//!
//! It knows every service and no platform: neither SQLite nor AWS.

pub mod audit;
pub mod journal;
pub mod journey;
pub mod operator;
mod page;
pub mod services;
pub mod text;
pub mod verdict;
pub mod view;

pub use services::{Ports, Services, Settings, Stores};
