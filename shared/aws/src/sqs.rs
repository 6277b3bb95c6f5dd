//! The topics on SQS: standard queues, each with its dead-letter queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::future::join_all;
use messaging::entropy::Entropy;
use messaging::error_chain::error_chain;
use messaging::topics::{Failure, Outgoing, SendError, Topics};
use protocol::event::LARGEST;
use protocol::topic::Topic;
use tracing::warn;

use crate::letters::{Letters, Redriven, attribute};

/// The most messages of one `SendMessageBatch`.
const BATCH: usize = 10;

/// How often a message is sent before the caller gets the error of SQS.
const TRIES: u32 = 4;

/// The URLs of a topic's two queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Where its consumer reads.
    pub url: String,
    /// Its dead-letter queue. Only the topic's consumer sends to it.
    pub dead_letter_url: Option<String>,
}

/// The topics that a function may send to.
#[derive(Clone)]
pub struct SqsTopics {
    client: Client,
    queues: BTreeMap<Topic, Queues>,
    entropy: Arc<dyn Entropy>,
    /// What messages were that wait or are dead-lettered again.
    letters: Letters,
}

/// A message with its place in the answer.
type Placed = (usize, Outgoing);

impl SqsTopics {
    /// Topics whose queues are these.
    pub fn new(client: Client, queues: BTreeMap<Topic, Queues>, entropy: Arc<dyn Entropy>) -> Self {
        Self { client, queues, entropy, letters: Letters::default() }
    }

    /// The same topics. One of these messages that is dead-lettered, now or after it waited, is the letter that it was before.
    pub fn after_redrive(self, letters: Letters) -> Self {
        Self { letters, ..self }
    }

    /// Sends messages to one queue; answers those that were not taken, with the reason.
    async fn send_to(&self, url: &str, batch: Vec<Placed>) -> Vec<(usize, String)> {
        let mut left = batch;
        let mut refused = Vec::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                let most = 50 << attempt;
                tokio::time::sleep(Duration::from_millis(most / 2 + self.entropy.below(most / 2))).await;
            }
            let retry = self.send_batch(url, &left, &mut refused).await;
            left.retain(|(place, _)| retry.contains_key(place));
            if left.is_empty() {
                return refused;
            }
            warn!("{} messages were not taken by {url}: {:?}", left.len(), retry.values().next());
            if attempt + 1 == TRIES {
                refused.extend(retry);
            }
        }
        refused
    }

    /// One call. Answers the messages to retry, with the reason; adds permanent refusals to `refused`.
    async fn send_batch(
        &self,
        url: &str,
        batch: &[Placed],
        refused: &mut Vec<(usize, String)>,
    ) -> BTreeMap<usize, String> {
        let entries: Result<Vec<_>, BuildError> =
            batch.iter().map(|(place, message)| self.entry(*place, message)).collect();
        let sent = match entries {
            Ok(entries) => {
                self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await
            }
            Err(error) => {
                refused.extend(batch.iter().map(|(place, _)| (*place, error.to_string())));
                return BTreeMap::new();
            }
        };
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => {
                let reason = error_chain(&error);
                return batch.iter().map(|(place, _)| (*place, reason.clone())).collect();
            }
        };
        let mut retry = BTreeMap::new();
        for failed in sent.failed() {
            let Ok(place) = failed.id().parse::<usize>() else { continue };
            let reason = format!("{}: {}", failed.code(), failed.message().unwrap_or("no reason given"));
            if failed.sender_fault() {
                refused.push((place, reason));
            } else {
                retry.insert(place, reason);
            }
        }
        // A message missing from the answer was not taken either.
        for (place, _) in batch {
            let mentioned = retry.contains_key(place)
                || refused.iter().any(|(other, _)| other == place)
                || sent.successful().iter().any(|taken| taken.id() == place.to_string());
            if !mentioned {
                retry.insert(*place, "it is missing from the answer of SQS".to_owned());
            }
        }
        retry
    }

    fn entry(&self, place: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry, BuildError> {
        let entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(&message.body);
        let is_again = message.dead_letter.is_some() || message.is_copy();
        let before = if is_again { self.letters.get(&message.body) } else { None };
        let entry = entry.set_message_attributes(before.map(Redriven::attributes).transpose()?);
        let Some(Failure { failure, attempts, source }) = &message.dead_letter else {
            // Whole seconds, rounded up: a message is never received early.
            let seconds = message.delay.as_millis().div_ceil(1000).min(900);
            return entry.delay_seconds(i32::try_from(seconds).unwrap_or(900)).build();
        };
        let attempts = attempts.saturating_add(before.map_or(0, |before| before.attempts));
        entry
            .message_attributes("failure", attribute("String", failure)?)
            .message_attributes("attempts", attribute("Number", &attempts.to_string())?)
            .message_attributes("source", attribute("String", source)?)
            .build()
    }
}

/// How much a message counts towards the 256 KiB of a batch.
fn size(message: &Outgoing) -> usize {
    let failure = message.dead_letter.as_ref().map_or(0, |failure| failure.failure.len());
    let is_again = message.dead_letter.is_some() || message.is_copy();
    message.body.len() + failure + if is_again { 512 } else { 0 }
}

/// Batches of up to ten messages that fit into one call together, in order.
fn batches(messages: Vec<Placed>) -> Vec<Vec<Placed>> {
    let mut batches: Vec<Vec<Placed>> = Vec::new();
    let mut filled = 0;
    for (place, message) in messages {
        let length = size(&message);
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && filled + length <= LARGEST => {
                filled += length;
                batch.push((place, message));
            }
            _ => {
                filled = length;
                batches.push(vec![(place, message)]);
            }
        }
    }
    batches
}

#[async_trait]
impl Topics for SqsTopics {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
        let mut answers: Vec<Result<(), SendError>> = messages.iter().map(|_| Ok(())).collect();
        let topics: Vec<_> = messages.iter().map(|message| message.topic).collect();
        let mut refuse = |place: usize, reason: String| {
            answers[place] = Err(SendError { topic: topics[place], reason });
        };
        let mut by_queue: BTreeMap<&str, Vec<Placed>> = BTreeMap::new();
        for (place, message) in messages.into_iter().enumerate() {
            if size(&message) > LARGEST {
                refuse(
                    place,
                    format!("{} bytes are more than the {LARGEST} a message may have", message.body.len()),
                );
                continue;
            }
            let url = self.queues.get(&message.topic).and_then(|queues| match message.dead_letter {
                None => Some(&queues.url),
                Some(_) => queues.dead_letter_url.as_ref(),
            });
            match url {
                Some(url) => by_queue.entry(url).or_default().push((place, message)),
                None => refuse(place, "this function was not given the queue".to_owned()),
            }
        }
        let calls = by_queue.into_iter().flat_map(|(url, messages)| {
            batches(messages).into_iter().map(move |batch| self.send_to(url, batch))
        });
        for (place, reason) in join_all(calls).await.into_iter().flatten() {
            refuse(place, reason);
        }
        answers
    }
}
