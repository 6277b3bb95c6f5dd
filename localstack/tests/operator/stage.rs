//! A stack with its operator's view.

use std::time::Duration;

use async_trait::async_trait;
use localstack::cloud::{Message, lock};
use localstack::stack::{Stack, operator};
use operator::stack::Stack as Found;
use operator::view::AwsView;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use system::view::View;
use system_contract::Stage;

/// A stack with its operator's view.
pub(crate) struct AwsStage {
    pub(crate) stack: Stack,
    pub(crate) view: AwsView,
}

impl AwsStage {
    pub(crate) async fn start() -> Self {
        let stack = Stack::start().await;
        let config = operator(&stack.cloud);
        let found = Found::find(&aws_sdk_cloudformation::Client::new(&config), "bookings").await.unwrap();
        // As fast as a test wants it.
        let view = AwsView::new(&config, found, stack.clock.clone(), 1_000);
        Self { stack, view }
    }

    /// Books, and lets a moment pass.
    pub(crate) async fn book_with(&self, card: &str) -> OrderId {
        let id = self.stack.book("OS-101", 2, card).await;
        self.stack.clock.advance(Duration::from_secs(1));
        id.parse().unwrap()
    }

    /// Lets so much time pass that SQS counts every message.
    pub(crate) fn pause(&self) {
        self.stack.clock.advance(operator::audit::SETTLED);
    }
}

#[async_trait]
impl Stage for AwsStage {
    fn view(&self) -> &dyn View {
        &self.view
    }

    async fn book(&self) -> OrderId {
        self.book_with("pm_card_visa").await
    }

    async fn send_unreadable(&self, topic: Topic) {
        let odd = Message { body: format!("not an event, for {topic}"), ..Message::default() };
        lock(&self.stack.cloud.queues).entry(topic.queue()).or_default().push(odd);
    }

    async fn work(&self) {
        self.stack.settle().await;
    }
}
