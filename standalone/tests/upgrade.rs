//! Data directories of earlier versions: `fixtures/README.md` says what is in them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use billing_service::provider::ProviderName;
use client::ClientError;
use messaging::clock::{Clock, ManualClock, SystemClock};
use protocol::time::Timestamp;
use serde_json::{Value, json};
use standalone::sqlite::database::FILE;
use standalone::sqlite::snapshot::read;
use standalone::{Options, Server};
use support::Http;
use system::audit::audit;
use tempfile::TempDir;

/// The fixture, and a data directory with a copy of it.
fn copied() -> (TempDir, PathBuf, PathBuf) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema-1");
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(fixture.join(FILE), data.join(FILE)).unwrap();
    (kept, fixture, data)
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_an_earlier_version_settle_and_the_audit_is_clean() {
    let (_kept, fixture, data) = copied();
    let orders: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(fixture.join("orders.json")).unwrap()).unwrap();
    let early = read(&data).unwrap_err().to_string();
    assert!(early.contains("earlier version") && early.contains("start the server once"), "{early}");

    let server = Server::start(Options::new(&data)).await.unwrap();
    let http = Http::new(server.url());
    let redriven = http.0.post("/operator/dead-letters/redrive", &json!({})).await.unwrap();
    assert_eq!(redriven["redriven"], 1);
    // They have no tokens: the id opens them until departure, and no longer.
    for order in &orders {
        let booking = http.0.booking(order["id"].as_str().unwrap()).await.unwrap();
        assert_ne!(booking["passenger"], Value::Null, "it was {}: {booking}", order["was"]);
    }
    for order in &orders {
        let booking = http.settled(order["id"].as_str().unwrap()).await;
        assert_eq!(booking["status"], order["ends"], "it was {}: {booking}", order["was"]);
    }
    http.at_rest().await;
    server.stop().await;

    let snapshot = read(&data).unwrap();
    let open = snapshot.cases.values().filter_map(|case| case.payment.as_ref()?.provider());
    assert!(open.clone().count() > 0 && open.clone().all(|name| *name == ProviderName::SIMULATED));
    let audit = audit(&snapshot, SystemClock.now() + Duration::from_secs(600));
    assert_eq!(audit.discrepancies, []);
    assert_eq!((audit.orders, audit.at_rest), (orders.len(), orders.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_names_the_provider_of_each_payment_once() {
    let (_kept, _, data) = copied();
    let order = "x'416b26bb87b347faaeaabd69505e0826'";
    let payment = |set: &str| {
        let connection = rusqlite::Connection::open(data.join(FILE)).unwrap();
        connection.execute_batch(set).unwrap();
        let sql = format!("SELECT body FROM payments WHERE order_id = {order}");
        let body: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        serde_json::from_str::<Value>(&body).unwrap()
    };
    // As Stripe's references are.
    let set =
        format!("UPDATE payments SET body = json_set(body, '$.reference', 'pi_1') WHERE order_id = {order}");
    assert_eq!(payment(&set)["provider"], Value::Null);
    Server::start(Options::new(&data)).await.unwrap().stop().await;
    assert_eq!(payment("")["provider"], "stripe");
    // From then on the record decides, and no longer its reference.
    payment(&set.replace("pi_1", "sim_1"));
    Server::start(Options::new(&data)).await.unwrap().stop().await;
    assert_eq!(payment("")["provider"], "stripe");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_an_earlier_version_is_cancelled_by_its_id_until_its_flight_leaves() {
    let (_kept, fixture, data) = copied();
    let orders: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(fixture.join("orders.json")).unwrap()).unwrap();
    let confirmed = orders
        .iter()
        .filter(|order| order["was"].as_str().unwrap().starts_with("confirmed"))
        .map(|order| order["id"].as_str().unwrap());
    let ids: Vec<_> = confirmed.collect();
    assert!(ids.len() > 1, "{orders:?}");
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let server = Server::start(Options { clock: clock.clone(), ..Options::new(&data) }).await.unwrap();
    let http = Http::new(server.url());
    let wrong =
        http.0.request("DELETE", &format!("/bookings/{}", ids[0])).header("authorization", "Bearer x");
    assert_eq!(wrong.send().await.unwrap().status, 403);
    http.cancel(ids[0]).await;
    let after_its_departure: Timestamp = "9999-01-01T00:00:00Z".parse().unwrap();
    clock.advance(after_its_departure.since(clock.now()));
    assert_eq!(http.0.booking(ids[1]).await.unwrap()["passenger"], Value::Null);
    let late = http.0.cancel(ids[1]).await.unwrap_err();
    assert!(matches!(&late, ClientError::Refused { status: 401, .. }), "{late}");
    server.stop().await;
}
