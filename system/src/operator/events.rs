//! `GET /operator/events`: what happens, as server-sent events.
//!
//! A subscriber reads the journal ten times a second; without subscribers nothing is encoded. Messages and orders are told
//! one by one up to 200 a second; above that only the gauges count them.
//!
//! A platform without a journal gives gauges alone, every 5 s, and `reset` before those that differ from the last.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use super::overview::{Overview, ProviderName};
use super::{Asked, Operator};
use crate::journal::{Changed, Entry, Journal, Message, Recorded};

/// How often the journal is read.
const TICK: Duration = Duration::from_millis(100);

/// How many ticks are from one look at the gauges to the next, where a journal is kept.
const GAUGES: u32 = 5;

/// The same, where none is: each look costs calls to the platform.
const GAUGES_ALONE: u32 = 50;

/// How many messages and orders are told a second, one by one.
const RATE: usize = 200;

const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) async fn events(State(operator): Asked, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(follow(operator, last)).keep_alive(heartbeat).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A subscriber's place in the journal.
struct Subscriber {
    operator: Arc<Operator>,
    last: u64,
    /// How many entries may be told now; it grows to [`RATE`] in a second.
    allowance: usize,
    skipped: u64,
    ticks: u32,
    slow_until: Option<Instant>,
    /// What the last gauges said of the topics, where no journal is kept.
    seen: Value,
}

/// The events after the one that the client has seen last; ends when the server stops.
fn follow(operator: Arc<Operator>, seen: Option<u64>) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut ended = operator.ended.clone();
    let newest = operator.view.journal().map(Journal::last).unwrap_or_default();
    let subscriber = Subscriber {
        operator,
        last: seen.unwrap_or(newest),
        allowance: RATE,
        skipped: 0,
        ticks: 0,
        slow_until: None,
        seen: Value::Null,
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = stream::unfold((subscriber, ticks), |(mut subscriber, mut ticks)| async {
        ticks.tick().await;
        let events = subscriber.look().await;
        Some((stream::iter(events.into_iter().map(Ok)), (subscriber, ticks)))
    });
    events.flatten().take_until(Box::pin(async move { drop(ended.changed().await) }))
}

impl Subscriber {
    /// What happened since the last look.
    async fn look(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.allowance = (self.allowance + RATE / 10).min(RATE);
        let operator = self.operator.clone();
        if let Some(journal) = operator.view.journal() {
            match journal.since(self.last, self.allowance) {
                Some(news) => {
                    self.allowance -= news.told.len().min(self.allowance);
                    self.skipped += news.skipped;
                    self.last = news.last;
                    events.extend(news.told.iter().map(|recorded| self.told(recorded)));
                }
                None => {
                    self.last = journal.last();
                    events.push(event("reset", self.last, &json!({})));
                }
            }
        }
        let every = if operator.view.journal().is_some() { GAUGES } else { GAUGES_ALONE };
        if self.ticks.is_multiple_of(every) && self.slow_until.is_none_or(|until| until <= Instant::now()) {
            events.extend(self.gauges().await);
        }
        self.ticks += 1;
        events
    }

    async fn gauges(&mut self) -> Vec<Event> {
        let begun = Instant::now();
        let overview = Overview::of(&self.operator).await;
        // Where it takes this process long to count, it is counted less often. A platform that keeps no journal counts itself.
        let pause = if self.operator.view.journal().is_some() { 10 } else { 1 };
        self.slow_until = Some(begun + begun.elapsed() * pause);
        match overview.map(|overview| json!(overview)) {
            Ok(mut overview) => {
                overview["skipped"] = std::mem::take(&mut self.skipped).into();
                let mut events = Vec::new();
                if self.operator.view.journal().is_none() && self.seen != overview["topics"] {
                    let is_first = std::mem::replace(&mut self.seen, overview["topics"].clone()).is_null();
                    events.extend((!is_first).then(|| event("reset", self.last, &json!({}))));
                }
                events.push(event("gauges", self.last, &overview));
                events
            }
            Err(error) => {
                warn!(%error, "the gauges cannot be read");
                Vec::new()
            }
        }
    }

    fn told(&self, recorded: &Recorded) -> Event {
        let seq = recorded.seq;
        match &recorded.entry {
            Entry::Message(message) => event("message", seq, &message_json(recorded, message)),
            Entry::Order(Changed { id, state, waiting_since, updated_at }) => {
                let order = json!({
                    "seq": seq,
                    "id": id,
                    "status": state.status(),
                    "awaiting": state.awaiting(),
                    "settled": state.is_settled(),
                    "waiting_since": waiting_since,
                    "updated_at": updated_at,
                });
                event("order", seq, &order)
            }
            Entry::Service { topic, running } => {
                event("service", seq, &json!({"name": topic.switch(), "running": running}))
            }
            Entry::Provider(mode) => {
                let ProviderName { name, .. } = ProviderName::of(self.operator.view.provider());
                event("provider", seq, &json!({"name": name, "mode": mode}))
            }
        }
    }
}

fn message_json(recorded: &Recorded, message: &Message) -> Value {
    let Message { topic, order, kind, phase, attempt, due, reason } = message;
    json!({
        "seq": recorded.seq,
        "order": order,
        "topic": topic,
        "kind": kind.cloud_events_type(),
        "phase": phase,
        "attempt": attempt,
        "at": recorded.at,
        "due": due,
        "reason": reason,
    })
}

fn event(name: &str, seq: u64, data: &Value) -> Event {
    Event::default().id(seq.to_string()).event(name).data(data.to_string())
}
