//! A dead letter as an operator sees it: the message, why it was dead-lettered, and what can be done about it.

use std::fmt;
use std::str::FromStr;

use protocol::Invalid;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names a dead letter, over all its redrives: a number, or on a platform whose queues give names a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LetterId {
    /// A number.
    Number(i64),
    /// A text.
    Name(String),
}

impl FromStr for LetterId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.len() > 128 {
            return Err(Invalid("must be the id of a dead letter"));
        }
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number))
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A message in a dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id, the same over all its redrives.
    pub id: LetterId,
    /// The topic whose dead-letter queue it is in.
    pub topic: Topic,
    /// As it was received last.
    pub body: String,
    /// Why it was dead-lettered last.
    pub failure: String,
    /// How many times it was tried, over all its redrives.
    pub attempts: u32,
    /// How many times it was redriven.
    pub redrives: u32,
    /// The consumer that dead-lettered it.
    pub source: String,
    /// When it was first dead-lettered.
    pub first_at: Timestamp,
    /// When it was dead-lettered last.
    pub dead_lettered_at: Timestamp,
}

/// A dead letter as an operator sees it. The message's body is not shown: a charge has a payment token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its id, the same over all its redrives.
    pub id: LetterId,
    /// The topic it is from.
    pub topic: Topic,
    /// The order it is about, if that can be read.
    pub order_id: Option<String>,
    /// Its CloudEvents type, if that can be read.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Why it was dead-lettered last.
    pub failure: String,
    /// How many times it was tried, over all its redrives.
    pub attempts: u32,
    /// How many times it was redriven.
    pub redrives: u32,
    /// The consumer that dead-lettered it.
    pub source: String,
    /// When it was first dead-lettered.
    pub first_at: Timestamp,
    /// When it was dead-lettered last.
    pub dead_lettered_at: Timestamp,
    /// What can be done about it.
    pub advice: String,
    /// Its first characters, if it is not an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// How many characters are shown of a message that is not an event.
const SHOWN: usize = 200;

impl Letter {
    /// The part of a dead letter that is shown.
    pub fn of(letter: &DeadLetter) -> Self {
        let event: Option<Value> = serde_json::from_str(&letter.body).ok().filter(Value::is_object);
        let text = |key: &str| Some(event.as_ref()?.get(key)?.as_str()?.to_owned());
        Self {
            id: letter.id.clone(),
            topic: letter.topic,
            order_id: text("subject"),
            kind: text("type"),
            failure: letter.failure.clone(),
            attempts: letter.attempts,
            redrives: letter.redrives,
            source: letter.source.clone(),
            first_at: letter.first_at,
            dead_lettered_at: letter.dead_lettered_at,
            advice: advice(&letter.failure).to_owned(),
            text: event.is_none().then(|| letter.body.chars().take(SHOWN).collect()),
        }
    }

    /// The names of the columns that `Display` writes.
    pub fn header() -> String {
        columns("id", "topic", "type", "order", "failure")
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_deref().unwrap_or("not an event");
        let order = self.order_id.as_deref().unwrap_or("-");
        f.write_str(&columns(&self.id.to_string(), self.topic.name(), kind, order, &self.failure))
    }
}

fn columns(id: &str, topic: &str, kind: &str, order: &str, failure: &str) -> String {
    format!("{id:>5}  {topic:<13}  {kind:<28}  {order:<36}  {failure}")
}

/// What an operator can do about it.
fn advice(failure: &str) -> &'static str {
    match failure.split(':').next() {
        Some("newer version") => "a later version sent it: upgrade this server, then redrive it",
        Some("undecodable") => {
            "no version can read it, and a redrive will dead-letter it again: find its sender, then discard \
                 it. If it was about an order, the reconciler sends what that owes"
        }
        Some("too early") => {
            "it answers a command that the order never sent, for example after a restored backup: compare \
                 the order with `audit`, and redrive it once the order is in the right state"
        }
        _ => "its handler failed each time: find the cause in the log of that time, fix it, then redrive it",
    }
}
