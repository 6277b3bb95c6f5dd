//! The stack of template.yaml in a test's own process: its functions, wired as on Lambda, and an
//! AWS that keeps a list of every call they make. Tests only.
//!
//! | noun | module |
//! |---|---|
//! | a call to AWS, and what it uses up | [`call`] |
//! | what answers the calls | [`cloud`] |
//! | the functions, and what triggers them | [`stack`] |
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests only: what cannot be made fails the test"
)]

pub mod call;
pub mod cloud;
pub mod stack;
