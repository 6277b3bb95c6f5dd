//! The Booking Gateway: the order's whole life, and the one place where it is known.
//!
//! | noun | module |
//! |---|---|
//! | the order: a pure state machine | [`order`] |
//! | the port to the orders | [`store`] |
//! | accepting | [`desk`] |
//! | cancelling, moving on | [`gateway`] |
//! | the bookings API and the page | [`api`] |
//! | the consumer of order-updates | [`updates`] |
//! | the reconciler | [`reconciler`] |
//! | what stands on AWS | `dynamodb`, `lambda` |

pub mod api;
#[cfg(feature = "contract")]
pub mod contract;
pub mod desk;
#[cfg(feature = "aws")]
pub mod dynamodb;
pub mod gateway;
pub mod idempotency;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod order;
pub mod reconciler;
pub mod store;
pub mod updates;
