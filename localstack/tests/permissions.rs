//! Compares each function's role with the calls of the function: it allows exactly these.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use localstack::cloud::{Message, lock};
use localstack::stack::{Stack, consumer_name};
use protocol::topic::Topic;
use serde_json::Value;
use testkit::template::{Function, Permission, Template};

/// The actions of the Lambda runtime with a function's role: reading its queue, and writing its log.
fn used_by_the_runtime(function: &Function) -> BTreeSet<Permission> {
    let mapping = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let mapping = function.consumes.iter().flat_map(|queue| mapping.map(|action| (action, queue.clone())));
    let logs = ["logs:CreateLogStream", "logs:PutLogEvents"];
    let logs = logs.map(|action| (action, format!("{}Logs", function.name)));
    mapping.chain(logs).map(|(action, on)| (action.to_owned(), on)).collect()
}

/// Everything that can happen to bookings: each end, each detour, and unreadable messages.
async fn everything() -> Stack {
    let stack = Stack::start().await;
    let show = |id: String| {
        let stack = &stack;
        async move { stack.request("GET", &format!("/bookings/{id}"), None).await }
    };

    // One at a time: booked, sold out, declined.
    for (seats, card) in [(2, "pm_card_visa"), (9, "pm_card_visa"), (1, "pm_card_chargeDeclined")] {
        let flight = if seats == 9 { "OS-512" } else { "OS-101" };
        let id = stack.book(flight, seats, card).await;
        stack.settle().await;
        assert_eq!(show(id).await["settled"], true);
    }
    // Many at a time.
    for _ in 0..10 {
        stack.book("OS-118", 1, "pm_card_visa").await;
    }
    stack.settle().await;
    // Cancelled while it waits for its payment, then cancelled again; cancelled when it was confirmed.
    let early = stack.book("OS-101", 1, "pm_card_visa").await;
    stack.deliver(Topic::Tickets, 10).await;
    stack.deliver(Topic::OrderUpdates, 10).await;
    stack.request("DELETE", &format!("/bookings/{early}"), None).await;
    stack.settle().await;
    stack.request("DELETE", &format!("/bookings/{early}"), None).await;
    let late = stack.book("OS-101", 1, "pm_card_visa").await;
    stack.settle().await;
    stack.request("DELETE", &format!("/bookings/{late}"), None).await;
    stack.settle().await;
    assert_eq!(show(early).await["status"], "cancelled");
    assert_eq!(show(late).await["status"], "cancelled");
    stack.api(&serde_json::from_str(include_str!("../events/flights-api.json")).unwrap()).await;
    // Lost on the way, and sent again; then past its deadline.
    let lost = stack.book("OS-101", 1, "pm_card_visa").await;
    lock(&stack.cloud.queues).clear();
    stack.clock.advance(Duration::from_secs(120));
    stack.reconcile().await;
    stack.deliver(Topic::Tickets, 10).await;
    stack.deliver(Topic::OrderUpdates, 10).await;
    lock(&stack.cloud.queues).clear();
    stack.clock.advance(Duration::from_secs(240));
    stack.reconcile().await;
    lock(&stack.cloud.queues).clear();
    stack.clock.advance(Duration::from_secs(50 * 60 * 60));
    stack.reconcile().await;
    stack.settle().await;
    assert_eq!(show(lost).await["reason"], "expired");
    // The table of each consumer is unavailable once, when a message needs it.
    let functions = Template::load().functions();
    for topic in Topic::ALL {
        let consumer = functions.iter().find(|function| function.name == consumer_name(topic)).unwrap();
        stack.book("OS-101", 1, "pm_card_visa").await;
        stack.settle_except(&[topic]).await;
        lock(&stack.cloud.away).insert(consumer.environment["TABLE"].clone());
        assert_eq!(stack.deliver(topic, 10).await, 1, "{topic}");
        let waits = lock(&stack.cloud.queues)[&topic.queue()].clone();
        assert!(matches!(&waits[..], [copy] if copy.delay >= 1 && copy.received == 0), "{topic}: {waits:?}");
        lock(&stack.cloud.away).clear();
        stack.settle().await;
    }
    // Unreadable messages are dead-lettered.
    for topic in Topic::ALL {
        let odd = Message { body: "odd".to_owned(), delay: 0, attributes: Value::Null, received: 0 };
        lock(&stack.cloud.queues).entry(topic.queue()).or_default().push(odd);
        stack.deliver(topic, 10).await;
    }
    stack
}

#[tokio::test]
async fn a_role_allows_what_its_function_does_and_nothing_else() {
    let stack = everything().await;
    let calls = lock(&stack.cloud.calls).clone();
    let mut wrong = Vec::new();
    for function in Template::load().functions() {
        let mine = calls.iter().filter(|call| call.function == function.name);
        let mut used: BTreeSet<_> = mine.flat_map(|call| call.permissions.clone()).collect();
        assert!(used.len() > 1, "{} does something", function.name);
        used.extend(used_by_the_runtime(&function));
        let say =
            |what: &str, (action, on): &Permission| format!("{}: {what} {action} on {on}", function.name);
        wrong.extend(used.difference(&function.allowed).map(|missing| say("may not", missing)));
        wrong.extend(function.allowed.difference(&used).map(|unused| say("needs no", unused)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_role_has_a_wildcard() {
    for (id, role) in Template::load().of_type("AWS::IAM::Role") {
        let policies = serde_norway::to_string(&role["Properties"]["Policies"]).unwrap();
        assert!(!policies.contains('*'), "{id} allows more than it says");
    }
}
