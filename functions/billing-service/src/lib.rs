//! The Billing Service: one payment per order, captured at most once, reversed at most once.
//!
//! | noun | module |
//! |---|---|
//! | a payment: the record of one order | [`payment`] |
//! | the port to the payments | [`store`] |
//! | the port to the payment provider | [`provider`] |
//! | the simulated provider's rules | [`simulated`] |
//! | the consumer of billing | [`service`] |
//!
//! It knows no platform. Beside it: `stripe/`, a payment provider for every platform; `lambda/`, its
//! side on AWS; and `contract/`, what every adapter of its ports must keep.

pub mod payment;
pub mod provider;
pub mod refunds;
pub mod service;
pub mod simulated;
pub mod store;
