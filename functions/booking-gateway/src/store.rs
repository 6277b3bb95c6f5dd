//! The port to the orders.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;

use crate::order::Order;

/// How long after it begins to wait an order is first looked at by the reconciler.
pub const FIRST_CHECK: Duration = Duration::from_secs(60);

/// The gateway's orders, and the index of those that are not settled.
///
/// Every read is consistent: it sees each write that was answered before it began. **Crash
/// contract** of the writes: before the call nothing is written; during it the write is there
/// wholly or not at all; once it is answered it survives. Each may be repeated.
#[async_trait]
pub trait OrderStore: Send + Sync {
    /// Stores a new order, and enters it in the index with its first check `FIRST_CHECK` after
    /// its acceptance, unless its id is taken.
    async fn create(&self, order: &Order) -> Result<Created, StoreError>;

    /// The order of that id.
    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError>;

    /// The orders of those ids, as far as they exist, in one call.
    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError>;

    /// Replaces the order by its next version, and moves it into or out of the index where
    /// `watch` says so, if the stored version is the one before.
    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError>;

    /// The checks that are due at `now`, the longest overdue first, at most `limit`. May miss the
    /// latest writes.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Check>, StoreError>;

    /// Moves a check on to `next`, if it is still the one that was seen; answers the order. This
    /// is the only write that changes an order's check, and it does not change its version.
    async fn postpone(&self, check: &Check, next: Timestamp) -> Result<Postponed, StoreError>;
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
    /// It enters, with its first check at this moment.
    Enter(Timestamp),
    /// It stays as it is: the reconciler alone moves a check.
    Keep,
    /// It leaves: the order is settled.
    Leave,
}

impl Watch {
    /// What the change from one version to the next does.
    pub fn between(before: &Order, after: &Order) -> Self {
        match (before.state.is_settled(), after.state.is_settled()) {
            (true, false) => Watch::Enter(after.updated_at() + FIRST_CHECK),
            (false, true) => Watch::Leave,
            (true, true) | (false, false) => Watch::Keep,
        }
    }
}

/// An entry of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The order that is not settled.
    pub order: OrderId,
    /// When it is to be looked at.
    pub at: Timestamp,
    /// How often it was looked at before.
    pub count: u32,
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Postponed {
    /// It is moved on, and this is its order.
    Moved(Box<Order>),
    /// The order is settled, or another reconciler came first.
    Gone,
}
