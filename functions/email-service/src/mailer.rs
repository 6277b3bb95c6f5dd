//! The port to the mailer.

use std::num::NonZeroU32;

use async_trait::async_trait;
use thiserror::Error;

use crate::mail::Mail;

/// Delivers mail.
///
/// **Crash contract:** during the call the mail may or may not have gone out. A mailer that recognizes,
/// by its order and outcome, a mail that it sent before does not send it again; with one that cannot
/// (SES, SMTP) mail is at least once.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one mail.
    async fn send(&self, mail: &Mail) -> Result<(), MailerError>;
}

/// The mail was not sent.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MailerError {
    /// It was not taken, or may not have been. Waiting helps.
    #[error("the mailer is unavailable: {0}")]
    Unavailable(String),
    /// Its address got as many mails in this hour as it may. Nothing was asked of the mailer.
    #[error("{0} mails to its address were sent or tried in this hour, as many as may be")]
    Limited(NonZeroU32),
    /// Its address does not exist. Waiting does not help.
    #[error("the mail is undeliverable: {0}")]
    Undeliverable(String),
}
