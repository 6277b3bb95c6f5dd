//! The operator's view of a stack on AWS.
//!
//! | noun | module |
//! |---|---|
//! | the stack's outputs: where everything is | [`stack`] |
//! | its queues' counts; its dead letters | [`queues`], [`letters`] |
//! | the switches of its services: the event source mappings | [`mappings`] |
//! | its records, read for one order or all; the audit of them; what reading all costs | [`records`], [`known`], [`audit`], [`cost`] |
//! | lists of orders | [`orders`] |
//! | all of these as the port of the operator's view | [`view`] |
//! | the commands, and the page on loopback | [`commands`], [`serve`] |
//! | refunds that failed, as Stripe says | [`refunds`] |
//!
//! It changes nothing but what a command names: dead letters and mappings. It knows no SQLite, and nothing that
//! `cargo run` builds knows it.

pub mod audit;
pub mod commands;
pub mod cost;
pub mod known;
pub mod letters;
pub mod mappings;
pub mod orders;
pub mod queues;
pub mod records;
pub mod refunds;
pub mod serve;
pub mod stack;
pub mod view;
