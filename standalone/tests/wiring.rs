//! The services as the platform wires them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use protocol::topic::Topic;
use serde_json::json;
use standalone::{Options, Server};
use support::Http;

#[tokio::test(flavor = "multi_thread")]
async fn every_topic_is_consumed_by_its_own_service() {
    let kept = tempfile::tempdir().unwrap();
    let server = Server::start(Options::new(kept.path().join("data"))).await.unwrap();
    for topic in Topic::ALL {
        assert_eq!(server.platform().services.consumer(topic).topic(), topic);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_are_kept_over_a_restart() {
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("data");
    let server = Server::start(Options::new(&data)).await.unwrap();
    let http = Http::new(server.url());
    for topic in Topic::ALL {
        let path = format!("/operator/services/{}", topic.switch());
        assert_eq!(http.get(&path).await, json!({"running": true}));
    }
    assert_eq!(http.get("/operator/payment-provider").await, json!({"mode": "up"}));
    http.put("/operator/services/billing-service", json!({"running": false})).await;
    http.put("/operator/payment-provider", json!({"mode": "slow"})).await;
    let order = http.book("OS-101", 1, "pm_card_visa").await;
    server.stop().await;

    let server = Server::start(Options::new(&data)).await.unwrap();
    let http = Http::new(server.url());
    assert_eq!(http.get("/operator/services/billing-service").await, json!({"running": false}));
    assert_eq!(http.get("/operator/services/ticket-service").await, json!({"running": true}));
    assert_eq!(http.get("/operator/payment-provider").await, json!({"mode": "slow"}));
    http.until("/operator/topics", |topics| topics["billing"]["waiting"] == 1).await;
    http.put("/operator/payment-provider", json!({"mode": "up"})).await;
    http.put("/operator/services/billing-service", json!({"running": true})).await;
    assert_eq!(http.settled(&order).await["status"], "confirmed");
    server.stop().await;
}
