//! The consumer of order-updates: the one place where an order settles.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use messaging::consumer::{Outcome, Service};
use messaging::store::StoreError;
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::OrderUpdate;
use tracing::debug;

use crate::gateway::{Gateway, Move};
use crate::order::{Input, Order};

/// Moves each order by what the services answer.
pub struct OrderUpdates(pub Gateway);

/// The orders of a batch, read in one call. Each is used for one decision: the next decision
/// on the same order reads it again.
#[derive(Default)]
pub struct Loaded(Mutex<HashMap<OrderId, Order>>);

#[async_trait]
impl Service for OrderUpdates {
    type Message = OrderUpdate;
    type Loaded = Loaded;

    async fn load(&self, batch: &[&Event<OrderUpdate>]) -> Result<Loaded, StoreError> {
        // A single record reads its own.
        if batch.len() < 2 {
            return Ok(Loaded::default());
        }
        let ids: Vec<_> = batch.iter().map(|event| event.order).collect();
        Ok(Loaded(Mutex::new(self.0.orders.get_many(&ids).await?)))
    }

    async fn handle(&self, event: &Event<OrderUpdate>, loaded: &Loaded) -> Result<Outcome, StoreError> {
        let id = event.order;
        let seen = loaded.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let input = Input::Update(event.message.clone());
        Ok(match self.0.advance(id, &input, seen).await? {
            Move::Taken(_, commands) => Outcome::Done(commands),
            Move::Ignored(order, why) => {
                debug!("order {id}: {} changes nothing, {why:?} in {:?}", input.name(), order.state);
                Outcome::Done(Vec::new())
            }
            Move::TooEarly(order) => {
                let status = order.state.status();
                Outcome::TooEarly(format!("the order is {status:?} and has not asked for {}", input.name()))
            }
            Move::Unknown => Outcome::TooEarly("there is no such order".to_owned()),
            Move::Contended => Outcome::Wait("the order is being changed by others".to_owned()),
        })
    }
}
