//! The mailer on SES. It cannot recognize a mail that it sent before, so mail on AWS is at least once.
//!
//! Version 1 of the API, which LocalStack's free edition has too.

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ses::Client;
use aws_sdk_ses::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ses::operation::RequestId;
use aws_sdk_ses::operation::send_raw_email::SendRawEmailError;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;
use email_service::limit::MailLimit;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use messaging::clock::Clock;
use messaging::error_chain::error_chain;
use protocol::passenger::EmailAddress;
use tracing::warn;

/// A recipient that SES refuses at once: it has no domain.
const INVALID: &str = "invalid";

/// SES's mailbox simulator, which rehearsals mail: its mail is not read.
/// <https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>
const SIMULATOR: &str = "@simulator.amazonses.com";

/// Sends mail from one verified address.
pub struct SesMailer {
    client: Client,
    options: Options,
}

/// What a [`SesMailer`] is made of.
pub struct Options {
    /// The verified address.
    pub sender: EmailAddress,
    /// The configuration set that mail is sent with: it has SES remember the addresses that bounce or complain, and
    /// send them nothing more.
    pub configuration_set: Option<String>,
    /// How many mails one address may get; without it, any number.
    pub limit: Option<MailLimit>,
    /// The time that mail is dated with.
    pub clock: Arc<dyn Clock>,
}

impl SesMailer {
    /// Mail by SES, with these options.
    pub fn new(config: &SdkConfig, options: Options) -> Self {
        Self { client: Client::new(config), options }
    }

    /// Opens the connection with a mail to an invalid recipient, which SES refuses. SES has no call that only
    /// reads and that a policy can allow for one identity.
    pub async fn connect(&self) {
        match self.send_to(INVALID, b"Subject: -\r\n\r\n".to_vec()).await {
            Err(error) if error.as_service_error().is_some() => {}
            Err(error) => warn!("the mailer does not answer yet: {}", error_chain(&error)),
            Ok(()) => warn!("the mailer took a mail to an invalid recipient"),
        }
    }

    /// Sends a message as it is. SES puts its own date and id into it.
    async fn send_to(&self, recipient: &str, message: Vec<u8>) -> Result<(), SdkError<SendRawEmailError>> {
        let message = RawMessage::builder().data(Blob::new(message)).build();
        self.client
            .send_raw_email()
            .source(self.options.sender.as_str())
            .set_configuration_set_name(self.options.configuration_set.clone())
            .destinations(recipient)
            .raw_message(message.map_err(SdkError::construction_failure)?)
            .send()
            .await
            .map(drop)
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        let message = mail
            .message(&self.options.sender, self.options.clock.now())
            .map_err(|error| MailerError::Undeliverable(error.to_string()))?;
        if let Some(limit) = &self.options.limit
            && !mail.to().as_str().to_ascii_lowercase().ends_with(SIMULATOR)
        {
            limit.take(mail.to()).await?;
        }
        self.send_to(mail.to().as_str(), message).await.map_err(|error| {
            // SES answers this for an invalid address. Other errors pass, or an operator fixes them.
            let undeliverable = error.code() == Some("InvalidParameterValue");
            // Not its message, which quotes addresses.
            let reason = match error.code() {
                Some(code) => format!("{code}, request {}", error.request_id().unwrap_or("unnamed")),
                None => error_chain(&error),
            };
            if undeliverable { MailerError::Undeliverable(reason) } else { MailerError::Unavailable(reason) }
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::num::NonZeroU32;

    use aws_sdk_ses::error::ErrorMetadata;
    use aws_sdk_ses::operation::send_raw_email::SendRawEmailOutput;
    use aws_smithy_mocks::{mock, mock_client};
    use email_service::limit::{Counted, MailCounter, MailboxHour};
    use email_service_contract::a_mail;
    use messaging::clock::SystemClock;
    use messaging::store::StoreError;

    use super::*;

    struct Full;

    #[async_trait]
    impl MailCounter for Full {
        async fn count(&self, _: MailboxHour, _: NonZeroU32) -> Result<Counted, StoreError> {
            Ok(Counted::Full)
        }
    }

    fn options(limit: Option<MailLimit>) -> Options {
        let sender = EmailAddress::parse("us@example.com").unwrap();
        Options { sender, configuration_set: None, limit, clock: Arc::new(SystemClock) }
    }

    #[tokio::test]
    async fn ses_own_mailbox_simulator_gets_any_number_of_mails_and_no_other_address_does() {
        let sends = || SendRawEmailOutput::builder().message_id("1").build().unwrap();
        let rule = mock!(Client::send_raw_email).then_output(sends);
        let (counter, clock) = (Arc::new(Full), Arc::new(SystemClock));
        let limit = Some(MailLimit { counter, most: NonZeroU32::MIN, clock });
        let options = options(limit);
        let mailer = SesMailer { client: mock_client!(aws_sdk_ses, [&rule]), options };
        for (address, limited) in [
            ("success@simulator.amazonses.com", false),
            ("ada@example.com", true),
            ("ada@evilsimulator.amazonses.com", true),
        ] {
            let mail = a_mail(address);
            let sent = mailer.send(&mail).await;
            assert_eq!(matches!(sent, Err(MailerError::Limited(_))), limited, "{address}: {sent:?}");
        }
    }

    async fn refused(code: &'static str) -> MailerError {
        let rule = mock!(Client::send_raw_email).then_error(move || {
            let answer = ErrorMetadata::builder().code(code).message("ada@example.com is not verified");
            SendRawEmailError::generic(answer.build())
        });
        let options = options(None);
        let mailer = SesMailer { client: mock_client!(aws_sdk_ses, [&rule]), options };
        let mail = a_mail("ada@example.com");
        mailer.send(&mail).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_refused_mail_waits_unless_its_address_is_invalid_and_its_error_shows_no_address() {
        let waits = refused("MessageRejected").await;
        assert!(
            matches!(&waits, MailerError::Unavailable(reason) if reason.starts_with("MessageRejected")),
            "{waits}"
        );
        let undeliverable = refused("InvalidParameterValue").await;
        assert!(matches!(undeliverable, MailerError::Undeliverable(_)), "{undeliverable}");
        for error in [waits, undeliverable] {
            assert!(!error.to_string().contains("ada@"), "{error}");
        }
    }
}
