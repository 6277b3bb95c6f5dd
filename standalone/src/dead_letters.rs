//! `dead-letters`: lists, explains, redrives and discards the dead letters of a running server.

use client::{Bookings, ClientError};
use serde_json::json;
use system::text;
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
                Ok(booking) => text::progress(order, &booking),
                Err(ClientError::Refused { .. }) => format!("{order}, which this server does not know"),
                Err(error) => return Err(error.into()),
            },
        };
        Ok(text::letter(&letter, &order))
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
