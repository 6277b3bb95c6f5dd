//! The Ticket Service: flights, their seats, and who holds them.
//!
//! | noun | module |
//! |---|---|
//! | a flight; what was decided about an order | [`flight`], [`reservation`] |
//! | the port to both | [`store`] |
//! | the flights on offer, from a file or a seed | [`catalogue`] |
//! | the consumer of tickets | [`service`] |
//! | the flights API | [`api`] |
//! | what stands on AWS | `dynamodb`, `lambda` |

pub mod api;
pub mod catalogue;
#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "aws")]
pub mod dynamodb;
pub mod flight;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod reservation;
pub mod service;
pub mod store;
