//! Helpers that all DynamoDB adapters share.
//!
//! A record is kept as the JSON of its type in one attribute, `body`; attributes for conditions and
//! indexes stand beside it. Every attribute is named through an alias, since DynamoDB reserves many
//! words.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use messaging::entropy::Entropy;
use messaging::error_chain::error_chain;
use messaging::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An item, as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// A string attribute.
pub fn string(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Bytes as they stand in a key, in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number attribute.
pub fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// A record as an attribute.
pub fn body(record: &impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_json::to_string(record).map(AttributeValue::S).map_err(StoreError::unreadable)
}

/// The record of an item.
pub fn record<T: DeserializeOwned>(item: &Item) -> Result<T, StoreError> {
    let body = item.get("body").and_then(|value| value.as_s().ok());
    let body = body.ok_or_else(|| StoreError::unreadable("an item has no body"))?;
    serde_json::from_str(body).map_err(StoreError::unreadable)
}

/// A whole number that an item must have.
pub fn count(item: &Item, attribute: &str) -> Result<u64, StoreError> {
    let number = item.get(attribute).and_then(|value| value.as_n().ok()?.parse().ok());
    number.ok_or_else(|| StoreError::unreadable(format!("an item has no {attribute}")))
}

/// The error of a failed call.
pub fn store_error<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    StoreError::unavailable(error_chain(&error))
}

/// Gives every item of a table, a page of up to 1 MB at a time; in no order, and not at one moment.
///
/// # Errors
/// The table cannot be read, or `take` refuses an item.
pub async fn scan(
    client: &Client,
    table: &str,
    mut take: impl FnMut(&Item) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut start = None;
    loop {
        let page = client.scan().table_name(table).set_exclusive_start_key(start).send().await;
        let page = page.map_err(store_error)?;
        page.items().iter().try_for_each(&mut take)?;
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(());
        }
    }
}

/// The most keys of one `BatchGetItem`.
const KEYS: usize = 100;

/// How often unprocessed keys are requested before the read fails.
const LEFTOVERS: u32 = 6;

/// The items that exist for those keys, read consistently. No key may occur twice.
pub async fn get_many(client: &Client, table: &str, keys: &[Item]) -> Result<Vec<Item>, StoreError> {
    let mut items = Vec::with_capacity(keys.len());
    for page in keys.chunks(KEYS) {
        let mut keys = page.to_vec();
        for attempt in 0.. {
            // Keys beyond one answer (16 MB), or the table's throughput, are left unprocessed.
            if attempt == LEFTOVERS {
                return Err(StoreError::unavailable("the table keeps leaving keys unread"));
            }
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(25 << attempt)).await;
            }
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let wanted = wanted.map_err(StoreError::unavailable)?;
            let got =
                client.batch_get_item().request_items(table, wanted).send().await.map_err(store_error)?;
            items.extend(got.responses.and_then(|mut tables| tables.remove(table)).unwrap_or_default());
            let left = got.unprocessed_keys.and_then(|mut tables| tables.remove(table));
            keys = left.map(|left| left.keys).unwrap_or_default();
            if keys.is_empty() {
                break;
            }
        }
    }
    Ok(items)
}

/// How often a colliding transaction is tried before its message waits.
const COLLISIONS: u32 = 6;

/// Runs a transaction again, after a short random pause, while it collides with others.
pub async fn retry_collisions<T, F>(
    entropy: &dyn Entropy,
    mut attempt: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<Option<T>, StoreError>>,
{
    let mut collisions = 0;
    loop {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
        pause_after_collision(entropy, &mut collisions).await?;
    }
}

/// Counts a collision of a transaction with others, and waits for a short random time: in all a third of a
/// second on average, and two thirds at most.
///
/// # Errors
/// It collided too often, and waits no more.
pub async fn pause_after_collision(entropy: &dyn Entropy, collisions: &mut u32) -> Result<(), StoreError> {
    *collisions += 1;
    if *collisions >= COLLISIONS {
        return Err(StoreError::unavailable("other writers kept changing the same items"));
    }
    tokio::time::sleep(Duration::from_millis(5 + entropy.below(10 << *collisions))).await;
    Ok(())
}
