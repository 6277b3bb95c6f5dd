//! Real mail on the standalone platform, by SMTP.
//!
//! Mail is at least once: a mail whose acceptance was not heard of, or not kept, is sent again, under
//! the same `Message-ID`. A command that merely comes twice, even at the same time, sends one mail.
//! What becomes of one:
//!
//! | the server says | the mail |
//! |---|---|
//! | that it took it | is sent; a copy is kept for `/operator/mail` |
//! | nothing, or a passing error (`4xx`: greylisting, a full queue) | waits, and is sent again |
//! | that there is no such recipient (`5.1.x`, `5.2.x`; or a bare `550`, `551`, `553` to `RCPT TO`) | is undeliverable: given up, and logged as an error |
//! | another lasting error (`5xx`: our login, our sender, its policy) | waits: it is not the customer's fault. Logged as an error each time |

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

/// How many mails are handed over at the same time: servers do not like more.
const CONNECTIONS: usize = 8;

/// How long handing one over may take, the wait for its turn included; less than a batch has.
const PATIENCE: Duration = Duration::from_secs(15);

/// Hands mail to an SMTP server, and keeps a copy of each.
pub struct SmtpMailer {
    smtp: Smtp,
    kept: Arc<Mailbox>,
    clock: Arc<dyn Clock>,
    turns: Semaphore,
    in_hand: Mutex<HashSet<MailName>>,
}

/// An order, and the step that its mail tells.
type MailName = (OrderId, NoticeOutcome);

/// A mail that is being sent: by nobody else, until this is dropped.
struct InHand<'a>(&'a SmtpMailer, MailName);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.in_hand().remove(&self.1);
    }
}

/// Where in the exchange something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    Login,
    Sender,
    Recipient,
    Text,
}

impl SmtpMailer {
    /// A mailer to that server, whose mails are kept in that mailbox too.
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
            // A subject is one line, whoever wrote it.
            .subject(mail.subject.replace(char::is_control, " "))
            .singlepart(SinglePart::plain(mail.body.clone()))?;
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
        // Step by step, since what a refusal means depends on what was refused.
        server.command(MailFrom::new(Some(from.clone()), Vec::new())).await.map_err(at(Step::Sender))?;
        for to in message.envelope().to() {
            server.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(at(Step::Recipient))?;
        }
        server.command(Data).await.map_err(at(Step::Text))?;
        server.message(&message.formatted()).await.map_err(at(Step::Text))?;
        // The mail is taken: however long the server's goodbye takes, it is not sent again for that.
        tokio::spawn(async move { server.abort().await });
        Ok(())
    }
}

/// What servers say, by RFC 3463, of a recipient to whom no mail will ever come: no such mailbox, no
/// such system, bad syntax, moved, takes no mail, disabled.
const NOBODY_THERE: [&str; 6] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"];

/// What an error means for the mail. What the server wrote is not told: it may quote the address.
fn failure(step: Step, error: &lettre::transport::smtp::Error) -> MailerError {
    let Some(code) = error.status() else {
        let said = if error.is_response() { "an answer that is none".to_owned() } else { error.to_string() };
        return MailerError::Unavailable(format!("{step:?}: {said}"));
    };
    let said = format!("{step:?}: {code}");
    if !error.is_permanent() {
        return MailerError::Unavailable(said);
    }
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    // A bare 550 is also how a relay turns this very server away: that somebody can mend.
    let about_address = matches!(step, Step::Recipient | Step::Text)
        && NOBODY_THERE.contains(&text.split_ascii_whitespace().next().unwrap_or_default());
    if about_address {
        return MailerError::Undeliverable(said);
    }
    error!("mail cannot be sent until somebody has looked: {said}");
    MailerError::Unavailable(said)
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, order: OrderId, outcome: NoticeOutcome, mail: &Mail) -> Result<(), MailerError> {
        let Some(_in_hand) = self.take_in_hand((order, outcome)) else {
            return Err(MailerError::Unavailable("this very mail is being sent".to_owned()));
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
            .map_err(|_| MailerError::Unavailable(format!("not taken within {PATIENCE:?}")))??;
        // It is out: a copy that cannot be kept must not send it again.
        if let Err(error) = self.kept.send(order, outcome, mail).await {
            warn!(order_id = %order, %error, "order {order}: its mail was sent, but no copy kept");
        }
        Ok(())
    }
}
