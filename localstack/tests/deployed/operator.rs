//! The operator's view of the deployed stack.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use client::eventually;
use messaging::clock::SystemClock;
use operator::commands::{self, Verdict};
use operator::serve::Server;
use operator::view::AwsView;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use serde_json::json;
use system::view::LetterId;

use crate::stack::{Stack, alone, until};

/// SQS must count every message for a minute before a settled order that differs counts.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(2);

async fn view(stack: &Stack) -> AwsView {
    let name = std::env::var("STACK").unwrap_or_else(|_| "bookings".to_owned());
    let client = aws_sdk_cloudformation::Client::new(&stack.config);
    let found = operator::stack::Stack::find(&client, &name).await.unwrap();
    AwsView::new(&stack.config, found, Arc::new(SystemClock), 10)
}

/// The verdict of the audit about an order, once it can be told.
async fn becomes(view: &AwsView, order: &str, verdict: Verdict) {
    let id: OrderId = order.parse().unwrap();
    let look = || async {
        let found = commands::order(view, &SystemClock, id).await.unwrap();
        if found.verdict == verdict { Ok(()) } else { Err(found.text) }
    };
    if let Err(last) = eventually(PATIENCE, PAUSE, look).await {
        panic!("order {order} is not {verdict:?}: {last}");
    }
}

/// Poison, list, explain, redrive, settled.
#[tokio::test]
async fn a_dead_letter_is_listed_explained_and_redriven_until_its_order_is_settled() {
    alone(async |stack| {
        let view = view(stack).await;
        stack.disable(Topic::Billing).await;
        let id = stack.book("pm_card_visa").await;
        stack.becomes("a booking without its payment", &id, "tickets_reserved").await;
        // As if billing had received the charge twenty times in vain.
        stack.dead_letter_one(Topic::Billing).await;
        stack.enable(Topic::Billing).await;

        let listed = commands::letters(&view).await.unwrap();
        assert_eq!((listed.verdict, listed.json.as_array().unwrap().len()), (Verdict::Differs, 1));
        assert_eq!(listed.json[0]["order_id"], json!(id));
        let letter: LetterId = listed.json[0]["id"].as_str().unwrap().parse().unwrap();
        let explained = commands::explain(&view, &letter).await.unwrap().text;
        assert!(
            explained.contains("booking.charge.v1") && explained.contains("waits for payment"),
            "{explained}"
        );
        assert_eq!(commands::audit(&view).await.unwrap().verdict, Verdict::Differs);
        let redriven = commands::redrive(&view, Some(letter), false).await.unwrap();
        assert_eq!(redriven.json, json!({"redriven": 1}));
        stack.becomes("a redriven booking", &id, "confirmed").await;
        becomes(&view, &id, Verdict::Fine).await;
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_is_dead_lettered_again_is_the_same_letter() {
    alone(async |stack| {
        let view = view(stack).await;
        stack.send(Topic::Email, "not an event").await;
        stack.holds("a dead letter", &stack.dead_letter_url(Topic::Email), 1).await;
        let before = view.look().await.unwrap().letters.remove(0);
        commands::redrive(&view, Some(before.id.clone()), false).await.unwrap();
        stack.comes_to_rest().await;
        stack.holds("a dead letter, again", &stack.dead_letter_url(Topic::Email), 1).await;
        let after = view.look().await.unwrap().letters.remove(0);
        assert_eq!((&after.id, after.first_at), (&before.id, before.first_at));
        assert_eq!((after.redrives, after.attempts), (1, before.attempts + 1));
        commands::discard(&view, &after.id, "sent to try it", false).await.unwrap();
        assert_eq!(commands::letters(&view).await.unwrap().verdict, Verdict::Fine);
    })
    .await;
}

#[tokio::test]
async fn the_audit_finds_an_order_whose_payment_was_deleted_by_hand() {
    alone(async |stack| {
        let view = view(stack).await;
        let id = stack.book("pm_card_visa").await;
        stack.becomes("a booking", &id, "confirmed").await;
        stack.comes_to_rest().await;
        becomes(&view, &id, Verdict::Fine).await;
        let table = stack.output("PaymentsTable");
        let item = || stack.dynamodb.get_item().table_name(table);
        let key = AttributeValue::S(id.clone());
        let payment = item().key("order_id", key.clone()).send().await.unwrap().item.unwrap();
        stack.dynamodb.delete_item().table_name(table).key("order_id", key).send().await.unwrap();
        becomes(&view, &id, Verdict::Differs).await;
        let audit = commands::audit(&view).await.unwrap();
        assert_eq!(audit.verdict, Verdict::Differs);
        assert!(audit.text.contains(&id), "{}", audit.text);
        stack.dynamodb.put_item().table_name(table).set_item(Some(payment)).send().await.unwrap();
        becomes(&view, &id, Verdict::Fine).await;
    })
    .await;
}

#[tokio::test]
async fn a_service_is_stopped_and_started_and_the_page_shows_it() {
    alone(async |stack| {
        let view = Arc::new(view(stack).await);
        let server = Server::listen(view.clone(), Arc::new(SystemClock), 0).await.unwrap();
        let url = server.url().unwrap().replace("/system", "/operator/system");
        let server = tokio::spawn(server.run(std::future::pending()));
        let running = async || {
            let system = stack.http.request("GET", &url).send().await.unwrap().success().unwrap();
            system["services"]["billing-service"]["running"].clone()
        };
        commands::switch(&view, "billing-service", false, false).await.unwrap();
        until("billing on the page", json!(false), &running).await;
        let id = stack.book("pm_card_visa").await;
        stack.holds("what waits for billing", &stack.queue_url(Topic::Billing), 1).await;
        assert_eq!(commands::topics(&view).await.unwrap().json["billing"]["waiting"], 1);
        commands::switch(&view, "billing-service", true, false).await.unwrap();
        until("billing on the page", json!(true), &running).await;
        stack.becomes("a booking that waited", &id, "confirmed").await;
        server.abort();
    })
    .await;
}
