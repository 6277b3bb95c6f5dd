//! The audit of a stack: it finds what is wrong, and raises no false alarm.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use localstack::cloud::lock;
use localstack::stack::operator;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use system::audit::Audit;
use system::view::View;
use system_contract::Stage;

use crate::stage::AwsStage;

async fn audit(stage: &AwsStage) -> Audit {
    stage.view.audit().await.unwrap()
}

async fn delete(stage: &AwsStage, table: &str, key: &str, value: String) {
    let client = aws_sdk_dynamodb::Client::new(&operator(&stage.stack.cloud));
    let delete = client.delete_item().table_name(table).key(key, AttributeValue::S(value));
    delete.send().await.unwrap();
}

async fn delete_payment(stage: &AwsStage, id: OrderId) {
    delete(stage, "PaymentsTable", "order_id", id.to_string()).await;
}

#[tokio::test]
async fn an_order_whose_payment_was_deleted_by_hand_is_found() {
    let stage = AwsStage::start().await;
    let (id, _other) = (stage.book().await, stage.book().await);
    stage.work().await;
    stage.pause();
    assert_eq!(audit(&stage).await.discrepancies, []);
    delete_payment(&stage, id).await;
    let found = audit(&stage).await;
    assert!(found.is_complete());
    assert_eq!(found.discrepancies.len(), 1, "{found}");
    assert_eq!(found.discrepancies[0].booking_id, Some(id));
    assert_eq!(found.discrepancies[0].expected, "the payment's record is captured if confirmed, else closed");
}

/// SQS does not tell which order a message is about.
#[tokio::test]
async fn while_a_message_waits_a_settled_order_that_differs_is_undecided() {
    let stage = AwsStage::start().await;
    let id = stage.book().await;
    stage.work().await;
    stage.pause();
    delete_payment(&stage, id).await;
    let under_way = stage.book().await;
    let found = audit(&stage).await;
    assert_eq!((found.discrepancies, found.undecided), (Vec::new(), vec![id]), "{under_way} has a message");
    stage.work().await;
    stage.pause();
    let found = audit(&stage).await;
    assert_eq!((found.discrepancies.len(), found.undecided), (1, Vec::new()));
}

#[tokio::test]
async fn orders_that_wait_for_stopped_services_for_hours_are_no_difference() {
    for stopped in Topic::ALL {
        let stage = AwsStage::start().await;
        stage.book().await;
        stage.book_with("pm_card_chargeDeclined").await;
        stage.stack.settle_except(&[stopped]).await;
        for _ in 0..5 {
            stage.stack.clock.advance(Duration::from_secs(40 * 60));
            // It would not run once in forty minutes: the checks that are due by then take place.
            stage.stack.reconcile().await;
            stage.stack.settle_except(&[stopped]).await;
            let found = audit(&stage).await;
            assert_eq!((found.orders, found.discrepancies), (2, Vec::new()), "without {stopped}");
        }
        stage.work().await;
        stage.pause();
        let found = audit(&stage).await;
        assert_eq!((found.at_rest, found.discrepancies), (2, Vec::new()), "after {stopped} is back");
        assert_eq!(found.undecided, []);
    }
}

#[tokio::test]
async fn an_order_that_the_reconciler_overlooks_is_found() {
    let stage = AwsStage::start().await;
    let id = stage.book().await;
    lock(&stage.stack.cloud.queues).clear();
    stage.stack.clock.advance(Duration::from_secs(4 * 60 - 2));
    assert_eq!(audit(&stage).await.discrepancies, [], "its first check is not so late yet");
    stage.stack.clock.advance(Duration::from_secs(2));
    let found = audit(&stage).await.discrepancies;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].booking_id, Some(id));
}

#[tokio::test]
async fn records_without_an_order_and_seats_that_are_missing_are_found() {
    let stage = AwsStage::start().await;
    let (lost, kept) = (stage.book().await, stage.book().await);
    stage.work().await;
    stage.pause();
    delete(&stage, "OrdersTable", "id", lost.to_string()).await;
    let found = audit(&stage).await.discrepancies;
    assert_eq!((found.len(), found[0].booking_id), (1, Some(lost)), "{found:?}");
    assert_eq!(found[0].expected, "every record belongs to an order");
    // Its two seats are then neither free nor held.
    delete(&stage, "TicketsTable", "id", format!("order/{kept}")).await;
    let found = audit(&stage).await.discrepancies;
    let flights = found.iter().filter(|found| found.expected.starts_with("free + held"));
    assert_eq!(flights.count(), 1, "{found:?}");
}
