//! What only an operator asks of an account: the stack's outputs, the mappings, messages by hand.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::call::{Asked, queue};
use crate::cloud::{Cloud, Message, answer, lock};

/// The most messages of one `ReceiveMessage`.
const RECEIVED: usize = 10;

impl Cloud {
    /// The answer to an operator; `None` to what a function may ask too.
    pub(crate) fn operate(&self, asked: &Asked) -> Option<HttpResponse> {
        let Asked { service, operation, body } = asked;
        let answered = match (*service, operation.as_str()) {
            ("cloudformation", "DescribeStacks") => self.describe_stacks(),
            ("lambda", "ListEventSourceMappings") => {
                let queue = body["EventSourceArn"].as_str().unwrap_or_default();
                answer(200, &json!({"EventSourceMappings": [self.mapping(queue)]}))
            }
            ("lambda", "UpdateEventSourceMapping") => {
                let queue = body["UUID"].as_str().unwrap_or_default().to_owned();
                let enabled = body["Enabled"] == true;
                let mut stopped = lock(&self.stopped);
                let _ = if enabled { stopped.remove(&queue) } else { stopped.insert(queue.clone()) };
                drop(stopped);
                answer(202, &self.mapping(&queue))
            }
            ("sqs", "SendMessage") => {
                let message = self.message(&body["MessageBody"], 0, &body["MessageAttributes"]);
                lock(&self.queues).entry(queue(body)).or_default().push(message);
                answer(200, &json!({"MessageId": "m", "MD5OfMessageBody": "-"}))
            }
            ("sqs", "ReceiveMessage") => self.receive(body),
            ("sqs", "DeleteMessage") => {
                let receipt = &body["ReceiptHandle"];
                let mut queues = lock(&self.queues);
                queues.entry(queue(body)).or_default().retain(|message| json!(message.id) != *receipt);
                answer(200, &json!({}))
            }
            ("sqs", "ChangeMessageVisibility") => {
                let mut queues = lock(&self.queues);
                let messages = queues.entry(queue(body)).or_default().iter_mut();
                messages
                    .filter(|message| json!(message.id) == body["ReceiptHandle"])
                    .for_each(|message| message.hidden = body["VisibilityTimeout"] != 0);
                answer(200, &json!({}))
            }
            ("sqs", "GetQueueAttributes") => self.attributes(body),
            _ => return None,
        };
        Some(answered)
    }

    /// A message as it is sent now.
    pub(crate) fn message(&self, body: &Value, delay: i64, attributes: &Value) -> Message {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        Message {
            id: format!("message-{number}"),
            sent: 1_800_000_000_000 + number,
            body: body.as_str().expect("a body").to_owned(),
            delay,
            attributes: attributes.clone(),
            ..Message::default()
        }
    }

    fn describe_stacks(&self) -> HttpResponse {
        let outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        let members = outputs.iter().map(|(name, value)| {
            format!("<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>")
        });
        let outputs: String = members.collect();
        let body = format!(
            "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>bookings</StackName>\
             <CreationTime>2026-11-24T10:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
             <Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        );
        HttpResponse::new(200.try_into().expect("a status"), SdkBody::from(body))
    }

    fn mapping(&self, queue: &str) -> Value {
        let state = if lock(&self.stopped).contains(queue) { "Disabled" } else { "Enabled" };
        json!({"UUID": queue, "EventSourceArn": queue, "State": state})
    }

    fn receive(&self, body: &Value) -> HttpResponse {
        let mut queues = lock(&self.queues);
        let messages = queues.entry(queue(body)).or_default().iter_mut();
        let received = messages.filter(|message| !message.hidden).take(RECEIVED).map(|message| {
            message.hidden = true;
            message.received += 1;
            json!({
                "MessageId": message.id,
                "ReceiptHandle": message.id,
                "Body": message.body,
                "Attributes": {"SentTimestamp": message.sent.to_string()},
                "MessageAttributes": message.attributes,
            })
        });
        let received: Vec<_> = received.collect();
        answer(200, &json!({"Messages": received}))
    }

    fn attributes(&self, body: &Value) -> HttpResponse {
        let mut queues = lock(&self.queues);
        let messages = queues.entry(queue(body)).or_default();
        let count = |is: fn(&&Message) -> bool| messages.iter().filter(is).count().to_string();
        let all = BTreeMap::from([
            ("QueueArn", queue(body)),
            ("ApproximateNumberOfMessages", count(|message| message.delay == 0 && !message.hidden)),
            ("ApproximateNumberOfMessagesNotVisible", count(|message| message.hidden)),
            ("ApproximateNumberOfMessagesDelayed", count(|message| message.delay > 0)),
        ]);
        answer(200, &json!({"Attributes": all}))
    }
}
