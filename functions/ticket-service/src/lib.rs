//! The Ticket Service: flights, their seats, and who holds them.
//!
//! | noun | module |
//! |---|---|
//! | a flight; what was decided about an order | [`flight`], [`reservation`] |
//! | the port to both | [`store`] |
//! | the consumer of tickets | [`service`] |
//! | the flights API | [`api`] |

pub mod api;
#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "aws")]
pub mod dynamodb;
pub mod flight;
pub mod reservation;
pub mod service;
pub mod store;
