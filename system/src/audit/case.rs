//! What is known of the orders: the data that is audited.

use std::collections::{BTreeMap, BTreeSet};

use billing_service::payment::Payment;
use billing_service::provider::ProviderName;
use billing_service::simulated::Account;
use booking_gateway::order::Order;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use ticket_service::flight::Offer;
use ticket_service::reservation::Reservation;

/// Everything that is known of one order, by service.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// The gateway's record.
    pub order: Option<Order>,
    /// When the reconciler checks it next.
    pub next_check: Option<Timestamp>,
    /// The Ticket Service's record.
    pub reservation: Option<Reservation>,
    /// The Billing Service's record.
    pub payment: Option<Payment>,
    /// The payment provider's ledger.
    pub account: Option<Account>,
    /// Why the provider refuses what the payment intends, as long as that record stands.
    pub refused: Option<String>,
    /// The Email Service's record.
    pub mailed: Option<NoticeOutcome>,
    /// Whether that mail could not be delivered.
    pub undeliverable: bool,
    /// How many messages about it are known to be in the topics.
    pub messages: usize,
    /// Whether more may be there, on a platform whose topics cannot be looked into.
    pub unseen: bool,
    /// Its dead letters: the topic and the failure.
    pub dead_letters: Vec<(Topic, String)>,
}

impl Case {
    /// Whether nothing is about to change: the order is settled, and no message about it is in a topic.
    pub fn is_at_rest(&self) -> bool {
        self.messages == 0
            && !self.unseen
            && self.order.as_ref().is_some_and(|order| order.state.is_settled())
    }
}

/// The data of one read transaction, all of it in memory.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Every order that is known to a service or the provider.
    pub cases: BTreeMap<OrderId, Case>,
    /// Every flight.
    pub flights: Vec<Offer>,
    /// Dead letters without a readable order id.
    pub nameless_dead_letters: Vec<(Topic, String)>,
    /// The payment providers whose ledgers are in it.
    pub books: BTreeSet<ProviderName>,
}

impl Snapshot {
    /// The case of that order.
    pub fn case(&mut self, order: OrderId) -> &mut Case {
        self.cases.entry(order).or_default()
    }
}
