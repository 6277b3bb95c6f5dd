//! What a payment provider's books say of refunds.

use protocol::ids::OrderId;
use protocol::money::Money;
use protocol::time::Timestamp;

/// The refunds of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refunds {
    /// How many there were.
    pub all: usize,
    /// The payments whose last refund failed.
    pub failed: Vec<FailedRefund>,
}

/// A refund that failed, maybe days after it was done, with no later one of its payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRefund {
    /// The provider's name for it.
    pub name: String,
    /// The order, if the provider knows one.
    pub order: Option<OrderId>,
    /// What was to be refunded.
    pub amount: Money,
    /// When it was asked for.
    pub at: Timestamp,
    /// Why it failed, in the provider's word.
    pub reason: String,
}
