//! The sending end of the topics. The other end is the model's network: it keeps no order, has no
//! visibility timeout and delivers any message next. That is looser than the contract of the topics.

use async_trait::async_trait;
use messaging::topics::{Outgoing, SendError, Topics};

use super::Memory;
use super::contents::SentMessage;
use crate::fault::CallError;
use crate::port_call::PortCall;

impl Memory {
    async fn send_one(&self, message: Outgoing) -> Result<(), SendError> {
        let topic = message.topic;
        let dead_lettered = message.dead_letter.map(|letter| letter.failure);
        let sent = SentMessage { topic, dead_lettered, body: message.body };
        let done: Result<(), CallError> =
            self.write(PortCall::TOPICS_SEND, |contents| contents.sent.push(sent)).await;
        done.map_err(|error| SendError { topic, reason: error.to_string() })
    }
}

#[async_trait]
impl Topics for Memory {
    /// One call for each message, as if each went to a queue of its own: a crash may come between any
    /// two.
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        let mut sent = Vec::with_capacity(messages.len());
        for message in messages {
            sent.push(self.send_one(message).await);
        }
        sent
    }
}
