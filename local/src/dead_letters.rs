//! Dead letters, for whoever runs a server: what was given up, why, and back with it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::time::Timestamp;
use shared::topic::Topic;
use thiserror::Error;

use crate::client::{Client, ClientError};
use crate::sqlite::topics::DeadLetter;

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
    pub parked_at: Timestamp,
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
            parked_at: letter.parked_at,
            text: event.is_none().then(|| letter.body.chars().take(SHOWN).collect()),
        }
    }

    /// What an operator can do about it.
    fn advice(&self) -> &'static str {
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

/// The dead letters of a running server.
pub struct DeadLetters(Client);

/// Nothing can be said or done about dead letters.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum DeadLettersError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("there is no dead letter {0}; `dead-letters list` shows them")]
    Unknown(i64),
    #[error("the server's dead letters cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl DeadLetters {
    /// Those of the server at that URL.
    pub fn at(url: &str) -> Result<Self, DeadLettersError> {
        Ok(Self(Client::new(url)?))
    }

    /// All of them, by topic, oldest first.
    pub async fn list(&self) -> Result<Vec<Letter>, DeadLettersError> {
        Ok(serde_json::from_value(self.0.get("/local/dead-letters").await?)?)
    }

    /// All about one: why it failed, how often, and how its order stands.
    pub async fn explain(&self, id: i64) -> Result<String, DeadLettersError> {
        let letters = self.list().await?;
        let letter = letters.into_iter().find(|letter| letter.id == id);
        let letter = letter.ok_or(DeadLettersError::Unknown(id))?;
        let order = match &letter.order_id {
            None => "it names none".to_owned(),
            Some(order) => match self.0.get(&format!("/bookings/{order}")).await {
                Ok(booking) => stands(order, &booking),
                Err(ClientError::Refused { .. }) => format!("{order}, which this server does not know"),
                Err(error) => return Err(error.into()),
            },
        };
        let mut lines = vec![
            ("letter", format!("{id}, given up by {} at {}", letter.source, letter.parked_at)),
            ("message", letter.kind.clone().unwrap_or_else(|| "no event".to_owned())),
            ("topic", letter.topic.to_string()),
            ("failure", letter.failure.clone()),
            ("attempts", letter.attempts.to_string()),
            ("order", order),
        ];
        lines.extend(letter.text.clone().map(|text| ("begins", format!("{text:?}"))));
        lines.push(("advice", letter.advice().to_owned()));
        let lines = lines.into_iter().map(|(name, text)| format!("{name:<9} {text}\n"));
        Ok(lines.collect())
    }

    /// Sends one back to its topic, or all; answers how many.
    pub async fn redrive(&self, one: Option<i64>) -> Result<u64, DeadLettersError> {
        let path = match one {
            Some(id) => format!("/local/dead-letters/{id}/redrive"),
            None => "/local/dead-letters/redrive".to_owned(),
        };
        match self.0.post(&path, &json!({})).await {
            Ok(answer) => Ok(answer["redriven"].as_u64().unwrap_or_default()),
            Err(ClientError::Refused { status, .. }) if status == 404 && one.is_some() => {
                Err(DeadLettersError::Unknown(one.unwrap_or_default()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn stands(order: &str, booking: &Value) -> String {
    let text = |key: &str| booking[key].as_str().unwrap_or("?").to_owned();
    if booking["settled"] == true {
        return format!("{order}, settled: {}", text("status"));
    }
    let awaited = booking["awaiting"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let awaited = awaited.collect::<Vec<_>>().join(" and ");
    format!("{order}, {}: waits for {awaited} since {}", text("status"), text("waiting_since"))
}
