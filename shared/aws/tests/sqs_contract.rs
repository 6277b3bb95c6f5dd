//! The topics' contract, on a live SQS: the one that `AWS_ENDPOINT_URL` names. Without one these
//! tests say that they were skipped.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws::sqs::{Queues, SqsTopics};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use messaging::consumer::Delivery;
use messaging::entropy::{Entropy, OsEntropy};
use messaging::topics::{Outgoing, SendError, Topics};
use messaging_contract::{BothEnds, VISIBILITY};
use protocol::topic::Topic;

/// Both ends of four queues of a test's own.
struct LiveTopics {
    client: Client,
    topics: SqsTopics,
    queues: BTreeMap<Topic, Queues>,
    /// The receipt of each delivery, by the delivery's id.
    receipts: Mutex<BTreeMap<String, String>>,
}

async fn create(
    client: &Client,
    name: &str,
    attributes: &[(QueueAttributeName, String)],
) -> (String, String) {
    let create =
        client.create_queue().queue_name(name).set_attributes(Some(attributes.iter().cloned().collect()));
    let url = create.send().await.unwrap().queue_url.unwrap();
    let asked = client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let arn = asked.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
    (url, arn)
}

/// Queues as template.yaml has them, but for the visibility timeout, which is the suite's.
async fn live() -> Option<(LiveTopics, ())> {
    let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL") else {
        // Not `println!`: the harness would swallow the line of a test that passes.
        let _ = writeln!(std::io::stderr(), "skipped, it needs AWS_ENDPOINT_URL");
        return None;
    };
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint);
    let client = Client::from_conf(config.build());
    let test = OsEntropy.order_id();
    let mut queues = BTreeMap::new();
    for topic in Topic::ALL {
        let (dead_letter_url, arn) =
            create(&client, &format!("{test}-{}", topic.dead_letter_name()), &[]).await;
        let policy = format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":\"5\"}}");
        let attributes = [
            (QueueAttributeName::VisibilityTimeout, VISIBILITY.as_secs().to_string()),
            (QueueAttributeName::RedrivePolicy, policy),
        ];
        let (url, _) = create(&client, &format!("{test}-{topic}"), &attributes).await;
        queues.insert(topic, Queues { url, dead_letter_url: Some(dead_letter_url) });
    }
    let topics = SqsTopics::new(client.clone(), queues.clone(), Arc::new(OsEntropy));
    Some((LiveTopics { client, topics, queues, receipts: Mutex::default() }, ()))
}

impl LiveTopics {
    fn delivery(&self, message: Message) -> Delivery {
        let id = message.message_id.unwrap();
        self.receipts.lock().unwrap().insert(id.clone(), message.receipt_handle.unwrap());
        let count = &message.attributes.unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount];
        Delivery { id, body: message.body.unwrap(), receive_count: count.parse().unwrap() }
    }

    fn receipt(&self, delivery: &Delivery) -> String {
        self.receipts.lock().unwrap()[&delivery.id].clone()
    }
}

#[async_trait]
impl Topics for LiveTopics {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        self.topics.send(messages).await
    }
}

#[async_trait]
impl BothEnds for LiveTopics {
    async fn receive(&self, topic: Topic, most: usize) -> Vec<Delivery> {
        // One answer may hold only some of what waits: ask until there is no more.
        let mut deliveries = Vec::new();
        while deliveries.len() < most {
            let receive = self
                .client
                .receive_message()
                .queue_url(&self.queues[&topic].url)
                .max_number_of_messages(i32::try_from(most - deliveries.len()).unwrap())
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .wait_time_seconds(1);
            let received = receive.send().await.unwrap().messages.unwrap_or_default();
            if received.is_empty() {
                break;
            }
            deliveries.extend(received.into_iter().map(|message| self.delivery(message)));
        }
        deliveries
    }

    async fn acknowledge(&self, topic: Topic, delivery: &Delivery) {
        let delete = self.client.delete_message().queue_url(&self.queues[&topic].url);
        delete.receipt_handle(self.receipt(delivery)).send().await.unwrap();
    }

    async fn redeliver(&self, topic: Topic, delivery: &Delivery) {
        let change = self.client.change_message_visibility().queue_url(&self.queues[&topic].url);
        change.receipt_handle(self.receipt(delivery)).visibility_timeout(0).send().await.unwrap();
    }

    async fn dead_letters(&self, topic: Topic) -> Vec<(String, Option<(String, u32)>)> {
        let received = self
            .client
            .receive_message()
            .queue_url(self.queues[&topic].dead_letter_url.as_ref().unwrap())
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .send()
            .await
            .unwrap();
        let letter = |message: Message| {
            let attributes = message.message_attributes.unwrap_or_default();
            let value = |name: &str| attributes.get(name)?.string_value.clone();
            let failure = value("failure").zip(value("attempts").and_then(|count| count.parse().ok()));
            (message.body.unwrap(), failure)
        };
        received.messages.unwrap_or_default().into_iter().map(letter).collect()
    }

    async fn pass(&self, time: Duration) {
        // A queue checks the time once a second.
        tokio::time::sleep(time + Duration::from_millis(1500)).await;
    }
}

messaging_contract::topics_contract!(live);
