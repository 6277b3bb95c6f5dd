//! The Ticket Service: flights, their seats, and who holds them.
//!
//! | noun | module |
//! |---|---|
//! | a flight; what was decided about an order | [`flight`], [`reservation`] |
//! | the port to both; holds that are made together | [`store`], [`run`] |
//! | the flights on offer, from a file or a seed | [`catalogue`] |
//! | the consumer of tickets | [`service`] |
//! | the flights API | [`api`] |
//!
//! It knows no platform. Beside it: `lambda/`, its side on AWS, and `contract/`, what every adapter
//! of its port must keep.

pub mod api;
pub mod catalogue;
pub mod flight;
pub mod reservation;
pub mod run;
pub mod service;
pub mod store;
