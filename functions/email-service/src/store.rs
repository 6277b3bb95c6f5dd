//! The port to what was mailed.

use std::collections::HashMap;

use async_trait::async_trait;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The mailer took it.
    Sent,
    /// Its address takes no mail, as the mailer said. It is not tried again.
    Undeliverable,
}

/// One record per order: the last step that was mailed.
///
/// **Crash contract** of `mark`: before the call nothing is written; during it the record is there
/// or not; once it is answered it survives. It may be repeated.
#[async_trait]
pub trait MailStore: Send + Sync {
    /// The latest outcome that the order's customer was mailed. Consistent.
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError>;

    /// The same of many orders, in one call. Orders that were mailed nothing are not in it.
    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError>;

    /// Records that `outcome` was mailed, or could not be, unless a later or equal step is recorded.
    async fn mark(
        &self,
        order: OrderId,
        outcome: NoticeOutcome,
        delivery: Delivery,
    ) -> Result<(), StoreError>;

    /// What became of the mail of the latest outcome, for the audit. Consistent.
    async fn delivery(&self, order: OrderId) -> Result<Option<Delivery>, StoreError>;
}
