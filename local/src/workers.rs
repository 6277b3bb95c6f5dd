//! What Lambda does on AWS: receives batches, has the services' consumers run on them, and
//! acknowledges what they are done with.

use std::sync::Arc;
use std::time::Duration;

use shared::consumer::{Consumer, Delivery, Service};
use shared::messages::Message;
use tokio::sync::watch;
use tokio::task::JoinSet;

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
    let receipts: Vec<_> =
        batch.iter().map(|delivery| (delivery.id.clone(), Receipt::of(delivery))).collect();
    let again = consumer.consume(batch, TIME).await;
    let (again, done): (Vec<_>, Vec<_>) = receipts
        .into_iter()
        .filter_map(|(id, receipt)| Some((id, receipt?)))
        .partition(|(id, _)| again.contains(id));
    // Nobody waits for these: should they be lost, the messages come again and find their records.
    drop(topics.acknowledge(done.into_iter().map(|(_, receipt)| receipt).collect()));
    if !again.is_empty() {
        drop(
            topics.deliver_again(again.into_iter().map(|(_, receipt)| (receipt, receipt.pause())).collect()),
        );
    }
}
