//! Card testing from one client, with the payment provider at its slowest: bogus orders hold seats until their cards are
//! refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use client::ServerProcess;
use serde_json::{Value, json};
use support::{Http, booking, bookings};
use tokio::task::JoinSet;

const SEATS: u64 = 76;
const BOGUS_A_SECOND: u32 = 31;
const GENUINE: u32 = 36;
const GENUINE_A_SECOND: u32 = 3;

/// Posts orders at that rate, each forwarded for an address; answers the ids of those that were accepted.
async fn post(http: Http, orders: u32, a_second: u32, order: impl Fn(u32) -> (String, Value)) -> Vec<String> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / a_second);
    let mut posted = JoinSet::new();
    for number in 0..orders {
        ticks.tick().await;
        let (client, order) = order(number);
        let post = http.0.request("POST", "/bookings").header("x-forwarded-for", client).json(&order);
        posted.spawn(async move { post.send().await.unwrap() });
    }
    let accepted = posted.join_all().await.into_iter().filter(|answer| answer.status == 202);
    let id = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["id"].as_str().unwrap().to_owned();
    accepted.map(|answer| id(&answer.body)).collect()
}

fn order(card: &str, email: &str) -> Value {
    let mut order = booking("HO-1", 1, card);
    order["passenger"]["email"] = json!(email);
    order
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "fourteen seconds of customers: `.ci/run` runs it"]
async fn one_client_with_bogus_cards_takes_no_genuine_customers_seat() {
    let scratch = tempfile::tempdir().unwrap();
    let flights = scratch.path().join("flights.json");
    let flight = json!([{"id": "HO-1", "from": "Vienna", "to": "Oslo", "departs_at": "2099-01-01T00:00:00Z",
        "capacity": SEATS, "price": {"value": 9_900, "currency": "EUR"}}]);
    std::fs::write(&flights, flight.to_string()).unwrap();
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--behind-proxy", "--data"]).arg(scratch.path().join("data"));
    command.arg("--flights").arg(&flights).env("RUST_LOG", "error");
    if std::env::var_os("UNLIMITED").is_some() {
        command.args(["--bookings-per-client", "0"]);
    }
    let server = ServerProcess::start(command).unwrap();
    let http = Http::new(server.url());
    http.put("/operator/payment-provider", json!({"mode": "slow"})).await;

    let seconds = GENUINE / GENUINE_A_SECOND;
    let bogus = post(http.clone(), BOGUS_A_SECOND * seconds, BOGUS_A_SECOND, |number| {
        ("203.0.113.9".to_owned(), order("pm_card_chargeDeclined", &format!("m{number}@example.com")))
    });
    let genuine = post(http.clone(), GENUINE, GENUINE_A_SECOND, |number| {
        (format!("192.0.2.{number}"), order("pm_card_visa", &format!("ada{number}@example.com")))
    });
    let (bogus, genuine) = tokio::join!(bogus, genuine);
    assert_eq!(genuine.len(), 36, "no genuine customer is turned away at the door");
    http.put("/operator/payment-provider", json!({"mode": "up"})).await;
    http.at_rest().await;

    let mut ended = Vec::new();
    for id in &genuine {
        ended.push(http.settled(id).await["status"].as_str().unwrap().to_owned());
    }
    let lost = ended.iter().filter(|status| *status != "confirmed").count();
    println!(
        "{} bogus orders were accepted; {lost} of {} customers lost their seat",
        bogus.len(),
        genuine.len()
    );
    assert_eq!(lost, 0);
}
