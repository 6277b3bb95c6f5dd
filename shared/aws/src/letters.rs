//! What a dead letter keeps when it is redriven, as attributes of its message and of its delayed copies: its id, when it was
//! first dead-lettered, how often it was tried and redriven. SQS gives the message a new id and time each time.

use std::collections::HashMap;

use aws_lambda_events::event::sqs::SqsMessage;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::MessageAttributeValue;
use protocol::time::Timestamp;
use serde_json::Value;

/// What a redriven message was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redriven {
    /// The letter's id: the id of its message when it was first dead-lettered.
    pub letter: String,
    /// When that was.
    pub first_at: Timestamp,
    /// How often it was tried until it was redriven.
    pub attempts: u32,
    /// How often it was redriven.
    pub redrives: u32,
}

/// The redriven messages of a batch. What becomes of one, a delayed copy or a dead letter, is found by its body.
#[derive(Clone, Debug, Default)]
pub struct Letters(HashMap<String, Redriven>);

impl Redriven {
    /// What these attributes say; `None` for a message that was never redriven.
    pub fn of<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        Some(Self {
            letter: attribute("letter")?.to_owned(),
            first_at: attribute("first_at")?.parse().ok()?,
            attempts: attribute("attempts")?.parse().ok()?,
            redrives: attribute("redrives")?.parse().ok()?,
        })
    }

    /// The attributes that say so.
    ///
    /// # Errors
    /// None is expected: every attribute has a type.
    pub fn attributes(&self) -> Result<HashMap<String, MessageAttributeValue>, BuildError> {
        let Self { letter, first_at, attempts, redrives } = self;
        Ok(HashMap::from([
            ("letter".to_owned(), attribute("String", letter)?),
            ("first_at".to_owned(), attribute("String", &first_at.to_string())?),
            ("attempts".to_owned(), attribute("Number", &attempts.to_string())?),
            ("redrives".to_owned(), attribute("Number", &redrives.to_string())?),
        ]))
    }
}

impl Letters {
    /// Those of a batch. Two messages that no key tells apart share what the last of them was.
    pub(crate) fn of(records: &[SqsMessage]) -> Self {
        let redriven = records.iter().filter_map(|record| {
            let attribute = |name: &str| record.message_attributes.get(name)?.string_value.as_deref();
            Some((key(record.body.as_deref()?), Redriven::of(attribute)?))
        });
        Self(redriven.collect())
    }

    /// What the message with that body was, or the one that it is a delayed copy of.
    pub(crate) fn get(&self, body: &str) -> Option<&Redriven> {
        // Nearly every batch has none.
        if self.0.is_empty() { None } else { self.0.get(&key(body)) }
    }
}

/// What a message has in common with its delayed copies, and with no other message: a command that is sent once more has
/// another expiry. What is no event has no copies.
fn key(body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(event) if event["id"].is_string() => {
            format!("{} {} {}", event["id"], event["time"], event["expirytime"])
        }
        _ => body.to_owned(),
    }
}

pub(crate) fn attribute(kind: &str, value: &str) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder().data_type(kind).string_value(value).build()
}
