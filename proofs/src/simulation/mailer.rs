//! The mailer of a simulation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;

use super::task::intercept;
use crate::port_call::PortCall;

/// A mailer that records each mail. It delivers a mail as often as it is sent: like SES, it cannot tell
/// that it has delivered it before.
#[derive(Clone, Default)]
pub struct RecordingMailer(Arc<Mutex<Vec<(OrderId, NoticeOutcome)>>>);

impl RecordingMailer {
    fn mails(&self) -> MutexGuard<'_, Vec<(OrderId, NoticeOutcome)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was delivered, oldest first.
    pub fn delivered(&self) -> Vec<(OrderId, NoticeOutcome)> {
        self.mails().clone()
    }
}

#[async_trait]
impl Mailer for RecordingMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        intercept(PortCall::MAILER_SEND, async {
            self.mails().push((mail.order, mail.notice.outcome));
            Ok(())
        })
        .await
    }
}
