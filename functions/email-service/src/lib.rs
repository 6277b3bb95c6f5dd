//! The Email Service: tells the customer how the order ended.
//!
//! | noun | module |
//! |---|---|
//! | a mail: its texts | [`mail`] |
//! | the port to what was mailed | [`store`] |
//! | the port to whoever delivers | [`mailer`] |
//! | the consumer of email | [`service`] |
//! | what stands on AWS | `dynamodb`, `ses`, `lambda` |

#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "aws")]
pub mod dynamodb;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod mail;
pub mod mailer;
pub mod service;
#[cfg(feature = "aws")]
pub mod ses;
pub mod store;
