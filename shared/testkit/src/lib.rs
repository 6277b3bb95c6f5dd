//! What the tests of several crates share. Tests only: no product crate depends on it.
//!
//! | noun | module |
//! |---|---|
//! | DynamoDB in the process of a test, or a live one | [`dynamodb`] |
//! | what template.yaml says of functions and roles, and its tables | [`template`], [`tables`] |
//! | a template with its parameters | [`cloudformation`] |
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests only: what cannot be made fails the test"
)]

pub mod cloudformation;
pub mod dynamodb;
pub mod tables;
pub mod template;
