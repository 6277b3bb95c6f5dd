//! Restarts, crashes and clocks: which messages they count against, and which wait longer for them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use messaging::clock::{Clock, ManualClock, SystemClock};
use messaging::consumer::Delivery;
use messaging::topics::{Outgoing, Topics};
use protocol::time::Timestamp;
use protocol::topic::Topic;
use rusqlite::Connection;
use serde_json::json;
use standalone::sqlite;
use standalone::sqlite::database::{Database, FILE};
use standalone::sqlite::topics::{Finished, SqliteTopics};
use support::{Http, serve};

const VISIBILITY: Duration = Duration::from_secs(30);
const TOPIC: Topic = Topic::Billing;

async fn finish(topics: &SqliteTopics, batch: &[Delivery]) {
    let batch = batch.iter().filter_map(|delivery| Finished::of(TOPIC, delivery)).collect();
    topics.finish(TOPIC, batch).await.unwrap();
}

fn message(body: &str, delay: Duration) -> Outgoing {
    Outgoing { topic: TOPIC, body: body.to_owned(), delay, dead_letter: None, about: None }
}

/// A process that has started on that directory.
async fn started(directory: &Path, clock: Arc<dyn Clock>) -> (Database, SqliteTopics) {
    let (database, topics) = sqlite::open(directory, clock).unwrap();
    topics.begin().await.unwrap();
    (database, topics)
}

/// What can be received now.
async fn receive(topics: &SqliteTopics, most: usize) -> Vec<Delivery> {
    let received = topics.receive(TOPIC, most, VISIBILITY);
    tokio::time::timeout(Duration::from_millis(50), received).await.unwrap_or_default()
}

/// The bodies of the dead letters.
async fn dead(topics: &SqliteTopics) -> Vec<String> {
    topics.dead_letters(TOPIC).await.unwrap().into_iter().map(|letter| letter.body).collect()
}

#[tokio::test]
async fn a_message_that_ends_the_process_is_dead_lettered_and_none_of_those_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let (database, topics) = started(directory.path(), clock.clone()).await;
    let mut bodies: Vec<_> = (0..40).map(|number| format!("innocent {number}")).collect();
    bodies.insert(17, "poison".to_owned());
    for body in &bodies {
        topics.send(vec![message(body, Duration::ZERO)]).await[0].as_ref().unwrap();
    }
    database.close();

    let (mut crashes, mut handled) = (0, Vec::new());
    loop {
        let (database, topics) = started(directory.path(), clock.clone()).await;
        if !dead(&topics).await.is_empty() {
            assert_eq!(dead(&topics).await, ["poison"]);
        }
        // As the pollers do: several batches are in flight when the poison is handled.
        let mut ends = false;
        let mut idle = 0;
        while !ends && idle < 60 {
            let mut batches = Vec::new();
            for _ in 0..3 {
                batches.push(receive(&topics, 10).await);
            }
            ends = batches.iter().flatten().any(|delivery| delivery.body == "poison");
            if ends {
                break;
            }
            for batch in batches {
                idle = if batch.is_empty() { idle + 1 } else { 0 };
                finish(&topics, &batch).await;
                handled.extend(batch.into_iter().map(|delivery| delivery.body));
            }
            clock.advance(Duration::from_secs(1));
        }
        let over = dead(&topics).await;
        database.close();
        if !ends {
            assert_eq!(over, ["poison"]);
            break;
        }
        crashes += 1;
        assert!(crashes < 10, "the poison ends the process for ever");
    }
    assert_eq!(crashes, 5);
    handled.sort();
    bodies.retain(|body| body != "poison");
    bodies.sort();
    assert_eq!(handled, bodies, "each innocent was handled once");
}

#[tokio::test]
async fn messages_in_flight_at_two_crashes_are_handled_one_at_a_time_and_hold_up_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    for crash in 0..2 {
        let (database, topics) = started(directory.path(), clock.clone()).await;
        if crash == 0 {
            let suspects = (0..3).map(|number| message(&format!("suspect {number}"), Duration::ZERO));
            topics.send(suspects.collect()).await;
        }
        assert_eq!(receive(&topics, 10).await.len(), 3);
        database.close();
    }
    let (_database, topics) = started(directory.path(), clock.clone()).await;
    assert!(receive(&topics, 10).await.is_empty(), "there is a pause now");
    clock.advance(Duration::from_secs(2));
    topics.send(vec![message("new", Duration::ZERO)]).await;

    let first = receive(&topics, 10).await;
    assert_eq!(first.len(), 1);
    let second = receive(&topics, 10).await;
    assert_eq!(second.iter().map(|one| &one.body).collect::<Vec<_>>(), ["new"]);
    assert!(receive(&topics, 10).await.is_empty(), "another one is handled alone");
    finish(&topics, &first).await;
    assert_eq!(receive(&topics, 10).await.len(), 1);
    // Its receiver is gone: the next one has its turn when it is visible again.
    assert!(receive(&topics, 10).await.is_empty());
    clock.advance(VISIBILITY);
    assert_eq!(receive(&topics, 10).await.len(), 1);
}

/// How often each message was received.
fn receives(data: &Path) -> Vec<u32> {
    let connection = Connection::open(data.join(FILE)).unwrap();
    let mut statement = connection.prepare("SELECT receive_count FROM messages").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// A server with a slow provider, and customers whose charges are in flight.
async fn with_charges_in_flight(data: &Path) -> (Http, Vec<String>) {
    let server = serve(data, None);
    let http = Http::new(server.url());
    http.put("/operator/payment-provider", json!({"mode": "slow"})).await;
    let mut orders = Vec::new();
    for _ in 0..30 {
        orders.push(http.book("OS-101", 1, "pm_card_visa").await);
    }
    http.until("/operator/topics", |topics| topics["billing"]["in_flight"].as_u64() >= Some(10)).await;
    assert!(server.terminate().unwrap().success());
    (http, orders)
}

/// Every order is confirmed, and nothing was dead-lettered.
async fn all_are_confirmed(data: &Path, http: &Http, orders: &[String]) {
    let server = serve(data, None);
    let http = http.moved_to(server.url());
    http.put("/operator/payment-provider", json!({"mode": "up"})).await;
    for order in orders {
        assert_eq!(http.settled(order).await["status"], "confirmed");
    }
    assert_eq!(http.get("/operator/dead-letters").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_counts_against_no_message() {
    let directory = tempfile::tempdir().unwrap();
    let (http, orders) = with_charges_in_flight(directory.path()).await;
    for _ in 0..5 {
        let counts = receives(directory.path());
        assert!(counts.iter().all(|count| *count == 0), "{counts:?}");
        assert!(serve(directory.path(), None).terminate().unwrap().success());
    }
    all_are_confirmed(directory.path(), &http, &orders).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "twenty seconds of crashes and pauses: `.ci/run` runs it"]
async fn five_kills_in_five_seconds_dead_letter_no_message_that_was_in_flight() {
    let directory = tempfile::tempdir().unwrap();
    let (http, orders) = with_charges_in_flight(directory.path()).await;
    for _ in 0..5 {
        let mut server = serve(directory.path(), None);
        tokio::time::sleep(Duration::from_millis(900)).await;
        server.kill();
    }
    all_are_confirmed(directory.path(), &http, &orders).await;
}

/// The machine's clock, but for what it was set to.
#[derive(Default)]
struct SetClock(AtomicI64);

impl SetClock {
    fn set_back(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() - self.0.load(Ordering::SeqCst))
    }
}

const AN_HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_delayed_or_failed_message_waits_no_longer_when_the_clock_is_set_back() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock::default());
    let (_database, topics) = started(directory.path(), clock.clone()).await;
    topics.send(vec![message("failed", Duration::ZERO)]).await;
    let failed = receive(&topics, 1).await;
    let failed = failed.iter().filter_map(|delivery| Finished::of(TOPIC, delivery));
    let failed = failed.map(|finished| Finished { redeliver: true, ..finished }).collect();
    topics.finish(TOPIC, failed).await.unwrap();
    topics.send(vec![message("delayed", Duration::from_millis(500))]).await;
    clock.set_back(AN_HOUR);
    for expected in ["delayed", "failed"] {
        let received = topics.receive(TOPIC, 10, VISIBILITY);
        let received = tokio::time::timeout(Duration::from_secs(20), received).await.unwrap();
        assert_eq!(received[0].body, expected);
    }
}

#[tokio::test]
async fn a_delayed_message_waits_no_longer_than_its_delay_when_the_clock_was_set_back_between_two_starts() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock::default());
    let (database, topics) = started(directory.path(), clock.clone()).await;
    topics.send(vec![message("delayed", Duration::from_millis(500))]).await;
    database.close();
    clock.set_back(AN_HOUR);
    let (_database, topics) = started(directory.path(), clock).await;
    let received = topics.receive(TOPIC, 10, VISIBILITY);
    let received = tokio::time::timeout(Duration::from_secs(20), received).await.unwrap();
    assert_eq!(received[0].body, "delayed");
}
