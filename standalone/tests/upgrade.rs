//! Data directories of earlier versions: `fixtures/README.md` says what is in them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use billing_service::provider::ProviderName;
use messaging::clock::{Clock, SystemClock};
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
