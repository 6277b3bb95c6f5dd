//! Data directories of earlier versions: `fixtures/README.md` says what is in them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use messaging::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use standalone::sqlite::database::FILE;
use standalone::sqlite::snapshot::read;
use standalone::{Options, Server};
use support::Http;
use system::audit::audit;

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_left_settles_and_the_audit_is_clean() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema-1");
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(fixture.join(FILE), data.join(FILE)).unwrap();
    let orders: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(fixture.join("orders.json")).unwrap()).unwrap();

    let server = Server::start(Options::new(&data)).await.unwrap();
    let http = Http::new(server.url());
    let redriven = http.0.post("/local/dead-letters/redrive", &json!({})).await.unwrap();
    assert_eq!(redriven["redriven"], 1);
    for order in &orders {
        let booking = http.settled(order["id"].as_str().unwrap()).await;
        assert_eq!(booking["status"], order["ends"], "it was {}: {booking}", order["was"]);
    }
    http.at_rest().await;
    server.stop().await;

    let audit = audit(&read(&data).unwrap(), SystemClock.now() + Duration::from_secs(600));
    assert_eq!(audit.discrepancies, []);
    assert_eq!((audit.orders, audit.at_rest), (orders.len(), orders.len()));
}
