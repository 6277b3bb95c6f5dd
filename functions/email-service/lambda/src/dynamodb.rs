//! What was mailed, on DynamoDB: one item an order, `order_id`, `step` and `body`, and `undeliverable` if it could not be. In the same table, how many mails an
//! address got in an hour: one item for both, `order_id` (`mails/` and a digest), `mails` and `expires_at`, the time in
//! seconds after which DynamoDB deletes it.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;

use async_trait::async_trait;
use aws::dynamodb::{Item, body, get_many, hex, number, record, store_error, string};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use email_service::limit::{Counted, MailCounter, MailboxHour};
use email_service::store::{Delivery, MailStore};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;

/// The attribute of a mail that could not be delivered.
const UNDELIVERABLE: &str = "undeliverable";

/// The last step mailed, in a table.
pub struct DynamoMails {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub table: String,
}

/// What was mailed about which order; `None` for the counters of mails, which are in the table too.
///
/// # Errors
/// The record cannot be read.
pub fn mailed(item: &Item) -> Result<Option<(OrderId, NoticeOutcome, Delivery)>, StoreError> {
    if !item.contains_key("body") {
        return Ok(None);
    }
    Ok(Some((id(item)?, record(item)?, delivery(item))))
}

fn delivery(item: &Item) -> Delivery {
    if item.contains_key(UNDELIVERABLE) { Delivery::Undeliverable } else { Delivery::Sent }
}

fn id(item: &Item) -> Result<OrderId, StoreError> {
    let id = item.get("order_id").and_then(|id| id.as_s().ok()?.parse().ok());
    id.ok_or_else(|| StoreError::unreadable("an item has no order_id"))
}

#[async_trait]
impl MailStore for DynamoMails {
    async fn last(&self, order: OrderId) -> Result<Option<NoticeOutcome>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("order_id", string(order.to_string()));
        get.consistent_read(true).send().await.map_err(store_error)?.item().map(record).transpose()
    }

    async fn last_of_many(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, NoticeOutcome>, StoreError> {
        let orders: BTreeSet<_> = orders.iter().map(OrderId::to_string).collect();
        let key = |order| HashMap::from([("order_id".to_owned(), string(order))]);
        let keys: Vec<Item> = orders.into_iter().map(key).collect();
        let items = get_many(&self.client, &self.table, &keys).await?;
        items.iter().map(|item| Ok((id(item)?, record(item)?))).collect()
    }

    async fn mark(
        &self,
        order: OrderId,
        outcome: NoticeOutcome,
        delivery: Delivery,
    ) -> Result<(), StoreError> {
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("order_id", string(order.to_string()))
            .item("step", number(outcome.step()))
            .item("body", body(&outcome)?)
            .condition_expression("attribute_not_exists(#step) OR #step < :step")
            .expression_attribute_names("#step", "step")
            .expression_attribute_values(":step", number(outcome.step()));
        if delivery == Delivery::Undeliverable {
            put = put.item(UNDELIVERABLE, AttributeValue::Bool(true));
        }
        match put.send().await {
            Ok(_) => Ok(()),
            // A later or equal step was mailed before.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(store_error(error)),
        }
    }

    async fn delivery(&self, order: OrderId) -> Result<Option<Delivery>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("order_id", string(order.to_string()));
        Ok(get.consistent_read(true).send().await.map_err(store_error)?.item().map(delivery))
    }
}

/// Counts mails, beside their records.
pub struct DynamoMailCounter {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub table: String,
}

#[async_trait]
impl MailCounter for DynamoMailCounter {
    /// One conditional write. A retry of the client after a lost reply may count twice.
    async fn count(&self, mailbox: MailboxHour, most: NonZeroU32) -> Result<Counted, StoreError> {
        let key = format!("mails/{}", hex(&mailbox.digest));
        // An hour more, for clocks that differ.
        let expires_at = mailbox.ends_at.as_millis() / 1000 + 60 * 60;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("order_id", string(key))
            .update_expression("ADD mails :one SET expires_at = :expires_at")
            .condition_expression("attribute_not_exists(mails) OR mails < :most")
            .expression_attribute_values(":one", number(1_u64))
            .expression_attribute_values(":most", number(most.get()))
            .expression_attribute_values(":expires_at", AttributeValue::N(expires_at.to_string()));
        match update.send().await {
            Ok(_) => Ok(Counted::Counted),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Counted::Full)
            }
            Err(error) => Err(store_error(error)),
        }
    }
}
