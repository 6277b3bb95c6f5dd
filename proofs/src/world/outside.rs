//! What is not ours: the payment provider and who delivers mail.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, Voided,
};
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use shared::ids::OrderId;
use shared::messages::NoticeOutcome;
use shared::money::Money;
use shared::payment::PaymentMethod;
use shared::time::Timestamp;

use super::calls::{Fault, arrive, call, die, leave};
use crate::memory::Memory;
use crate::memory::contents::{Contents, OpenedPayment};
use crate::memory::provider::land;
use crate::memory::script::{Fault as Scripted, Script};

/// The provider and its own books: those of the model, which forget keys and let requests land late.
#[derive(Clone, Default)]
pub struct Bank(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    contents: Contents,
    down: bool,
    captures: VecDeque<Fault>,
}

impl Bank {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// While it is down, it refuses everything.
    pub fn set_down(&self, down: bool) {
        self.books().down = down;
    }

    /// The next captures go like this.
    pub fn plan_captures(&self, faults: &[Fault]) {
        self.books().captures.extend(faults);
    }

    /// All payments, oldest first.
    pub fn ledger(&self) -> Vec<OpenedPayment> {
        self.books().contents.ledger.clone()
    }

    /// How many requests have still to land.
    pub fn late(&self) -> usize {
        self.books().contents.late.len()
    }

    /// One of the late requests lands.
    pub fn land(&self, which: usize) {
        let contents = &mut self.books().contents;
        let late = contents.late.remove(which);
        land(contents, &late);
    }

    async fn ask<T, W: Future<Output = Result<T, ProviderError>> + Send>(
        &self,
        name: &'static str,
        work: impl FnOnce(Memory) -> W + Send,
    ) -> Result<T, ProviderError> {
        let mut fault = arrive(name, 0).await;
        if fault == Some(Fault::DiesBefore) {
            return die().await;
        }
        let mut books = std::mem::take(&mut *self.books());
        if name == "PaymentProvider::capture" && fault.is_none() && !books.down {
            fault = books.captures.pop_front();
        }
        // Only what was opened before can have been forgotten.
        let scripted = match fault {
            Some(Fault::FailsBefore) => Some(Scripted::Refused),
            Some(Fault::ReplyLost) => Some(Scripted::ReplyLost),
            Some(Fault::LandsLater) => Some(Scripted::LandsLater),
            Some(Fault::KeyForgotten) => Some(Scripted::Forgotten),
            _ if books.down => Some(Scripted::Refused),
            _ => None,
        };
        // A read has no reply to lose that is not the same as being refused.
        let scripted = match (name, scripted) {
            ("PaymentProvider::retrieve", Some(_)) => Some(Scripted::Refused),
            (_, scripted) => scripted,
        };
        let contents = std::mem::take(&mut books.contents);
        let memory = Memory::scripted(contents, Script::new(Vec::new(), scripted), Timestamp::from_millis(0));
        let result = work(memory.clone()).await;
        books.contents = memory.take().0;
        *self.books() = books;
        if fault == Some(Fault::DiesAfter) {
            return die().await;
        }
        leave();
        result
    }
}

#[async_trait]
impl PaymentProvider for Bank {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        self.ask("PaymentProvider::open", async |memory| memory.open(order, amount, method).await).await
    }

    async fn capture(&self, order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        self.ask("PaymentProvider::capture", async |memory| memory.capture(order, reference).await).await
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        self.ask("PaymentProvider::retrieve", async |memory| memory.retrieve(reference).await).await
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        self.ask("PaymentProvider::void", async |memory| memory.void(reference).await).await
    }

    async fn refund(&self, order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        self.ask("PaymentProvider::refund", async |memory| memory.refund(order, reference).await).await
    }
}

/// Who delivers mail, and cannot tell what was delivered before.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Mutex<Vec<(OrderId, NoticeOutcome)>>>);

impl Outbox {
    fn mails(&self) -> MutexGuard<'_, Vec<(OrderId, NoticeOutcome)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was delivered, oldest first.
    pub fn delivered(&self) -> Vec<(OrderId, NoticeOutcome)> {
        self.mails().clone()
    }
}

#[async_trait]
impl Mailer for Outbox {
    async fn send(&self, order: OrderId, outcome: NoticeOutcome, _: &Mail) -> Result<(), MailerError> {
        call("Mailer::send", async {
            self.mails().push((order, outcome));
            Ok(())
        })
        .await
    }
}
