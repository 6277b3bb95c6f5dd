//! Proofs that no order is lost, and that no customer pays for nothing. Tests only: no other crate
//! depends on this one.
//!
//! The proofs:
//!
//! | noun | module |
//! |---|---|
//! | one fault at each call of a port, in each way | [`fault_matrix`] |
//! | everything at random, from a seed | [`schedule`] |
//! | every order of events within its bounds | [`model`] |
//!
//! What they share:
//!
//! | noun | module |
//! |---|---|
//! | the calls of the ports | [`port_call`] |
//! | what goes wrong with a call | [`fault`] |
//! | the services on real stores, with topics, a provider and a clock under control | [`simulation`] |
//! | adapters of all ports in memory | [`memory`] |
//! | the stores, one file each | [`stores`] |
//! | the start, the flight, the cards and the requests | [`fixtures`] |
//!
//! `tests/races.rs` and `tests/waiting.rs` are proofs on [`simulation`] without a module here.

pub mod fault;
pub mod fault_matrix;
pub mod fixtures;
pub mod memory;
pub mod model;
pub mod port_call;
pub mod schedule;
pub mod simulation;
pub mod stores;
