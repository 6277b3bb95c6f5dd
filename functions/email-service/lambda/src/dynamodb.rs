//! What was mailed, on DynamoDB: one item an order, `order_id`, `step` and `body`.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use aws::dynamodb::{Item, body, get_many, number, record, store_error, string};
use aws_sdk_dynamodb::Client;
use email_service::store::MailStore;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::messages::NoticeOutcome;

/// The last step mailed, in a table.
pub struct DynamoMails {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub table: String,
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

    async fn mark(&self, order: OrderId, outcome: NoticeOutcome) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("order_id", string(order.to_string()))
            .item("step", number(outcome.step()))
            .item("body", body(&outcome)?)
            .condition_expression("attribute_not_exists(#step) OR #step < :step")
            .expression_attribute_names("#step", "step")
            .expression_attribute_values(":step", number(outcome.step()));
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
}
