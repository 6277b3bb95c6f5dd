//! What Lambda does on AWS: receives batches, runs the services' consumers on them, and acknowledges
//! the messages that are handled.
//!
//! The pollers run on the writing thread: what a handler writes, its answers and its acknowledgement are in one commit,
//! and need no change of threads. If a group is not committed, they begin anew: what they have in hand may be undone.

use std::sync::Arc;
use std::time::Duration;

use messaging::consumer::{Consume, Decision, Delivery};
use system::journal::{Message, Phase};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use crate::poison;
use crate::sqlite::topics::{Finished, Receipt, SqliteTopics};

/// The most messages in a batch; as in SQS.
const BATCH: usize = 10;

/// How many batches of one topic are handled at the same time.
const POLLERS: usize = 16;

/// How long a batch may take.
const TIME: Duration = Duration::from_secs(25);

/// After how long the messages of a batch are redelivered if they were neither acknowledged nor failed.
const VISIBILITY: Duration = Duration::from_secs(30);

/// How long a poller pauses after a group that was not committed.
const PAUSE: Duration = Duration::from_millis(100);

/// The state of a topic's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Consume the topic.
    Yes,
    /// Leave its messages where they are.
    No,
    /// Finish the current batch, and end.
    Ending,
}

impl From<bool> for Running {
    fn from(running: bool) -> Self {
        if running { Running::Yes } else { Running::No }
    }
}

/// Starts the pollers of a consumer's topic in `tasks`. Returns their switch, which is `running` at first.
pub fn start(
    tasks: &mut JoinSet<()>,
    consumer: &Arc<dyn Consume>,
    topics: &SqliteTopics,
    running: Running,
) -> watch::Sender<Running> {
    let (switch, running) = watch::channel(running);
    for _ in 0..POLLERS {
        let poll = topics.within(poll(consumer.clone(), topics.clone(), running.clone()));
        tasks.spawn(async move {
            if let Err(error) = poll.await {
                warn!(%error, "a poller has ended");
            }
        });
    }
    switch
}

async fn poll(consumer: Arc<dyn Consume>, topics: SqliteTopics, mut running: watch::Receiver<Running>) {
    loop {
        let state = *running.borrow_and_update();
        match state {
            Running::Ending => return,
            Running::No => {
                if running.changed().await.is_err() {
                    return;
                }
            }
            Running::Yes => {
                let receive = async {
                    let batch = tokio::select! {
                        batch = topics.receive(consumer.topic(), BATCH, VISIBILITY) => batch,
                        _ = running.changed() => return,
                    };
                    consume(consumer.as_ref(), &topics, batch).await;
                };
                if let Err(error) = topics.attempt(receive).await {
                    warn!(%error, "what was received of {} will be redelivered, if it was sent", consumer.topic());
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn consume(consumer: &dyn Consume, topics: &SqliteTopics, batch: Vec<Delivery>) {
    let topic = consumer.topic();
    let see = |delivery: &Delivery| Message::read(topic, &delivery.body, Phase::Received);
    let seen: Vec<_> = batch.iter().map(see).collect();
    topics.received(&seen);
    let (mut finished, records) = poison::take(batch, seen);
    let (batch, seen): (Vec<_>, Vec<_>) = records.into_iter().unzip();
    let Decision { messages, redeliver, expired } = consumer.decide(&batch, TIME).await;
    let mut answers: Vec<Vec<_>> = batch.iter().map(|_| Vec::new()).collect();
    for (record, message) in messages {
        answers[record].push(message);
    }
    let records = batch.iter().zip(seen).zip(answers).enumerate();
    finished.extend(records.filter_map(|(record, ((delivery, message), messages))| {
        let (redeliver, expired) = (redeliver.contains(&record), expired.contains(&record));
        Some(Finished { receipt: Receipt::of(delivery)?, message, messages, redeliver, expired })
    }));
    // The answers are sent and the messages acknowledged in one commit. If it fails, nothing happened: every
    // message is redelivered after its visibility timeout, and its service answers from its record.
    if let Err(error) = topics.finish(topic, finished).await {
        warn!(%error, "a batch of {topic} could not be finished; it will be redelivered");
    }
}
