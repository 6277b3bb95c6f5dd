//! The stores, as the handlers of a world see them: each call waits, and may go wrong.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use billing_service::payment::Payment;
use billing_service::store::{Begun, PaymentStore};
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, OrderStore, Postponed, Updated, Watch};
use email_service::store::MailStore;
use shared::flight::{FlightId, SeatCount};
use shared::ids::OrderId;
use shared::messages::NoticeOutcome;
use shared::store::StoreError;
use shared::time::Timestamp;
use ticket_service::flight::{Flight, Offer};
use ticket_service::reservation::Reservation;
use ticket_service::store::{FlightPut, Held, TicketStore};

use super::calls::call;

/// The adapters of all stores.
#[derive(Clone)]
pub struct Stores {
    /// The gateway's.
    pub orders: Arc<dyn OrderStore>,
    /// The Ticket Service's.
    pub tickets: Arc<dyn TicketStore>,
    /// The Billing Service's.
    pub payments: Arc<dyn PaymentStore>,
    /// The Email Service's.
    pub mails: Arc<dyn MailStore>,
}

impl Stores {
    /// The same, with calls that wait and go wrong.
    pub fn exposed(&self) -> Stores {
        Stores {
            orders: Arc::new(Exposed(self.orders.clone())),
            tickets: Arc::new(Exposed(self.tickets.clone())),
            payments: Arc::new(Exposed(self.payments.clone())),
            mails: Arc::new(Exposed(self.mails.clone())),
        }
    }
}

struct Exposed<P: ?Sized>(Arc<P>);

#[async_trait]
impl OrderStore for Exposed<dyn OrderStore> {
    async fn create(&self, order: &Order) -> Result<Created, StoreError> {
        call("OrderStore::create", self.0.create(order)).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        call("OrderStore::get", self.0.get(id)).await
    }

    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        call("OrderStore::get_many", self.0.get_many(ids)).await
    }

    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError> {
        call("OrderStore::update", self.0.update(next, watch)).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Check>, StoreError> {
        call("OrderStore::due", self.0.due(now, limit)).await
    }

    async fn postpone(&self, check: &Check, next: Timestamp) -> Result<Postponed, StoreError> {
        call("OrderStore::postpone", self.0.postpone(check, next)).await
    }
}

#[async_trait]
impl TicketStore for Exposed<dyn TicketStore> {
    async fn hold(&self, order: OrderId, flight: &FlightId, seats: SeatCount) -> Result<Held, StoreError> {
        call("TicketStore::hold", self.0.hold(order, flight, seats)).await
    }

    async fn decide(&self, order: OrderId, decision: &Reservation) -> Result<Reservation, StoreError> {
        call("TicketStore::decide", self.0.decide(order, decision)).await
    }

    async fn release(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        call("TicketStore::release", self.0.release(order)).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        call("TicketStore::find", self.0.find(order)).await
    }

    async fn offers(&self) -> Result<Vec<Offer>, StoreError> {
        call("TicketStore::offers", self.0.offers()).await
    }

    async fn put_flight(&self, flight: &Flight) -> Result<FlightPut, StoreError> {
        call("TicketStore::put_flight", self.0.put_flight(flight)).await
    }
}

#[async_trait]
impl PaymentStore for Exposed<dyn PaymentStore> {
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        call("PaymentStore::find", self.0.find(order)).await
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        call("PaymentStore::begin", self.0.begin(order, payment)).await
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        call("PaymentStore::replace", self.0.replace(order, from, to)).await
    }
}

#[async_trait]
impl MailStore for Exposed<dyn MailStore> {
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError> {
        call("MailStore::last", self.0.last(order)).await
    }

    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError> {
        call("MailStore::last_of_many", self.0.last_of_many(orders)).await
    }

    async fn mark(&self, order: OrderId, outcome: NoticeOutcome) -> Result<(), StoreError> {
        call("MailStore::mark", self.0.mark(order, outcome)).await
    }
}
