//! A dead letter as it is shown: what was given up, why, and what an operator can do about it.

use std::fmt;

use protocol::time::Timestamp;
use protocol::topic::Topic;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operations::DeadLetter;

/// A dead letter as it is shown. What it says stays out of it: a charge has a payment token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Names it.
    pub id: i64,
    /// The topic it is from.
    pub topic: Topic,
    /// The order it is about, if it can be read so far.
    pub order_id: Option<String>,
    /// Its CloudEvents type, if it can be read so far.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Why it was given up.
    pub failure: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The consumer that gave it up.
    pub source: String,
    /// When.
    pub dead_lettered_at: Timestamp,
    /// Its first characters, if it is no event at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// How much of what is no event is shown.
const SHOWN: usize = 200;

impl Letter {
    /// What of a dead letter is shown.
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

    /// What an operator can do about it.
    pub fn advice(&self) -> &'static str {
        match self.failure.split(':').next() {
            Some("newer version") => "a later version sent it: upgrade this server, then redrive it",
            Some("undecodable") => {
                "nothing can read it, and a redrive will park it again: find out who sent it. The order is \
                 driven on by the reconciler"
            }
            Some("too early") => {
                "it answers a command that the order never sent, as after a restored backup: compare the \
                 order with `audit`, and redrive it once the order is where it should be"
            }
            _ => {
                "its handler died on it each time: the log of that time says how. Mend that, then redrive it"
            }
        }
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_deref().unwrap_or("no event");
        let order = self.order_id.as_deref().unwrap_or("-");
        write!(f, "{:>5}  {:<13}  {:<28}  {order:<36}  {}", self.id, self.topic, kind, self.failure)
    }
}
