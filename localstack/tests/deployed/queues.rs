//! The queues of the stack under test.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, QueueAttributeName};
use protocol::topic::Topic;
use testkit::template::Template;

use crate::stack::{Stack, until};

/// A dead letter.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) body: String,
    /// Why it was dead-lettered. SQS gives no reason after five failures.
    pub(crate) failure: Option<String>,
    /// The consumer that dead-lettered it.
    pub(crate) source: Option<String>,
}

impl Stack {
    /// The URL of a topic's queue.
    pub(crate) fn queue_url(&self, topic: Topic) -> String {
        self.output(&format!("{}Url", topic.queue())).to_owned()
    }

    /// The URL of its dead-letter queue.
    pub(crate) fn dead_letter_url(&self, topic: Topic) -> String {
        self.output(&format!("{}Url", topic.dead_letter_queue())).to_owned()
    }

    async fn attribute(&self, url: &str, name: QueueAttributeName) -> String {
        let ask = self.sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        ask.send().await.unwrap().attributes.unwrap().remove(&name).unwrap()
    }

    /// The queue's ARN.
    pub(crate) async fn arn(&self, url: &str) -> String {
        self.attribute(url, QueueAttributeName::QueueArn).await
    }

    /// Waits until so many messages can be received from a queue.
    pub(crate) async fn holds(&self, what: &str, url: &str, messages: u32) {
        let waiting = QueueAttributeName::ApproximateNumberOfMessages;
        until(what, messages.to_string(), async || self.attribute(url, waiting.clone()).await).await;
    }

    /// Waits until no message of any topic waits, is in flight or is delayed.
    pub(crate) async fn comes_to_rest(&self) {
        until("what moves in the topics", Vec::new(), async || {
            let mut moving = Vec::new();
            for topic in Topic::ALL {
                for (state, messages) in self.messages(&self.queue_url(topic)).await {
                    if messages != "0" {
                        moving.push(format!("{topic}: {state} {messages}"));
                    }
                }
            }
            moving
        })
        .await;
    }

    async fn messages(&self, url: &str) -> HashMap<QueueAttributeName, String> {
        let ask = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesDelayed);
        ask.send().await.unwrap().attributes.unwrap()
    }

    /// Sends a message.
    pub(crate) async fn send(&self, topic: Topic, body: &str) {
        self.sqs.send_message().queue_url(self.queue_url(topic)).message_body(body).send().await.unwrap();
    }

    /// Waits for the one dead letter of a topic, and leaves it in the queue.
    pub(crate) async fn dead_letter(&self, topic: Topic) -> Letter {
        let url = self.dead_letter_url(topic);
        self.holds(&format!("the dead letters of {topic}"), &url, 1).await;
        let receive =
            self.sqs.receive_message().queue_url(url).visibility_timeout(0).message_attribute_names("All");
        let Message { body, message_attributes, .. } =
            receive.send().await.unwrap().messages.unwrap().remove(0);
        let attributes = message_attributes.unwrap_or_default();
        let text = |name: &str| attributes.get(name)?.string_value.clone();
        Letter { body: body.unwrap(), failure: text("failure"), source: text("source") }
    }

    /// Moves the one message of a topic, whose consumer is stopped, to its dead-letter queue.
    pub(crate) async fn dead_letter_one(&self, topic: Topic) {
        let url = self.queue_url(topic);
        self.holds(&format!("a message of {topic}"), &url, 1).await;
        let received = self.sqs.receive_message().queue_url(&url).send().await.unwrap();
        let message = received.messages.unwrap().remove(0);
        let send = self.sqs.send_message().queue_url(self.dead_letter_url(topic));
        send.set_message_body(message.body).send().await.unwrap();
        let delete = self.sqs.delete_message().queue_url(&url);
        delete.set_receipt_handle(message.receipt_handle).send().await.unwrap();
        self.holds(&format!("the dead letters of {topic}"), &self.dead_letter_url(topic), 1).await;
    }

    /// Moves all dead letters of a topic back into its queue.
    pub(crate) async fn redrive(&self, topic: Topic) {
        let from = self.arn(&self.dead_letter_url(topic)).await;
        let to = self.arn(&self.queue_url(topic)).await;
        self.sqs.start_message_move_task().source_arn(from).destination_arn(to).send().await.unwrap();
    }

    /// Deletes all messages of a queue.
    pub(crate) async fn purge(&self, url: &str) {
        self.sqs.purge_queue().queue_url(url).send().await.unwrap();
    }

    /// Deletes the messages that a failed test left in the topics.
    pub(crate) async fn purge_topics(&self) {
        for topic in Topic::ALL {
            self.purge(&self.queue_url(topic)).await;
        }
    }

    /// After how long a message that was not acknowledged is redelivered.
    pub(crate) async fn set_visibility_timeout(&self, topic: Topic, timeout: Duration) {
        let set = self.sqs.set_queue_attributes().queue_url(self.queue_url(topic));
        let set = set.attributes(QueueAttributeName::VisibilityTimeout, timeout.as_secs().to_string());
        set.send().await.unwrap();
    }

    /// The timeout in template.yaml.
    pub(crate) fn deployed_visibility_timeout(&self, topic: Topic) -> Duration {
        let template = Template::load();
        let queues = template.of_type("AWS::SQS::Queue");
        let (_, queue) = queues.into_iter().find(|(id, _)| *id == topic.queue()).unwrap();
        Duration::from_secs(queue["Properties"]["VisibilityTimeout"].as_u64().unwrap())
    }
}
