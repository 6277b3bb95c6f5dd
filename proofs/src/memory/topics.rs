//! The sending end of the topics. The other end is the model's network, which keeps no order, has
//! no visibility timeout and delivers whatever it likes: looser than the contract of the topics.

use async_trait::async_trait;
use shared::topic::{Outgoing, SendError, Topic, Topics};

use super::contents::Sent;
use super::script::SEND;
use super::{Away, Memory};

/// Nothing was sent, or nobody knows.
struct NotSent(String);

impl From<Away> for NotSent {
    fn from(away: Away) -> Self {
        NotSent(format!("{} failed: {:?}", away.name, away.failed))
    }
}

impl Memory {
    async fn send_one(&self, message: Outgoing) -> Result<(), SendError> {
        let topic: Topic = message.topic;
        let sent =
            Sent { topic, parked: message.dead_letter.map(|letter| letter.failure), body: message.body };
        let done: Result<(), NotSent> = self.write(SEND, |contents| contents.sent.push(sent)).await;
        done.map_err(|NotSent(reason)| SendError { topic, reason })
    }
}

#[async_trait]
impl Topics for Memory {
    /// One call a message, as if each went to a queue of its own: a crash may come between any two.
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        let mut sent = Vec::with_capacity(messages.len());
        for message in messages {
            sent.push(self.send_one(message).await);
        }
        sent
    }
}
