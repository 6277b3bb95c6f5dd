//! `topics`, `orders`, `journey`: a running server, as its operator's API shows it.

use client::{Bookings, ClientError};
use serde::de::DeserializeOwned;
use serde_json::Value;
use system::journey::Journey;
use system::text::{self, Change, Listed, Topics};
use thiserror::Error;

/// A running server.
pub struct Inspect(Bookings);

/// The command failed.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum InspectError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("there is no order {0}")]
    Unknown(String),
    #[error("the server's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Inspect {
    /// The server at that URL.
    pub fn at(url: &str) -> Result<Self, InspectError> {
        Ok(Self(Bookings::at(url)?))
    }

    /// The state of every topic, as text and as JSON.
    pub async fn topics(&self) -> Result<(String, Value), InspectError> {
        let topics = self.0.get("/operator/topics").await?;
        Ok((read::<Topics>(&topics)?.to_string(), topics))
    }

    /// At most `limit` orders: those that wait, longest first, or those of a status, newest first.
    pub async fn orders(&self, status: Option<&str>, limit: u32) -> Result<(String, Value), InspectError> {
        let filter = status.map_or_else(|| "settled=false".to_owned(), |status| format!("status={status}"));
        let page = self.0.get(&format!("/operator/orders?{filter}&limit={limit}")).await?;
        let listed: Vec<Listed> = read(&page["items"])?;
        let lines = listed.iter().map(Listed::to_string);
        let lines: Vec<_> = std::iter::once(Listed::header()).chain(lines).collect();
        Ok((lines.join("\n"), page))
    }

    /// An order's journey.
    pub async fn journey(&self, id: &str) -> Result<(String, Value), InspectError> {
        let found = self.0.get(&format!("/operator/orders/{id}/journey")).await;
        let found = found.map_err(|error| match error {
            ClientError::Refused { status: 404, .. } => InspectError::Unknown(id.to_owned()),
            error => error.into(),
        })?;
        let history: Vec<Change> = read(&found["order"]["history"])?;
        let journey: Journey = read(&found)?;
        Ok((text::journey(&history, &journey), found))
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, InspectError> {
    Ok(T::deserialize(value)?)
}
