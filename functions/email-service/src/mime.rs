//! A mail as one message, RFC 5322 and MIME, the same for every mailer.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, MultiPart, SinglePart};
use protocol::passenger::EmailAddress;
use protocol::time::Timestamp;
use thiserror::Error;

use crate::mail::Mail;

/// The mail has no form that a mail server takes. It never will.
#[derive(Debug, Error)]
#[error("it cannot be written: {0}")]
pub struct Unwritable(String);

impl Unwritable {
    fn because(error: impl std::error::Error) -> Self {
        Self(error.to_string())
    }
}

impl Mail {
    /// The message: the text, the same as a page, and the calendar's entry if the mail has one. Its id names the
    /// order and the outcome, so a program that gets it twice can tell.
    ///
    /// # Errors
    /// An address that RFC 5321 does not know.
    pub fn message(&self, from: &EmailAddress, date: Timestamp) -> Result<Vec<u8>, Unwritable> {
        let millis = u64::try_from(date.as_millis()).unwrap_or_default();
        let from: lettre::Address = from.as_str().parse().map_err(Unwritable::because)?;
        let to: lettre::Address = self.to().as_str().parse().map_err(Unwritable::because)?;
        let (order, step) = (self.order, self.notice.outcome.step());
        let head = Message::builder()
            .message_id(Some(format!("<{order}.{step}@{}>", from.domain())))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            .from(from.into())
            .to(to.into())
            // A subject is one line, also if a customer's text is in it.
            .subject(self.subject().replace(char::is_control, " "));
        let text = SinglePart::plain(self.text());
        // Named by the order rather than at random: a mail that is sent twice is twice the same.
        let part = |kind: &str| format!("{kind}-{step}-{order}");
        let texts = MultiPart::alternative()
            .boundary(part("texts"))
            .singlepart(text)
            .singlepart(SinglePart::html(self.html()));
        let all = match self.calendar() {
            None => texts,
            Some(entry) => {
                let kind = ContentType::parse("text/calendar; charset=utf-8; method=PUBLISH");
                let entry =
                    Attachment::new("flight.ics".to_owned()).body(entry, kind.map_err(Unwritable::because)?);
                MultiPart::mixed().boundary(part("parts")).multipart(texts).singlepart(entry)
            }
        };
        Ok(head.multipart(all).map_err(Unwritable::because)?.formatted())
    }
}
