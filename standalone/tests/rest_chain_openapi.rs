//! `docs/rest-chain.openapi.yaml` against the running server: what happens is documented, and what is documented happens.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use client::{Bookings, Request, Response};
use serde_json::{Value, json};
use support::{Http, booking, serve};

const PATH: &str = "/rest-chain/bookings";
const PAYMENTS: &str = "/rest-chain/payments";

struct OpenApi(Value);

impl OpenApi {
    fn load() -> Self {
        Self(serde_norway::from_str(include_str!("../../docs/rest-chain.openapi.yaml")).unwrap())
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let whole = json!({"allOf": [schema], "components": self.0["components"]});
        jsonschema::draft202012::new(&whole).unwrap().is_valid(value)
    }

    /// Fails unless the answer is as documented.
    fn check(&self, method: &str, path: &str, answer: &Response) {
        let documented = &self.0["paths"][path][method]["responses"][answer.status.to_string()];
        assert!(documented.is_object(), "this status is documented: {answer}");
        for (name, header) in documented["headers"].as_object().into_iter().flatten() {
            let text = answer.headers[name.as_str()].to_str().unwrap();
            let value = text.parse::<u64>().map_or(json!(text), |number| json!(number));
            assert!(self.fits(&header["schema"], &value), "{name}: {answer}");
        }
        let content = &documented["content"][answer.headers["content-type"].to_str().unwrap()];
        let body = serde_json::from_slice(&answer.body).unwrap();
        assert!(self.fits(&content["schema"], &body), "{answer}");
    }

    fn statuses(&self, path: &str, method: &str) -> BTreeSet<u16> {
        let responses = self.0["paths"][path][method]["responses"].as_object().unwrap();
        responses.keys().map(|status| status.parse().unwrap()).collect()
    }
}

#[tokio::test]
async fn every_answer_is_documented_and_every_documented_status_is_answered() {
    let api = OpenApi::load();
    let kept = tempfile::tempdir().unwrap();
    let server = serve(&kept.path().join("data"), None);
    let client = Bookings::at(server.url()).unwrap();
    let http = Http(client.clone());
    let post = || client.request("POST", PATH);
    let good = booking("OS-101", 1, "pm_card_visa");
    let mut seen = BTreeSet::new();
    let mut ask = async |request: Request| {
        let answer = request.send().await.unwrap();
        api.check("post", PATH, &answer);
        seen.insert(answer.status);
    };
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
    assert_eq!(seen, api.statuses(PATH, "post"));

    let mut seen = BTreeSet::new();
    for (path, host) in
        [(PAYMENTS, "localhost"), ("/rest-chain/payments?limit=0", "localhost"), (PAYMENTS, "evil")]
    {
        let answer = client.request("GET", path).header("Host", host).send().await.unwrap();
        api.check("get", PAYMENTS, &answer);
        seen.insert(answer.status);
    }
    // `503` needs a file that cannot be read: see the crate's own tests.
    assert_eq!(seen, &api.statuses(PAYMENTS, "get") - &BTreeSet::from([503]));
}

#[test]
fn every_example_is_valid_under_its_schema() {
    let api = OpenApi::load();
    let (mut checked, mut left) = (0, vec![&api.0["paths"]]);
    while let Some(value) = left.pop() {
        if let (schema @ Value::Object(_), Some(example)) = (&value["schema"], value.get("example")) {
            assert!(api.fits(schema, example), "{example}");
            checked += 1;
        }
        left.extend(value.as_object().into_iter().flat_map(|object| object.values()));
    }
    assert_eq!(checked, 3);
}
