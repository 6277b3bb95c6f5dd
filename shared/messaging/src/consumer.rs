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
//! Messages of one lane are handled in order: one after another, or several at once where the service can do
//! that with the same outcome ([`Service::run_length`]). Lanes do not wait for each other, nor do their answers.
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
use futures_util::future::{join, join_all};
use protocol::event::Event;
use protocol::messages::Message;
use protocol::topic::Topic;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::Instant;
use tracing::{Instrument, debug, error, info, warn};

use crate::backoff;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::metrics;
pub use crate::service::{Outcome, Service, span};
use crate::store::StoreError;
use crate::topics::{About, Failure, Outgoing, SendError, Topics};

/// How many delayed copies a [`Outcome::TooEarly`] message gets, some four minutes in all.
pub const EARLY_ATTEMPTS: u32 = 8;

/// How long what is decided of a batch waits for its slower lanes, before it is sent without them. As long as
/// all lanes are fast, one call sends what the batch has for a topic.
pub const PATIENCE: Duration = Duration::from_millis(100);

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
    /// The places of those that are acknowledged because they have expired: nothing was answered to them.
    pub expired: BTreeSet<usize>,
}

/// Events with their places in the batch, to be handled one after another.
type Lane<'a, M> = Vec<(usize, &'a Event<M>)>;

/// What to do with a record, before anything was sent.
enum Verdict {
    Acknowledge(Vec<Outgoing>),
    Expired,
    Redeliver,
}

/// Some records of a batch, by their places, and what to do with them.
type Part = Vec<(usize, Verdict)>;

impl Decision {
    fn of(mut part: Part) -> Self {
        part.sort_by_key(|(record, _)| *record);
        let mut decision = Self::default();
        for (record, verdict) in part {
            match verdict {
                Verdict::Acknowledge(sends) => {
                    decision.messages.extend(sends.into_iter().map(|message| (record, message)));
                }
                Verdict::Expired => {
                    decision.expired.insert(record);
                }
                Verdict::Redeliver => {
                    decision.redeliver.insert(record);
                }
            }
        }
        decision
    }
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
    /// redeliver. Every other record may be acknowledged. What some lanes have decided does not wait for
    /// a slow one: it is sent after [`PATIENCE`].
    ///
    /// A record whose messages could not be sent waits as a delayed copy: a redelivery would count
    /// towards the dead-letter queue, and nothing is wrong with the record. Where its own topic takes no
    /// copy either, it is redelivered.
    async fn consume(&self, batch: &[Delivery], time: Duration, topics: &dyn Topics) -> Vec<String>;
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
        let (part, mut parts) = mpsc::unbounded_channel();
        self.run_batch(batch, time, part).await;
        let mut verdicts = Vec::with_capacity(batch.len());
        while let Some(part) = parts.recv().await {
            verdicts.extend(part);
        }
        let decided: BTreeSet<usize> = verdicts.iter().map(|(record, _)| *record).collect();
        let mut decision = Decision::of(verdicts);
        decision.redeliver.extend((0..batch.len()).filter(|record| !decided.contains(record)));
        decision
    }

    async fn consume(&self, batch: &[Delivery], time: Duration, topics: &dyn Topics) -> Vec<String> {
        let (part, mut parts) = mpsc::unbounded_channel();
        let send = async {
            let mut acknowledge = BTreeSet::new();
            let mut ready = Vec::new();
            let mut is_over = false;
            while !is_over {
                match tokio::time::timeout(PATIENCE, parts.recv()).await {
                    Ok(Some(part)) => {
                        ready.extend(part);
                        continue;
                    }
                    Ok(None) => is_over = true,
                    Err(_) if ready.is_empty() => continue,
                    Err(_) => {}
                }
                acknowledge.extend(ready.iter().map(|(record, _)| *record));
                let decision = Decision::of(std::mem::take(&mut ready));
                for record in self.carry_out(batch, decision, topics).await {
                    acknowledge.remove(&record);
                }
            }
            acknowledge
        };
        let ((), acknowledge) = join(self.run_batch(batch, time, part), send).await;
        let redeliver = batch.iter().enumerate().filter(|(record, _)| !acknowledge.contains(record));
        redeliver.map(|(_, delivery)| delivery.id.clone()).collect()
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

    /// Sends the messages of a decision; answers the records to redeliver.
    async fn carry_out(
        &self,
        batch: &[Delivery],
        decision: Decision,
        topics: &dyn Topics,
    ) -> BTreeSet<usize> {
        let Decision { messages, mut redeliver, expired: _ } = decision;
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
        redeliver
    }
    /// Handles a batch, and gives each part of it to `parts` as soon as it is decided. A record in no part is to be
    /// redelivered.
    async fn run_batch(&self, batch: &[Delivery], time: Duration, parts: UnboundedSender<Part>) {
        let deadline = Instant::now() + time;
        let now = self.clock.now();
        let mut verdicts = Part::new();
        let mut events = Vec::with_capacity(batch.len());
        let mut oldest = Duration::ZERO;
        for (record, delivery) in batch.iter().enumerate() {
            match Event::<S::Message>::decode(&delivery.body) {
                Ok(event) => {
                    oldest = oldest.max(now.since(event.time));
                    if event.has_expired(now) && event.attempt == 0 && delivery.receive_count <= 1 {
                        verdicts.push((record, expire(&event)));
                    } else {
                        events.push((record, event));
                    }
                }
                Err(reason) => {
                    let letter = dead_letter(delivery, None::<&Event<S::Message>>, reason.to_string());
                    verdicts.push((record, letter));
                }
            }
        }
        metrics::time(metrics::OLDEST_WAIT, oldest, Some(("Topic", S::Message::TOPIC.name())));
        // What takes the parts ends after this does.
        let _ = parts.send(verdicts);

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
        let run_lane = async |lane| {
            let _ = parts.send(self.run_lane(batch, lane, &loaded, deadline).await);
        };
        join_all(lanes.into_values().map(run_lane)).await;
    }

    /// Handles a lane in order. The verdicts reached in time count, even if the rest does not finish.
    async fn run_lane(
        &self,
        batch: &[Delivery],
        lane: Lane<'_, S::Message>,
        loaded: &S::Loaded,
        deadline: Instant,
    ) -> Part {
        let mut done = Part::with_capacity(lane.len());
        let run = async {
            let (records, events): (Vec<usize>, Vec<_>) = lane.into_iter().unzip();
            while let Some(rest) = events.get(done.len()..).filter(|rest| !rest.is_empty()) {
                let run = &rest[..self.service.run_length(rest).clamp(1, rest.len())];
                let records = &records[done.len()..][..run.len()];
                if run.len() == 1 || !self.decide_run(batch, records, run, loaded, &mut done).await {
                    for (record, event) in records.iter().zip(run) {
                        done.push((*record, self.decide_one(&batch[*record], event, loaded).await));
                    }
                }
            }
        };
        if tokio::time::timeout_at(deadline, run).await.is_err() {
            warn!("out of time: {} records of the lane are done, the rest will be redelivered", done.len());
        }
        done
    }

    /// Handles several messages together; `false` if that panicked, and none of them is done.
    async fn decide_run(
        &self,
        batch: &[Delivery],
        records: &[usize],
        run: &[&Event<S::Message>],
        loaded: &S::Loaded,
        done: &mut Part,
    ) -> bool {
        let handled = AssertUnwindSafe(self.service.handle_run(run, loaded)).catch_unwind().await;
        let Ok(outcomes) = handled else {
            error!(
                "{} messages of {} together panicked: each is handled alone",
                run.len(),
                S::Message::TOPIC
            );
            return false;
        };
        let mut outcomes = outcomes.into_iter();
        for (record, event) in records.iter().zip(run) {
            let verdict = outcomes
                .next()
                .map(|outcome| span(*event).in_scope(|| self.verdict(&batch[*record], event, outcome)));
            done.push((*record, verdict.unwrap_or(Verdict::Redeliver)));
        }
        true
    }

    async fn decide_one(
        &self,
        delivery: &Delivery,
        event: &Event<S::Message>,
        loaded: &S::Loaded,
    ) -> Verdict {
        async {
            match AssertUnwindSafe(self.service.handle(event, loaded)).catch_unwind().await {
                Ok(outcome) => self.verdict(delivery, event, outcome),
                Err(_panic) => {
                    error!("order {}: the handler of {} panicked", event.order, event.message.name());
                    Verdict::Redeliver
                }
            }
        }
        .instrument(span(event))
        .await
    }

    fn verdict(
        &self,
        delivery: &Delivery,
        event: &Event<S::Message>,
        outcome: Result<Outcome, StoreError>,
    ) -> Verdict {
        match outcome {
            Ok(Outcome::Done(replies)) => {
                debug!("order {}: {} is handled", event.order, event.message.name());
                Verdict::Acknowledge(replies)
            }
            Ok(Outcome::Wait(reason)) => self.wait(delivery, event, &reason),
            Ok(Outcome::TooEarly(reason)) if event.attempt < EARLY_ATTEMPTS => {
                self.wait(delivery, event, &reason)
            }
            Ok(Outcome::TooEarly(reason)) => {
                dead_letter(delivery, Some(event), format!("too early: {reason}"))
            }
            Err(StoreError::Unavailable(reason)) => self.wait(delivery, event, &reason),
            Err(error @ StoreError::Unreadable(_)) => {
                error!("order {}: {error}", event.order);
                Verdict::Redeliver
            }
        }
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
    Verdict::Expired
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
