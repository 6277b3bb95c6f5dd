//! The one batch consumer: decodes, runs the handlers, sends their replies, and says which records must
//! be redelivered.
//!
//! What becomes of a record:
//!
//! | the handler says | the record is | what else is sent |
//! |---|---|---|
//! | [`Outcome::Done`] | acknowledged | its replies |
//! | [`Outcome::Wait`], or its store is unavailable | acknowledged | a delayed copy, attempt + 1; or dead-lettered, past [`Service::gives_up_at`] |
//! | [`Outcome::TooEarly`] | acknowledged | a delayed copy; after [`EARLY_ATTEMPTS`], dead-lettered |
//! | nothing: the body cannot be decoded | acknowledged | dead-lettered with the reason |
//! | nothing: it has expired, and was never tried | acknowledged | – |
//! | it panics, or its record cannot be read, or time runs out | redelivered | – |
//!
//! A message that has expired has a successor under way, so waiting is bounded: a command is not copied
//! past its expiry. An update is, once it was tried: it may have been applied and its reply lost, and then
//! only it sends what the order owes.
//!
//! **Crash contract:** a record is acknowledged only after everything in the last column has
//! reached its topic, or a delayed copy of it has. After a crash before that, the record is redelivered
//! and the work is finished then: so handlers answer repeated messages from their records.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::join_all;
use protocol::event::Event;
use protocol::messages::Message;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use tokio::time::Instant;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::backoff;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::metrics;
use crate::store::StoreError;
use crate::topics::{About, Failure, Outgoing, SendError, Topics};

/// How many delayed copies a [`Outcome::TooEarly`] message gets, some four minutes in all.
pub const EARLY_ATTEMPTS: u32 = 8;

/// What a handler decided about one message.
#[derive(Debug)]
pub enum Outcome {
    /// It is handled, and these are the replies.
    Done(Vec<Outgoing>),
    /// Something downstream is unavailable. Waiting is not a failure.
    Wait(String),
    /// The message arrived before the one that it depends on.
    TooEarly(String),
}

/// The handler of one topic's messages.
#[async_trait]
pub trait Service: Send + Sync {
    /// The topic's messages.
    type Message: Message;
    /// What [`Service::load`] fetched for a whole batch.
    type Loaded: Default + Send + Sync;

    /// Messages of one lane are handled one after another, in the order they came.
    fn lane(&self, event: &Event<Self::Message>) -> String {
        event.order.to_string()
    }

    /// Fetches in one call the records that the batch's decisions need.
    async fn load(&self, _batch: &[&Event<Self::Message>]) -> Result<Self::Loaded, StoreError> {
        Ok(Self::Loaded::default())
    }

    /// When a message that still waits is dead-lettered; `None` if it waits for as long as it takes. For
    /// messages that are not sent again.
    fn gives_up_at(&self, _event: &Event<Self::Message>) -> Option<Timestamp> {
        None
    }

    /// Handles one message. It may have been handled before.
    async fn handle(
        &self,
        event: &Event<Self::Message>,
        loaded: &Self::Loaded,
    ) -> Result<Outcome, StoreError>;
}

/// A message as it was received.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Names it within its batch.
    pub id: String,
    /// A CloudEvent as JSON, not validated yet.
    pub body: String,
    /// How often it was received, this time included.
    pub receive_count: u32,
}

/// Runs one service over batches of its topic.
pub struct Consumer<S> {
    service: S,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// What to do with a batch. [`Consume::consume`] carries it out, or a platform that can do it in one
/// commit.
#[derive(Debug, Default)]
pub struct Decision {
    /// The messages to send, each with its record's place in the batch.
    pub messages: Vec<(usize, Outgoing)>,
    /// The places of the records to redeliver. All others are acknowledged once their messages are
    /// sent.
    pub redeliver: BTreeSet<usize>,
}

/// Events with their places in the batch, to be handled one after another.
type Lane<'a, M> = Vec<(usize, &'a Event<M>)>;

/// What to do with a record, before anything was sent.
enum Verdict {
    Acknowledge(Vec<Outgoing>),
    Redeliver,
}

/// A consumer of one topic, for any service: a platform gives it batches.
#[async_trait]
pub trait Consume: Send + Sync {
    /// The topic it consumes.
    fn topic(&self) -> Topic;

    /// Handles a batch within `time`, and sends nothing yet.
    async fn decide(&self, batch: &[Delivery], time: Duration) -> Decision;

    /// A delayed copy of a message, to be handled again; `None` if it cannot be decoded.
    fn copy(&self, delivery: &Delivery) -> Option<Outgoing>;

    /// Consumes a batch within `time` and sends its messages; answers the ids of the records to
    /// redeliver. Every other record may be acknowledged.
    ///
    /// A record whose messages could not be sent waits as a delayed copy: a redelivery would count
    /// towards the dead-letter queue, and nothing is wrong with the record. Where its own topic takes no
    /// copy either, it is redelivered.
    async fn consume(&self, batch: &[Delivery], time: Duration, topics: &dyn Topics) -> Vec<String> {
        let Decision { messages, mut redeliver } = self.decide(batch, time).await;
        let unsent = send(topics, messages).await;
        let mut copies = Vec::new();
        for (record, error) in unsent {
            warn!(message_id = batch[record].id, %error, "could not send: the record will be handled again");
            match self.copy(&batch[record]) {
                Some(copy) => copies.push((record, copy)),
                None => {
                    redeliver.insert(record);
                }
            }
        }
        for (record, error) in send(topics, copies).await {
            warn!(message_id = batch[record].id, %error, "could not copy: the record will be redelivered");
            redeliver.insert(record);
        }
        redeliver.into_iter().map(|record| batch[record].id.clone()).collect()
    }
}

/// Sends messages of records; answers the records of those that could not be sent, each once.
async fn send(topics: &dyn Topics, messages: Vec<(usize, Outgoing)>) -> BTreeMap<usize, SendError> {
    if messages.is_empty() {
        return BTreeMap::new();
    }
    let (records, messages): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
    let sent = records.into_iter().zip(topics.send(messages).await);
    sent.filter_map(|(record, sent)| Some((record, sent.err()?))).collect()
}

#[async_trait]
impl<S: Service> Consume for Consumer<S> {
    fn topic(&self) -> Topic {
        S::Message::TOPIC
    }

    async fn decide(&self, batch: &[Delivery], time: Duration) -> Decision {
        let mut decision = Decision::default();
        for (record, verdict) in self.verdicts(batch, time).await.into_iter().enumerate() {
            match verdict {
                Verdict::Acknowledge(sends) => {
                    decision.messages.extend(sends.into_iter().map(|message| (record, message)));
                }
                Verdict::Redeliver => {
                    decision.redeliver.insert(record);
                }
            }
        }
        decision
    }

    fn copy(&self, delivery: &Delivery) -> Option<Outgoing> {
        Event::<S::Message>::decode(&delivery.body).ok().map(|event| self.delayed_copy(&event).0)
    }
}

impl<S: Service> Consumer<S> {
    /// A consumer of the service's topic.
    pub fn new(service: S, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { service, clock, entropy }
    }

    /// One verdict per record, in order.
    async fn verdicts(&self, batch: &[Delivery], time: Duration) -> Vec<Verdict> {
        let deadline = Instant::now() + time;
        let now = self.clock.now();
        let mut verdicts: Vec<Verdict> = batch.iter().map(|_| Verdict::Redeliver).collect();
        let mut events = Vec::with_capacity(batch.len());
        let mut oldest = Duration::ZERO;
        for (record, delivery) in batch.iter().enumerate() {
            match Event::<S::Message>::decode(&delivery.body) {
                Ok(event) => {
                    oldest = oldest.max(now.since(event.time));
                    if event.has_expired(now) && event.attempt == 0 && delivery.receive_count <= 1 {
                        verdicts[record] = expire(&event);
                    } else {
                        events.push((record, event));
                    }
                }
                Err(reason) => {
                    verdicts[record] = dead_letter(delivery, None::<&Event<S::Message>>, reason.to_string())
                }
            }
        }
        metrics::time(metrics::OLDEST_WAIT, oldest, Some(("Topic", S::Message::TOPIC.name())));

        // In an order that a replay repeats.
        let mut lanes: BTreeMap<String, Lane<'_, S::Message>> = BTreeMap::new();
        for (record, event) in &events {
            lanes.entry(self.service.lane(event)).or_default().push((*record, event));
        }
        let all: Vec<_> = events.iter().map(|(_, event)| event).collect();
        // After a failed or late load each record is read on its own.
        let loaded = match AssertUnwindSafe(tokio::time::timeout(time / 4, self.service.load(&all)))
            .catch_unwind()
            .await
        {
            Ok(Ok(Ok(loaded))) => loaded,
            _ => S::Loaded::default(),
        };
        for lane in
            join_all(lanes.into_values().map(|lane| self.run_lane(batch, lane, &loaded, deadline))).await
        {
            for (record, verdict) in lane {
                verdicts[record] = verdict;
            }
        }
        verdicts
    }

    /// Handles a lane in order. The verdicts reached in time count, even if the rest does not finish.
    async fn run_lane(
        &self,
        batch: &[Delivery],
        lane: Lane<'_, S::Message>,
        loaded: &S::Loaded,
        deadline: Instant,
    ) -> Vec<(usize, Verdict)> {
        let mut done = Vec::with_capacity(lane.len());
        let run = async {
            for (record, event) in lane {
                done.push((record, self.decide_one(&batch[record], event, loaded).await));
            }
        };
        if tokio::time::timeout_at(deadline, run).await.is_err() {
            warn!("out of time: {} records of the lane are done, the rest will be redelivered", done.len());
        }
        done
    }

    async fn decide_one(
        &self,
        delivery: &Delivery,
        event: &Event<S::Message>,
        loaded: &S::Loaded,
    ) -> Verdict {
        let span = info_span!(
            "handle",
            order_id = %event.order,
            topic = S::Message::TOPIC.name(),
            kind = event.message.name(),
            attempt = event.attempt,
            trace_id = event.traceparent.as_ref().map(|trace| trace.trace_id()),
        );
        async {
            let handled = AssertUnwindSafe(self.service.handle(event, loaded)).catch_unwind().await;
            match handled {
                Ok(Ok(Outcome::Done(replies))) => {
                    debug!("order {}: {} is handled", event.order, event.message.name());
                    Verdict::Acknowledge(replies)
                }
                Ok(Ok(Outcome::Wait(reason))) => self.wait(delivery, event, &reason),
                Ok(Ok(Outcome::TooEarly(reason))) if event.attempt < EARLY_ATTEMPTS => {
                    self.wait(delivery, event, &reason)
                }
                Ok(Ok(Outcome::TooEarly(reason))) => {
                    dead_letter(delivery, Some(event), format!("too early: {reason}"))
                }
                Ok(Err(StoreError::Unavailable(reason))) => self.wait(delivery, event, &reason),
                Ok(Err(error @ StoreError::Unreadable(_))) => {
                    error!("order {}: {error}", event.order);
                    Verdict::Redeliver
                }
                Err(_panic) => {
                    error!("order {}: the handler of {} panicked", event.order, event.message.name());
                    Verdict::Redeliver
                }
            }
        }
        .instrument(span)
        .await
    }

    /// A delayed copy of the message, unless its successor is under way.
    fn wait(&self, delivery: &Delivery, event: &Event<S::Message>, reason: &str) -> Verdict {
        let now = self.clock.now();
        if S::Message::TOPIC.carries_commands() && event.has_expired(now) {
            return expire(event);
        }
        if self.service.gives_up_at(event).is_some_and(|end| end <= now) {
            return dead_letter(
                delivery,
                Some(event),
                format!("waited in vain since {}: {reason}", event.time),
            );
        }
        metrics::count(metrics::RETRIES, 1, Some(("Topic", S::Message::TOPIC.name())));
        let (mut copy, delay) = self.delayed_copy(event);
        if let Some(about) = &mut copy.about {
            about.reason = Some(reason.into());
        }
        info!("order {}: {} waits {} ms: {reason}", event.order, event.message.name(), delay.as_millis());
        Verdict::Acknowledge(vec![copy])
    }

    /// A copy of the message, and its delay. Unlike a redelivery it does not count towards the dead-letter
    /// queue, so an outage of any length loses nothing.
    fn delayed_copy(&self, event: &Event<S::Message>) -> (Outgoing, Duration) {
        let delay = backoff::delay(event.attempt, self.entropy.as_ref());
        let copy = Event { attempt: event.attempt.saturating_add(1), ..event.clone() };
        (Outgoing::delayed(&copy, delay), delay)
    }
}

/// Acknowledges a message whose successor is under way.
fn expire<M: Message>(event: &Event<M>) -> Verdict {
    let (order, name) = (event.order, event.message.name());
    metrics::count(metrics::EXPIRED, 1, Some(("Topic", M::TOPIC.name())));
    debug!(order_id = %order, "order {order}: {name} has expired: its successor is under way");
    Verdict::Acknowledge(Vec::new())
}

/// Sends a record that no retry can help to the dead-letter queue, with its reason.
fn dead_letter<M: Message>(delivery: &Delivery, event: Option<&Event<M>>, failure: String) -> Verdict {
    error!(
        order_id = event.map(|event| tracing::field::display(event.order)),
        "a message of {} is dead-lettered: {failure}",
        M::TOPIC
    );
    metrics::count(metrics::DEAD_LETTERED, 1, Some(("Topic", M::TOPIC.name())));
    let attempts = delivery.receive_count.saturating_add(event.map_or(0, |event| event.attempt));
    Verdict::Acknowledge(vec![Outgoing {
        topic: M::TOPIC,
        body: delivery.body.clone(),
        delay: Duration::ZERO,
        dead_letter: Some(Failure { failure, attempts, source: M::TOPIC.consumer() }),
        about: event.map(About::event),
    }])
}
