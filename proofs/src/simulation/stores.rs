//! The stores, as the handlers of a simulation see them: each call waits, and may go wrong.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use billing_service::payment::Payment;
use billing_service::store::{Begun, PaymentStore};
use booking_gateway::check::NextCheck;
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, From, OrderStore, Postponed, Updated, Watch};
use email_service::store::MailStore;
use messaging::store::StoreError;
use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;
use protocol::time::Timestamp;
use ticket_service::flight::{Flight, Offer};
use ticket_service::reservation::Reservation;
use ticket_service::store::{FlightPut, Held, TicketStore};

use super::task::intercept;
use crate::port_call::PortCall;

/// An adapter for each store.
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
    /// The same stores, with calls that wait and may go wrong.
    pub fn intercepted(&self) -> Stores {
        Stores {
            orders: Arc::new(Intercepted(self.orders.clone())),
            tickets: Arc::new(Intercepted(self.tickets.clone())),
            payments: Arc::new(Intercepted(self.payments.clone())),
            mails: Arc::new(Intercepted(self.mails.clone())),
        }
    }
}

struct Intercepted<P: ?Sized>(Arc<P>);

#[async_trait]
impl OrderStore for Intercepted<dyn OrderStore> {
    async fn create(&self, order: &Order) -> Result<Created, StoreError> {
        intercept(PortCall::OrderStoreCreate, self.0.create(order)).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        intercept(PortCall::OrderStoreGet, self.0.get(id)).await
    }

    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        intercept(PortCall::OrderStoreGetMany, self.0.get_many(ids)).await
    }

    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError> {
        intercept(PortCall::OrderStoreUpdate, self.0.update(next, watch)).await
    }

    fn shards(&self) -> usize {
        self.0.shards()
    }

    async fn due(
        &self,
        shard: usize,
        now: Timestamp,
        from: From<'_>,
        limit: usize,
    ) -> Result<Vec<Check>, StoreError> {
        intercept(PortCall::OrderStoreDue, self.0.due(shard, now, from, limit)).await
    }

    async fn postpone(&self, check: &Check, next: NextCheck) -> Result<Postponed, StoreError> {
        intercept(PortCall::OrderStorePostpone, self.0.postpone(check, next)).await
    }
}

#[async_trait]
impl TicketStore for Intercepted<dyn TicketStore> {
    async fn hold(&self, order: OrderId, flight: &FlightId, seats: SeatCount) -> Result<Held, StoreError> {
        intercept(PortCall::TicketStoreHold, self.0.hold(order, flight, seats)).await
    }

    async fn decide(&self, order: OrderId, decision: &Reservation) -> Result<Reservation, StoreError> {
        intercept(PortCall::TicketStoreDecide, self.0.decide(order, decision)).await
    }

    async fn release(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        intercept(PortCall::TicketStoreRelease, self.0.release(order)).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        intercept(PortCall::TicketStoreFind, self.0.find(order)).await
    }

    async fn offers(&self) -> Result<Vec<Offer>, StoreError> {
        intercept(PortCall::TicketStoreOffers, self.0.offers()).await
    }

    async fn put_flight(&self, flight: &Flight) -> Result<FlightPut, StoreError> {
        intercept(PortCall::TicketStorePutFlight, self.0.put_flight(flight)).await
    }
}

#[async_trait]
impl PaymentStore for Intercepted<dyn PaymentStore> {
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        intercept(PortCall::PaymentStoreFind, self.0.find(order)).await
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        intercept(PortCall::PaymentStoreBegin, self.0.begin(order, payment)).await
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        intercept(PortCall::PaymentStoreReplace, self.0.replace(order, from, to)).await
    }
}

#[async_trait]
impl MailStore for Intercepted<dyn MailStore> {
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError> {
        intercept(PortCall::MailStoreLast, self.0.last(order)).await
    }

    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError> {
        intercept(PortCall::MailStoreLastOfMany, self.0.last_of_many(orders)).await
    }

    async fn mark(&self, order: OrderId, outcome: NoticeOutcome) -> Result<(), StoreError> {
        intercept(PortCall::MailStoreMark, self.0.mark(order, outcome)).await
    }
}
