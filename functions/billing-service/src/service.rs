//! The consumer of billing: intent before money.
//!
//! Two commands, one way forward: `charge` and `reverse` each write what they intend, and
//! `drive` carries the record that then stands to its end. So it does not matter which of them,
//! or how many copies of each, come in what order, or who died half-way.

use std::sync::Arc;

use async_trait::async_trait;
use messaging::clock::Clock;
use messaging::consumer::{Outcome, Service};
use messaging::store::StoreError;
use messaging::topics::Outgoing;
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::{BillingCommand, Message, OrderUpdate};
use protocol::money::Money;
use protocol::payment::PaymentMethod;
use protocol::reason::Declined;
use protocol::time::Timestamp;
use thiserror::Error;
use tracing::{error, info, warn};

use crate::payment::{Intent, Payment};
use crate::provider::{Captured, Opened, PaymentProvider, PaymentStatus, ProviderError, Providers, Voided};
use crate::store::{Begun, PaymentStore};

/// Captures money once, and refunds it once.
pub struct BillingService {
    /// Its payments.
    pub store: Arc<dyn PaymentStore>,
    /// The payment providers.
    pub providers: Providers,
    /// Its time.
    pub clock: Arc<dyn Clock>,
}

/// What keeps a payment from moving on.
#[derive(Debug, Error)]
enum Stuck {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// What the provider is known to have done with an intent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// The intent was recorded a moment ago, by this very call: no other call can have captured it.
    Fresh,
    /// Another call may have acted on it: retrieve it first.
    Unknown,
}

#[async_trait]
impl Service for BillingService {
    type Message = BillingCommand;
    type Loaded = ();

    async fn handle(&self, event: &Event<BillingCommand>, (): &()) -> Result<Outcome, StoreError> {
        let order = event.order;
        let driven = match &event.message {
            BillingCommand::Charge { amount, payment_method, not_after } => {
                self.charge(order, amount, payment_method, *not_after, event.attempt).await
            }
            BillingCommand::Reverse => self.reverse(order).await,
        };
        match driven {
            Ok(answer) => {
                info!("order {order}: {} → {}", event.message.name(), answer.name());
                Ok(Outcome::Done(vec![Outgoing::event(&event.reply(answer, self.clock.now()))]))
            }
            Err(Stuck::Provider(error)) => {
                // It waits like any other: an operator who sees this error can remove its cause.
                if let ProviderError::Refused(_) = &error {
                    error!("order {order}: {} cannot be done: {error}", event.message.name());
                }
                Ok(Outcome::Wait(error.to_string()))
            }
            Err(Stuck::Store(error)) => Err(error),
        }
    }
}

impl BillingService {
    /// Opens a payment, records it, captures it; or drives on what is recorded already.
    ///
    /// **Crash contract:** until the record is there, no money can have moved, and another open
    /// payment at the provider is one that is never captured. From then on the record names what
    /// to ask the provider about.
    async fn charge(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
        not_after: Timestamp,
        attempt: u32,
    ) -> Result<OrderUpdate, Stuck> {
        // A first attempt rarely finds a record (a duplicate), and `begin` detects it. A later one
        // answers from the record, or drives it on by its reference, before it opens anything: so a
        // provider that loses replies cannot block it.
        if attempt > 0
            && let Some(payment) = self.store.find(order).await?
        {
            return self.drive(order, payment, Known::Unknown, not_after).await;
        }
        let first = if self.clock.now() > not_after {
            Payment::Declined { reason: Declined::Expired }
        } else {
            let provider = self.providers.current().clone();
            match self.providers.of(&provider)?.open(order, amount, method).await? {
                Opened::Open(reference) => {
                    Payment::Charging(Intent { provider, reference, amount: amount.clone() })
                }
                Opened::Declined => Payment::Declined { reason: Declined::CardDeclined },
            }
        };
        match self.store.begin(order, &first).await? {
            Begun::Begun => self.drive(order, first, Known::Fresh, not_after).await,
            Begun::Exists(payment) => self.drive(order, payment, Known::Unknown, not_after).await,
        }
    }

    /// Records the reversal, then carries it out.
    ///
    /// **Crash contract:** once it is recorded, no charge is kept: a later charge finds the record, and
    /// drives it to the same end.
    async fn reverse(&self, order: OrderId) -> Result<OrderUpdate, Stuck> {
        let tombstone = Payment::Reversed { refunded: None };
        let mut payment = match self.store.find(order).await? {
            Some(payment) => payment,
            None => match self.store.begin(order, &tombstone).await? {
                Begun::Begun => tombstone,
                Begun::Exists(payment) => payment,
            },
        };
        // Each turn another has moved the record forward, and there are three steps at most.
        #[expect(clippy::while_let_loop, reason = "exhaustive: a new payment state must be thought about")]
        loop {
            let reversing = match &payment {
                Payment::Charging(intent) | Payment::Captured(intent) => Payment::Reversing(intent.clone()),
                Payment::Declined { .. } | Payment::Reversing(_) | Payment::Reversed { .. } => break,
            };
            payment = self.store.replace(order, &payment, &reversing).await?;
        }
        self.drive(order, payment, Known::Unknown, Timestamp::from_millis(i64::MAX)).await
    }

    /// Carries a payment to where it can be answered from, and answers. The record that stands counts,
    /// even if another call wrote it.
    async fn drive(
        &self,
        order: OrderId,
        mut payment: Payment,
        mut known: Known,
        not_after: Timestamp,
    ) -> Result<OrderUpdate, Stuck> {
        loop {
            let next = match &payment {
                Payment::Charging(intent) => self.finish_charge(order, intent, known, not_after).await?,
                Payment::Reversing(intent) => match self.finish_reversal(order, intent).await {
                    Err(Stuck::Provider(ProviderError::Refused(reason))) => {
                        // The money is still kept: the audit shows it until the payment is replaced.
                        self.store.note_refusal(order, &reason).await?;
                        return Err(ProviderError::Refused(reason).into());
                    }
                    finished => finished?,
                },
                Payment::Captured(_) => return Ok(OrderUpdate::PaymentCaptured),
                Payment::Declined { reason } => return Ok(OrderUpdate::PaymentDeclined { reason: *reason }),
                Payment::Reversed { refunded } => {
                    return Ok(OrderUpdate::PaymentReversed { refunded: refunded.clone() });
                }
            };
            payment = self.store.replace(order, &payment, &next).await?;
            known = Known::Unknown;
        }
    }

    /// The provider that the intent was opened with.
    fn of(&self, intent: &Intent) -> Result<&dyn PaymentProvider, ProviderError> {
        self.providers.of(&intent.provider)
    }

    /// Captures the payment, or makes sure that it cannot be captured.
    async fn finish_charge(
        &self,
        order: OrderId,
        intent: &Intent,
        known: Known,
        not_after: Timestamp,
    ) -> Result<Payment, Stuck> {
        let status = match known {
            Known::Fresh => PaymentStatus::Open,
            Known::Unknown => self.of(intent)?.retrieve(&intent.reference).await?,
        };
        let captured = match status {
            PaymentStatus::Captured | PaymentStatus::Refunded(_) => Captured::Captured,
            PaymentStatus::Declined => Captured::Declined,
            PaymentStatus::Voided => Captured::Voided,
            PaymentStatus::Open if self.clock.now() > not_after => {
                return self.decline(intent, Declined::Expired).await;
            }
            PaymentStatus::Open => self.of(intent)?.capture(order, &intent.reference).await?,
        };
        match captured {
            Captured::Captured => Ok(Payment::Captured(intent.clone())),
            Captured::Declined => self.decline(intent, Declined::CardDeclined).await,
            // Only this service voids: it was on its way to a decline.
            Captured::Voided if self.clock.now() > not_after => {
                Ok(Payment::Declined { reason: Declined::Expired })
            }
            Captured::Voided => Ok(Payment::Declined { reason: Declined::CardDeclined }),
        }
    }

    /// Closes the payment first: a decline is told only once nothing can be captured any more. A
    /// capture that comes to light here (an earlier request that landed late) is a capture.
    async fn decline(&self, intent: &Intent, reason: Declined) -> Result<Payment, Stuck> {
        match self.of(intent)?.void(&intent.reference).await? {
            Voided::Voided => Ok(Payment::Declined { reason }),
            Voided::AlreadyCaptured => {
                warn!("a capture came to light while payment {} was being declined", intent.reference);
                Ok(Payment::Captured(intent.clone()))
            }
        }
    }

    /// Voids what was not captured, refunds what was.
    async fn finish_reversal(&self, order: OrderId, intent: &Intent) -> Result<Payment, Stuck> {
        let status = self.of(intent)?.retrieve(&intent.reference).await?;
        let refunded = match status {
            PaymentStatus::Refunded(amount) => Some(amount),
            PaymentStatus::Voided => None,
            PaymentStatus::Captured => Some(self.of(intent)?.refund(order, &intent.reference).await?),
            PaymentStatus::Open | PaymentStatus::Declined => {
                match self.of(intent)?.void(&intent.reference).await? {
                    Voided::Voided => None,
                    Voided::AlreadyCaptured => Some(self.of(intent)?.refund(order, &intent.reference).await?),
                }
            }
        };
        Ok(Payment::Reversed { refunded })
    }
}
