//! A dead letter as an operator sees it: the message, why it was dead-lettered, and what can be done about it.

use std::fmt;

use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operations::DeadLetter;

/// A dead letter as an operator sees it. The message's body is not shown: a charge has a payment token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its id.
    pub id: i64,
    /// The topic it is from.
    pub topic: Topic,
    /// The order it is about, if that can be read.
    pub order_id: Option<String>,
    /// Its CloudEvents type, if that can be read.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Why it was dead-lettered.
    pub failure: String,
    /// How many times it was tried.
    pub attempts: u32,
    /// The consumer that dead-lettered it.
    pub source: String,
    /// When it was dead-lettered.
    pub dead_lettered_at: Timestamp,
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
            id: letter.id,
            topic: letter.topic,
            order_id: text("subject"),
            kind: text("type"),
            failure: letter.failure.clone(),
            attempts: letter.attempts,
            source: letter.source.clone(),
            dead_lettered_at: letter.dead_lettered_at,
            text: event.is_none().then(|| letter.body.chars().take(SHOWN).collect()),
        }
    }

    /// The names of the columns that `Display` writes.
    pub fn header() -> String {
        columns("id", "topic", "type", "order", "failure")
    }

    /// What an operator can do about it.
    pub fn advice(&self) -> &'static str {
        match self.failure.split(':').next() {
            Some("newer version") => "a later version sent it: upgrade this server, then redrive it",
            Some("undecodable") => {
                "no version can read it, and a redrive will dead-letter it again: find its sender. The \
                 reconciler drives the order on"
            }
            Some("too early") => {
                "it answers a command that the order never sent, for example after a restored backup: compare \
                 the order with `audit`, and redrive it once the order is in the right state"
            }
            _ => {
                "its handler failed each time: find the cause in the log of that time, fix it, then redrive it"
            }
        }
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
