//! What Lambda does on AWS: receives batches, has the services' consumers run on them, and
//! acknowledges what they are done with.

use std::sync::Arc;
use std::time::Duration;

use messaging::consumer::{Consume, Decision, Delivery};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use crate::sqlite::topics::{Receipt, SqliteTopics};

/// How many messages a batch has at most; SQS's number.
const BATCH: usize = 10;

/// How many batches of one topic are worked on at the same time.
const POLLERS: usize = 16;

/// How long a batch may take, …
const TIME: Duration = Duration::from_secs(25);

/// … and after how long its messages are delivered again if nothing was said about them.
const VISIBILITY: Duration = Duration::from_secs(30);

/// What a topic's pollers are told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Consume the topic.
    Yes,
    /// Leave its messages where they are.
    No,
    /// Finish what they have, and end.
    Ending,
}

/// Starts the pollers of a consumer's topic in `tasks`; they do as the switch says, which begins as
/// `running`.
pub fn start(
    tasks: &mut JoinSet<()>,
    consumer: &Arc<dyn Consume>,
    topics: &SqliteTopics,
    running: Running,
) -> watch::Sender<Running> {
    let (switch, running) = watch::channel(running);
    for _ in 0..POLLERS {
        tasks.spawn(poll(consumer.clone(), topics.clone(), running.clone()));
    }
    switch
}

async fn poll(consumer: Arc<dyn Consume>, topics: SqliteTopics, mut running: watch::Receiver<Running>) {
    loop {
        let told = *running.borrow_and_update();
        let batch = match told {
            Running::Ending => return,
            Running::No => {
                if running.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Running::Yes => tokio::select! {
                batch = topics.receive(consumer.topic(), BATCH, VISIBILITY) => batch,
                _ = running.changed() => continue,
            },
        };
        consume(consumer.as_ref(), &topics, batch).await;
    }
}

async fn consume(consumer: &dyn Consume, topics: &SqliteTopics, batch: Vec<Delivery>) {
    let Decision { messages, again } = consumer.decide(&batch, TIME).await;
    let messages = messages.into_iter().map(|(_, message)| message).collect();
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (record, receipt) in batch.iter().map(Receipt::of).enumerate() {
        if again.contains(&record) { &mut failed } else { &mut done }.extend(receipt);
    }
    // What is sent, and what it answers, change together. If that fails, nothing happened: every
    // message is delivered again after its visibility timeout, and finds its service's record.
    if let Err(error) = topics.finish(messages, done, failed).await {
        warn!(%error, "a batch of {} could not be finished; it will be delivered again", consumer.topic());
    }
}
