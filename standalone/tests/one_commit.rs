//! A message that is sent, handled and acknowledged in one commit, and what becomes of it if there is no such commit.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use messaging::clock::ManualClock;
use messaging::consumer::Delivery;
use messaging::topics::{About, Outgoing, Topics};
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use standalone::sqlite;
use standalone::sqlite::database::Database;
use standalone::sqlite::topics::{CAREFUL, Finished, SqliteTopics};
use tempfile::TempDir;
use tokio::sync::mpsc;

const VISIBILITY: Duration = Duration::from_secs(30);

/// The topics, and a service of each that takes part in the groups.
struct Ground {
    database: Database,
    topics: SqliteTopics,
    clock: Arc<ManualClock>,
    _directory: TempDir,
}

/// A receive, as the service saw it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    receive_count: u32,
    /// How many messages were in the file, for all to see.
    committed: i64,
}

/// What the service does with a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Acknowledge,
    Redeliver,
    /// Sends a delayed copy: its downstream is away.
    Wait,
    /// Ends the transaction under the group, so that it is not committed.
    BreakTheGroup,
}

impl Ground {
    async fn new() -> Self {
        let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
        let (database, topics) = sqlite::open(directory.path(), clock.clone()).unwrap();
        topics.begin().await.unwrap();
        Self { database, topics, clock, _directory: directory }
    }

    /// Starts a service that handles one message after the other.
    fn serve(&self, topic: Topic, does: Vec<Does>) -> mpsc::UnboundedReceiver<Seen> {
        let (see, seen) = mpsc::unbounded_channel();
        let (database, topics) = (self.database.clone(), self.topics.clone());
        let work = self.topics.within(async move {
            for does in does {
                let one = async || {
                    let batch = topics.receive(topic, 10, VISIBILITY).await;
                    let committed = messages(&database).await;
                    see.send(Seen { receive_count: batch[0].receive_count, committed }).unwrap();
                    let redeliver = does == Does::Redeliver;
                    let messages = if does == Does::Wait { vec![copy(topic)] } else { Vec::new() };
                    let finished = |one| Finished {
                        redeliver,
                        messages: messages.clone(),
                        ..Finished::of(topic, one).unwrap()
                    };
                    let finished = batch.iter().map(finished).collect();
                    topics.finish(topic, finished).await.unwrap();
                    if does == Does::BreakTheGroup {
                        let _ = database.join(|connection| connection.execute("ROLLBACK", [])).await;
                    }
                };
                // A receive that began in a group that is not committed ends, too.
                while topics.attempt(one()).await.is_err() {}
            }
            std::future::pending::<()>().await;
        });
        tokio::spawn(work);
        seen
    }

    /// Sends a message from within a group; answers how many groups were flushed for it.
    async fn send(&self, topic: Topic) -> u64 {
        let before = self.database.counters().groups;
        let topics = self.topics.clone();
        let send = self.topics.within(async move { topics.send(vec![message(topic)]).await });
        let _ = send.await;
        self.database.counters().groups - before
    }

    /// Waits until the groups so far are over: a service that was started waits for messages.
    async fn idle(&self) {
        for _ in 0..2 {
            self.database.write(|_| Ok(())).await.unwrap();
        }
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.database.wake();
    }

    /// How many messages of a topic are sent, and how many of them are finished.
    async fn sent_and_finished(&self, topic: Topic) -> (u64, u64) {
        self.idle().await;
        let states = self.topics.states().await.unwrap();
        let (_, state) = states.into_iter().find(|(one, _)| *one == topic).unwrap();
        (state.sent.unwrap(), state.finished.unwrap())
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)))
}

fn message(topic: Topic) -> Outgoing {
    Outgoing { topic, body: "a message".to_owned(), delay: Duration::ZERO, dead_letter: None, about: None }
}

/// A copy of it that waits for a minute.
fn copy(topic: Topic) -> Outgoing {
    let (order, time) = (OrderId::from_bytes([7; 16]), Timestamp::from_millis(1_800_000_000_000));
    let about = About { order, name: "charge", time, attempt: 1, reason: None };
    Outgoing { delay: Duration::from_secs(60), about: Some(about), ..message(topic) }
}

async fn messages(database: &Database) -> i64 {
    let count = "SELECT count(*) FROM messages";
    database.read_committed(|connection| connection.query_row(count, [], |row| row.get(0))).await.unwrap()
}

async fn next(seen: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
    tokio::time::timeout(Duration::from_secs(10), seen.recv()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_handled_and_acknowledged_in_one_commit() {
    let ground = Ground::new().await;
    let mut seen = ground.serve(Topic::Tickets, vec![Does::Acknowledge; 2]);
    ground.idle().await;
    assert_eq!(ground.send(Topic::Tickets).await, 1);
    assert_eq!(next(&mut seen).await, Seen { receive_count: 1, committed: 0 });
    assert_eq!(ground.sent_and_finished(Topic::Tickets).await, (1, 1));
    assert_eq!(messages(&ground.database).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_acts_outside_gets_a_message_after_its_commit() {
    let ground = Ground::new().await;
    let mut seen = ground.serve(Topic::Email, vec![Does::Acknowledge; 2]);
    ground.idle().await;
    ground.send(Topic::Email).await;
    assert_eq!(next(&mut seen).await, Seen { receive_count: 1, committed: 1 });
    assert_eq!(ground.sent_and_finished(Topic::Email).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_takes_no_part_in_the_groups_gets_a_message_after_its_commit() {
    let ground = Ground::new().await;
    let receive = {
        let topics = ground.topics.clone();
        tokio::spawn(async move { topics.receive(Topic::Tickets, 10, VISIBILITY).await })
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    ground.send(Topic::Tickets).await;
    let received: Vec<Delivery> = receive.await.unwrap();
    assert_eq!((received.len(), messages(&ground.database).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_redelivered_is_written_first() {
    let ground = Ground::new().await;
    let mut seen = ground.serve(Topic::Tickets, vec![Does::Redeliver, Does::Acknowledge]);
    ground.idle().await;
    ground.send(Topic::Tickets).await;
    assert_eq!(next(&mut seen).await.receive_count, 1);
    assert_eq!(ground.sent_and_finished(Topic::Tickets).await, (1, 0));
    assert_eq!(messages(&ground.database).await, 1);
    ground.pass(Duration::from_secs(1)).await;
    assert_eq!(next(&mut seen).await.receive_count, 2);
    assert_eq!(ground.sent_and_finished(Topic::Tickets).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_group_is_not_committed_was_never_sent() {
    let ground = Ground::new().await;
    let mut seen =
        ground.serve(Topic::Tickets, [vec![Does::BreakTheGroup], vec![Does::Acknowledge; 3]].concat());
    ground.idle().await;
    ground.send(Topic::Tickets).await;
    assert_eq!(next(&mut seen).await.receive_count, 1);
    assert_eq!(ground.sent_and_finished(Topic::Tickets).await, (0, 0));
    ground.pass(VISIBILITY).await;
    ground.idle().await;
    assert_eq!(messages(&ground.database).await, 0);
    // The service goes on. The next messages might have broken the group, so for a minute they are committed first.
    for committed in [1, 1, 0] {
        ground.send(Topic::Tickets).await;
        assert_eq!(next(&mut seen).await, Seen { receive_count: 1, committed });
        ground.idle().await;
        ground.pass(Duration::from_secs(15)).await;
        ground.idle().await;
    }
    assert_eq!(ground.sent_and_finished(Topic::Tickets).await, (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_group_is_not_committed_wakes_none_of_the_messages_that_wait_for_one() {
    let ground = Ground::new().await;
    let does = vec![
        Does::Wait,
        Does::Wait,
        Does::BreakTheGroup,
        Does::Acknowledge,
        Does::Acknowledge,
        Does::Acknowledge,
    ];
    let mut seen = ground.serve(Topic::Billing, does);
    for _ in 0..3 {
        ground.idle().await;
        ground.send(Topic::Billing).await;
        next(&mut seen).await;
    }
    ground.idle().await;
    assert!(seen.try_recv().is_err(), "the two copies wait on");
    let states = ground.topics.states().await.unwrap();
    let (_, state) = states.into_iter().find(|(topic, _)| *topic == Topic::Billing).unwrap();
    assert_eq!((state.delayed, state.waiting, state.in_flight), (2, 0, 0));
    // This answer is committed.
    ground.send(Topic::Billing).await;
    for _ in 0..2 {
        next(&mut seen).await;
    }
    assert_eq!(ground.sent_and_finished(Topic::Billing).await, (5, 5), "the copies came as one batch");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_a_message_is_committed_before_it_is_handled_for_a_while() {
    let ground = Ground::new().await;
    // It ended without saying so, and is begun again.
    ground.topics.begin().await.unwrap();
    let mut seen = ground.serve(Topic::Tickets, vec![Does::Acknowledge; 3]);
    ground.idle().await;
    ground.send(Topic::Tickets).await;
    assert_eq!(next(&mut seen).await.committed, 1);
    ground.pass(CAREFUL).await;
    ground.idle().await;
    ground.send(Topic::Tickets).await;
    assert_eq!(next(&mut seen).await.committed, 0);
    // It says so.
    ground.topics.end().await.unwrap();
    ground.topics.begin().await.unwrap();
    ground.idle().await;
    ground.send(Topic::Tickets).await;
    assert_eq!(next(&mut seen).await.committed, 0);
}
