//! What a dead letter keeps when it is redriven, as attributes of its message: its id, when it was first dead-lettered,
//! how often it was tried and redriven. SQS gives the message a new id and time each time.

use std::collections::HashMap;

use aws_lambda_events::event::sqs::SqsMessage;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::MessageAttributeValue;
use protocol::time::Timestamp;

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

/// The redriven messages of a batch, by their bodies. Two with one body share what the last of them was.
pub type Letters = HashMap<String, Redriven>;

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

/// The redriven messages of a batch.
pub(crate) fn letters(records: &[SqsMessage]) -> Letters {
    let redriven = records.iter().filter_map(|record| {
        let attribute = |name: &str| record.message_attributes.get(name)?.string_value.as_deref();
        Some((record.body.clone()?, Redriven::of(attribute)?))
    });
    redriven.collect()
}

pub(crate) fn attribute(kind: &str, value: &str) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder().data_type(kind).string_value(value).build()
}
