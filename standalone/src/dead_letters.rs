//! `dead-letters`: lists, explains, redrives and discards the dead letters of a running server.

use client::{Bookings, ClientError};
use serde_json::{Value, json};
use system::view::LetterId;
use system::view::dead_letter::Letter;
use thiserror::Error;

/// The dead letters of a running server.
pub struct DeadLetters(Bookings);

/// The command failed.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum DeadLettersError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("there is no dead letter {0}; `dead-letters list` shows them")]
    Unknown(LetterId),
    #[error("the server's dead letters cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl DeadLetters {
    /// The dead letters of the server at that URL.
    pub fn at(url: &str) -> Result<Self, DeadLettersError> {
        Ok(Self(Bookings::at(url)?))
    }

    /// All of them, by topic, oldest first.
    pub async fn list(&self) -> Result<Vec<Letter>, DeadLettersError> {
        Ok(serde_json::from_value(self.0.get("/operator/dead-letters").await?)?)
    }

    /// Everything about one: why it failed, how often it was tried, and the state of its order.
    pub async fn explain(&self, id: LetterId) -> Result<String, DeadLettersError> {
        let letters = self.list().await?;
        let letter = letters.into_iter().find(|letter| letter.id == id);
        let letter = letter.ok_or_else(|| DeadLettersError::Unknown(id.clone()))?;
        let order = match &letter.order_id {
            None => "none can be read from it".to_owned(),
            Some(order) => match self.0.booking(order).await {
                Ok(booking) => describe(order, &booking),
                Err(ClientError::Refused { .. }) => format!("{order}, which this server does not know"),
                Err(error) => return Err(error.into()),
            },
        };
        let mut lines = vec![
            ("letter", format!("{id}, dead-lettered by {} at {}", letter.source, letter.dead_lettered_at)),
            ("message", letter.kind.clone().unwrap_or_else(|| "not an event".to_owned())),
            ("topic", letter.topic.to_string()),
            ("failure", letter.failure.clone()),
            ("attempts", tried(&letter)),
            ("order", order),
        ];
        lines.extend(letter.text.clone().map(|text| ("begins", format!("{text:?}"))));
        lines.push(("advice", letter.advice.clone()));
        let lines = lines.into_iter().map(|(name, text)| format!("{name:<9} {text}\n"));
        Ok(lines.collect())
    }

    /// Moves one back to its topic, or all; answers how many.
    pub async fn redrive(&self, one: Option<LetterId>) -> Result<u64, DeadLettersError> {
        let path = match &one {
            Some(id) => format!("/operator/dead-letters/{id}/redrive"),
            None => "/operator/dead-letters/redrive".to_owned(),
        };
        match self.0.post(&path, &json!({})).await {
            Ok(answer) => Ok(answer["redriven"].as_u64().unwrap_or_default()),
            Err(error) => Err(match (error, one) {
                (ClientError::Refused { status: 404, .. }, Some(id)) => DeadLettersError::Unknown(id),
                (error, _) => error.into(),
            }),
        }
    }

    /// Deletes one; its record keeps the reason.
    pub async fn discard(&self, id: LetterId, reason: &str) -> Result<(), DeadLettersError> {
        let path = format!("/operator/dead-letters/{id}/discard");
        match self.0.post(&path, &json!({"reason": reason})).await {
            Ok(_) => Ok(()),
            Err(ClientError::Refused { status: 404, .. }) => Err(DeadLettersError::Unknown(id)),
            Err(error) => Err(error.into()),
        }
    }
}

fn tried(letter: &Letter) -> String {
    match letter.redrives {
        0 => letter.attempts.to_string(),
        1 => format!("{}, with 1 redrive; first dead-lettered at {}", letter.attempts, letter.first_at),
        many => {
            format!("{}, with {many} redrives; first dead-lettered at {}", letter.attempts, letter.first_at)
        }
    }
}

fn describe(order: &str, booking: &Value) -> String {
    let text = |key: &str| booking[key].as_str().unwrap_or("?").to_owned();
    if booking["settled"] == true {
        return format!("{order}, settled: {}", text("status"));
    }
    let awaited = booking["awaiting"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let awaited = awaited.collect::<Vec<_>>().join(" and ");
    format!("{order}, {}: waits for {awaited} since {}", text("status"), text("waiting_since"))
}
