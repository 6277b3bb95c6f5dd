//! The consumer of email.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use messaging::consumer::{Outcome, Service};
use messaging::metrics;
use messaging::store::StoreError;
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::manage::ManageLinks;
use protocol::messages::{EmailCommand, NoticeOutcome};
use protocol::time::Timestamp;
use tracing::{debug, error, info};

use crate::mail::Mail;
use crate::mailer::{Mailer, MailerError};
use crate::store::{Delivery, MailStore};

/// How long a mail waits for a mailer that is unavailable.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Mails each step of an order once, and none that a later one has overtaken.
pub struct EmailService {
    /// What was mailed.
    pub store: Arc<dyn MailStore>,
    /// The mailer.
    pub mailer: Arc<dyn Mailer>,
    /// Makes the links in its mails; without it they have none.
    pub links: Option<ManageLinks>,
}

/// What a batch's orders were mailed, read in one call. Each is used for one decision.
#[derive(Default)]
pub struct Loaded(Mutex<HashMap<OrderId, Option<NoticeOutcome>>>);

#[async_trait]
impl Service for EmailService {
    type Message = EmailCommand;
    type Loaded = Loaded;

    async fn load(&self, batch: &[&Event<EmailCommand>]) -> Result<Loaded, StoreError> {
        // A single record reads its own.
        if batch.len() < 2 {
            return Ok(Loaded::default());
        }
        let orders: Vec<_> = batch.iter().map(|event| event.order).collect();
        let last = self.store.last_of_many(&orders).await?;
        let all = orders.into_iter().map(|order| (order, last.get(&order).copied())).collect();
        Ok(Loaded(Mutex::new(all)))
    }

    /// No other message follows a mail. After a week, and of a confirmed order when its flight leaves, it
    /// is of no use to its customer any more.
    fn gives_up_at(&self, event: &Event<EmailCommand>) -> Option<Timestamp> {
        let EmailCommand::Send(notice) = &event.message;
        let end = event.time + LONGEST_WAIT;
        match (notice.outcome, notice.departs_at) {
            (NoticeOutcome::Confirmed, Some(departure)) => Some(end.min(departure)),
            (NoticeOutcome::Confirmed, None)
            | (NoticeOutcome::Rejected | NoticeOutcome::PaymentDeclined | NoticeOutcome::Cancelled, _) => {
                Some(end)
            }
        }
    }

    /// **Crash contract:** the mail goes out before it is marked. If the process dies in between,
    /// it goes out again, unless the mailer recognizes it. A mail that cannot be delivered is logged as an
    /// error and marked as if it had been: the mark says what needs no further mail.
    async fn handle(&self, event: &Event<EmailCommand>, loaded: &Loaded) -> Result<Outcome, StoreError> {
        let order = event.order;
        let EmailCommand::Send(notice) = &event.message;
        let seen = loaded.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&order);
        let last = match seen {
            Some(last) => last,
            None => self.store.last(order).await?,
        };
        if last.is_some_and(|last| last.step() >= notice.outcome.step()) {
            debug!("order {order}: {:?} was mailed, or overtaken, before", notice.outcome);
            return Ok(Outcome::Done(Vec::new()));
        }
        let mail = Mail::compose(order, notice, self.links.as_ref(), event.time);
        let undeliverable = match self.mailer.send(&mail).await {
            Ok(()) => None,
            Err(error @ MailerError::Limited(_)) => return Ok(Outcome::Wait(error.to_string())),
            Err(error @ MailerError::Unavailable(_)) => {
                metrics::count(metrics::MAIL_REFUSED, 1, None);
                return Ok(Outcome::Wait(error.to_string()));
            }
            Err(error @ MailerError::Undeliverable(_)) => {
                metrics::count(metrics::MAIL_REFUSED, 1, None);
                Some(error)
            }
        };
        // What is undeliverable is marked too: nothing more can be done for it here, and the audit shows it.
        let delivery = if undeliverable.is_some() { Delivery::Undeliverable } else { Delivery::Sent };
        self.store.mark(order, notice.outcome, delivery).await?;
        match undeliverable {
            None => info!("order {order}: the customer was mailed {:?}", notice.outcome),
            Some(error) => {
                error!("order {order}: the customer was not mailed {:?}: {error}", notice.outcome);
            }
        }
        Ok(Outcome::Done(Vec::new()))
    }
}
