//! The operator's view as text, for every command line.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::Deserialize;
use serde_json::Value;

use crate::audit::Row;
use crate::journal::Phase;
use crate::journey::{Journey, Step};
use crate::view::TopicState;
use crate::view::dead_letter::Letter;

/// The topics, as `GET /operator/topics` shows them.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Topics(pub BTreeMap<String, TopicState>);

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<13}  {:>8}  {:>9}  {:>8}  {:>10}  {:>13}  {:>9}  {:>9}",
            "topic", "waiting", "in flight", "delayed", "oldest", "dead-lettered", "sent", "finished"
        )?;
        // In the order a booking meets them.
        for topic in Topic::ALL.map(Topic::name) {
            let Some(state) = self.0.get(topic) else { continue };
            let TopicState { waiting, in_flight, delayed, dead_lettered, sent, finished, .. } = state;
            let oldest = state.oldest_age_seconds.map_or_else(unknown, age);
            let [sent, finished] =
                [sent, finished].map(|count| count.map_or_else(unknown, |count| count.to_string()));
            write!(
                f,
                "\n{topic:<13}  {waiting:>8}  {in_flight:>9}  {delayed:>8}  {oldest:>10}  {dead_lettered:>13}  {sent:>9}  {finished:>9}"
            )?;
        }
        Ok(())
    }
}

/// An order in a list, as `GET /operator/orders` shows it.
#[derive(Debug, Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What its customer sees.
    pub status: String,
    /// What it waits for.
    pub awaiting: Vec<String>,
    /// Since when.
    pub waiting_since: Option<Timestamp>,
    /// Why it does not end in a ticket.
    pub reason: Option<String>,
    /// When it changed last.
    pub updated_at: Timestamp,
}

impl Listed {
    /// The names of the columns that `Display` writes.
    pub fn header() -> String {
        columns("order", "status", "waits for", "since")
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (awaited, since) = match self.waiting_since {
            Some(since) => (self.awaiting.join(" and "), since),
            None => (self.reason.clone().unwrap_or_else(|| "-".to_owned()), self.updated_at),
        };
        f.write_str(&columns(&self.id, &self.status, &awaited, &since.to_string()))
    }
}

fn columns(id: &str, status: &str, awaited: &str, since: &str) -> String {
    format!("{id:<36}  {status:<16}  {awaited:<18}  {since}")
}

/// A change of an order, as its booking shows it.
#[derive(Debug, Deserialize)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// What the customer saw from then on.
    pub status: String,
    /// What led to it.
    pub event: String,
}

/// An order's journey as text: its messages and changes in time, then expected against actual.
pub fn journey(history: &[Change], journey: &Journey) -> String {
    let mut lines: Vec<(Timestamp, String)> = history
        .iter()
        .map(|change| (change.at, format!("order          {} by {}", change.status, change.event)))
        .collect();
    lines.extend(journey.messages.iter().map(|step| (step.at, describe(step))));
    lines.sort_by_key(|(at, _)| *at);
    let mut text = String::new();
    if let Some(before) = journey.cut_before {
        let _ = writeln!(text, "messages before {before} are not known any more");
    }
    for (at, line) in lines {
        let _ = writeln!(text, "{at}  {line}");
    }
    let _ = writeln!(text, "\n{}", rows(&journey.rows));
    text
}

fn describe(step: &Step) -> String {
    let Step { topic, phase, attempt, due, .. } = step;
    let kind = step.kind.as_deref().unwrap_or("not an event");
    let what = match phase {
        Phase::Sent => "sent",
        Phase::Received => "received",
        Phase::Answered => "answered",
        Phase::Delayed => "delayed",
        Phase::DeadLettered => "dead-lettered",
        Phase::Redriven => "redriven",
        Phase::Discarded => "discarded",
    };
    let mut line = format!("{:<13}  {kind} {what}", topic.name());
    if *attempt > 0 {
        let _ = write!(line, ", try {}", attempt + 1);
    }
    if let Some(due) = due {
        let _ = write!(line, ", due in {:.1} s", due.since(step.at).as_secs_f64());
    }
    if let Some(reason) = &step.reason {
        let _ = write!(line, ": {reason}");
    }
    line
}

/// Expected against actual, as a table.
pub fn rows(rows: &[Row]) -> String {
    let mut text = format!("{:<40}  {:<24}  {:<24}  ", "", "expected", "actual");
    for Row { what, expected, actual, equal } in rows {
        let verdict = if *equal { "=" } else { "≠" };
        let _ = write!(text, "\n{what:<40}  {expected:<24}  {actual:<24}  {verdict}");
    }
    text
}

/// Everything about a dead letter; `order` is what is known of its order.
pub fn letter(letter: &Letter, order: &str) -> String {
    let mut lines = vec![
        (
            "letter",
            format!("{}, dead-lettered by {} at {}", letter.id, letter.source, letter.dead_lettered_at),
        ),
        ("message", letter.kind.clone().unwrap_or_else(|| "not an event".to_owned())),
        ("topic", letter.topic.to_string()),
        ("failure", letter.failure.clone()),
        ("attempts", tried(letter)),
        ("order", order.to_owned()),
    ];
    lines.extend(letter.text.clone().map(|text| ("begins", format!("{text:?}"))));
    lines.push(("advice", letter.advice.clone()));
    lines.into_iter().map(|(name, text)| format!("{name:<9} {text}\n")).collect()
}

fn tried(letter: &Letter) -> String {
    let Letter { attempts, redrives, first_at, .. } = letter;
    match redrives {
        0 => attempts.to_string(),
        1 => format!("{attempts}, with 1 redrive; first dead-lettered at {first_at}"),
        many => format!("{attempts}, with {many} redrives; first dead-lettered at {first_at}"),
    }
}

/// How far an order is, of which `booking` is what its customer sees.
pub fn progress(order: &str, booking: &Value) -> String {
    let text = |key: &str| booking[key].as_str().unwrap_or("?").to_owned();
    if booking["settled"] == true {
        return format!("{order}, settled: {}", text("status"));
    }
    let awaited = booking["awaiting"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let awaited = awaited.collect::<Vec<_>>().join(" and ");
    format!("{order}, {}: waits for {awaited} since {}", text("status"), text("waiting_since"))
}

/// What a platform does not know.
fn unknown() -> String {
    "–".to_owned()
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}
