//! What Lambda does on AWS: receives batches, has the services' consumers run on them, and
//! acknowledges what they are done with.

use std::sync::Arc;
use std::time::Duration;

use shared::consumer::{Consumer, Decision, Delivery, Service};
use shared::messages::Message;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use crate::sqlite::topics::{Receipt, SqliteTopics};

/// How many messages a batch has at most; SQS's number.
const BATCH: usize = 10;

/// How many batches of one topic are worked on at the same time.
const WORKERS: usize = 16;

/// How long a batch may take, …
const TIME: Duration = Duration::from_secs(25);

/// … and after how long its messages are delivered again if nobody said anything.
const VISIBILITY: Duration = Duration::from_secs(30);

/// What a service is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Consume its topic.
    Yes,
    /// Leave its messages where they are.
    No,
    /// Finish what it has, and end.
    Ending,
}

/// Starts the workers of one service in `tasks`; they do as `running` says.
pub fn start<S: Service + 'static>(
    tasks: &mut JoinSet<()>,
    consumer: Consumer<S>,
    topics: &SqliteTopics,
    running: &watch::Receiver<Running>,
) {
    let consumer = Arc::new(consumer);
    for _ in 0..WORKERS {
        tasks.spawn(work(consumer.clone(), topics.clone(), running.clone()));
    }
}

async fn work<S: Service>(
    consumer: Arc<Consumer<S>>,
    topics: SqliteTopics,
    mut running: watch::Receiver<Running>,
) {
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
                batch = topics.receive(S::Message::TOPIC, BATCH, VISIBILITY) => batch,
                _ = running.changed() => continue,
            },
        };
        consume(&consumer, &topics, batch).await;
    }
}

async fn consume<S: Service>(consumer: &Consumer<S>, topics: &SqliteTopics, batch: Vec<Delivery>) {
    let Decision { messages, again } = consumer.decide(&batch, TIME).await;
    let messages = messages.into_iter().map(|(_, message)| message).collect();
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (record, receipt) in batch.iter().map(Receipt::of).enumerate() {
        if again.contains(&record) { &mut failed } else { &mut done }.extend(receipt);
    }
    // What is sent, and what it answers, change together. If that fails, nothing happened: every
    // message comes again after its visibility timeout, and finds its service's record.
    if let Err(error) = topics.finish(messages, done, failed).await {
        warn!(%error, "a batch of {} could not be finished; it will be delivered again", S::Message::TOPIC);
    }
}
