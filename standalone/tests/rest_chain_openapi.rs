//! `docs/rest-chain.openapi.yaml` against the running server: what happens is documented, and what is documented happens.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use client::{Bookings, Request};
use serde_json::json;
use support::openapi::OpenApi;
use support::{Http, booking, serve};

const PATH: &str = "/rest-chain/bookings";
const PAYMENTS: &str = "/rest-chain/payments";

fn description() -> OpenApi {
    OpenApi::parse(include_str!("../../docs/rest-chain.openapi.yaml"))
}

#[tokio::test]
async fn every_answer_is_documented_and_every_documented_status_is_answered() {
    let mut api = description();
    let kept = tempfile::tempdir().unwrap();
    let server = serve(&kept.path().join("data"), None);
    let client = Bookings::at(server.url()).unwrap();
    let http = Http(client.clone());
    let post = || client.request("POST", PATH);
    let good = booking("OS-101", 1, "pm_card_visa");
    let mut ask = async |request: Request| api.check("post", PATH, &request.send().await.unwrap());
    ask(post().header("Idempotency-Key", "one").json(&good)).await;
    ask(post().header("Idempotency-Key", "one").json(&booking("OS-101", 2, "pm_card_visa"))).await;
    ask(post().json(&json!({"seats": 0}))).await;
    ask(post().json(&booking("OS-101", 1, "pm_card_chargeDeclined"))).await;
    ask(post().header("Host", "evil.example").json(&good)).await;
    ask(post().json(&booking("OS-0", 1, "pm_card_visa"))).await;
    ask(post().json(&booking("OS-512", 9, "pm_card_visa"))).await;
    ask(post().json_text(" ".repeat(20_000))).await;
    ask(post().body("{}")).await;
    http.put("/operator/services/billing-service", json!({"running": false})).await;
    ask(post().json(&good)).await;
    http.put("/operator/services/billing-service", json!({"running": true})).await;
    http.put("/operator/payment-provider", json!({"mode": "timeout"})).await;
    ask(post().json(&good)).await;
    for (path, host) in
        [(PAYMENTS, "localhost"), ("/rest-chain/payments?limit=0", "localhost"), (PAYMENTS, "evil")]
    {
        let answer = client.request("GET", path).header("Host", host).send().await.unwrap();
        api.check("get", PAYMENTS, &answer);
    }
    // `503` needs a file that cannot be read: see the crate's own tests.
    let unseen = BTreeSet::from([("get".to_owned(), PAYMENTS.to_owned(), 503)]);
    assert_eq!(api.unseen(), unseen);
}

#[test]
fn every_example_is_valid_under_its_schema() {
    assert_eq!(description().check_examples(), 3);
}
