//! The gateway's orders.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use booking_gateway::check::NextCheck;
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, From, OrderStore, Postponed, Updated, Watch};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use testkit::dynamodb;

use super::Intercepted;
use crate::memory::Memory;
use crate::memory::contents::Stored;
use crate::port_call::{PortCall, port_calls};
use crate::simulation::task::intercept;
use crate::stores::Contents;

/// The topic of the service that owns it.
pub const OWNER: Topic = Topic::OrderUpdates;

port_calls! {
    order_path {
        ORDER_STORE_CREATE = OrderStore::create, Writes;
        ORDER_STORE_GET = OrderStore::get, Reads;
        ORDER_STORE_GET_MANY = OrderStore::get_many, Reads;
        ORDER_STORE_UPDATE = OrderStore::update, Writes;
        ORDER_STORE_DUE = OrderStore::due, Reads;
        ORDER_STORE_POSTPONE = OrderStore::postpone, Writes;
    }
    elsewhere {}
}

/// The gateway's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Records {
    /// The orders.
    pub by_id: BTreeMap<OrderId, Stored<Order>>,
    /// The index of the unsettled orders: when the reconciler checks each next.
    pub checks: BTreeMap<OrderId, NextCheck>,
}

/// The store of AWS, with a table of its own.
pub async fn on_dynamodb(client: &Client) -> Arc<dyn OrderStore> {
    let table = dynamodb::table(client, "OrdersTable").await;
    Arc::new(booking_gateway_lambda::dynamodb::DynamoOrders { client: client.clone(), table })
}

/// An order as a store returns it: with its next check, which is kept beside it.
fn with_check(contents: &Contents, order: &Stored<Order>) -> Order {
    Order { next_check: contents.orders.checks.get(&order.id).copied(), ..(**order).clone() }
}

fn stored(order: &Order) -> Stored<Order> {
    Stored::new(Order { next_check: None, ..order.clone() })
}

impl Records {
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
        self.write(PortCall::ORDER_STORE_CREATE, |contents| {
            if let Some(existing) = contents.orders.by_id.get(&order.id) {
                return Created::Exists(Box::new(with_check(contents, existing)));
            }
            contents.orders.by_id.insert(order.id, stored(order));
            contents.orders.set_check(order.id, order.next_check);
            Created::Created
        })
        .await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.read(PortCall::ORDER_STORE_GET, |contents| {
            contents.orders.by_id.get(&id).map(|order| with_check(contents, order))
        })
        .await
    }

    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        self.read(PortCall::ORDER_STORE_GET_MANY, |contents| {
            ids.iter()
                .filter_map(|id| Some((*id, with_check(contents, contents.orders.by_id.get(id)?))))
                .collect()
        })
        .await
    }

    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError> {
        self.write(PortCall::ORDER_STORE_UPDATE, |contents| {
            match contents.orders.by_id.get_mut(&next.id) {
                Some(order) if order.version + 1 == next.version => {
                    *order = stored(&Order { digest: order.digest, ..next.clone() });
                }
                _ => return Updated::Stale,
            }
            match watch {
                Watch::Enter(check) => contents.orders.set_check(next.id, Some(check)),
                Watch::Keep => {}
                Watch::Leave => contents.orders.set_check(next.id, None),
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
        self.read(PortCall::ORDER_STORE_DUE, |contents| {
            let all = contents.orders.checks.iter().map(|(order, check)| Check::of(*order, *check));
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
        self.write(PortCall::ORDER_STORE_POSTPONE, |contents| {
            if contents.orders.checks.get(&check.order) != Some(&check.next()) {
                return Postponed::Gone;
            }
            contents.orders.checks.insert(check.order, next);
            match contents.orders.by_id.get(&check.order) {
                Some(order) => Postponed::Moved(Box::new(with_check(contents, order))),
                None => Postponed::Gone,
            }
        })
        .await
    }
}

#[async_trait]
impl OrderStore for Intercepted<dyn OrderStore> {
    async fn create(&self, order: &Order) -> Result<Created, StoreError> {
        intercept(PortCall::ORDER_STORE_CREATE, self.0.create(order)).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        intercept(PortCall::ORDER_STORE_GET, self.0.get(id)).await
    }

    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        intercept(PortCall::ORDER_STORE_GET_MANY, self.0.get_many(ids)).await
    }

    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError> {
        intercept(PortCall::ORDER_STORE_UPDATE, self.0.update(next, watch)).await
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
        intercept(PortCall::ORDER_STORE_DUE, self.0.due(shard, now, from, limit)).await
    }

    async fn postpone(&self, check: &Check, next: NextCheck) -> Result<Postponed, StoreError> {
        intercept(PortCall::ORDER_STORE_POSTPONE, self.0.postpone(check, next)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::tests::{in_memory, on_sqlite};

    mod memory {
        use super::*;

        async fn fresh() -> (Arc<dyn OrderStore>, ()) {
            (in_memory().orders, ())
        }

        booking_gateway_contract::order_store_contract!(fresh);
    }

    mod sqlite {
        use super::*;

        async fn fresh() -> (Arc<dyn OrderStore>, tempfile::TempDir) {
            let (stores, directory) = on_sqlite();
            (stores.orders, directory)
        }

        booking_gateway_contract::order_store_contract!(fresh);
    }
}
