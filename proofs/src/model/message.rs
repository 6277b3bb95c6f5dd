//! A message in a topic of the model.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::{Label, OrderUpdate, Payload};
use protocol::topic::{AnyMessage, Topic};

use crate::memory::contents::digest;

/// A message in a topic, read once and then shared: it is cheap to clone and to compare.
#[derive(Clone)]
pub struct TopicMessage {
    read: Arc<ReadMessage>,
    /// Whether it was received before.
    pub is_redelivered: bool,
}

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
    /// Whether it expires.
    pub expires: bool,
    /// Whether it is a delayed copy of another.
    pub is_copy: bool,
    /// The hash of topic and body.
    digest: u64,
}

impl TopicMessage {
    /// The message that carries that event.
    pub fn new(event: Event<AnyMessage>) -> Self {
        let Label { topic, name, .. } = event.message.label();
        let (order, body) = (event.order, event.encode());
        let (expires, is_copy) = (event.expires.is_some(), event.attempt > 0);
        let digest = digest(&(topic, &body));
        let update = match event.message {
            AnyMessage::OrderUpdates(update) => Some(update),
            _ => None,
        };
        let read = ReadMessage { topic, order, body, name, update, expires, is_copy, digest };
        Self { read: Arc::new(read), is_redelivered: false }
    }

    /// The same message, received once more.
    pub fn redelivered(&self) -> Self {
        Self { read: self.read.clone(), is_redelivered: true }
    }

    /// Whether it may be dropped because its successor is under way: an update that was never tried, or a
    /// command, which is not copied any more.
    pub fn may_be_dropped(&self) -> bool {
        let is_untried = !self.is_copy && !self.is_redelivered;
        self.expires && (is_untried || self.is_copy && self.topic.carries_commands())
    }
}

impl std::ops::Deref for TopicMessage {
    type Target = ReadMessage;
    fn deref(&self) -> &ReadMessage {
        &self.read
    }
}

impl fmt::Debug for TopicMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, &self.order.to_string()[..4])
    }
}

impl PartialEq for TopicMessage {
    fn eq(&self, other: &Self) -> bool {
        (self.digest, self.is_redelivered) == (other.digest, other.is_redelivered)
    }
}

impl Eq for TopicMessage {}

impl Hash for TopicMessage {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.digest, self.is_redelivered).hash(state);
    }
}

impl PartialOrd for TopicMessage {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TopicMessage {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |message: &Self| (message.topic, message.order, message.digest, message.is_redelivered);
        key(self).cmp(&key(other))
    }
}
