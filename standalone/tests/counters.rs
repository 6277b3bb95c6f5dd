//! What the database does for a booking. Counted, not timed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use serde_json::json;
use standalone::load::Counted;
use standalone::server::{Options, Server};
use support::Http;

async fn started() -> (Server, Http, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Options::new(directory.path().join("data"))).await.unwrap();
    let http = Http::new(server.url());
    (server, http, directory)
}

/// Until nothing is in a topic.
async fn quiet(http: &Http) {
    let quiet = |topics: &serde_json::Value| {
        topics.as_object().unwrap().values().all(|topic| topic["sent"] == topic["finished"])
    };
    http.until("/operator/topics", quiet).await;
    // The commit that finished the last message is counted after it can be seen.
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_alone_is_settled_after_four_flushes_and_mailed_after_six() {
    let (server, http, _directory) = started().await;
    http.put("/operator/services/email-service", json!({"running": false})).await;
    let before = Counted::by(server.platform());
    let order = http.book("OS-101", 2, "pm_card_visa").await;
    assert_eq!(http.settled(&order).await["status"], "confirmed");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let settled = Counted::by(server.platform()).since(before);
    http.put("/operator/services/email-service", json!({"running": true})).await;
    let before = Counted::by(server.platform());
    quiet(&http).await;
    let mailed = Counted::by(server.platform()).since(before);

    assert!(settled.flushes() <= 4, "{}", settled.a_booking(1));
    // The mail is received, since it waited; is sent; and is marked and acknowledged.
    assert!(mailed.flushes() <= 3, "{}", mailed.a_booking(1));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_costs_no_more_statements_pages_and_flushes_than_before() {
    const BOOKINGS: usize = 50;
    let (server, http, _directory) = started().await;
    let before = Counted::by(server.platform());
    for _ in 0..BOOKINGS {
        let order = http.book("OS-101", 1, "pm_card_visa").await;
        assert_eq!(http.settled(&order).await["status"], "confirmed");
        quiet(&http).await;
    }
    let counted = Counted::by(server.platform()).since(before);
    let line = counted.a_booking(BOOKINGS);
    println!("{line}");
    let (bookings, database) = (BOOKINGS as u64, counted.database);
    assert_eq!(counted.hops, 5 * bookings, "{line}");
    assert!(counted.flushes() <= 6 * bookings, "{line}");
    assert!(database.statements <= 37 * bookings, "{line}");
    assert!(database.pages_logged <= 24 * bookings, "{line}");
    server.stop().await;
}
