//! The reconciler: finds orders that wait too long, and sends their commands again.
//!
//! It sends what a crash or an outage left unsent, and reports expired orders. It decides nothing:
//! orders change only by their inputs.

use std::time::Duration;

use futures_util::future::join_all;
use messaging::metrics;
use messaging::store::StoreError;
use messaging::topics::Outgoing;
use protocol::event::Event;
use protocol::messages::OrderUpdate;
use protocol::time::Timestamp;
use tracing::{info, warn};

use crate::gateway::Gateway;
use crate::order::Order;
use crate::store::{Check, FIRST_CHECK, Postponed};

/// The longest time between two looks at one order.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);

/// How many checks are taken at once.
const PAGE: usize = 100;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Orders whose commands were sent again.
    pub resent: usize,
    /// Orders that were found expired.
    pub expired: usize,
}

impl Gateway {
    /// Handles the checks that are due, for at most `pages` pages of 100. Two runs may overlap.
    ///
    /// **Crash contract:** each check is moved on before anything is sent, so a run that dies or cannot
    /// send costs those orders one pause, and never floods a topic.
    pub async fn reconcile(&self, pages: usize) -> Result<Run, StoreError> {
        let mut run = Run::default();
        for _ in 0..pages {
            let now = self.clock.now();
            let checks = self.orders.due(now, PAGE).await?;
            let last = checks.len() < PAGE;
            let taken = join_all(checks.iter().map(|check| self.take(check, now))).await;
            let messages: Vec<Outgoing> =
                taken.into_iter().flatten().flat_map(|order| self.drive(&order, now, &mut run)).collect();
            for error in self.topics.send(messages).await.into_iter().filter_map(Result::err) {
                warn!(%error, "the reconciler could not send; it retries at the order's next check");
            }
            if last {
                break;
            }
        }
        Ok(run)
    }

    async fn take(&self, check: &Check, now: Timestamp) -> Option<Order> {
        match self.orders.postpone(check, now + pause(check.count)).await {
            Ok(Postponed::Moved(order)) => Some(*order),
            Ok(Postponed::Gone) => None,
            Err(error) => {
                warn!(order_id = %check.order, "order {}: not checked: {error}", check.order);
                None
            }
        }
    }

    fn drive(&self, order: &Order, now: Timestamp, run: &mut Run) -> Vec<Outgoing> {
        let id = order.id;
        if self.deadlines.is_overdue(order, now) {
            metrics::count(metrics::OVERDUE, 1, None);
        }
        if self.deadlines.has_expired(order, now) {
            info!(order_id = %id, "order {id}: unfinished past its deadline, {}", order.not_after);
            run.expired += 1;
            let traceparent = Some(order.traceparent.clone());
            let message = OrderUpdate::DeadlinePassed;
            return vec![Outgoing::event(&Event { order: id, message, time: now, traceparent, attempt: 0 })];
        }
        info!(order_id = %id, "order {id}: waiting for {:?} since {}; sending again", order.state.awaiting(), order.updated_at());
        run.resent += 1;
        self.commands(order)
    }
}

/// The pause after the `count`-th look: 1 min doubling to 6 h.
fn pause(count: u32) -> Duration {
    FIRST_CHECK.saturating_mul(1_u32.checked_shl(count).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_a_minute_to_six_hours() {
        let minutes = [(0, 1), (1, 2), (8, 256), (9, 360), (31, 360), (u32::MAX, 360)];
        for (count, expected) in minutes {
            assert_eq!(pause(count), Duration::from_secs(expected * 60), "after look {count}");
        }
    }
}
