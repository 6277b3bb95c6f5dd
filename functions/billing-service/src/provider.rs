//! The port to the payment provider.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use protocol::ids::OrderId;
use protocol::money::Money;
use protocol::payment::PaymentMethod;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Names a payment provider, on the record of each payment that was opened with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderName(Cow<'static, str>);

impl ProviderName {
    /// The simulated provider: no money moves.
    pub const SIMULATED: Self = Self(Cow::Borrowed("simulated"));
    /// Stripe.
    pub const STRIPE: Self = Self(Cow::Borrowed("stripe"));
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The providers of a deployment. New payments are opened with one of them; each payment is finished
/// by the one that its record names, so that several can be used side by side.
#[derive(Clone)]
pub struct Providers {
    current: ProviderName,
    by_name: BTreeMap<ProviderName, Arc<dyn PaymentProvider>>,
}

impl Providers {
    /// That provider alone.
    pub fn only(name: ProviderName, provider: Arc<dyn PaymentProvider>) -> Self {
        Self { current: name.clone(), by_name: BTreeMap::from([(name, provider)]) }
    }

    /// Adds another, which finishes its own payments and gets no new ones.
    #[must_use]
    pub fn beside(mut self, name: ProviderName, provider: Arc<dyn PaymentProvider>) -> Self {
        self.by_name.entry(name).or_insert(provider);
        self
    }

    /// The name of the provider that new payments are opened with.
    pub fn current(&self) -> &ProviderName {
        &self.current
    }

    /// The provider of that name.
    ///
    /// # Errors
    /// It is not configured: its payments wait until it is.
    pub fn of(&self, name: &ProviderName) -> Result<&dyn PaymentProvider, ProviderError> {
        let provider = self.by_name.get(name).map(|provider| provider.as_ref());
        provider.ok_or_else(|| {
            let reason = format!("payments of {name} wait until that provider is configured again");
            ProviderError::Refused(reason)
        })
    }
}

/// The provider's name for one payment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentRef(pub String);

impl fmt::Display for PaymentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A payment provider.
///
/// **Crash contract:** whether a call that was not answered did its work is unknown until
/// [`PaymentProvider::retrieve`] says so. Each call may be repeated: a payment is captured at most
/// once and refunded at most once, however often that is asked.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Opens a payment. No money moves. Asked again for the same order it names the same payment,
    /// as far as the provider remembers; a forgotten one stays open and is never captured.
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError>;

    /// Takes the money.
    async fn capture(&self, order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError>;

    /// How the payment stands.
    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError>;

    /// Closes a payment that was not captured, for good.
    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError>;

    /// Refunds all that was captured.
    async fn refund(&self, order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError>;
}

/// What became of opening a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Open(PaymentRef),
    /// The provider will take no money with this payment method. Nothing is open.
    Declined,
}

/// What became of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// The money is taken, now or before.
    Captured,
    /// The card was refused. The payment is still open: void it before answering.
    Declined,
    /// The payment was voided before.
    Voided,
}

/// How a payment stands at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    /// Nothing was taken; it may still be.
    Open,
    /// A card was refused; another attempt may still succeed.
    Declined,
    /// The money was taken.
    Captured,
    /// Nothing was taken, and nothing will be.
    Voided,
    /// The money was captured and refunded.
    Refunded(Money),
}

/// What became of a void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voided {
    /// It is closed; nothing was taken.
    Voided,
    /// It was captured before: there is nothing to void.
    AlreadyCaptured,
}

/// The provider gave no useful answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProviderError {
    /// It answered that it did nothing.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(String),
    /// It may or may not have done what was asked.
    #[error("the payment provider's answer is not known: {0}")]
    Unknown(String),
    /// It did nothing, and a retry does not help until an operator acts: the key is wrong,
    /// or it knows no such payment. It is asked again all the same, and each time logged as an error.
    #[error("the payment provider refuses: {0}")]
    Refused(String),
}
