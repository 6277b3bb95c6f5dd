//! The reconciler: finds orders that wait too long, and sends their commands again.
//!
//! It sends what a crash or an outage left unsent, and reports expired orders. It decides nothing:
//! orders change only by their inputs.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use futures_util::stream;
use messaging::metrics;
use messaging::store::StoreError;
use messaging::topics::Outgoing;
use protocol::messages::OrderUpdate;
use protocol::time::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::gateway::Gateway;
use crate::order::{Order, about};
use crate::store::{Check, From, Postponed};

/// How many checks are read at once from each end of a shard.
const PAGE: usize = 50;

/// How many orders are checked at the same time, in all shards together.
const AT_ONCE: usize = 64;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Orders whose commands were sent again.
    pub resent: usize,
    /// Orders that were found expired.
    pub expired: usize,
    /// How long ago the most overdue check was due when the run began.
    pub lateness: Duration,
}

impl Run {
    fn and(self, other: Run) -> Run {
        Run {
            resent: self.resent + other.resent,
            expired: self.expired + other.expired,
            lateness: self.lateness.max(other.lateness),
        }
    }
}

impl Gateway {
    /// Handles the checks that are due, all shards at once, until none is left or `time` is over. Two runs
    /// may overlap: each check is handled by one of them.
    ///
    /// Behind by more than a page, it takes half of each page from the freshest checks: an order whose
    /// first send was lost does not wait for a backlog of others.
    ///
    /// **Crash contract:** each check is moved on before anything is sent, so a run that dies costs its
    /// orders one pause, and never floods a topic. Where it could not send, or cannot tell whether the
    /// check was moved, it looks again in a minute.
    ///
    /// # Errors
    /// The index could not be read.
    pub async fn reconcile(&self, time: Duration) -> Result<Run, StoreError> {
        let end = Instant::now() + time;
        let shards = (0..self.orders.shards()).map(|shard| self.sweep(shard, end));
        let run = try_join_all(shards).await?.into_iter().fold(Run::default(), Run::and);
        metrics::time(metrics::RECONCILER_LATENESS, run.lateness, None);
        Ok(run)
    }

    async fn sweep(&self, shard: usize, end: Instant) -> Result<Run, StoreError> {
        let mut run = Run::default();
        let mut last: Option<Check> = None;
        let mut seen = HashSet::new();
        loop {
            let now = self.clock.now();
            let oldest = self.orders.due(shard, now, From::Oldest(last.as_ref()), PAGE).await?;
            if let (None, Some(first)) = (&last, oldest.first()) {
                run.lateness = now.since(first.at);
            }
            let is_last_page = oldest.len() < PAGE;
            last = oldest.last().cloned().or(last);
            let freshest = match is_last_page {
                true => Vec::new(),
                false => self.orders.due(shard, now, From::Freshest, PAGE).await?,
            };
            // The index may lag behind: what was handled can be read again.
            let mut checks = oldest.into_iter().chain(freshest).collect::<Vec<_>>();
            checks.retain(|check| seen.insert(check.clone()));
            run = run.and(self.check_all(&checks, now).await);
            if is_last_page || Instant::now() >= end {
                return Ok(run);
            }
        }
    }

    async fn check_all(&self, checks: &[Check], now: Timestamp) -> Run {
        let at_once = (AT_ONCE / self.orders.shards()).max(1);
        let taking: Vec<_> = checks.iter().map(|check| self.take(check, now)).collect();
        let taken: Vec<_> = stream::iter(taking).buffered(at_once).collect().await;
        let mut run = Run::default();
        let (mut owners, mut messages) = (Vec::new(), Vec::new());
        for (check, order) in checks.iter().zip(taken) {
            for message in order.map(|order| self.drive(&order, now, &mut run)).into_iter().flatten() {
                owners.push(check);
                messages.push(message);
            }
        }
        if messages.is_empty() {
            return run;
        }
        let mut unsent = BTreeMap::new();
        for (check, sent) in owners.into_iter().zip(self.topics.send(messages).await) {
            if let Err(error) = sent {
                let id = check.order;
                warn!(order_id = %id, %error, "order {id}: not sent; the reconciler looks again in a minute");
                unsent.insert(check.order, check);
            }
        }
        join_all(unsent.into_values().map(|check| self.look_again(check, now))).await;
        run
    }

    async fn take(&self, check: &Check, now: Timestamp) -> Option<Order> {
        match self.orders.postpone(check, check.next().following(now)).await {
            Ok(Postponed::Moved(order)) => Some(*order),
            Ok(Postponed::Gone) => None,
            Err(error) => {
                let id = check.order;
                warn!(order_id = %id, "order {id}: not checked: {error}");
                self.look_again(check, now).await;
                None
            }
        }
    }

    /// Sets a check that was moved on, as far as is known, to a minute from now.
    async fn look_again(&self, check: &Check, now: Timestamp) {
        let moved = Check::of(check.order, check.next().following(now));
        if let Err(error) = self.orders.postpone(&moved, check.next().again(now)).await {
            let id = check.order;
            warn!(order_id = %id, "order {id}: may be checked later than in a minute: {error}");
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
            let expires = order.next_check.map(|check| check.expiry(now));
            return vec![about(order, OrderUpdate::DeadlinePassed, now, expires)];
        }
        info!(order_id = %id, "order {id}: waiting for {:?} since {}; sending again", order.state.awaiting(), order.updated_at());
        run.resent += 1;
        self.commands(order)
    }
}
