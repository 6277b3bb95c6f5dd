//! Limits at the front door of the real program, as a client meets them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use booking_gateway::accept::{Acceptance, Acceptor};
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::gateway::Gateway;
use booking_gateway::limits::{Admission, Client, Limiter};
use client::{Response, ServerProcess};
use messaging::clock::{Clock, SystemClock};
use messaging::entropy::OsEntropy;
use messaging::store::StoreError;
use protocol::manage::ManageSecrets;
use protocol::passenger::EmailAddress;
use protocol::secret::Secret;
use serde_json::{Value, json};
use standalone::sqlite::SqliteStores;
use support::{Http, booking, bookings};
use tempfile::TempDir;

fn serve(more: &[&str]) -> (TempDir, ServerProcess, Http) {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data"]).arg(scratch.path().join("data")).args(more);
    command.env("RUST_LOG", "error");
    let server = ServerProcess::start(command).unwrap();
    let http = Http::new(server.url());
    (scratch, server, http)
}

fn order(number: usize) -> Value {
    let mut order = booking("OS-101", 1, "pm_card_visa");
    order["passenger"]["email"] = json!(format!("ada{number}@example.com"));
    order
}

/// Posts an order under a key, forwarded for that address if there is one.
async fn post(http: &Http, number: usize, forwarded: Option<&str>) -> Response {
    let post = http.0.request("POST", "/bookings").header("idempotency-key", format!("key-{number}"));
    let post = match forwarded {
        Some(address) => post.header("x-forwarded-for", address),
        None => post,
    };
    post.json(&order(number)).send().await.unwrap()
}

async fn statuses(http: &Http, numbers: std::ops::Range<usize>, forwarded: Option<&str>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in numbers {
        statuses.push(post(http, number, forwarded).await.status);
    }
    statuses
}

#[tokio::test]
async fn beyond_its_limit_a_client_is_told_when_to_come_again_and_still_finds_what_it_booked() {
    let (_scratch, _server, http) = serve(&["--limit-loopback"]);
    let answers = statuses(&http, 0..60, None).await;
    assert_eq!(answers, [202; 60]);

    let refused = post(&http, 100, None).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let without_key = http.0.request("POST", "/bookings").json(&order(101)).send().await.unwrap();
    assert_eq!(without_key.status, 429);

    let found = post(&http, 7, None).await;
    assert_eq!(found.status, 202, "it was accepted, and its answer may have been lost");
    let other = http.0.request("POST", "/bookings").header("idempotency-key", "key-7").json(&order(8));
    assert_eq!(other.send().await.unwrap().status, 422);
    // Not counted: its customer may cancel, and all may look.
    let booked: Value = serde_json::from_slice(&found.body).unwrap();
    http.0.keep_key(&booked);
    let id = booked["id"].as_str().unwrap();
    http.0.booking(id).await.unwrap();
    http.cancel(id).await;
}

#[tokio::test]
async fn one_address_gets_a_third_of_what_its_client_may_book() {
    let (_scratch, _server, http) = serve(&["--limit-loopback"]);
    let mut accepted = 0;
    while accepted < 60 {
        let answer = http.0.request("POST", "/bookings").json(&order(1)).send().await.unwrap();
        if answer.status == 429 {
            break;
        }
        accepted += 1;
    }
    assert!((20..25).contains(&accepted), "{accepted}: twenty, and what a slow minute adds");
    assert_eq!(post(&http, 2, None).await.status, 202);
}

#[tokio::test]
async fn a_client_cannot_escape_its_limit_by_naming_another_address() {
    let limits = ["--bookings-per-client", "3"];
    // Without a proxy the header is not believed, and says that the request is not from this machine.
    let (_scratch, _server, http) = serve(&limits);
    let mut escaped = 0;
    for number in 0..20 {
        let answer = post(&http, number, Some(&format!("192.0.2.{number}"))).await;
        escaped += usize::from(answer.status == 202);
    }
    assert!(escaped < 10, "{escaped}");
    assert_eq!(statuses(&http, 20..40, None).await, [202; 20], "this machine is not limited");

    // A proxy adds the address that it sees at the end.
    let (_scratch, _server, http) = serve(&[&limits[..], &["--behind-proxy"]].concat());
    let mut escaped = 0;
    for number in 0..20 {
        let answer = post(&http, number, Some(&format!("192.0.2.{number}, 203.0.113.9"))).await;
        escaped += usize::from(answer.status == 202);
    }
    assert!(escaped < 10, "{escaped}");
    assert_eq!(post(&http, 50, Some("203.0.113.10")).await.status, 202, "another client");
}

#[tokio::test]
async fn a_limit_of_nothing_is_none() {
    let off = ["--limit-loopback", "--bookings-per-client", "0", "--bookings-per-client-and-email", "0"];
    let (_scratch, _server, http) = serve(&off);
    assert_eq!(statuses(&http, 0..100, None).await, [202; 100]);
}

/// Never answers, or fails.
struct Broken {
    hangs: bool,
}

#[async_trait]
impl Limiter for Broken {
    async fn admit(&self, _: Client, _: &EmailAddress) -> Result<Admission, StoreError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Err(StoreError::unavailable("it is broken"))
    }
}

#[tokio::test]
async fn a_counter_that_fails_or_hangs_keeps_no_customer_from_booking() {
    let scratch = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (database, topics) = standalone::sqlite::open(scratch.path(), clock.clone()).unwrap();
    let (orders, topics) = (Arc::new(SqliteStores(database)), Arc::new(topics));
    let secret = Secret::new(&[7; 32]).unwrap();
    for hangs in [false, true] {
        let acceptor = Acceptor {
            gateway: Gateway {
                orders: orders.clone(),
                topics: topics.clone(),
                clock: clock.clone(),
                deadlines: DeadlinePolicy::default(),
            },
            entropy: Arc::new(OsEntropy),
            id_secret: secret.clone(),
            manage: ManageSecrets { current: secret.clone(), previous: None },
            limiter: Some(Arc::new(Broken { hangs })),
        };
        let order = booking_gateway_contract::order(1, 0).request;
        let client = IpAddr::from([192, 0, 2, 7]).into();
        let accepted = acceptor.accept(order, None, None, Some(client)).await.unwrap();
        assert!(matches!(accepted, Acceptance::Accepted(_)), "{accepted:?}");
    }
}
