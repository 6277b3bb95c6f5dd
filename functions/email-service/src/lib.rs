//! The Email Service: tells the customer how the order ended.
//!
//! | noun | module |
//! |---|---|
//! | a mail: its texts | [`mail`] |
//! | what it says of the flight, and when it leaves on the clock of its airport | [`itinerary`] |
//! | the same as a page, for mail programs that show one | [`html`] |
//! | the same as an entry for a calendar | [`calendar`] |
//! | all of it as one message, as mail servers take it | [`mime`] |
//! | the port to what was mailed | [`store`] |
//! | the port to the mailer | [`mailer`] |
//! | how many mails one address gets in an hour | [`limit`] |
//! | the consumer of email | [`service`] |
//!
//! It knows no platform. Beside it: `lambda/`, its side on AWS with SES, and `contract/`, what every
//! adapter of its ports must keep.

pub mod calendar;
pub mod html;
pub mod itinerary;
pub mod limit;
pub mod mail;
pub mod mailer;
pub mod mime;
pub mod service;
pub mod store;
