//! Which orders were changed by committed writes: so the operator's verdict audits those alone.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use group_commit::lock;
use protocol::ids::OrderId;

/// How many orders are kept: some 5 MB.
const MOST: usize = 131_072;

/// A commit never takes so long.
const LONGEST_COMMIT: Duration = Duration::from_secs(30);

/// The orders that changed since they were taken last.
#[derive(Default)]
pub(super) struct ChangedOrders {
    state: Mutex<State>,
    committed: Condvar,
}

#[derive(Default)]
struct State {
    orders: HashSet<OrderId>,
    /// More changed than are kept.
    too_many: bool,
    /// How many commits were begun, and how many of them have ended.
    begun: u64,
    ended: u64,
    /// How many wait for a commit under way.
    waiting: u32,
}

impl ChangedOrders {
    /// A commit begins. Called before it.
    pub(super) fn commit_begins(&self) {
        lock(&self.state).begun += 1;
    }

    /// The commit that began last has ended; these orders were changed by it. Also called for a group that never came to
    /// its commit: the writer commits one group after another.
    pub(super) fn commit_ended(&self, orders: impl IntoIterator<Item = OrderId>) {
        let mut state = lock(&self.state);
        if !state.too_many {
            state.orders.extend(orders);
        }
        if state.orders.len() > MOST {
            state.orders.clear();
            state.too_many = true;
        }
        state.ended = state.begun;
        // To wake no one is a call of the system too.
        if state.waiting > 0 {
            self.committed.notify_all();
        }
    }

    /// Takes the orders; `None` if there were too many, or a commit hangs.
    ///
    /// To be called within a read transaction that has read something. Then a commit that it sees had begun before, so
    /// this waits for its end: every change that the transaction sees is taken by this call, or was by one before.
    pub(super) fn take(&self) -> Option<BTreeSet<OrderId>> {
        let mut state = lock(&self.state);
        let begun = state.begun;
        state.waiting += 1;
        let waited = self.committed.wait_timeout_while(state, LONGEST_COMMIT, |state| state.ended < begun);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        let orders = std::mem::take(&mut state.orders);
        let too_many = std::mem::take(&mut state.too_many);
        drop(state);
        // In their order, since that is how they are read.
        (!too_many && !waited.timed_out()).then(|| orders.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn order(number: u32) -> OrderId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        OrderId::from_bytes(bytes)
    }

    #[test]
    fn what_changed_is_told_once() {
        let changed = ChangedOrders::default();
        changed.commit_begins();
        changed.commit_ended([order(1), order(2), order(1)]);
        assert_eq!(changed.take(), Some(BTreeSet::from([order(1), order(2)])));
        assert_eq!(changed.take(), Some(BTreeSet::new()));
    }

    #[test]
    fn a_commit_under_way_is_waited_for() {
        let changed = Arc::new(ChangedOrders::default());
        changed.commit_begins();
        let taking = thread::spawn({
            let changed = changed.clone();
            move || changed.take()
        });
        // It waits, or has not begun: both end with the commit's orders.
        thread::sleep(Duration::from_millis(20));
        assert!(!taking.is_finished());
        changed.commit_ended([order(3)]);
        let taken = taking.join();
        assert!(matches!(taken, Ok(Some(orders)) if orders == BTreeSet::from([order(3)])));
    }

    #[test]
    fn too_many_are_said_to_be_too_many_and_then_told_again() {
        let changed = ChangedOrders::default();
        let most = u32::try_from(MOST).unwrap_or_default();
        changed.commit_ended((0..=most).map(order));
        changed.commit_ended([order(7)]);
        assert_eq!(changed.take(), None);
        changed.commit_ended([order(8)]);
        assert_eq!(changed.take(), Some(BTreeSet::from([order(8)])));
    }
}
