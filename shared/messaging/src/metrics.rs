//! What is counted. A metric is a tracing event under [`TARGET`], so a handler needs no port for it:
//! on AWS a layer writes it in CloudWatch's embedded metric format, elsewhere it is ignored.
//!
//! | metric | counted in | by |
//! |---|---|---|
//! | [`ACCEPTED`] | orders | |
//! | [`LIMITED`] | orders that were refused since their client had placed too many | |
//! | [`SETTLED`] | orders | `Status` |
//! | [`TIME_TO_SETTLE`] | milliseconds, from acceptance until it first settles | `Status` |
//! | [`RETRIES`] | messages that wait for another attempt | `Topic` |
//! | [`DEAD_LETTERED`] | messages sent to the dead-letter queue | `Topic` |
//! | [`EXPIRED`] | messages that need not be handled any more: their successors are under way | `Topic` |
//! | [`OLDEST_WAIT`] | milliseconds, of a batch: since the earliest `time` of its events | `Topic` |
//! | [`MAIL_REFUSED`] | mails that the mailer refused | |
//! | [`OVERDUE`] | orders found unsettled an hour after they began to wait | |
//! | [`RECONCILER_LATENESS`] | milliseconds, of a run: how long ago the most overdue check was due | |

use std::time::Duration;

use tracing::info;

/// The target of the tracing events that are metrics.
pub const TARGET: &str = "metrics";

/// Orders that were accepted.
pub const ACCEPTED: &str = "Accepted";
/// Orders beyond the limit of their client.
pub const LIMITED: &str = "Limited";
/// Orders that settled.
pub const SETTLED: &str = "Settled";
/// How long that took.
pub const TIME_TO_SETTLE: &str = "TimeToSettle";
/// Messages that wait for another attempt.
pub const RETRIES: &str = "Retries";
/// Messages that were dead-lettered.
pub const DEAD_LETTERED: &str = "DeadLettered";
/// Messages whose successors are under way.
pub const EXPIRED: &str = "Expired";
/// How long the event that has waited longest has waited.
pub const OLDEST_WAIT: &str = "OldestWait";
/// Mails that the mailer refused.
pub const MAIL_REFUSED: &str = "MailRefused";
/// Orders that wait too long.
pub const OVERDUE: &str = "Overdue";
/// How late the reconciler is. Each run writes it, so without one the reconciler does not run.
pub const RECONCILER_LATENESS: &str = "ReconcilerLateness";

/// A metric's dimension and its value there, `("Status", "confirmed")`.
pub type Dimension<'a> = Option<(&'static str, &'a str)>;

/// Adds to a counter.
pub fn count(metric: &'static str, number: usize, dimension: Dimension<'_>) {
    record(metric, number as f64, "Count", dimension);
}

/// Records a duration.
pub fn time(metric: &'static str, time: Duration, dimension: Dimension<'_>) {
    record(metric, time.as_millis() as f64, "Milliseconds", dimension);
}

fn record(metric: &'static str, value: f64, unit: &'static str, dimension: Dimension<'_>) {
    let (dimension, of) = dimension.unzip();
    info!(target: TARGET, metric, value, unit, dimension, of);
}
