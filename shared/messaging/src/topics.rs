//! The port through which everything is sent to the topics.

use std::time::Duration;

use async_trait::async_trait;
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::Payload;
use protocol::time::Timestamp;
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
    /// What it says of itself, for logs and for the operator; `None` where that cannot be read.
    pub about: Option<About>,
}

/// What a message says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The order it is about.
    pub order: OrderId,
    /// Its name, `charge`.
    pub name: &'static str,
    /// Its event's own time, which all its copies share.
    pub time: Timestamp,
    /// How many delayed copies came before it.
    pub attempt: u32,
    /// Why it waits, if it is a delayed copy.
    pub reason: Option<Box<str>>,
}

impl About {
    /// What that event says.
    pub fn event<M: Payload>(event: &Event<M>) -> Self {
        let (order, time, attempt) = (event.order, event.time, event.attempt);
        Self { order, name: event.message.label().name, time, attempt, reason: None }
    }
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
            about: Some(About::event(event)),
        }
    }

    /// The order it is about, if it is known.
    pub fn order(&self) -> Option<OrderId> {
        self.about.as_ref().map(|about| about.order)
    }

    /// Whether it is a delayed copy of a message that was tried.
    pub fn is_copy(&self) -> bool {
        self.dead_letter.is_none() && self.about.as_ref().is_some_and(|about| about.attempt > 0)
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
