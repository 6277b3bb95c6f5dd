//! `docs/operator.openapi.yaml` against the running server: what happens is documented, and what is documented happens.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use client::{Bookings, Response, ServerProcess};
use serde_json::{Value, json};
use support::openapi::OpenApi;
use support::{Http, bookings, serve};
use tempfile::TempDir;

const NOWHERE: &str = "0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11";

/// Asks a server, and holds each answer to the description.
struct Asked {
    api: OpenApi,
    client: Bookings,
}

impl Asked {
    /// A request of a documented path. `path` has its parameters filled in; no body is sent without JSON.
    async fn ask(&mut self, method: &str, documented: &str, path: &str, body: Option<Value>) -> Response {
        let request = self.client.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        self.api.check(&method.to_lowercase(), documented, &answer);
        answer
    }

    async fn get(&mut self, documented: &str, path: &str) -> Value {
        serde_json::from_slice(&self.ask("GET", documented, path, None).await.body).unwrap()
    }
}

fn server() -> (ServerProcess, Http, Asked, TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(&kept.path().join("data"), None);
    let http = Http::new(server.url());
    let api = OpenApi::parse(include_str!("../../docs/operator.openapi.yaml"));
    let asked = Asked { api, client: Bookings::at(server.url()).unwrap() };
    (server, http, asked, kept)
}

async fn ask_for_letters(asked: &mut Asked, http: &Http) {
    const LETTERS: &str = "/operator/dead-letters";
    const REDRIVE: &str = "/operator/dead-letters/{letter}/redrive";
    const DISCARD: &str = "/operator/dead-letters/{letter}/discard";
    for kind in ["unreadable", "newer-version"] {
        let poison = json!({"topic": "billing", "kind": kind});
        asked.ask("POST", "/operator/poison", "/operator/poison", Some(poison)).await;
    }
    asked.ask("POST", "/operator/poison", "/operator/poison", Some(json!({"topic": "x"}))).await;
    asked.ask("POST", "/operator/poison", "/operator/poison", None).await;
    let two = |letters: &Value| letters.as_array().unwrap().len() == 2;
    http.until(LETTERS, two).await;
    let letter = asked.get(LETTERS, LETTERS).await[0]["id"].to_string();
    let path = |letter: &str, what: &str| format!("/operator/dead-letters/{letter}/{what}");
    for body in [Some(json!({})), None] {
        asked.ask("POST", REDRIVE, &path(&letter, "redrive"), body.clone()).await;
        asked.ask("POST", "/operator/dead-letters/redrive", "/operator/dead-letters/redrive", body).await;
    }
    asked.ask("POST", REDRIVE, &path("77", "redrive"), Some(json!({}))).await;
    http.until(LETTERS, two).await;
    for body in [None, Some(json!({})), Some(json!({"reason": "tried"})), Some(json!({"reason": "again"}))] {
        asked.ask("POST", DISCARD, &path(&letter, "discard"), body).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_documented_and_every_documented_status_is_answered() {
    let (_server, http, mut asked, _kept) = server();
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&id).await;
    http.at_rest().await;
    for path in ["/operator/system", "/operator/topics"] {
        asked.get(path, path).await;
    }
    for list in ["/operator/orders", "/operator/mail", "/operator/payments"] {
        assert_eq!(asked.get(list, list).await["items"].as_array().unwrap().len(), 1, "{list}");
        asked.get(list, &format!("{list}?limit=0")).await;
    }
    asked.get("/operator/audit", "/operator/audit").await;
    for order in [&id, NOWHERE, "x"] {
        asked.get("/operator/audit", &format!("/operator/audit?order={order}")).await;
    }
    for order in [&id, NOWHERE] {
        asked.get("/operator/orders/{id}/journey", &format!("/operator/orders/{order}/journey")).await;
    }
    const ERASE: &str = "/operator/orders/{id}/erase";
    for (order, body) in [(&*id, Some(json!({}))), (&*id, None), (NOWHERE, Some(json!({})))] {
        asked.ask("POST", ERASE, &format!("/operator/orders/{order}/erase"), body).await;
    }
    let rejected = http.book("XX-000", 1, "pm_card_visa").await;
    http.settled(&rejected).await;
    asked.ask("POST", ERASE, &format!("/operator/orders/{rejected}/erase"), Some(json!({}))).await;

    const SERVICE: &str = "/operator/services/{service}";
    for service in ["email-service", "nothing"] {
        let path = format!("/operator/services/{service}");
        asked.ask("GET", SERVICE, &path, None).await;
        asked.ask("PUT", SERVICE, &path, Some(json!({"running": true}))).await;
    }
    asked.ask("PUT", SERVICE, "/operator/services/email-service", Some(json!({"running": 1}))).await;
    asked.ask("PUT", SERVICE, "/operator/services/email-service", None).await;
    const PROVIDER: &str = "/operator/payment-provider";
    asked.ask("GET", PROVIDER, PROVIDER, None).await;
    for body in [Some(json!({"mode": "up"})), Some(json!({"mode": "down"})), None] {
        asked.ask("PUT", PROVIDER, PROVIDER, body).await;
    }
    ask_for_letters(&mut asked, &http).await;
    // One letter is left.
    http.until("/operator/differences", |found| found["differences"] == 1).await;
    let found = asked.get("/operator/differences", "/operator/differences").await;
    assert_eq!(found["discrepancies"].as_array().unwrap().len(), 1, "{found}");

    let stripe = tempfile::tempdir().unwrap();
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--payment-provider", "stripe", "--data"]).arg(stripe.path());
    command.env("STRIPE_SECRET_KEY", "sk_test_1").env("RUST_LOG", "error");
    let with_stripe = ServerProcess::start(command).unwrap();
    asked.client = Bookings::at(with_stripe.url()).unwrap();
    asked.get("/operator/system", "/operator/system").await;
    asked.get("/operator/payments", "/operator/payments").await;
    asked.ask("GET", PROVIDER, PROVIDER, None).await;
    asked.ask("PUT", PROVIDER, PROVIDER, Some(json!({"mode": "up"}))).await;
    // The stream has no end: `operator_view.rs` reads it.
    let stream = ("get".to_owned(), "/operator/events".to_owned(), 200);
    assert_eq!(asked.api.unseen(), BTreeSet::from([stream]));
}

#[test]
fn every_example_is_valid_under_its_schema() {
    let api = OpenApi::parse(include_str!("../../docs/operator.openapi.yaml"));
    assert_eq!(api.check_examples(), 1);
}
