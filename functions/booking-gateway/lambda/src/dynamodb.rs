//! The orders on DynamoDB: one item each, and a sparse index of the unsettled ones.
//!
//! | attribute | |
//! |---|---|
//! | `id` | the key |
//! | `version`, `body` | the order; a change rests on the version before |
//! | `digest` | what a repeated request is compared with; not on orders of before |
//! | `shard`, `next_check` | only while it is unsettled: the keys of the index `unsettled` |
//!
//! `next_check` is `<time>#<count>`: it sorts as time does, and a keys-only index carries both.

use std::collections::HashMap;

use async_trait::async_trait;
use aws::dynamodb::{Item, body, get_many, number, record, store_error, string};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use booking_gateway::check::NextCheck;
use booking_gateway::idempotency::RequestDigest;
use booking_gateway::order::Order;
use booking_gateway::store::{Check, Created, From, OrderStore, Postponed, Updated, Watch};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;

/// The index of the unsettled orders.
pub const UNSETTLED: &str = "unsettled";

/// Over how many partitions the index is spread: one takes no more than 1,000 writes a second, and
/// would then throttle the table's.
const SHARDS: usize = 16;

/// Orders in a table.
pub struct DynamoOrders {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub table: String,
}

fn shard(id: OrderId) -> String {
    // The last byte: the first ones are a time.
    let [.., last] = *id.as_bytes();
    shard_name(usize::from(last) % SHARDS)
}

fn shard_name(shard: usize) -> String {
    format!("{shard:02}")
}

fn next_check(NextCheck { at, count }: NextCheck) -> String {
    format!("{at}#{count}")
}

fn parse(next: &str) -> Option<NextCheck> {
    let (at, count) = next.split_once('#')?;
    Some(NextCheck { at: at.parse().ok()?, count: count.parse().ok()? })
}

/// The order of an item, with its next check.
///
/// # Errors
/// The item is not an order that this version can read.
pub fn order(item: &Item) -> Result<Order, StoreError> {
    let unreadable = |what| StoreError::unreadable(format!("the {what} of an order"));
    let next_check = text(item, "next_check").map(|next| parse(next).ok_or_else(|| unreadable("next check")));
    let digest = item.get("digest").map(|digest| parse_digest(digest).ok_or_else(|| unreadable("digest")));
    Ok(Order { next_check: next_check.transpose()?, digest: digest.transpose()?, ..record(item)? })
}

fn parse_digest(attribute: &AttributeValue) -> Option<RequestDigest> {
    Some(RequestDigest::from_bytes(attribute.as_b().ok()?.as_ref().try_into().ok()?))
}

/// Whether an item of the table is an order: the counters of the limits for clients are in it too.
pub fn is_order(item: &Item) -> bool {
    item.contains_key("body")
}

fn text<'a>(item: &'a Item, attribute: &str) -> Option<&'a str> {
    item.get(attribute)?.as_s().ok().map(String::as_str)
}

fn check(item: &Item) -> Result<Check, StoreError> {
    let parsed = text(item, "id")
        .zip(text(item, "next_check"))
        .and_then(|(id, next)| Some(Check::of(id.parse().ok()?, parse(next)?)));
    parsed.ok_or_else(|| StoreError::unreadable("an entry of the index of unsettled orders"))
}

#[async_trait]
impl OrderStore for DynamoOrders {
    async fn create(&self, order: &Order) -> Result<Created, StoreError> {
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("id", string(order.id.to_string()))
            .item("version", number(order.version))
            .item("body", body(order)?)
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", "id")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(check) = order.next_check {
            put = put.item("shard", string(shard(order.id))).item("next_check", string(next_check(check)));
        }
        if let Some(digest) = order.digest {
            put = put.item("digest", AttributeValue::B(Blob::new(digest.as_bytes())));
        }
        match put.send().await {
            Ok(_) => Ok(Created::Created),
            Err(error) => match error.as_service_error() {
                Some(
                    aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
                        failed,
                    ),
                ) => match failed.item() {
                    Some(item) => Ok(Created::Exists(Box::new(self::order(item)?))),
                    None => Err(StoreError::unavailable("a failed condition came without its item")),
                },
                _ => Err(store_error(error)),
            },
        }
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", string(id.to_string()))
            .consistent_read(true);
        get.send().await.map_err(store_error)?.item().map(order).transpose()
    }

    async fn get_many(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, StoreError> {
        let mut ids: Vec<_> = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let key = |id: &OrderId| HashMap::from([("id".to_owned(), string(id.to_string()))]);
        let keys: Vec<Item> = ids.iter().map(key).collect();
        let orders = get_many(&self.client, &self.table, &keys).await?;
        let orders: Result<Vec<Order>, _> = orders.iter().map(order).collect();
        Ok(orders?.into_iter().map(|order| (order.id, order)).collect())
    }

    async fn update(&self, next: &Order, watch: Watch) -> Result<Updated, StoreError> {
        let change = match watch {
            Watch::Keep => "SET #version = :version, #body = :body",
            Watch::Enter(_) => "SET #version = :version, #body = :body, #shard = :shard, #next = :next",
            Watch::Leave => "SET #version = :version, #body = :body REMOVE #shard, #next",
        };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", string(next.id.to_string()))
            .update_expression(change)
            .condition_expression("#version = :before")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#body", "body")
            .expression_attribute_values(":version", number(next.version))
            .expression_attribute_values(":before", number(next.version - 1))
            .expression_attribute_values(":body", body(next)?);
        if watch != Watch::Keep {
            update = update
                .expression_attribute_names("#shard", "shard")
                .expression_attribute_names("#next", "next_check");
        }
        if let Watch::Enter(check) = watch {
            update = update
                .expression_attribute_values(":shard", string(shard(next.id)))
                .expression_attribute_values(":next", string(next_check(check)));
        }
        match update.send().await {
            Ok(_) => Ok(Updated::Updated),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Updated::Stale)
            }
            Err(error) => Err(store_error(error)),
        }
    }

    fn shards(&self) -> usize {
        SHARDS
    }

    async fn due(
        &self,
        shard: usize,
        now: Timestamp,
        from: From<'_>,
        limit: usize,
    ) -> Result<Vec<Check>, StoreError> {
        let shard = shard_name(shard);
        let mut checks = Vec::new();
        // The key that a query would answer as its last: the next query goes on from there.
        let key = |last: &Check| {
            let next = next_check(last.next());
            let key = [("id", last.order.to_string()), ("shard", shard.clone()), ("next_check", next)];
            key.map(|(name, value)| (name.to_owned(), string(value))).into()
        };
        let (forward, mut start): (_, Option<Item>) = match from {
            From::Oldest(last) => (true, last.map(key)),
            From::Freshest => (false, None),
        };
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(UNSETTLED)
                .key_condition_expression("#shard = :shard AND #next < :end")
                .expression_attribute_names("#shard", "shard")
                .expression_attribute_names("#next", "next_check")
                .expression_attribute_values(":shard", string(&shard))
                // '~' sorts after '#': every count at `now` is included.
                .expression_attribute_values(":end", string(format!("{now}~")))
                .scan_index_forward(forward)
                .limit(i32::try_from(limit - checks.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start);
            let page = page.send().await.map_err(store_error)?;
            for item in page.items() {
                checks.push(check(item)?);
            }
            start = page.last_evaluated_key().cloned();
            if start.is_none() || checks.len() >= limit {
                return Ok(checks);
            }
        }
    }

    async fn postpone(&self, check: &Check, next: NextCheck) -> Result<Postponed, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", string(check.order.to_string()))
            .update_expression("SET #next = :next")
            .condition_expression("#next = :seen")
            .expression_attribute_names("#next", "next_check")
            .expression_attribute_values(":seen", string(next_check(check.next())))
            .expression_attribute_values(":next", string(next_check(next)))
            .return_values(ReturnValue::AllNew);
        match update.send().await {
            Ok(updated) => match updated.attributes() {
                Some(item) => Ok(Postponed::Moved(Box::new(order(item)?))),
                None => Err(StoreError::unavailable("an update came without its item")),
            },
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Postponed::Gone)
            }
            Err(error) => Err(store_error(error)),
        }
    }
}
