//! What every store on DynamoDB shares: reading many items when some are left unprocessed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use aws::dynamodb::{Item, get_many};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use messaging::store::StoreError;

const TABLE: &str = "orders";

fn key(id: &str) -> Item {
    HashMap::from([("id".to_owned(), AttributeValue::S(id.to_owned()))])
}

/// An answer with some items, which leaves others over.
fn answer(items: &[&str], left: &[&str]) -> BatchGetItemOutput {
    let left = left.iter().fold(KeysAndAttributes::builder(), |keys, id| keys.keys(key(id)));
    let answer = BatchGetItemOutput::builder().responses(TABLE, items.iter().map(|id| key(id)).collect());
    match left.build() {
        Ok(left) => answer.unprocessed_keys(TABLE, left).build(),
        Err(_) => answer.build(),
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_left_over_are_read_by_another_call() {
    let rule = mock!(Client::batch_get_item)
        .sequence()
        .output(|| answer(&["a"], &["b", "c"]))
        .output(|| answer(&["b"], &["c"]))
        .output(|| answer(&["c"], &[]))
        .build();
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&rule]);
    let items = get_many(&client, TABLE, &[key("a"), key("b"), key("c")]).await.unwrap();
    assert_eq!(items, [key("a"), key("b"), key("c")]);
    assert_eq!(rule.num_calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_keeps_leaving_keys_unprocessed_is_unavailable() {
    let rule = mock!(Client::batch_get_item).sequence().output(|| answer(&[], &["a"])).repeatedly().build();
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&rule]);
    let read = get_many(&client, TABLE, &[key("a")]).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert_eq!(rule.num_calls(), 6);
}
