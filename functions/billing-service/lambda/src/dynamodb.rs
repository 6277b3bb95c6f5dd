//! The payments on DynamoDB: one item each, `order_id` and `body`, and `refused`: why the provider refuses what it intends.

mod simulated;

use async_trait::async_trait;
use aws::dynamodb::{Item, body, record, store_error, string};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use billing_service::payment::{Payment, provider_by_reference};
use billing_service::store::{Begun, PaymentStore};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use serde_json::{Value, json};

pub use simulated::{DynamoSimulatedProvider, account, account_key};

const REFUSED: &str = "refused";

/// Payments in a table.
pub struct DynamoPayments {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub table: String,
}

fn no_item() -> StoreError {
    StoreError::unavailable("a failed condition came without its item")
}

/// The order that an item is the payment of; `None` for an item of the simulated provider's books.
pub fn payment_of(item: &Item) -> Option<OrderId> {
    item.get("order_id")?.as_s().ok()?.parse().ok()
}

/// The payment of an item. Earlier records named no provider: the prefix of the reference tells it.
///
/// # Errors
/// The item is not a payment that this version can read.
pub fn read(item: &Item) -> Result<Payment, StoreError> {
    let mut body: Value = record(item)?;
    if let Some(reference) = body["reference"].as_str()
        && body["provider"].is_null()
    {
        body["provider"] = json!(provider_by_reference(reference));
    }
    serde_json::from_value(body).map_err(StoreError::unreadable)
}

/// Why the provider refuses what an item's payment intends.
pub fn refusal(item: &Item) -> Option<String> {
    item.get(REFUSED)?.as_s().ok().cloned()
}

#[async_trait]
impl PaymentStore for DynamoPayments {
    async fn find(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("order_id", string(order.to_string()));
        get.consistent_read(true).send().await.map_err(store_error)?.item().map(read).transpose()
    }

    async fn begin(&self, order: OrderId, payment: &Payment) -> Result<Begun, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("order_id", string(order.to_string()))
            .item("body", body(payment)?)
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", "order_id")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Begun::Begun),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Begun::Exists(read(failed.item().ok_or_else(no_item)?)?))
                }
                _ => Err(store_error(error)),
            },
        }
    }

    async fn replace(&self, order: OrderId, from: &Payment, to: &Payment) -> Result<Payment, StoreError> {
        let mut before = body(from)?;
        loop {
            match self.replace_body(order, before, to).await? {
                Replaced::Replaced => return Ok(to.clone()),
                // An earlier version may have serialized the same record differently.
                Replaced::Stands(payment, words) if payment == *from => before = words,
                Replaced::Stands(payment, _) => return Ok(payment),
            }
        }
    }

    async fn note_refusal(&self, order: OrderId, reason: &str) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("order_id", string(order.to_string()))
            .update_expression("SET #refused = :reason")
            .condition_expression("attribute_exists(#id)")
            .expression_attribute_names("#refused", REFUSED)
            .expression_attribute_names("#id", "order_id")
            .expression_attribute_values(":reason", string(reason.to_owned()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(store_error(error)),
            },
        }
    }

    async fn refusal(&self, order: OrderId) -> Result<Option<String>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("order_id", string(order.to_string()));
        Ok(get.consistent_read(true).send().await.map_err(store_error)?.item().and_then(refusal))
    }
}

enum Replaced {
    Replaced,
    Stands(Payment, AttributeValue),
}

impl DynamoPayments {
    async fn replace_body(
        &self,
        order: OrderId,
        before: AttributeValue,
        to: &Payment,
    ) -> Result<Replaced, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("order_id", string(order.to_string()))
            .update_expression("SET #body = :to REMOVE #refused")
            .condition_expression("#body = :from")
            .expression_attribute_names("#body", "body")
            .expression_attribute_names("#refused", REFUSED)
            .expression_attribute_values(":from", before)
            .expression_attribute_values(":to", body(to)?)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match update {
            Ok(_) => Ok(Replaced::Replaced),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let item = failed.item().ok_or_else(no_item)?;
                    let words = item.get("body").cloned().ok_or_else(no_item)?;
                    Ok(Replaced::Stands(read(item)?, words))
                }
                _ => Err(store_error(error)),
            },
        }
    }
}
