//! The topics on SQS, against an SQS that takes only part of a batch, and a consumer as Lambda
//! calls it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws::lambda::consume;
use aws::sqs::{Queues, SqsTopics};
use aws_lambda_events::event::sqs::SqsEvent;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message_batch::{SendMessageBatchInput, SendMessageBatchOutput};
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use messaging::clock::SystemClock;
use messaging::consumer::{Consumer, Outcome, Service};
use messaging::entropy::SeededEntropy;
use messaging::store::StoreError;
use messaging::topics::{Failure, Outgoing, SendError, Topics};
use protocol::event::{Event, LARGEST};
use protocol::ids::OrderId;
use protocol::messages::BillingCommand;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde_json::{Value, json};

/// What one call asked for.
#[derive(Clone, Debug)]
struct Call {
    queue: String,
    bodies: Vec<String>,
    delays: Vec<Option<i32>>,
    attributes: Vec<String>,
}

/// An SQS that answers each entry as `judge` says, given its body and how often it was sent.
fn sqs(judge: impl Fn(&str, usize) -> Verdict + Send + Sync + 'static) -> (SqsTopics, Arc<Mutex<Vec<Call>>>) {
    let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
    let seen = calls.clone();
    let asked: Arc<Mutex<Option<SendMessageBatchInput>>> = Arc::default();
    let remembered = asked.clone();
    let rule = mock!(Client::send_message_batch)
        .match_requests(move |input| {
            *asked.lock().unwrap() = Some(input.clone());
            true
        })
        .sequence()
        .output(move || {
            let input = remembered.lock().unwrap().take().unwrap();
            let mut calls = seen.lock().unwrap();
            let (mut taken, mut failed) = (Vec::new(), Vec::new());
            for entry in input.entries() {
                let sent = calls
                    .iter()
                    .flat_map(|call| &call.bodies)
                    .filter(|body| *body == entry.message_body())
                    .count();
                match judge(entry.message_body(), sent) {
                    Verdict::Take => taken.push(
                        SendMessageBatchResultEntry::builder()
                            .id(entry.id())
                            .message_id("m")
                            .md5_of_message_body("d")
                            .build()
                            .unwrap(),
                    ),
                    Verdict::Fail { sender_fault } => failed.push(
                        BatchResultErrorEntry::builder()
                            .id(entry.id())
                            .code("Odd")
                            .sender_fault(sender_fault)
                            .build()
                            .unwrap(),
                    ),
                    Verdict::Forget => {}
                }
            }
            calls.push(Call {
                queue: input.queue_url().unwrap().to_owned(),
                bodies: input.entries().iter().map(|entry| entry.message_body().to_owned()).collect(),
                delays: input.entries().iter().map(|entry| entry.delay_seconds()).collect(),
                attributes: input
                    .entries()
                    .iter()
                    .filter_map(|entry| {
                        Some(format!("{:?}", entry.message_attributes()?.get("failure")?.string_value()?))
                    })
                    .collect(),
            });
            SendMessageBatchOutput::builder()
                .set_successful(Some(taken))
                .set_failed(Some(failed))
                .build()
                .unwrap()
        })
        .repeatedly()
        .build();
    let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&rule]);
    let queues = |topic: Topic| Queues {
        url: format!("q/{topic}"),
        dead_letter_url: Some(format!("q/{}", topic.dead_letter_name())),
    };
    let queues = [Topic::Tickets, Topic::Billing].map(|topic| (topic, queues(topic)));
    (SqsTopics::new(client, BTreeMap::from(queues), Arc::new(SeededEntropy::new(1))), calls)
}

#[derive(Clone, Copy)]
enum Verdict {
    Take,
    Fail { sender_fault: bool },
    Forget,
}

fn message(topic: Topic, body: impl Into<String>) -> Outgoing {
    Outgoing { topic, body: body.into(), delay: Duration::ZERO, dead_letter: None, about: None }
}

fn outcomes(sent: &[Result<(), SendError>]) -> Vec<bool> {
    sent.iter().map(Result::is_ok).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_go_in_batches_of_ten_to_their_own_queues() {
    let (topics, calls) = sqs(|_, _| Verdict::Take);
    let mut messages: Vec<_> = (0..23).map(|number| message(Topic::Tickets, number.to_string())).collect();
    messages.push(message(Topic::Billing, "charge"));
    assert!(topics.send(messages).await.iter().all(Result::is_ok));
    let calls = calls.lock().unwrap();
    let mut sizes: Vec<_> = calls.iter().map(|call| (call.queue.as_str(), call.bodies.len())).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [("q/billing", 1), ("q/tickets", 3), ("q/tickets", 10), ("q/tickets", 10)]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_never_exceeds_what_one_call_may_carry() {
    let (topics, calls) = sqs(|_, _| Verdict::Take);
    let large = "x".repeat(LARGEST / 3);
    assert!(topics.send(vec![message(Topic::Tickets, large); 7]).await.iter().all(Result::is_ok));
    let calls = calls.lock().unwrap();
    assert_eq!(calls.iter().map(|call| call.bodies.len()).sum::<usize>(), 7);
    assert!(calls.iter().all(|call| call.bodies.iter().map(String::len).sum::<usize>() <= LARGEST));
}

#[tokio::test(start_paused = true)]
async fn only_what_was_not_taken_is_sent_again() {
    let (topics, calls) =
        sqs(
            |body, sent| {
                if body == "b" && sent < 2 { Verdict::Fail { sender_fault: false } } else { Verdict::Take }
            },
        );
    let sent = topics.send(["a", "b", "c"].map(|body| message(Topic::Tickets, body)).to_vec()).await;
    assert_eq!(outcomes(&sent), [true, true, true]);
    let bodies: Vec<_> = calls.lock().unwrap().iter().map(|call| call.bodies.join("")).collect();
    assert_eq!(bodies, ["abc", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_never_taken_or_not_mentioned_is_reported() {
    let (topics, calls) = sqs(|body, _| match body {
        "never" => Verdict::Fail { sender_fault: false },
        "forgotten" => Verdict::Forget,
        "ours" => Verdict::Fail { sender_fault: true },
        _ => Verdict::Take,
    });
    let bodies = ["good", "never", "forgotten", "ours", "fine"];
    let sent = topics.send(bodies.map(|body| message(Topic::Tickets, body)).to_vec()).await;
    assert_eq!(outcomes(&sent), [true, false, false, false, true]);
    let ours = calls
        .lock()
        .unwrap()
        .iter()
        .flat_map(|call| call.bodies.clone())
        .filter(|body| body == "ours")
        .count();
    assert_eq!(ours, 1, "what is our own fault is not repeated");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_not_ours_and_a_message_too_large_are_refused_unsent() {
    let (topics, calls) = sqs(|_, _| Verdict::Take);
    let sent =
        topics.send(vec![message(Topic::Email, "?"), message(Topic::Tickets, "x".repeat(LARGEST + 1))]).await;
    assert_eq!(outcomes(&sent), [false, false]);
    assert!(calls.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn delays_are_whole_seconds_and_dead_letters_carry_their_reason() {
    let (topics, calls) = sqs(|_, _| Verdict::Take);
    let late = Outgoing { delay: Duration::from_millis(1_200), ..message(Topic::Tickets, "late") };
    let failure = Failure { failure: "it is odd".to_owned(), attempts: 3, source: "/ticket-service" };
    let dead = Outgoing { dead_letter: Some(failure), ..message(Topic::Tickets, "dead") };
    assert!(topics.send(vec![late, dead]).await.iter().all(Result::is_ok));
    let calls = calls.lock().unwrap();
    let call = |queue: &str| calls.iter().find(|call| call.queue == queue).unwrap();
    assert_eq!(call("q/tickets").delays, [Some(2)]);
    assert_eq!(call("q/tickets-dlq").attributes, ["\"it is odd\""]);
}

/// How long a batch may take.
const TIME: Duration = Duration::from_secs(25);

/// Panics, waits or is done, as the order's first byte says.
struct Scripted;

#[async_trait]
impl Service for Scripted {
    type Message = BillingCommand;
    type Loaded = ();

    async fn handle(&self, event: &Event<BillingCommand>, (): &()) -> Result<Outcome, StoreError> {
        match event.order.as_bytes()[0] {
            1 => panic!("as the order says"),
            2 => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Ok(Outcome::Done(Vec::new()))
            }
            3 => Ok(Outcome::Wait("the provider is unavailable".to_owned())),
            _ => Ok(Outcome::Done(Vec::new())),
        }
    }
}

fn record(name: &str, body: &str) -> Value {
    json!({
        "messageId": name, "receiptHandle": "r", "body": body, "md5OfBody": "d", "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:1:billing", "awsRegion": "eu-west-1",
    })
}

fn reverse(first: u8) -> String {
    let mut bytes = [9; 16];
    bytes[0] = first;
    let (order, time) = (OrderId::from_bytes(bytes), Timestamp::from_millis(1_800_000_000_000));
    Event { order, message: BillingCommand::Reverse, time, expires: None, traceparent: None, attempt: 0 }
        .encode()
}

#[tokio::test(start_paused = true)]
async fn exactly_the_records_that_failed_are_reported_to_lambda() {
    let (topics, calls) = sqs(|_, _| Verdict::Take);
    let event = json!({"Records": [
        record("fine", &reverse(0)), record("panics", &reverse(1)), record("too-slow", &reverse(2)),
        record("waits", &reverse(3)), record("garbage", "garbage"),
    ]});
    let event: SqsEvent = serde_json::from_value(event).unwrap();
    let consumer = Consumer::new(Scripted, Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
    let response = consume(&consumer, &topics, event, TIME).await;
    let response = serde_json::to_value(&response).unwrap();
    assert_eq!(
        response,
        json!({"batchItemFailures": [{"itemIdentifier": "panics"}, {"itemIdentifier": "too-slow"}]})
    );
    let mut queues: Vec<_> = calls.lock().unwrap().iter().map(|call| call.queue.clone()).collect();
    queues.sort_unstable();
    assert_eq!(queues, ["q/billing", "q/billing-dlq"], "the delayed copy, and the dead letter");
}

#[tokio::test]
async fn a_batch_with_a_record_that_has_no_id_is_redelivered() {
    let (topics, _) = sqs(|_, _| Verdict::Take);
    let mut without_id = record("-", &reverse(0));
    without_id.as_object_mut().unwrap().remove("messageId");
    let event = json!({"Records": [record("fine", &reverse(0)), without_id]});
    let consumer = Consumer::new(Scripted, Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
    let response = consume(&consumer, &topics, serde_json::from_value(event).unwrap(), TIME).await;
    // Lambda takes an empty id for the whole batch.
    let response = serde_json::to_value(&response).unwrap();
    assert_eq!(response, json!({"batchItemFailures": [{"itemIdentifier": ""}]}));
}
