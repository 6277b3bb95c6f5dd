//! What the adapters hold, as plain data that is cheap to clone and to hash.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use billing_service::payment::Payment;
use billing_service::provider::PaymentRef;
use billing_service::simulated::Account;
use booking_gateway::order::Order;
use email_service::mail::Mail;
use shared::flight::FlightId;
use shared::ids::OrderId;
use shared::messages::NoticeOutcome;
use shared::time::Timestamp;
use shared::topic::Topic;
use ticket_service::flight::Flight;
use ticket_service::reservation::Reservation;

/// A value that is not changed but replaced. It is compared by the hash of its `Debug` form,
/// which is taken once, since most of the product's types have no hash of their own.
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

/// All that the ports' adapters hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Contents {
    /// The gateway's orders.
    pub orders: BTreeMap<OrderId, Stored<Order>>,
    /// The index of the unsettled ones: when each is to be looked at, and how often it was.
    pub checks: BTreeMap<OrderId, (Timestamp, u32)>,
    /// The flights.
    pub flights: BTreeMap<FlightId, Seats>,
    /// What was decided about each order.
    pub reservations: BTreeMap<OrderId, Stored<Reservation>>,
    /// The Billing Service's records.
    pub payments: BTreeMap<OrderId, Stored<Payment>>,
    /// The provider's own books, oldest payment first.
    pub ledger: Vec<OpenedPayment>,
    /// Requests to the provider that nobody waits for any more, and that will still land.
    pub late: Vec<Late>,
    /// The Email Service's records.
    pub mailed: BTreeMap<OrderId, NoticeOutcome>,
    /// The mails that arrived. One that was sent twice is here once: this mailer can tell.
    pub mailbox: Vec<Arrived>,
    /// What was sent to topics, and was not taken from here yet.
    pub sent: Vec<Sent>,
}

/// Whose records something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Room {
    /// The gateway's.
    Gateway,
    /// The Ticket Service's.
    Tickets,
    /// The Billing Service's, and the provider's.
    Billing,
    /// The Email Service's.
    Email,
}

impl Contents {
    /// What one service can reach; the rest is left out.
    pub fn room(&self, room: Room) -> Contents {
        let mut contents = Contents::default();
        contents.put(room, self.clone());
        contents
    }

    /// Replaces what one service can reach.
    pub fn put(&mut self, room: Room, from: Contents) {
        match room {
            Room::Gateway => (self.orders, self.checks) = (from.orders, from.checks),
            Room::Tickets => (self.flights, self.reservations) = (from.flights, from.reservations),
            Room::Billing => {
                (self.payments, self.ledger, self.late) = (from.payments, from.ledger, from.late);
            }
            Room::Email => (self.mailed, self.mailbox) = (from.mailed, from.mailbox),
        }
    }
}

/// A flight and how many of its seats are held. Kept apart from the reservations, so that the two
/// can be held against each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seats {
    /// The flight.
    pub flight: Stored<Flight>,
    /// How many of its seats nobody holds.
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
pub struct Late {
    /// What is asked for.
    pub request: Request,
    /// Of which payment.
    pub reference: String,
}

/// What a request to the provider asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    /// Take the money.
    Capture,
    /// Close the payment.
    Void,
    /// Give the money back.
    Refund,
}

/// A mail that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arrived {
    /// The order it is about.
    pub order: OrderId,
    /// What it tells.
    pub outcome: NoticeOutcome,
    /// The mail.
    pub mail: Stored<Mail>,
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sent {
    /// To which topic, …
    pub topic: Topic,
    /// … or to its dead-letter queue, for this reason.
    pub parked: Option<String>,
    /// The message.
    pub body: String,
}
