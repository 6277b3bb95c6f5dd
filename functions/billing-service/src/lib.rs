//! The Billing Service: one payment per order, captured at most once, reversed at most once.
//!
//! | noun | module |
//! |---|---|
//! | a payment: the record of one order | [`payment`] |
//! | the port to the payments | [`store`] |
//! | the port to whoever moves the money | [`provider`] |
//! | the simulated provider's rules | [`simulated`] |
//! | Stripe | [`stripe`] |
//! | the consumer of billing | [`service`] |
//! | what stands on AWS | `dynamodb`, `lambda` |

#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "aws")]
pub mod dynamodb;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod payment;
pub mod provider;
pub mod service;
pub mod simulated;
pub mod store;
#[cfg(feature = "stripe")]
pub mod stripe;
#[cfg(all(feature = "contract", feature = "stripe"))]
pub mod stripe_server;
