//! The verdict on the operator's page: it follows what changes, and raises no false alarm on a busy server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use client::ServerProcess;
use protocol::ids::OrderId;
use rusqlite::Connection;
use serde_json::Value;
use support::{Http, serve};
use tempfile::TempDir;
use tokio::task::JoinSet;

fn server() -> (ServerProcess, Http, TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(&kept.path().join("data"), None);
    let http = Http::new(server.url());
    (server, http, kept)
}

/// Buys so many tickets at once.
async fn buy(http: &Http, count: usize) -> Vec<String> {
    let mut buying = JoinSet::new();
    for _ in 0..count {
        let http = http.clone();
        buying.spawn(async move {
            let id = http.book("OS-101", 1, "pm_card_visa").await;
            http.settled(&id).await;
            id
        });
    }
    buying.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_deleted_by_hand_shows_once_its_order_changes() {
    let (_server, http, kept) = server();
    let ids = buy(&http, 30).await;
    http.at_rest().await;
    let all = |system: &Value| system["audit"]["checked"] == 30 && system["audit"]["differences"] == 0;
    http.until("/operator/system", all).await;
    let connection = Connection::open(kept.path().join("data/bookings.sqlite")).unwrap();
    let id: OrderId = ids[7].parse().unwrap();
    let deleted = connection.execute("DELETE FROM payments WHERE order_id = ?1", [id.as_bytes()]).unwrap();
    assert_eq!(deleted, 1);
    http.cancel(&ids[7]).await;
    http.settled(&ids[7]).await;
    // The money was captured, and nothing is known of that any more.
    let system = http.until("/operator/system", |system| system["audit"]["differences"] == 1).await;
    assert_eq!(system["audit"]["checked"], 30, "{system}");
    for path in ["/operator/differences", "/operator/audit"] {
        let found = http.get(path).await;
        assert_eq!(found["discrepancies"][0]["booking_id"], ids[7], "{path}: {found}");
        assert!(found["discrepancies"][0]["advice"].as_str().unwrap().contains("refund"), "{path}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_never_has_a_difference() {
    let (_server, http, _kept) = server();
    let shopping = tokio::spawn({
        let http = http.clone();
        async move {
            for round in 0..40 {
                let ids = buy(&http, 15).await;
                if round % 4 != 0 {
                    for id in &ids {
                        http.cancel(id).await;
                    }
                }
            }
        }
    });
    let mut verdicts = Vec::new();
    while !shopping.is_finished() {
        let system = http.get("/operator/system").await;
        assert_eq!(system["audit"]["differences"], 0, "{system}\n{}", http.get("/operator/audit").await);
        verdicts.push(system["audit"]["at"].to_string());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shopping.await.unwrap();
    verdicts.dedup();
    assert!(verdicts.len() > 2, "it was fresh: {verdicts:?}");
    http.at_rest().await;
    let sold = http.until("/operator/system", |system| system["audit"]["checked"] == 600).await;
    assert_eq!(sold["audit"]["differences"], 0);
}
