//! Proofs that no order is lost, and none paid for nothing. Tests only: nothing depends on this.

pub mod memory;
pub mod model;
pub mod world;
