//! The gateway's orders.

use std::collections::HashMap;

use async_trait::async_trait;
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, FIRST_CHECK, OrderStore, Postponed, Updated, Watch};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;

use super::Memory;
use super::contents::Stored;
use crate::port_call::PortCall;

#[async_trait]
impl OrderStore for Memory {
    async fn create(&self, order: &Order) -> Result<Created, StoreError> {
        self.write(PortCall::OrderStoreCreate, |contents| {
            if let Some(existing) = contents.orders.get(&order.id) {
                return Created::Exists(Box::new((**existing).clone()));
            }
            contents.orders.insert(order.id, Stored::new(order.clone()));
            contents.checks.insert(order.id, (order.created_at + FIRST_CHECK, 0));
            Created::Created
        })
        .await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.read(PortCall::OrderStoreGet, |contents| contents.orders.get(&id).map(|order| (**order).clone()))
            .await
    }

    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        self.read(PortCall::OrderStoreGetMany, |contents| {
            ids.iter().filter_map(|id| Some((*id, (**contents.orders.get(id)?).clone()))).collect()
        })
        .await
    }

    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError> {
        self.write(PortCall::OrderStoreUpdate, |contents| {
            match contents.orders.get_mut(&next.id) {
                Some(order) if order.version + 1 == next.version => *order = Stored::new(next.clone()),
                _ => return Updated::Stale,
            }
            match watch {
                Watch::Enter(at) => contents.checks.insert(next.id, (at, 0)),
                Watch::Keep => None,
                Watch::Leave => contents.checks.remove(&next.id),
            };
            Updated::Updated
        })
        .await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Check>, StoreError> {
        self.read(PortCall::OrderStoreDue, |contents| {
            let due = contents.checks.iter().filter(|(_, (at, _))| *at <= now);
            let mut due: Vec<_> =
                due.map(|(order, &(at, count))| Check { order: *order, at, count }).collect();
            due.sort_by_key(|check| (check.at, check.order));
            due.truncate(limit);
            due
        })
        .await
    }

    async fn postpone(&self, check: &Check, next: Timestamp) -> Result<Postponed, StoreError> {
        self.write(PortCall::OrderStorePostpone, |contents| {
            match (contents.checks.get_mut(&check.order), contents.orders.get(&check.order)) {
                (Some(entry), Some(order)) if *entry == (check.at, check.count) => {
                    *entry = (next, check.count + 1);
                    Postponed::Moved(Box::new((**order).clone()))
                }
                _ => Postponed::Gone,
            }
        })
        .await
    }
}
