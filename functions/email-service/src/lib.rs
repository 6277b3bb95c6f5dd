//! The Email Service: tells the customer how the order ended.
//!
//! | noun | module |
//! |---|---|
//! | a mail: its texts | [`mail`] |
//! | the port to what was mailed | [`store`] |
//! | the port to the mailer | [`mailer`] |
//! | how many mails one address gets in an hour | [`limit`] |
//! | the consumer of email | [`service`] |
//!
//! It knows no platform. Beside it: `lambda/`, its side on AWS with SES, and `contract/`, what every
//! adapter of its ports must keep.

pub mod limit;
pub mod mail;
pub mod mailer;
pub mod service;
pub mod store;
