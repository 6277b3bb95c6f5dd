//! One record of a batch fails: it alone is redelivered, and in the end is a dead letter. Once the
//! cause is fixed it is redriven, and its booking settles.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use protocol::topic::Topic;

use crate::stack::alone;

#[tokio::test]
async fn only_the_failed_record_of_a_batch_is_redelivered_then_dead_lettered_then_redriven() {
    alone(async |stack| {
        let topic = Topic::OrderUpdates;
        stack.disable(topic).await;
        let good = stack.book("pm_card_visa").await;
        let bad = stack.book("pm_card_visa").await;
        let fine = stack.book("pm_card_visa").await;
        stack.holds("the updates of three bookings", &stack.queue_url(topic), 3).await;

        // The record of one order cannot be read.
        let table = stack.output("OrdersTable");
        let get = stack.dynamodb.get_item().table_name(table).key("id", AttributeValue::S(bad.clone()));
        let order = get.consistent_read(true).send().await.unwrap().item.unwrap();
        let mut spoiled = order.clone();
        spoiled.insert("body".to_owned(), AttributeValue::S("not an order".to_owned()));
        let put = |item| stack.dynamodb.put_item().table_name(table).set_item(Some(item)).send();
        put(spoiled).await.unwrap();

        // So that twenty deliveries do not take an hour.
        stack.set_visibility_timeout(topic, Duration::from_secs(1)).await;
        stack.enable(topic).await;
        for id in [&good, &fine] {
            stack.becomes("a booking in a batch with a failing one", id, "confirmed").await;
        }

        // One letter: the others of the batch were not redelivered with it.
        stack.comes_to_rest().await;
        let letter = stack.dead_letter(topic).await;
        assert!(letter.body.contains(&bad), "{letter:?}");
        assert_eq!(letter.failure, None, "SQS dead-lettered it after twenty deliveries: {letter:?}");

        put(order).await.unwrap();
        stack.redrive(topic).await;
        stack.becomes("a redriven booking", &bad, "confirmed").await;
        stack.comes_to_rest().await;
        for id in [&good, &bad, &fine] {
            assert_eq!(stack.mails(id).await, 1, "mails about the booking {id}");
        }
    })
    .await;
}
