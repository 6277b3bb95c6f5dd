//! The stack of template.yaml in the test's process: its functions, wired as on Lambda, and an AWS that
//! records every call they make. Tests only.
//!
//! | noun | module |
//! |---|---|
//! | an alarm, by CloudWatch's arithmetic | [`alarm`] |
//! | a call to AWS, and its cost | [`call`] |
//! | the AWS that answers the calls | [`cloud`] |
//! | template.yaml, as it is written | [`document`] |
//! | the functions and their triggers | [`stack`] |
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests only: what cannot be made fails the test"
)]

pub mod alarm;
pub mod call;
pub mod cloud;
pub mod document;
mod operating;
pub mod stack;
