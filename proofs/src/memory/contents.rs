//! What the adapters hold, as plain data that is cheap to clone and to hash. Each store's records are
//! beside its adapter, in [`crate::stores`].

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use billing_service::provider::PaymentRef;
use billing_service::simulated::Account;
use email_service::mail::Mail;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::topic::Topic;
use ticket_service::flight::Flight;

/// A value that is not changed but replaced. It is compared by the hash of its `Debug` form, which is
/// taken once: most of the product's types have no hash of their own.
#[derive(Clone)]
pub struct Stored<T> {
    value: Arc<T>,
    digest: u64,
}

impl<T: fmt::Debug> Stored<T> {
    /// Keeps that value.
    pub fn new(value: T) -> Self {
        Self { digest: digest(&value), value: Arc::new(value) }
    }
}

/// The hash of a value's `Debug` form.
pub fn digest(value: &impl fmt::Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{value:?}").hash(&mut hasher);
    hasher.finish()
}

impl<T> std::ops::Deref for Stored<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> PartialEq for Stored<T> {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl<T> Eq for Stored<T> {}

impl<T> Hash for Stored<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl<T: fmt::Debug> fmt::Debug for Stored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// A flight and how many of its seats are free. The count is kept apart from the reservations, so
/// that a property can compare the two.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seats {
    /// The flight.
    pub flight: Stored<Flight>,
    /// How many of its seats are not held.
    pub free: u32,
}

/// A payment in the provider's books.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenedPayment {
    /// Its name.
    pub reference: PaymentRef,
    /// The order it was opened for.
    pub order: OrderId,
    /// How it stands.
    pub account: Stored<Account>,
}

/// A request that moves money, on its way to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LateRequest {
    /// What is asked for.
    pub request: MoneyRequest,
    /// Of which payment.
    pub reference: String,
}

/// What a request to the provider asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MoneyRequest {
    /// Take the money.
    Capture,
    /// Close the payment.
    Void,
    /// Return the money.
    Refund,
}

/// A mail that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveredMail {
    /// The order it is about.
    pub order: OrderId,
    /// The outcome it tells the customer.
    pub outcome: NoticeOutcome,
    /// The mail.
    pub mail: Stored<Mail>,
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SentMessage {
    /// Its topic.
    pub topic: Topic,
    /// Given: it went to the topic's dead-letter queue instead, for this reason.
    pub dead_lettered: Option<String>,
    /// The message.
    pub body: String,
}
