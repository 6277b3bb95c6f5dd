//! The events for `sam local invoke`, each through its function's Lambda entry point.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use localstack::cloud::lock;
use localstack::stack::Stack;
use protocol::topic::Topic;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

const ORDER: &str = "11111111-1111-4111-8111-111111111111";

fn event(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What is in a topic's queue: the types of the messages, and the orders they are about.
fn sent(stack: &Stack, topic: Topic) -> Vec<(String, String)> {
    let queues = lock(&stack.cloud.queues);
    let messages = queues.get(&topic.queue()).into_iter().flatten();
    let read = |body: &str| {
        let event = event(body);
        (event["type"].as_str().unwrap().to_owned(), event["subject"].as_str().unwrap().to_owned())
    };
    messages.map(|message| read(&message.body)).collect()
}

/// Gives a consumer its event; it must handle every record.
async fn consumed(topic: Topic, text: &str) -> Stack {
    let stack = Stack::start().await;
    let response = stack.batch(topic, serde_json::from_str(text).unwrap()).await;
    assert_eq!(serde_json::to_value(response).unwrap(), json!({"batchItemFailures": []}));
    stack
}

#[tokio::test]
async fn bookings_api_accepts_a_booking_and_asks_for_its_seats() {
    let stack = Stack::start().await;
    let answer = stack.api(&event(include_str!("../events/bookings-api.json"))).await;
    assert_eq!(answer["statusCode"], 202, "{answer}");
    let booking = event(answer["body"].as_str().unwrap());
    assert_eq!(booking["status"], "pending");
    let id = booking["id"].as_str().unwrap().to_owned();
    // Relative to /v1/bookings, so that it resolves beneath every stage.
    assert_eq!(answer["multiValueHeaders"]["location"], json!([format!("bookings/{id}")]));
    assert_eq!(answer["isBase64Encoded"], false);
    assert_eq!(sent(&stack, Topic::Tickets), [("booking.reserve.v1".to_owned(), id)]);
}

#[tokio::test]
async fn bookings_api_serves_the_page_at_the_root_of_its_stage_and_knows_no_other_path() {
    let stack = Stack::start().await;
    let mut page = event(include_str!("../events/bookings-api.json"));
    page["httpMethod"] = "GET".into();
    page["body"] = Value::Null;
    for (path, status, kind) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/app.js", 200, "text/javascript; charset=utf-8"),
        ("/v1/bookings", 404, "application/problem+json"),
    ] {
        page["path"] = path.into();
        let answer = stack.api(&page).await;
        assert_eq!(answer["statusCode"], status, "{path}");
        assert_eq!(answer["multiValueHeaders"]["content-type"], json!([kind]), "{path}");
    }
}

/// A route is for API Gateway's limits alone: what the function answers depends on the path.
#[tokio::test]
async fn bookings_api_answers_the_same_whatever_route_a_request_came_by() {
    let stack = Stack::start().await;
    let mut request = event(include_str!("../events/bookings-api.json"));
    let booked = stack.api(&request).await;
    let booking = event(booked["body"].as_str().unwrap());
    let path = format!("/bookings/{}", booking["id"].as_str().unwrap());
    request["httpMethod"] = "GET".into();
    request["body"] = Value::Null;
    for (resource, proxy) in [("/bookings/{proxy+}", &path["/bookings/".len()..]), ("/{proxy+}", &path[1..])]
    {
        request["resource"] = resource.into();
        request["path"] = path.as_str().into();
        request["pathParameters"] = json!({"proxy": proxy});
        request["requestContext"]["resourcePath"] = resource.into();
        request["requestContext"]["path"] = format!("/v1{path}").into();
        let answer = stack.api(&request).await;
        assert_eq!(answer["statusCode"], 200, "{resource}: {answer}");
        assert_eq!(event(answer["body"].as_str().unwrap())["id"], booking["id"], "{resource}");
    }
}

#[tokio::test]
async fn bookings_api_reads_a_body_that_the_gateway_encoded() {
    let stack = Stack::start().await;
    let mut odd = event(include_str!("../events/bookings-api.json"));
    odd["isBase64Encoded"] = true.into();
    // The bytes FF FE: no text in any encoding this API takes.
    odd["body"] = "//4=".into();
    let answer = stack.api(&odd).await;
    assert_eq!(answer["statusCode"], 400, "{answer}");
}

#[tokio::test]
async fn flights_api_shows_the_flights() {
    let stack = Stack::start().await;
    let answer = stack.api(&event(include_str!("../events/flights-api.json"))).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(event(answer["body"].as_str().unwrap()).as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn tickets_consumer_holds_seats_and_answers() {
    let stack = consumed(Topic::Tickets, include_str!("../events/tickets-consumer.json")).await;
    assert_eq!(
        sent(&stack, Topic::OrderUpdates),
        [("booking.tickets_reserved.v1".to_owned(), ORDER.to_owned())]
    );
}

#[tokio::test]
async fn order_updates_consumer_delays_an_update_that_is_ahead_of_its_order() {
    let stack = consumed(Topic::OrderUpdates, include_str!("../events/order-updates-consumer.json")).await;
    assert_eq!(
        sent(&stack, Topic::OrderUpdates),
        [("booking.tickets_reserved.v1".to_owned(), ORDER.to_owned())]
    );
}

#[tokio::test]
async fn billing_consumer_captures_and_answers() {
    let stack = consumed(Topic::Billing, include_str!("../events/billing-consumer.json")).await;
    assert_eq!(
        sent(&stack, Topic::OrderUpdates),
        [("booking.payment_captured.v1".to_owned(), ORDER.to_owned())]
    );
}

#[tokio::test]
async fn email_consumer_mails_the_customer() {
    let stack = consumed(Topic::Email, include_str!("../events/email-consumer.json")).await;
    let mails = lock(&stack.cloud.mails);
    let to: Vec<_> = mails.iter().map(|mail| &mail["Destinations.member.1"]).collect();
    assert_eq!(to, ["ada@example.com"]);
}

#[tokio::test]
async fn reconciler_takes_any_event_that_the_schedule_sends() {
    let _: IgnoredAny = serde_json::from_str(include_str!("../events/reconciler.json")).unwrap();
    Stack::start().await.reconcile().await;
}
