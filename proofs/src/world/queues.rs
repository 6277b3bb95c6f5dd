//! The topics of a world: at least once, in no order, as the ports' contract has it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use shared::consumer::Delivery;
use shared::ids::OrderId;
use shared::time::{Clock, ManualClock, Timestamp};
use shared::topic::{Outgoing, SendError, Topic, Topics};

use super::calls::{Fault, arrive, die, leave};

/// How often a message is received before it goes to the dead-letter queue, as in template.yaml.
pub const MAX_RECEIVE_COUNT: u32 = 5;

/// A message in a topic.
#[derive(Clone, Debug)]
pub struct Message {
    /// Names it.
    pub id: u64,
    /// Where it is.
    pub topic: Topic,
    /// What it says.
    pub body: String,
    /// About which order.
    pub order: Option<OrderId>,
    /// Not to be received before.
    pub visible_at: Timestamp,
    /// How often it was received.
    pub received: u32,
    /// Whether somebody has it.
    pub in_flight: bool,
}

/// The topics and their dead-letter queues.
#[derive(Clone)]
pub struct Queues {
    clock: Arc<ManualClock>,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    next: u64,
    messages: Vec<Message>,
    dead: Vec<(Topic, Option<OrderId>, String)>,
}

impl Queues {
    /// Empty ones.
    pub fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, held: Arc::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All messages that are in a topic, or in somebody's hand.
    pub fn messages(&self) -> Vec<Message> {
        self.held().messages.clone()
    }

    /// What is in the dead-letter queues, and why.
    pub fn dead_letters(&self) -> Vec<(Topic, Option<OrderId>, String)> {
        self.held().dead.clone()
    }

    /// The messages that can be received now, oldest first.
    pub fn ready(&self) -> Vec<Message> {
        let now = self.clock.now();
        let held = self.held();
        held.messages
            .iter()
            .filter(|message| !message.in_flight && message.visible_at <= now)
            .cloned()
            .collect()
    }

    /// Hands a message out; a `twin` leaves it where it is, to be received by another too.
    pub fn receive(&self, id: u64, twin: bool) -> Option<Delivery> {
        let mut held = self.held();
        let message = held.messages.iter_mut().find(|message| message.id == id)?;
        message.in_flight |= !twin;
        message.received += u32::from(!twin);
        Some(Delivery { id: id.to_string(), body: message.body.clone(), receive_count: message.received })
    }

    /// It is dealt with.
    pub fn acknowledge(&self, id: u64) {
        self.held().messages.retain(|message| message.id != id);
    }

    /// It was not: it comes again, or goes to the dead-letter queue.
    pub fn give_back(&self, id: u64) {
        let mut held = self.held();
        let Held { messages, dead, .. } = &mut *held;
        let Some(at) = messages.iter().position(|message| message.id == id) else { return };
        messages[at].in_flight = false;
        if messages[at].received >= MAX_RECEIVE_COUNT {
            let message = messages.remove(at);
            dead.push((message.topic, message.order, format!("received {MAX_RECEIVE_COUNT} times")));
        }
    }

    fn put(&self, outgoing: Outgoing) {
        let visible_at = self.clock.now() + outgoing.delay;
        let mut held = self.held();
        if let Some(failure) = outgoing.dead_letter {
            held.dead.push((outgoing.topic, outgoing.order, failure.failure));
            return;
        }
        held.next += 1;
        let Outgoing { topic, body, order, .. } = outgoing;
        let id = held.next;
        held.messages.push(Message { id, topic, body, order, visible_at, received: 0, in_flight: false });
    }
}

#[async_trait]
impl Topics for Queues {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        if messages.is_empty() {
            return Vec::new();
        }
        let fault = arrive("Topics::send", messages.len()).await;
        if fault == Some(Fault::DiesBefore) {
            return die().await;
        }
        let mut answers = Vec::with_capacity(messages.len());
        for (place, message) in messages.into_iter().enumerate() {
            let topic = message.topic;
            let in_part = matches!(fault, Some(Fault::SentInPart | Fault::DiesInPart));
            let sent = fault != Some(Fault::FailsBefore) && (place == 0 || !in_part);
            if sent {
                self.put(message);
            }
            let told = sent && fault != Some(Fault::ReplyLost);
            let reason = if sent { "the reply was lost" } else { "it is away" }.to_owned();
            answers.push(if told { Ok(()) } else { Err(SendError { topic, reason }) });
        }
        if matches!(fault, Some(Fault::DiesAfter | Fault::DiesInPart)) {
            return die().await;
        }
        leave();
        answers
    }
}

/// What a message says, `charge`.
pub fn kind(message: &Message) -> String {
    let event: serde_json::Value = serde_json::from_str(&message.body).unwrap_or_default();
    let kind = event["type"].as_str().unwrap_or("unreadable");
    kind.trim_start_matches("booking.").trim_end_matches(".v1").to_owned()
}
