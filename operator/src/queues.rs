//! What SQS counts of a stack's queues. Its counts are approximate: they may be a minute late.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName::{
    ApproximateNumberOfMessages as Waiting, ApproximateNumberOfMessagesDelayed as Delayed,
    ApproximateNumberOfMessagesNotVisible as InFlight,
};
use futures_util::future::try_join_all;
use messaging::error_chain::error_chain;
use messaging::store::StoreError;
use protocol::topic::Topic;
use system::view::TopicState;

use crate::stack::{Queues, Stack};

/// The queues of a stack.
#[derive(Clone)]
pub struct SqsQueues {
    /// The client.
    pub client: Client,
    /// The stack.
    pub stack: Stack,
}

impl SqsQueues {
    /// The URLs of a topic's queues.
    pub fn of(&self, topic: Topic) -> Result<&Queues, StoreError> {
        let missing = || StoreError::unavailable(format!("the stack has no topic {topic}"));
        self.stack.queues.get(&topic).ok_or_else(missing)
    }

    /// The state of every topic. SQS counts neither what was sent nor the age of a message's event.
    pub async fn states(&self) -> Result<Vec<(Topic, TopicState)>, StoreError> {
        try_join_all(Topic::ALL.map(|topic| async move { Ok((topic, self.state(topic).await?)) })).await
    }

    /// Whether no message waits, is in flight or is delayed, in any topic.
    pub async fn are_empty(&self) -> Result<bool, StoreError> {
        let states = self.states().await?;
        Ok(states.iter().all(|(_, state)| state.waiting + state.in_flight + state.delayed == 0))
    }

    async fn state(&self, topic: Topic) -> Result<TopicState, StoreError> {
        let queues = self.of(topic)?;
        let (live, dead) =
            futures_util::try_join!(self.counts(&queues.topic), self.counts(&queues.dead_letters))?;
        let [waiting, in_flight, delayed] = live;
        Ok(TopicState {
            waiting,
            in_flight,
            delayed,
            dead_lettered: dead.iter().sum(),
            ..TopicState::default()
        })
    }

    async fn counts(&self, url: &str) -> Result<[u64; 3], StoreError> {
        let names = [Waiting, InFlight, Delayed];
        let ask = self.client.get_queue_attributes().queue_url(url);
        let ask = ask.set_attribute_names(Some(names.to_vec()));
        let answer = ask.send().await.map_err(|error| StoreError::unavailable(error_chain(&error)))?;
        let count = |name| answer.attributes()?.get(&name)?.parse().ok();
        let missing = || StoreError::unavailable(format!("SQS does not count the messages of {url}"));
        let [waiting, in_flight, delayed] = names.map(count);
        Ok([waiting.ok_or_else(missing)?, in_flight.ok_or_else(missing)?, delayed.ok_or_else(missing)?])
    }
}
