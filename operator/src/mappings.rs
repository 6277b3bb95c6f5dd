//! The switches of a stack's services: the event source mappings that give a topic's messages to its consumer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_sqs::types::QueueAttributeName::QueueArn;
use messaging::error_chain::error_chain;
use messaging::store::StoreError;
use protocol::topic::Topic;
use tokio::time::sleep;

use crate::queues::SqsQueues;

/// How often a mapping that is being switched is looked at, and how many times.
const PAUSE: Duration = Duration::from_secs(1);
const LOOKS: u32 = 120;

/// A mapping, as Lambda shows it.
struct Mapping {
    id: String,
    state: String,
}

/// The mappings of a stack.
pub struct Mappings {
    client: Client,
    queues: SqsQueues,
    /// As they were last seen. A service that was not seen yet counts as running.
    running: Mutex<BTreeMap<Topic, bool>>,
}

impl Mappings {
    /// Those of that stack.
    pub fn new(client: Client, queues: SqsQueues) -> Self {
        Self { client, queues, running: Mutex::default() }
    }

    /// Whether the consumer of a topic receives, as last seen.
    pub fn is_running(&self, topic: Topic) -> bool {
        let seen = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&topic).copied().unwrap_or(true)
    }

    /// Looks at all of them.
    pub async fn look(&self) -> Result<(), StoreError> {
        futures_util::future::try_join_all(Topic::ALL.map(|topic| self.find(topic))).await.map(drop)
    }

    /// Enables the mapping of a topic, or disables it; returns once Lambda has done so, which takes a minute. A mapping that
    /// is so already is not told again: Lambda would take another minute. A call that is dropped meanwhile leaves the
    /// mapping on its way to the new state.
    pub async fn switch(&self, topic: Topic, running: bool) -> Result<(), StoreError> {
        let wanted = if running { "Enabled" } else { "Disabled" };
        let mut told = false;
        for _ in 0..LOOKS {
            let Mapping { id, state } = self.find(topic).await?;
            if state == wanted {
                return Ok(());
            }
            // Lambda refuses to change a mapping that is being changed.
            if !told && matches!(state.as_str(), "Enabled" | "Disabled") {
                let update = self.client.update_event_source_mapping().uuid(id).enabled(running);
                update.send().await.map_err(|error| StoreError::unavailable(error_chain(&error)))?;
                told = true;
            } else {
                sleep(PAUSE).await;
            }
        }
        Err(StoreError::unavailable(format!(
            "the mapping of {topic} was told to be {wanted}, and is not yet"
        )))
    }

    async fn find(&self, topic: Topic) -> Result<Mapping, StoreError> {
        let unavailable = |reason: String| StoreError::unavailable(reason);
        let url = &self.queues.of(topic)?.topic;
        let ask = self.queues.client.get_queue_attributes().queue_url(url).attribute_names(QueueArn);
        let answer = ask.send().await.map_err(|error| unavailable(error_chain(&error)))?;
        let arn = answer.attributes().and_then(|attributes| attributes.get(&QueueArn));
        let arn = arn.ok_or_else(|| unavailable(format!("SQS does not tell the ARN of {url}")))?;
        let list = self.client.list_event_source_mappings().event_source_arn(arn).send().await;
        let list = list.map_err(|error| unavailable(error_chain(&error)))?;
        let [mapping] = list.event_source_mappings() else {
            let count = list.event_source_mappings().len();
            return Err(unavailable(format!("the topic {topic} has {count} event source mappings, not one")));
        };
        let (Some(id), Some(state)) = (mapping.uuid(), mapping.state()) else {
            return Err(unavailable(format!("the event source mapping of {topic} has no state")));
        };
        let running = matches!(state, "Enabled" | "Enabling" | "Creating" | "Updating");
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(topic, running);
        Ok(Mapping { id: id.to_owned(), state: state.to_owned() })
    }
}
