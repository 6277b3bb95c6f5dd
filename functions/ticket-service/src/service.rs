//! The consumer of tickets.

use std::sync::Arc;

use async_trait::async_trait;
use messaging::clock::Clock;
use messaging::consumer::{Outcome, Service};
use messaging::store::StoreError;
use messaging::topics::Outgoing;
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::{Message, TicketCommand};
use protocol::reason::Unavailable;
use tracing::info;

use crate::reservation::Reservation;
use crate::store::{Held, TicketStore, Wanted};

/// Holds seats and releases them.
pub struct TicketService {
    /// Its flights and reservations.
    pub store: Arc<dyn TicketStore>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Service for TicketService {
    type Message = TicketCommand;
    type Loaded = ();

    /// Orders for one flight change the same row: handled one after another they do not collide.
    fn lane(&self, event: &Event<TicketCommand>) -> String {
        event.message.flight_id().to_string()
    }

    /// Answers every command, repeated ones included, with what the order's record says now.
    ///
    /// **Crash contract:** the decision is recorded before it is answered. If the process dies in
    /// between, the command is redelivered and finds the record.
    async fn handle(&self, event: &Event<TicketCommand>, (): &()) -> Result<Outcome, StoreError> {
        let order = event.order;
        let record = match &event.message {
            TicketCommand::Reserve { flight_id, seats, expected_amount } => {
                let (flight_id, expected_amount) = (flight_id.clone(), expected_amount.clone());
                self.reserve(order, &Wanted { flight_id, seats: *seats, expected_amount }).await?
            }
            TicketCommand::Release { .. } => self.release(order).await?,
        };
        let answer = record.answer();
        info!("order {order}: {} → {}", event.message.name(), answer.name());
        Ok(Outcome::Done(vec![Outgoing::event(&event.reply(answer, self.clock.now()))]))
    }
}

impl TicketService {
    async fn reserve(&self, order: OrderId, wanted: &Wanted) -> Result<Reservation, StoreError> {
        let reason = match self.store.hold(order, wanted, self.clock.now()).await? {
            Held::Held(hold) => return Ok(Reservation::Held(hold)),
            Held::Decided(record) => return Ok(record),
            Held::UnknownFlight => Unavailable::UnknownFlight,
            Held::Departed => Unavailable::Departed,
            Held::PriceChanged => Unavailable::PriceChanged,
            Held::SoldOut => Unavailable::SoldOut,
        };
        // A refusal is recorded too: seats that come free later must not change the answer.
        self.store.decide(order, &Reservation::Refused { reason }).await
    }

    async fn release(&self, order: OrderId) -> Result<Reservation, StoreError> {
        match self.store.release(order).await? {
            Some(record) => Ok(record),
            // It came before its reserve, which will find this and hold nothing. If the reserve
            // was recorded just now, the decision that stands is a hold: release that.
            None => match self.store.decide(order, &Reservation::Released).await? {
                Reservation::Held(_) => Ok(self.store.release(order).await?.unwrap_or(Reservation::Released)),
                record => Ok(record),
            },
        }
    }
}
