//! The port through which everything is sent to the topics.

use std::time::Duration;

use async_trait::async_trait;
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::Payload;
use protocol::topic::Topic;
use thiserror::Error;

/// A message on its way to a topic.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its topic; for a dead letter, the topic it came from.
    pub topic: Topic,
    /// The CloudEvent as JSON; for a dead letter, the body as it was received.
    pub body: String,
    /// Not to be received before this has passed; at most 900 s.
    pub delay: Duration,
    /// If set, it goes to the topic's dead-letter queue, with these as its attributes.
    pub dead_letter: Option<Failure>,
    /// For logs.
    pub order: Option<OrderId>,
}

impl Outgoing {
    /// That event, to its topic, at once.
    pub fn event<M: Payload>(event: &Event<M>) -> Self {
        Self::delayed(event, Duration::ZERO)
    }

    /// That event, to its topic, after a while.
    pub fn delayed<M: Payload>(event: &Event<M>, delay: Duration) -> Self {
        Self {
            topic: event.message.label().topic,
            body: event.encode(),
            delay,
            dead_letter: None,
            order: Some(event.order),
        }
    }
}

/// Why a message was dead-lettered, as its attributes in the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason, for the operator.
    pub failure: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The consumer that dead-lettered it, `/billing-service`.
    pub source: &'static str,
}

/// A message did not reach its topic, or may not have.
#[derive(Clone, Debug, Error)]
#[error("the topic {topic} took no message: {reason}")]
pub struct SendError {
    /// The topic.
    pub topic: Topic,
    /// Why.
    pub reason: String,
}

/// The port to the topics.
///
/// Delivery is at least once and in no order. **Crash contract:** before the call, nothing was
/// sent; during it, any of the messages may have been; once it has answered `Ok` for a message,
/// that message survives every crash until a consumer acknowledges it.
#[async_trait]
pub trait Topics: Send + Sync {
    /// Sends messages, to any topics; answers for each in the same order.
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>>;
}
