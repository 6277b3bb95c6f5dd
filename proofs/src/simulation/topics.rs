//! The topics of a simulation. They deliver at least once and in no order, as the port's contract says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use messaging::clock::{Clock, ManualClock};
use messaging::consumer::Delivery;
use messaging::topics::{Outgoing, SendError, Topics};
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;

use super::task::{begin_call, die, end_call};
use crate::fault::{CallError, CallFailure, Fault};
use crate::port_call::PortCall;

/// How often a message is received before it goes to the dead-letter queue: fewer times than on a platform, so that
/// a proof comes there sooner.
pub const MAX_RECEIVE_COUNT: u32 = 5;

/// A message in a topic.
#[derive(Clone, Debug)]
pub struct QueuedMessage {
    /// Names it.
    pub id: u64,
    /// Its topic.
    pub topic: Topic,
    /// The event, as JSON.
    pub body: String,
    /// The order it is about.
    pub order: Option<OrderId>,
    /// It cannot be received before.
    pub visible_at: Timestamp,
    /// How often it was received, for its dead-letter queue: duplicates do not count.
    pub received: u32,
    /// How often it was received, duplicates too.
    pub deliveries: u32,
    /// Whether a consumer has received it and not yet answered.
    pub in_flight: bool,
}

impl QueuedMessage {
    /// The name of its command or update, `charge`.
    pub fn name(&self) -> String {
        let event: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let name = event["type"].as_str().unwrap_or("unreadable");
        name.trim_start_matches("booking.").trim_end_matches(".v1").to_owned()
    }
}

/// A message in a dead-letter queue.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The topic it is from.
    pub topic: Topic,
    /// The order it is about.
    pub order: Option<OrderId>,
    /// Why it was dead-lettered.
    pub failure: String,
}

/// The topics and their dead-letter queues.
#[derive(Clone)]
pub struct SimulatedTopics {
    clock: Arc<ManualClock>,
    queues: Arc<Mutex<Queues>>,
}

#[derive(Default)]
struct Queues {
    last_id: u64,
    messages: Vec<QueuedMessage>,
    dead_letters: Vec<DeadLetter>,
}

impl SimulatedTopics {
    /// Empty topics.
    pub fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, queues: Arc::default() }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All messages that are waiting, delayed or in flight.
    pub fn messages(&self) -> Vec<QueuedMessage> {
        self.queues().messages.clone()
    }

    /// All dead letters.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.queues().dead_letters.clone()
    }

    /// The messages that can be received now, oldest first.
    pub fn ready(&self) -> Vec<QueuedMessage> {
        let now = self.clock.now();
        let queues = self.queues();
        let ready = queues.messages.iter().filter(|message| !message.in_flight && message.visible_at <= now);
        ready.cloned().collect()
    }

    /// Receives a message. A `duplicate` leaves it where it is, to be received by another consumer at
    /// the same time.
    pub fn receive(&self, id: u64, duplicate: bool) -> Option<Delivery> {
        let mut queues = self.queues();
        let message = queues.messages.iter_mut().find(|message| message.id == id)?;
        message.in_flight |= !duplicate;
        message.received += u32::from(!duplicate);
        message.deliveries += 1;
        Some(Delivery { id: id.to_string(), body: message.body.clone(), receive_count: message.deliveries })
    }

    /// Deletes a message: it was handled.
    pub fn acknowledge(&self, id: u64) {
        self.queues().messages.retain(|message| message.id != id);
    }

    /// Makes a message visible again, or moves it to the dead-letter queue if it was received too
    /// often.
    pub fn redeliver(&self, id: u64) {
        let mut queues = self.queues();
        let Queues { messages, dead_letters, .. } = &mut *queues;
        let Some(at) = messages.iter().position(|message| message.id == id) else { return };
        messages[at].in_flight = false;
        if messages[at].received >= MAX_RECEIVE_COUNT {
            let QueuedMessage { topic, order, .. } = messages.remove(at);
            let failure = format!("received {MAX_RECEIVE_COUNT} times");
            dead_letters.push(DeadLetter { topic, order, failure });
        }
    }

    fn put(&self, outgoing: Outgoing) {
        let visible_at = self.clock.now() + outgoing.delay;
        let mut queues = self.queues();
        let order = outgoing.order();
        let Outgoing { topic, body, dead_letter, .. } = outgoing;
        if let Some(letter) = dead_letter {
            queues.dead_letters.push(DeadLetter { topic, order, failure: letter.failure });
            return;
        }
        queues.last_id += 1;
        let id = queues.last_id;
        let (received, deliveries, in_flight) = (0, 0, false);
        let message = QueuedMessage { id, topic, body, order, visible_at, received, deliveries, in_flight };
        queues.messages.push(message);
    }
}

#[async_trait]
impl Topics for SimulatedTopics {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        if messages.is_empty() {
            return Vec::new();
        }
        let call = PortCall::TOPICS_SEND;
        let fault = begin_call(call, messages.len()).await;
        if fault == Some(Fault::DiesBefore) {
            return die().await;
        }
        let in_part = matches!(fault, Some(Fault::SentInPart | Fault::DiesInPart));
        let mut answers = Vec::with_capacity(messages.len());
        for (place, message) in messages.into_iter().enumerate() {
            let topic = message.topic;
            let failed = |failure| {
                let reason = CallError { call, failure }.to_string();
                Err(SendError { topic, reason })
            };
            if fault == Some(Fault::FailsBefore) || in_part && place > 0 {
                answers.push(failed(CallFailure::Refused));
                continue;
            }
            self.put(message);
            answers.push(if fault == Some(Fault::ReplyLost) { failed(CallFailure::Unknown) } else { Ok(()) });
        }
        if matches!(fault, Some(Fault::DiesAfter | Fault::DiesInPart)) {
            return die().await;
        }
        end_call();
        answers
    }
}
