//! Refunds that failed, as the payment provider's books say: differences that no record of this system shows.

use std::fmt;

use billing_service::refunds::{FailedRefund, Refunds};
use serde::Serialize;

use super::{Discrepancy, rule};

/// What the provider's books say of the refunds of the last days.
#[derive(Clone, Debug, Serialize)]
pub struct RefundAudit {
    /// Of how many days.
    pub days: u32,
    /// How many refunds there were.
    pub refunds: usize,
    /// The orders whose last refund failed.
    pub discrepancies: Vec<Discrepancy>,
}

impl RefundAudit {
    /// Of the refunds of the last `days`.
    pub fn of(days: u32, refunds: &Refunds) -> Self {
        let discrepancy = |failed: &FailedRefund| {
            let FailedRefund { name, order, amount, at, reason } = failed;
            Discrepancy {
                booking_id: *order,
                expected: rule::A_REFUND_ARRIVES.expected.to_owned(),
                actual: format!("the refund {name} of {amount}, asked for at {at}, failed: {reason}"),
                advice: rule::A_REFUND_ARRIVES.advice,
            }
        };
        Self { days, refunds: refunds.all, discrepancies: refunds.failed.iter().map(discrepancy).collect() }
    }
}

impl fmt::Display for RefundAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for discrepancy in &self.discrepancies {
            writeln!(f, "{discrepancy}")?;
        }
        let (refunds, days, failed) = (self.refunds, self.days, self.discrepancies.len());
        write!(f, "{refunds} refunds in the last {days} days; of {failed} payments the last one failed")
    }
}
