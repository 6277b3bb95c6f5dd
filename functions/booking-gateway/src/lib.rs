//! The Booking Gateway: the order's whole life, and the one place where it is known.
//!
//! | noun | module |
//! |---|---|
//! | the order: a pure state machine | [`order`] |
//! | the port to the orders | [`store`] |
//! | accepting | [`accept`] |
//! | how many orders a client may place | [`limits`] |
//! | cancelling, moving on | [`gateway`] |
//! | the bookings API and the page | [`api`] |
//! | the consumer of order-updates | [`updates`] |
//! | forgetting its passenger | [`erasure`] |
//! | how long an order may take | [`deadline`] |
//! | when an order is checked, and its commands expire | [`check`] |
//! | the reconciler | [`reconciler`] |
//!
//! It knows no platform. Beside it: `lambda/`, its side on AWS, and `contract/`, what every adapter
//! of its port must keep.

pub mod accept;
pub mod api;
pub mod check;
pub mod deadline;
pub mod erasure;
pub mod gateway;
pub mod idempotency;
pub mod limits;
pub mod order;
pub mod reconciler;
pub mod store;
pub mod updates;
