//! What every service speaks: topics, messages, the batch consumer, ids, money, time.
//!
//! | noun | module |
//! |---|---|
//! | values that cannot be wrong: order ids, flights, seats, passengers, money, times | [`ids`], [`flight`], [`passenger`], [`payment`], [`money`], [`time`] |
//! | the wire: one CloudEvent per message, one enum per topic | [`event`], [`messages`] |
//! | the port to the topics | [`topic`] |
//! | the one batch consumer, and how long it waits | [`consumer`], [`backoff`] |
//! | what is counted | [`metrics`] |
//! | what the services share on AWS | `aws` |
//! | why something outside failed | [`why`] |
//! | what is injected: clock and randomness | [`time::Clock`], [`entropy::Entropy`] |

#[cfg(feature = "aws")]
pub mod aws;
pub mod backoff;
pub mod consumer;
#[cfg(feature = "contract")]
pub mod contract;
pub mod entropy;
pub mod event;
pub mod flight;
#[cfg(feature = "http")]
pub mod http;
pub mod ids;
pub mod messages;
pub mod metrics;
pub mod money;
pub mod passenger;
pub mod payment;
pub mod reason;
pub mod store;
pub mod time;
pub mod topic;
mod value;
pub mod why;

pub use value::Invalid;
