//! The gateway's orders.

use std::collections::HashMap;

use async_trait::async_trait;
use booking_gateway::check::NextCheck;
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, From, OrderStore, Postponed, Updated, Watch};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;

use super::Memory;
use super::contents::{Contents, Stored};
use crate::port_call::PortCall;

/// An order as a store returns it: with its next check, which is kept beside it.
fn with_check(contents: &Contents, order: &Stored<Order>) -> Order {
    Order { next_check: contents.checks.get(&order.id).copied(), ..(**order).clone() }
}

fn stored(order: &Order) -> Stored<Order> {
    Stored::new(Order { next_check: None, ..order.clone() })
}

impl Contents {
    /// Sets the check of an order, or removes it.
    fn set_check(&mut self, order: OrderId, check: Option<NextCheck>) {
        match check {
            Some(check) => self.checks.insert(order, check),
            None => self.checks.remove(&order),
        };
    }
}

#[async_trait]
impl OrderStore for Memory {
    async fn create(&self, order: &Order) -> Result<Created, StoreError> {
        self.write(PortCall::OrderStoreCreate, |contents| {
            if let Some(existing) = contents.orders.get(&order.id) {
                return Created::Exists(Box::new(with_check(contents, existing)));
            }
            contents.orders.insert(order.id, stored(order));
            contents.set_check(order.id, order.next_check);
            Created::Created
        })
        .await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.read(PortCall::OrderStoreGet, |contents| {
            contents.orders.get(&id).map(|order| with_check(contents, order))
        })
        .await
    }

    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        self.read(PortCall::OrderStoreGetMany, |contents| {
            ids.iter().filter_map(|id| Some((*id, with_check(contents, contents.orders.get(id)?)))).collect()
        })
        .await
    }

    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError> {
        self.write(PortCall::OrderStoreUpdate, |contents| {
            match contents.orders.get_mut(&next.id) {
                Some(order) if order.version + 1 == next.version => *order = stored(next),
                _ => return Updated::Stale,
            }
            match watch {
                Watch::Enter(check) => contents.set_check(next.id, Some(check)),
                Watch::Keep => {}
                Watch::Leave => contents.set_check(next.id, None),
            }
            Updated::Updated
        })
        .await
    }

    fn shards(&self) -> usize {
        1
    }

    async fn due(
        &self,
        _shard: usize,
        now: Timestamp,
        from: From<'_>,
        limit: usize,
    ) -> Result<Vec<Check>, StoreError> {
        self.read(PortCall::OrderStoreDue, |contents| {
            let all = contents.checks.iter().map(|(order, check)| Check::of(*order, *check));
            let mut due: Vec<_> = all.filter(|check| check.at <= now).collect();
            due.sort();
            match from {
                From::Oldest(last) => due.retain(|check| last.is_none_or(|last| check > last)),
                From::Freshest => due.reverse(),
            }
            due.truncate(limit);
            due
        })
        .await
    }

    async fn postpone(&self, check: &Check, next: NextCheck) -> Result<Postponed, StoreError> {
        self.write(PortCall::OrderStorePostpone, |contents| {
            if contents.checks.get(&check.order) != Some(&check.next()) {
                return Postponed::Gone;
            }
            contents.checks.insert(check.order, next);
            match contents.orders.get(&check.order) {
                Some(order) => Postponed::Moved(Box::new(with_check(contents, order))),
                None => Postponed::Gone,
            }
        })
        .await
    }
}
