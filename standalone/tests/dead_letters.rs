//! Dead letters, as an operator sees them: listed, explained and redriven by command.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use client::ServerProcess;
use rusqlite::Connection;
use serde_json::json;
use standalone::sqlite::database::FILE;
use support::{Http, bookings, serve};

/// Runs `dead-letters`; answers whether it succeeded, and its output.
fn dead_letters(server: &ServerProcess, arguments: &[&str]) -> (bool, String) {
    let output =
        bookings().arg("dead-letters").args(arguments).args(["--url", server.url()]).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// A server with a booking whose `reserve` was dead-lettered after five deliveries, and an unreadable
/// message in billing.
async fn with_dead_letters(data: &Path) -> (ServerProcess, Http, String) {
    let server = serve(data, None);
    let http = Http::new(server.url());
    http.put("/operator/services/ticket-service", json!({"running": false})).await;
    let id = http.book("OS-101", 2, "pm_card_visa").await;
    assert!(server.terminate().unwrap().success());
    Connection::open(data.join(FILE))
        .unwrap()
        .execute_batch(
            "INSERT INTO dead_letters (topic, dead_lettered_at, failure, attempts, source, body)
                 SELECT topic, sent_at, 'received 5 times and never acknowledged', 5, '/ticket-service', body
                 FROM messages WHERE topic = 'tickets';
             DELETE FROM messages WHERE topic = 'tickets';
             INSERT INTO messages (topic, visible_at, sent_at, body) VALUES ('billing', 0, 0, 'not an event');",
        )
        .unwrap();
    let server = serve(data, None);
    let http = Http::new(server.url());
    http.put("/operator/services/ticket-service", json!({"running": true})).await;
    http.until("/operator/topics", |topics| topics["billing"]["dead_lettered"] != 0).await;
    (server, http, id)
}

#[tokio::test]
async fn a_dead_letter_is_listed_explained_and_redriven_and_its_order_settles() {
    let directory = tempfile::tempdir().unwrap();
    let (server, http, order) = with_dead_letters(&directory.path().join("data")).await;

    let (listed, list) = dead_letters(&server, &["list"]);
    assert!(listed, "{list}");
    let line = list.lines().find(|line| line.contains(&order)).unwrap_or_else(|| panic!("{list}"));
    for word in ["tickets", "booking.reserve.v1", "received 5 times"] {
        assert!(line.contains(word), "{line}");
    }
    let letter = line.split_whitespace().next().unwrap();
    let header = list.lines().next().unwrap();
    assert_eq!(header.split_whitespace().collect::<Vec<_>>(), ["id", "topic", "type", "order", "failure"]);
    for (column, value) in
        [("topic", "tickets"), ("type", "booking."), ("order", &order), ("failure", "received")]
    {
        assert_eq!(header.find(column), line.find(value), "{list}");
    }

    let (explained, why) = dead_letters(&server, &["explain", letter]);
    assert!(explained, "{why}");
    let expected = [
        "attempts  5\n".to_owned(),
        "failure   received 5 times and never acknowledged\n".to_owned(),
        format!("order     {order}, pending: waits for tickets since "),
        "advice    its handler failed each time".to_owned(),
    ];
    for part in expected {
        assert!(why.contains(&part), "{why}");
    }

    assert_eq!(dead_letters(&server, &["redrive", letter]), (true, "1 redriven\n".to_owned()));
    assert_eq!(http.settled(&order).await["status"], "confirmed");
    let (_, list) = dead_letters(&server, &["list"]);
    assert!(!list.contains(&order) && list.contains("1 dead letters"), "{list}");
}

#[tokio::test]
async fn an_unreadable_message_is_dead_lettered_again_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (server, http, order) = with_dead_letters(&directory.path().join("data")).await;
    assert_eq!(dead_letters(&server, &["redrive", "--all"]), (true, "2 redriven\n".to_owned()));
    assert_eq!(http.settled(&order).await["status"], "confirmed");
    http.until("/operator/topics", |topics| topics["billing"]["dead_lettered"] != 0).await;
    let letters = http.get("/operator/dead-letters").await;
    assert_eq!(letters.as_array().unwrap().len(), 1);
    assert_eq!(letters[0]["text"], "not an event");
    let (_, why) = dead_letters(&server, &["explain", &letters[0]["id"].to_string()]);
    assert!(why.contains("failure   undecodable") && why.contains("no version can read it"), "{why}");
}

#[tokio::test]
async fn an_unknown_letter_and_a_server_that_does_not_answer_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let server = serve(&directory.path().join("data"), None);
    for command in ["explain", "redrive"] {
        let (done, output) = dead_letters(&server, &[command, "7"]);
        assert!(!done && output.contains("there is no dead letter 7"), "{output}");
    }
    assert_eq!(dead_letters(&server, &["redrive", "--all"]), (true, "0 redriven\n".to_owned()));
    let output = bookings().args(["dead-letters", "list", "--url", "http://127.0.0.1:9"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("does not answer"), "{error}");
}
