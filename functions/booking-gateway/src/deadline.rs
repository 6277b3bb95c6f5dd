//! How long an order may take, and what follows.

use std::time::Duration;

use protocol::time::Timestamp;

use crate::order::Order;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The one value that every deadline of an order comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlinePolicy {
    /// From acceptance on: past it nothing new is captured. Longer than any outage that must not cost
    /// an order.
    pub deadline: Duration,
    /// From the deadline on: past it the order is cancelled. Leaves time for the answer to a late
    /// capture, and for clocks to differ.
    pub grace: Duration,
    /// From the beginning of a wait on: past it the order counts as overdue.
    pub overdue: Duration,
}

impl Default for DeadlinePolicy {
    /// 48 h, then 1 h; overdue after 1 h.
    fn default() -> Self {
        Self { deadline: 48 * HOUR, grace: HOUR, overdue: HOUR }
    }
}

impl DeadlinePolicy {
    /// Whether the order is to be cancelled for its deadline.
    pub fn has_expired(&self, order: &Order, now: Timestamp) -> bool {
        order.state.may_expire() && now >= order.not_after + self.grace
    }

    /// Whether the order has waited for one answer for too long.
    pub fn is_overdue(&self, order: &Order, now: Timestamp) -> bool {
        order.waiting_since().is_some_and(|since| now >= since + self.overdue)
    }
}
