//! The wire format: what the services send and read.
//!
//! | noun | module |
//! |---|---|
//! | values that are valid by construction: order ids, flights, seats, passengers, money, times | [`ids`], [`flight`], [`passenger`], [`payment`], [`money`], [`time`] |
//! | the one table of topics | [`topic`] |
//! | the messages of each topic: one enum per consumer | [`messages`], [`reason`] |
//! | the envelope: one CloudEvent per message; what can be read of any body | [`event`], [`headline`] |
//! | a deployment's secrets, and the customer's key to a booking | [`secret`], [`manage`] |
//!
//! It knows no I/O, no clock and no randomness.

pub mod event;
pub mod flight;
pub mod headline;
pub mod ids;
pub mod manage;
pub mod messages;
pub mod money;
pub mod passenger;
pub mod payment;
pub mod reason;
pub mod secret;
pub mod time;
pub mod topic;
mod value;

pub use value::Invalid;
