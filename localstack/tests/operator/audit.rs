//! The audit of a stack: it finds what is wrong, and raises no false alarm.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use localstack::cloud::lock;
use localstack::stack::operator;
use operator::known::PAGE;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use system::audit::Audit;
use system::view::View;
use system_contract::Stage;

use crate::stage::AwsStage;

async fn audit(stage: &AwsStage) -> Audit {
    stage.view.audit().await.unwrap()
}

/// What an audit called: the operation and its table.
async fn calls_of_an_audit(stage: &AwsStage, orders: usize) -> Vec<(String, String)> {
    lock(&stage.stack.cloud.calls).clear();
    assert_eq!(audit(stage).await.orders, orders);
    let calls = lock(&stage.stack.cloud.calls);
    let made = calls.iter().filter(|call| call.service == "dynamodb");
    made.flat_map(|call| call.permissions.clone())
        .map(|(action, on)| (action.replace("dynamodb:", ""), on))
        .collect()
}

/// Puts so many orders that are as that one beside it.
async fn copy_order(stage: &AwsStage, id: &str, copies: usize) {
    let client = aws_sdk_dynamodb::Client::new(&operator(&stage.stack.cloud));
    let get = client.get_item().table_name("OrdersTable").key("id", AttributeValue::S(id.to_owned()));
    let order = get.send().await.unwrap().item.unwrap();
    for number in 0..copies {
        let copy = format!("{}{number:04x}", &id[..id.len() - 4]);
        let rename = |value: &AttributeValue| match value.as_s() {
            Ok(text) => AttributeValue::S(text.replace(id, &copy)),
            Err(_) => value.clone(),
        };
        let item = order.iter().map(|(name, value)| (name.clone(), rename(value))).collect();
        client.put_item().table_name("OrdersTable").set_item(Some(item)).send().await.unwrap();
    }
}

/// More than a page of orders: each is counted once, and the calls grow with the pages and not with the orders.
#[tokio::test]
async fn orders_are_read_by_the_page() {
    let stage = AwsStage::start().await;
    stage.book().await;
    stage.work().await;
    stage.pause();
    let few = calls_of_an_audit(&stage, 1).await;
    let all = |calls: &[(String, String)], action: &str, on: &str| {
        calls.iter().filter(|(did, table)| did == action && table == on).count()
    };
    for (table, scans, batches) in
        [("OrdersTable", 1, 0), ("TicketsTable", 1, 1), ("PaymentsTable", 1, 1), ("EmailsTable", 0, 1)]
    {
        assert_eq!((all(&few, "Scan", table), all(&few, "BatchGetItem", table)), (scans, batches), "{table}");
    }
    let waiting = stage.book().await.to_string();
    copy_order(&stage, &waiting, PAGE).await;
    let many = calls_of_an_audit(&stage, PAGE + 2).await;
    // The counters of the limits for clients are in the table too.
    let pages = all(&many, "Scan", "OrdersTable");
    assert!((2..=3).contains(&pages), "{pages} pages");
    assert_eq!((all(&many, "Scan", "TicketsTable"), all(&many, "Scan", "PaymentsTable")), (1, 1));
    for table in ["TicketsTable", "PaymentsTable", "EmailsTable"] {
        // A call for each hundred keys.
        let batches = all(&many, "BatchGetItem", table);
        assert!((6..=6 + pages).contains(&batches), "{batches} of {table}");
    }
    assert_eq!(all(&many, "GetItem", "OrdersTable"), 0, "nothing differs, so nothing is read again");
}

/// It is found by no amount of its order, which says that there is nothing to pay.
#[tokio::test]
async fn money_that_was_taken_for_an_order_without_an_amount_is_found_once() {
    let stage = AwsStage::start().await;
    let paid = stage.book().await;
    let refused: OrderId = stage.stack.book("XX-1", 1, "pm_card_visa").await.parse().unwrap();
    stage.work().await;
    stage.pause();
    assert_eq!(audit(&stage).await.discrepancies, []);
    // The account of the first order, in the name of the one that was rejected.
    let client = aws_sdk_dynamodb::Client::new(&operator(&stage.stack.cloud));
    let scan = client.scan().table_name("PaymentsTable").send().await.unwrap();
    let is_account = |item: &&std::collections::HashMap<_, AttributeValue>| {
        item["order_id"].as_s().unwrap().starts_with(&format!("simulated/sim_{paid}"))
    };
    let mut account = scan.items().iter().find(is_account).unwrap().clone();
    let key = account["order_id"].as_s().unwrap().replace(&paid.to_string(), &refused.to_string());
    account.insert("order_id".to_owned(), AttributeValue::S(key));
    client.put_item().table_name("PaymentsTable").set_item(Some(account)).send().await.unwrap();
    let found = audit(&stage).await;
    assert_eq!(found.orders, 2);
    let money = found.discrepancies.iter().filter(|found| found.expected.starts_with("captured − refunded"));
    assert_eq!(money.map(|found| found.booking_id).collect::<Vec<_>>(), [Some(refused)], "{found}");
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
