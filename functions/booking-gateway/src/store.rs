//! The port to the orders.

use std::collections::HashMap;

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;

use crate::check::NextCheck;
use crate::order::Order;

/// The gateway's orders, and the index of those that are not settled.
///
/// Every read of an order is consistent: it sees each write that was answered before it began, and returns
/// the order with its next check. **Crash contract** of the writes: before the call nothing is written;
/// during it the write is there wholly or not at all; once it is answered it survives. Each may be repeated.
#[async_trait]
pub trait OrderStore: Send + Sync {
    /// Stores a new order, and enters its next check in the index, unless its id is taken.
    async fn create(&self, order: &Order) -> Result<Created, StoreError>;

    /// The order of that id.
    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError>;

    /// The orders of those ids, as far as they exist, in one call.
    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError>;

    /// Replaces the order by its next version, and moves it into or out of the index where
    /// `watch` says so, if the stored version is the one before.
    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError>;

    /// How many shards the index has. Each can be read without the others.
    fn shards(&self) -> usize;

    /// The checks of one shard that are due at `now`, from one end, at most `limit`. May miss the latest
    /// writes.
    async fn due(
        &self,
        shard: usize,
        now: Timestamp,
        from: From<'_>,
        limit: usize,
    ) -> Result<Vec<Check>, StoreError>;

    /// Moves a check to `next`, if it is still the one that was seen; answers the order. It does not change
    /// the order's version.
    async fn postpone(&self, check: &Check, next: NextCheck) -> Result<Postponed, StoreError>;
}

/// From which end the due checks are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From<'a> {
    /// The most overdue first: all of them, or those that follow one.
    Oldest(Option<&'a Check>),
    /// The latest first.
    Freshest,
}

/// What became of a new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is stored.
    Created,
    /// Its id is taken, by this order.
    Exists(Box<Order>),
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// It is stored.
    Updated,
    /// Another change came first: read again.
    Stale,
}

/// What a change does to the order's entry in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// It enters, or its check is set anew, wherever the reconciler has moved it.
    Enter(NextCheck),
    /// It stays as it is: the reconciler may have moved the check meanwhile.
    Keep,
    /// It leaves: the order is settled.
    Leave,
}

impl Watch {
    /// What the change from one version to the next does.
    pub fn between(before: &Order, after: &Order) -> Self {
        match (before.next_check, after.next_check) {
            (before, after) if before == after => Watch::Keep,
            (_, Some(check)) => Watch::Enter(check),
            (_, None) => Watch::Leave,
        }
    }
}

/// An entry of the index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Check {
    /// When it is due.
    pub at: Timestamp,
    /// The order that is not settled.
    pub order: OrderId,
    /// How many checks came before.
    pub count: u32,
}

impl Check {
    /// The check of that order.
    pub fn of(order: OrderId, NextCheck { at, count }: NextCheck) -> Self {
        Self { at, order, count }
    }

    /// The same, without its order.
    pub fn next(&self) -> NextCheck {
        NextCheck { at: self.at, count: self.count }
    }
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Postponed {
    /// It is moved on, and this is its order.
    Moved(Box<Order>),
    /// The order is settled, or another reconciler came first.
    Gone,
}
