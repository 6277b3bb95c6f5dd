//! What the adapters hold, as plain data that is cheap to clone and to hash.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use billing_service::payment::Payment;
use billing_service::provider::PaymentRef;
use billing_service::simulated::Account;
use booking_gateway::check::NextCheck;
use booking_gateway::order::Order;
use email_service::mail::Mail;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::topic::Topic;
use ticket_service::flight::Flight;
use ticket_service::reservation::Reservation;

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

/// All that the adapters of the ports hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Contents {
    /// The gateway's orders.
    pub orders: BTreeMap<OrderId, Stored<Order>>,
    /// The index of the unsettled orders: when the reconciler checks each next.
    pub checks: BTreeMap<OrderId, NextCheck>,
    /// The flights.
    pub flights: BTreeMap<FlightId, Seats>,
    /// What was decided about each order.
    pub reservations: BTreeMap<OrderId, Stored<Reservation>>,
    /// The Billing Service's records.
    pub payments: BTreeMap<OrderId, Stored<Payment>>,
    /// The provider's own books, oldest payment first.
    pub ledger: Vec<OpenedPayment>,
    /// Requests to the provider whose callers have stopped waiting, and that will still land.
    pub late: Vec<LateRequest>,
    /// The Email Service's records.
    pub mailed: BTreeMap<OrderId, NoticeOutcome>,
    /// The mails that arrived. One that was sent twice is here once: this mailer can tell.
    pub mailbox: Vec<DeliveredMail>,
    /// What was sent to topics and not yet taken out of here.
    pub sent: Vec<SentMessage>,
}

/// The service that owns a record. No service reaches the records of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The Booking Gateway.
    Gateway,
    /// The Ticket Service.
    Tickets,
    /// The Billing Service; the provider's books count as its records.
    Billing,
    /// The Email Service.
    Email,
}

impl Contents {
    /// The records of one service, and nothing else.
    pub fn records_of(&self, owner: Owner) -> Contents {
        let mut contents = Contents::default();
        contents.replace_records_of(owner, self.clone());
        contents
    }

    /// Replaces the records of one service by those in `from`.
    pub fn replace_records_of(&mut self, owner: Owner, from: Contents) {
        match owner {
            Owner::Gateway => (self.orders, self.checks) = (from.orders, from.checks),
            Owner::Tickets => (self.flights, self.reservations) = (from.flights, from.reservations),
            Owner::Billing => {
                (self.payments, self.ledger, self.late) = (from.payments, from.ledger, from.late);
            }
            Owner::Email => (self.mailed, self.mailbox) = (from.mailed, from.mailbox),
        }
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
