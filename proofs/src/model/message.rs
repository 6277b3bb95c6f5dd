//! A message in a topic of the model.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::{Message, OrderUpdate};
use protocol::topic::Topic;

use crate::memory::contents::digest;

/// A message in a topic, read once and then shared: it is cheap to clone and to compare.
#[derive(Clone)]
pub struct TopicMessage(Arc<ReadMessage>);

/// What a message says.
#[derive(Debug)]
pub struct ReadMessage {
    /// Its topic.
    pub topic: Topic,
    /// The order it is about.
    pub order: OrderId,
    /// The event, as JSON.
    pub body: String,
    /// The name of its command or update, `reserve`.
    pub name: &'static str,
    /// What it tells the gateway, if it is for the gateway.
    pub update: Option<OrderUpdate>,
    /// The hash of topic and body.
    digest: u64,
}

impl TopicMessage {
    /// The message that carries that event.
    pub fn new<M: Message>(event: &Event<M>, update: Option<OrderUpdate>) -> Self {
        let (topic, body) = (M::TOPIC, event.encode());
        let digest = digest(&(topic, &body));
        let (order, name) = (event.order, event.message.name());
        Self(Arc::new(ReadMessage { topic, order, body, name, update, digest }))
    }
}

impl std::ops::Deref for TopicMessage {
    type Target = ReadMessage;
    fn deref(&self) -> &ReadMessage {
        &self.0
    }
}

impl fmt::Debug for TopicMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, &self.order.to_string()[..4])
    }
}

impl PartialEq for TopicMessage {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for TopicMessage {}

impl Hash for TopicMessage {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl PartialOrd for TopicMessage {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TopicMessage {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.topic, self.order, self.digest).cmp(&(other.topic, other.order, other.digest))
    }
}
