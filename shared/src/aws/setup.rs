//! What a function does once, at init: reads its configuration, and makes its clients. What is
//! missing or malformed is named here, not on the first order.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use thiserror::Error;

use super::sqs::{Queues, SqsTopics};
use crate::entropy::{Entropy, OsEntropy};
use crate::topic::Topic;

/// A function cannot start.
#[derive(Debug, Error)]
pub enum SetupError {
    /// A variable is not there, or empty.
    #[error("the environment variable {0} is missing")]
    Missing(String),
    /// A variable has a value that cannot be.
    #[error("the environment variable {name} {reason}, and is {value:?}")]
    Malformed {
        /// Its name.
        name: String,
        /// What is wrong with it: `must be …`.
        reason: String,
        /// What it is.
        value: String,
    },
    /// What a variable names does not answer.
    #[error("{what} cannot be reached: {reason}")]
    Unreachable {
        /// What it is.
        what: String,
        /// Why.
        reason: String,
    },
}

/// A function's surroundings.
pub struct Setup {
    /// Region, credentials and endpoint, from the function's own environment.
    pub config: SdkConfig,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Setup {
    /// Starts the logs, and reads what the SDK needs.
    pub async fn load() -> Self {
        // Lambda stamps the time itself.
        tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_target(false)
            .without_time()
            .with_env_filter(
                tracing_subscriber::EnvFilter::try_from_env("LOG_LEVEL")
                    .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
            )
            .init();
        let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
        Self { config, entropy: Arc::new(OsEntropy) }
    }

    /// A DynamoDB client, and the name of the function's table (`TABLE`).
    pub fn table(&self) -> Result<(aws_sdk_dynamodb::Client, String), SetupError> {
        Ok((aws_sdk_dynamodb::Client::new(&self.config), required("TABLE")?))
    }

    /// The topics that a function may send to, by `<TOPIC>_QUEUE_URL` and `<TOPIC>_DLQ_URL`.
    pub fn topics(&self, topics: &[Topic]) -> Result<SqsTopics, SetupError> {
        let queues: Result<BTreeMap<_, _>, _> =
            topics.iter().map(|&topic| Ok((topic, queues(topic)?))).collect();
        Ok(SqsTopics::new(aws_sdk_sqs::Client::new(&self.config), queues?, self.entropy.clone()))
    }
}

/// A variable that must be there.
pub fn required(name: &str) -> Result<String, SetupError> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(SetupError::Missing(name.to_owned())),
    }
}

fn queues(topic: Topic) -> Result<Queues, SetupError> {
    let name = topic.name().to_uppercase().replace('-', "_");
    Ok(Queues { url: url(&format!("{name}_QUEUE_URL"))?, dead_letter_url: url(&format!("{name}_DLQ_URL"))? })
}

fn url(name: &str) -> Result<String, SetupError> {
    let value = required(name)?;
    if value.starts_with("https://") || value.starts_with("http://") {
        return Ok(value);
    }
    Err(SetupError::Malformed {
        name: name.to_owned(),
        reason: "must be the URL of a queue".to_owned(),
        value,
    })
}
