//! Real mail on the standalone platform, by SMTP.
//!
//! Mail is at least once: if the server's acceptance is lost or cannot be recorded, the mail is sent again
//! with the same `Message-ID`. A duplicate command, even at the same time, sends one mail. The answers:
//!
//! | the server says | the mail |
//! |---|---|
//! | accepted | is sent; a copy is kept for `/operator/mail` |
//! | nothing, or a temporary error (`4xx`: greylisting, a full queue) | waits, and is sent again |
//! | no such recipient (`5.1.x`, `5.2.x`; or a bare `550`, `551`, `553` to `RCPT TO`) | is undeliverable: it is not sent again; logged as an error |
//! | another permanent error (`5xx`: our login, our sender, its policy) | waits; logged as an error each time |

mod settings;

use std::collections::HashSet;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use lettre::message::SinglePart;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use messaging::clock::Clock;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use tokio::sync::Semaphore;
use tracing::{error, warn};

use self::settings::Protection;
pub use self::settings::{Smtp, SmtpError};
use crate::sqlite::mailbox::Mailbox;

/// How many mails are sent at the same time; many servers limit connections.
const CONNECTIONS: usize = 8;

/// How long sending one may take, including the wait for a connection; less than the time of a batch.
const PATIENCE: Duration = Duration::from_secs(15);

/// Sends mail by an SMTP server, and keeps a copy of each.
pub struct SmtpMailer {
    smtp: Smtp,
    kept: Arc<Mailbox>,
    clock: Arc<dyn Clock>,
    turns: Semaphore,
    in_hand: Mutex<HashSet<MailName>>,
}

/// An order, and the outcome that the mail reports.
type MailName = (OrderId, NoticeOutcome);

/// A mail that is being sent: by no other call, until this is dropped.
struct InHand<'a>(&'a SmtpMailer, MailName);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.in_hand().remove(&self.1);
    }
}

/// The step of the SMTP exchange that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    Login,
    Sender,
    Recipient,
    Text,
}

impl SmtpMailer {
    /// A mailer that sends by that server, and keeps copies in that mailbox.
    pub fn new(smtp: Smtp, kept: Arc<Mailbox>, clock: Arc<dyn Clock>) -> Self {
        Self { smtp, kept, clock, turns: Semaphore::new(CONNECTIONS), in_hand: Mutex::default() }
    }

    fn in_hand(&self) -> MutexGuard<'_, HashSet<MailName>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in_hand(&self, name: MailName) -> Option<InHand<'_>> {
        self.in_hand().insert(name).then(|| InHand(self, name))
    }

    fn message(
        &self,
        order: OrderId,
        outcome: NoticeOutcome,
        mail: &Mail,
    ) -> Result<Message, Box<dyn Error>> {
        let now = u64::try_from(self.clock.now().as_millis()).unwrap_or_default();
        let to: Address = mail.to.as_str().parse()?;
        let message = Message::builder()
            .message_id(Some(format!("<{order}.{}@{}>", outcome.step(), self.smtp.from.domain())))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(now))
            .from(self.smtp.from.clone().into())
            .to(to.into())
            // A subject is one line, also if a customer's text is in it.
            .subject(mail.subject.replace(char::is_control, " "))
            .singlepart(SinglePart::plain(mail.text()))?;
        Ok(message)
    }

    async fn hand_over(&self, message: &Message) -> Result<(), MailerError> {
        let Smtp { host, port, protection, tls, credentials, from } = &self.smtp;
        let hello = ClientId::default();
        let wrapper = (*protection == Protection::Tls).then(|| tls.clone());
        let at = |step: Step| move |error| failure(step, &error);
        let mut server = AsyncSmtpConnection::connect_tokio1(
            (host.as_str(), *port),
            Some(PATIENCE),
            &hello,
            wrapper,
            None,
        )
        .await
        .map_err(at(Step::Connect))?;
        let secure = match protection {
            Protection::Tls => false,
            Protection::StartTls => true,
            Protection::StartTlsIfOffered => server.can_starttls(),
        };
        if secure {
            server.starttls(tls.clone(), &hello).await.map_err(at(Step::Connect))?;
        }
        if let Some(credentials) = credentials {
            server.auth(DEFAULT_MECHANISMS, credentials).await.map_err(at(Step::Login))?;
        }
        // Step by step, since the meaning of a refusal depends on the step.
        server.command(MailFrom::new(Some(from.clone()), Vec::new())).await.map_err(at(Step::Sender))?;
        for to in message.envelope().to() {
            server.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(at(Step::Recipient))?;
        }
        server.command(Data).await.map_err(at(Step::Text))?;
        server.message(&message.formatted()).await.map_err(at(Step::Text))?;
        // The mail is accepted: a slow QUIT must not cause a second send.
        tokio::spawn(async move { server.abort().await });
        Ok(())
    }
}

/// The RFC 3463 codes of a recipient that can never get mail: no such mailbox, no such system, bad syntax,
/// moved, accepts no mail, disabled.
const NO_SUCH_RECIPIENT: [&str; 6] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"];

/// What an error means for the mail. The server's text is left out: it may quote the address.
fn failure(step: Step, error: &lettre::transport::smtp::Error) -> MailerError {
    let Some(code) = error.status() else {
        let reason = if error.is_response() { "an invalid answer".to_owned() } else { error.to_string() };
        return MailerError::Unavailable(format!("{step:?}: {reason}"));
    };
    let reason = format!("{step:?}: {code}");
    if !error.is_permanent() {
        return MailerError::Unavailable(reason);
    }
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    // A bare 550 may also mean that a relay refuses this server, which an operator can fix.
    let about_address = matches!(step, Step::Recipient | Step::Text)
        && NO_SUCH_RECIPIENT.contains(&text.split_ascii_whitespace().next().unwrap_or_default());
    if about_address {
        return MailerError::Undeliverable(reason);
    }
    error!("mail cannot be sent until an operator fixes this: {reason}");
    MailerError::Unavailable(reason)
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, order: OrderId, outcome: NoticeOutcome, mail: &Mail) -> Result<(), MailerError> {
        let Some(_in_hand) = self.take_in_hand((order, outcome)) else {
            return Err(MailerError::Unavailable("this mail is being sent by another call".to_owned()));
        };
        if self.kept.has(order, outcome).await.map_err(|error| MailerError::Unavailable(error.to_string()))? {
            return Ok(());
        }
        let message = self
            .message(order, outcome, mail)
            .map_err(|error| MailerError::Undeliverable(format!("it cannot be written: {error}")))?;
        let in_turn = async {
            let _turn = self.turns.acquire().await;
            self.hand_over(&message).await
        };
        tokio::time::timeout(PATIENCE, in_turn)
            .await
            .map_err(|_| MailerError::Unavailable(format!("not accepted within {PATIENCE:?}")))??;
        // The mail is sent: a copy that cannot be kept must not cause a second send.
        if let Err(error) = self.kept.send(order, outcome, mail).await {
            warn!(order_id = %order, %error, "order {order}: the mail was sent, but no copy was kept");
        }
        Ok(())
    }
}
