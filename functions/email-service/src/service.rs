//! The consumer of email.

use std::sync::Arc;

use async_trait::async_trait;
use shared::consumer::{Outcome, Service};
use shared::event::Event;
use shared::messages::EmailCommand;
use shared::store::StoreError;
use tracing::{debug, info};

use crate::mail::Mail;
use crate::mailer::Mailer;
use crate::store::MailStore;

/// Mails each step of an order once, and none that a later one has overtaken.
pub struct EmailService {
    /// What was mailed.
    pub store: Arc<dyn MailStore>,
    /// Who delivers.
    pub mailer: Arc<dyn Mailer>,
}

#[async_trait]
impl Service for EmailService {
    type Message = EmailCommand;
    type Loaded = ();

    /// **Crash contract:** the mail goes out before it is marked. If the process dies in between,
    /// it goes out again, unless the mailer can tell.
    async fn handle(&self, event: &Event<EmailCommand>, (): &()) -> Result<Outcome, StoreError> {
        let order = event.order;
        let EmailCommand::Send(notice) = &event.message;
        let last = self.store.last(order).await?;
        if last.is_some_and(|last| last.step() >= notice.outcome.step()) {
            debug!("order {order}: {:?} was mailed, or overtaken, before", notice.outcome);
            return Ok(Outcome::Done(Vec::new()));
        }
        if let Err(error) = self.mailer.send(order, notice.outcome, &Mail::compose(order, notice)).await {
            return Ok(Outcome::Wait(error.to_string()));
        }
        self.store.mark(order, notice.outcome).await?;
        info!("order {order}: the customer was mailed {:?}", notice.outcome);
        Ok(Outcome::Done(Vec::new()))
    }
}
