//! The port to the payments.

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::ids::OrderId;

use crate::payment::Payment;

/// The payments, one per order.
///
/// **Crash contract** of the writes: before the call nothing is written; during it the write is
/// there wholly or not at all; once it is answered it survives. Each may be repeated.
#[async_trait]
pub trait PaymentStore: Send + Sync {
    /// The payment of an order. Consistent.
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError>;

    /// Records an order's first payment, if it has none; answers the one that stands.
    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError>;

    /// Replaces the payment `from` by `to`, if `from` is what stands; answers what stands now.
    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError>;

    /// Notes why the provider refuses what the order's payment intends, beside the payment: for the operator. The note is
    /// gone once the payment is replaced. Nothing is noted where there is no payment.
    async fn note_refusal(&self, order: OrderId, reason: &str) -> Result<(), StoreError>;

    /// The note beside the payment that stands, if there is one. Consistent.
    async fn refusal(&self, order: OrderId) -> Result<Option<String>, StoreError>;
}

/// What became of a first record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is stored.
    Begun,
    /// The order has this one already.
    Exists(Payment),
}
