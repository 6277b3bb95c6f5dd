//! Real mail on the standalone platform, by SMTP.
//!
//! The answers, and what becomes of the mail:
//!
//! | the server says | the mail |
//! |---|---|
//! | accepted | is sent; a copy is kept for `/operator/mail` |
//! | nothing, or a temporary error (`4xx`: greylisting, a full queue) | waits, and is sent again |
//! | the address does not exist (`5.1.1`, `5.1.2`, `5.1.3`, `5.1.6`, `5.1.10`, `5.2.1`) | is undeliverable: it is not sent again; logged as an error. Its address is remembered and gets no other mail |
//! | the mailbox takes no such mail (other `5.2.x`: it is full) | is undeliverable; its address is not remembered |
//! | another permanent error (`5xx`: our login, our sender, its policy; a bare `550`, which may mean that too) | waits; logged as an error each time |
//! | a certificate that does not fit, no TLS, no login that both know | the same; the error says what to do |
//!
//! A mail that waits is dead-lettered after a week, or when its flight leaves: see `email_service::service`.
//!
//! **Exchanges go on.** A server may take ten minutes for its last answer (RFC 5321, 4.5.3.2), and a message has 25 s. So
//! an exchange runs in a task of its own: its caller waits for a while, and then has its message wait. The
//! next delivery of that message finds the exchange under way, and waits for the same outcome; or ended, and gets its
//! outcome from the copy that is kept, from the addresses that are remembered, or from this process's memory.
//!
//! **Crash contract:** mail is at least once. Before the exchange nothing is sent. If the process ends during it, or
//! before the copy is kept, the mail is sent again with the same `Message-ID`; so it is if the connection broke off
//! after the text. In one process, however often a message is delivered, there is one exchange for it at a time, and
//! none after one was accepted.

mod counter;
mod exchange;
mod settings;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use email_service::limit::MailLimit;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use tokio::sync::{Semaphore, watch};
use tracing::{info, warn};

pub use self::counter::MemoryMailCounter;
use self::exchange::{Parcel, Refused, hand_over};
pub use self::settings::{Smtp, SmtpError};
use crate::sqlite::mailbox::Mailbox;

/// How many mails are sent at the same time; many servers limit connections.
const CONNECTIONS: usize = 8;

/// How long the server's answers are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// By a delivery of a message, the wait for a connection included; less than the time of a batch.
    pub delivery: Duration,
    /// By an exchange, at each step.
    pub step: Duration,
    /// By an exchange, for the answer to its text.
    pub acceptance: Duration,
}

impl Default for Patience {
    /// RFC 5321, 4.5.3.2: five minutes a step, ten for the last.
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self { delivery: Duration::from_secs(15), step: minutes(5), acceptance: minutes(10) }
    }
}

/// Sends mail by an SMTP server, and keeps a copy of each.
pub struct SmtpMailer(Arc<Sending>);

struct Sending {
    smtp: Smtp,
    kept: Arc<Mailbox>,
    clock: Arc<dyn Clock>,
    patience: Patience,
    limit: Option<MailLimit>,
    turns: Arc<Semaphore>,
    exchanges: Mutex<HashMap<MailName, Outcome>>,
}

/// An order, and the outcome that the mail reports.
type MailName = (OrderId, NoticeOutcome);

/// The outcome of an exchange, once there is one.
type Outcome = watch::Receiver<Option<Result<(), MailerError>>>;

/// The right to make the one exchange for a mail. Dropped without an outcome it lets others try.
struct Claim {
    sending: Arc<Sending>,
    name: MailName,
    outcome: watch::Sender<Option<Result<(), MailerError>>>,
    remembered: bool,
}

impl Claim {
    /// Tells those who wait. A remembered outcome is also told to the one who comes next.
    fn end(mut self, outcome: Result<(), MailerError>, remember: bool) {
        self.remembered = remember;
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.remembered {
            self.sending.exchanges().remove(&self.name);
        }
    }
}

impl SmtpMailer {
    /// A mailer that sends by that server, and keeps copies in that mailbox.
    pub fn new(smtp: Smtp, kept: Arc<Mailbox>, clock: Arc<dyn Clock>, patience: Patience) -> Self {
        let limit = smtp.mails_per_hour.map(|most| {
            let counter = Arc::new(MemoryMailCounter::default());
            MailLimit { counter, most, clock: clock.clone() }
        });
        let turns = Arc::new(Semaphore::new(CONNECTIONS));
        let exchanges = Mutex::default();
        Self(Arc::new(Sending { smtp, kept, clock, patience, limit, turns, exchanges }))
    }
}

impl Sending {
    fn exchanges(&self) -> MutexGuard<'_, HashMap<MailName, Outcome>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The exchange for that mail: one that is under way, or the right to make it.
    fn claim(self: &Arc<Self>, name: MailName) -> (Option<Claim>, Outcome) {
        let mut exchanges = self.exchanges();
        if let Some(under_way) = exchanges.get(&name) {
            return (None, under_way.clone());
        }
        let (outcome, observed) = watch::channel(None);
        exchanges.insert(name, observed.clone());
        (Some(Claim { sending: self.clone(), name, outcome, remembered: false }), observed)
    }

    /// Forgets an outcome, and no exchange that is under way.
    fn forget(&self, name: MailName) {
        let mut exchanges = self.exchanges();
        if exchanges.get(&name).is_some_and(|outcome| outcome.borrow().is_some()) {
            exchanges.remove(&name);
        }
    }

    /// The mail's outcome; makes its exchange unless one is under way.
    async fn outcome(self: &Arc<Self>, mail: &Mail) -> Result<(), MailerError> {
        let name = (mail.order, mail.notice.outcome);
        let (claim, mut outcome) = self.claim(name);
        if let Some(claim) = claim
            && self.begin(claim, mail).await? == Begun::SentBefore
        {
            return Ok(());
        }
        let ended = match outcome.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone(),
            Err(_) => None,
        };
        // What was remembered is told once: by then the message is handled.
        self.forget(name);
        ended.unwrap_or_else(|| Err(MailerError::Unavailable("it was not begun; another may try".to_owned())))
    }

    /// Starts the exchange, if there is anything to send, as soon as a connection is free.
    async fn begin(self: &Arc<Self>, claim: Claim, mail: &Mail) -> Result<Begun, MailerError> {
        let (order, outcome) = claim.name;
        // After the claim: an exchange keeps its copy before it gives its claim up.
        if self.kept.has(order, outcome).await.map_err(away)? {
            return Ok(Begun::SentBefore);
        }
        if let Some(since) = self.kept.undeliverable_since(mail.to()).await.map_err(away)? {
            let reason = format!("since {since} its address is known as undeliverable");
            return Err(MailerError::Undeliverable(reason));
        }
        let parcel = self.parcel(mail)?;
        let turns = self.turns.clone();
        let turn =
            turns.acquire_owned().await.map_err(|error| MailerError::Unavailable(error.to_string()))?;
        if let Some(limit) = &self.limit {
            limit.take(mail.to()).await?;
        }
        let (sending, mail) = (self.clone(), mail.clone());
        tokio::spawn(async move {
            sending.exchange(claim, &parcel, &mail).await;
            drop(turn);
        });
        Ok(Begun::UnderWay)
    }

    /// The exchange, to its end, though its caller may have left.
    async fn exchange(&self, claim: Claim, parcel: &Parcel, mail: &Mail) {
        let (order, outcome) = claim.name;
        match hand_over(&self.smtp, parcel, &self.patience).await {
            Ok(()) => {
                info!(order_id = %order, "order {order}: the mail server has taken the mail {outcome:?}");
                // The mail is sent: a copy that cannot be kept must not cause a second send.
                let kept = self.kept.send(mail).await;
                if let Err(error) = &kept {
                    warn!(order_id = %order, %error, "order {order}: the mail was sent, but no copy was kept");
                }
                claim.end(Ok(()), kept.is_err());
            }
            Err(Refused::ForNow(reason)) => claim.end(Err(MailerError::Unavailable(reason)), false),
            Err(Refused::ThisMail(reason)) => claim.end(Err(MailerError::Undeliverable(reason)), true),
            Err(Refused::NoSuchAddress(reason)) => {
                if let Err(error) = self.kept.remember_undeliverable(mail.to(), &reason).await {
                    warn!(order_id = %order, %error, "order {order}: its address was not remembered");
                }
                claim.end(Err(MailerError::Undeliverable(reason)), true);
            }
        }
    }

    fn parcel(&self, mail: &Mail) -> Result<Parcel, MailerError> {
        let undeliverable = |reason: String| MailerError::Undeliverable(reason);
        let message = mail.message(&self.smtp.from, self.clock.now());
        let message = message.map_err(|error| undeliverable(error.to_string()))?;
        let to = mail
            .to()
            .as_str()
            .parse()
            .map_err(|_| undeliverable("its address is none in SMTP".to_owned()))?;
        Ok(Parcel { to, message })
    }
}

/// What became of beginning an exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// It is under way.
    UnderWay,
    /// The mail was sent before.
    SentBefore,
}

fn away(error: StoreError) -> MailerError {
    MailerError::Unavailable(error.to_string())
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        let patience = self.0.patience.delivery;
        let sent = tokio::time::timeout(patience, self.0.outcome(mail)).await;
        sent.unwrap_or_else(|_| {
            Err(MailerError::Unavailable(format!("no answer within {patience:?}; the exchange may go on")))
        })
    }
}
