//! `kill -9` loses nothing: the real binary, killed at random moments under load.
//!
//! `KILL_BOOKINGS=500` makes more bookings a round than the default, which is quick.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use client::ClientError;
use messaging::entropy::{Entropy, OsEntropy};
use serde_json::{Value, json};
use support::{Http, booking, serve};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const ROUNDS: usize = 3;
const CLIENTS: usize = 8;
const CAPACITY: u64 = 1_000;

/// How many customers a round has.
fn customers_a_round() -> usize {
    std::env::var("KILL_BOOKINGS").ok().and_then(|number| number.parse().ok()).unwrap_or(100)
}

/// What customer `number` of a round asks for: mostly tickets, some of which are sold out, some
/// on no flight, some with a card that is declined.
fn request(number: usize) -> Value {
    match number % 10 {
        3 => booking("KL-FULL", 1, "pm_card_visa"),
        5 => booking("KL-NONE", 1, "pm_card_visa"),
        7 => booking("KL-1", 2, "pm_card_chargeDeclined"),
        number => booking(if number % 2 == 0 { "KL-1" } else { "KL-2" }, 1, "pm_card_visa"),
    }
}

fn key(round: usize, number: usize) -> String {
    format!("round-{round}-customer-{number}")
}

/// The answers that a customer got before the server died.
#[derive(Default)]
struct Heard {
    /// The booking's id; none if the `POST` was not answered.
    id: Option<String>,
    /// The customer asked to cancel, and that was not answered.
    cancel_unanswered: bool,
}

/// By round and customer.
type Answers = BTreeMap<(usize, usize), Heard>;

/// Asks to cancel; answers whether that was answered, be it that it is too late.
async fn cancel(http: &Http, id: &str) -> bool {
    !matches!(http.0.cancel(id).await, Err(ClientError::NoAnswer { .. }))
}

/// Books; answers the booking's id, unless there is no answer.
async fn book(http: &Http, key: &str, number: usize) -> Option<String> {
    match http.0.book(&request(number), Some(key)).await {
        Ok(booking) => Some(booking["id"].as_str().unwrap().to_owned()),
        Err(ClientError::NoAnswer { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Posts a round's bookings from several clients, and cancels every ninth; signals once `ring_at`
/// were accepted.
async fn customers(http: &Http, round: usize, ring_at: usize, ring: Arc<Notify>) -> Answers {
    let (next, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (http, next, accepted, ring) = (http.clone(), next.clone(), accepted.clone(), ring.clone());
        clients.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= customers_a_round() {
                    return answers;
                }
                let key = key(round, number);
                let mut heard = Heard::default();
                if let Some(id) = book(&http, &key, number).await {
                    if accepted.fetch_add(1, Ordering::SeqCst) + 1 == ring_at {
                        ring.notify_one();
                    }
                    if number % 9 == 0 {
                        heard.cancel_unanswered = !cancel(&http, &id).await;
                    }
                    heard.id = Some(id);
                }
                answers.push(((round, number), heard));
            }
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_three_times_under_load_every_accepted_order_settles_and_money_and_seats_agree() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, flights) = (scratch.path().join("data"), scratch.path().join("flights.json"));
    let flight = |id, capacity: u64| {
        json!({"id": id, "from": "Vienna", "to": "Oslo", "departs_at": "2099-01-01T00:00:00Z", "capacity": capacity,
               "price": {"value": 9_900, "currency": "EUR"}})
    };
    let offered = json!([flight("KL-1", CAPACITY), flight("KL-2", CAPACITY), flight("KL-FULL", 20)]);
    std::fs::write(&flights, offered.to_string()).unwrap();

    let mut answers = Answers::new();
    let mut http = Http::new("http://127.0.0.1");
    for round in 0..ROUNDS {
        let mut server = serve(&data, Some(&flights));
        http = http.moved_to(server.url());
        let ring = Arc::new(Notify::new());
        let ring_at =
            customers_a_round() / 10 + OsEntropy.below(customers_a_round() as u64 * 8 / 10) as usize;
        println!(
            "round {round}: killed after {ring_at} of {} were accepted, and a little",
            customers_a_round()
        );
        let customers = customers(&http, round, ring_at, ring.clone());
        let killer = async {
            ring.notified().await;
            tokio::time::sleep(Duration::from_micros(OsEntropy.below(3_000))).await;
            server.kill();
        };
        let (seen, ()) = tokio::join!(customers, killer);
        answers.extend(seen);
    }

    // A customer without an answer posts twice more, with the same key. The others do not: an accepted order must
    // settle by itself.
    let server = serve(&data, Some(&flights));
    let http = http.moved_to(server.url());
    let unanswered = answers.values().filter(|heard| heard.id.is_none()).count();
    println!("{unanswered} of {} got no answer and ask again", answers.len());
    for ((round, number), heard) in &mut answers {
        for _ in 0..if heard.id.is_none() { 2 } else { 0 } {
            let found = book(&http, &key(*round, *number), *number).await.unwrap();
            assert_eq!(*heard.id.get_or_insert(found.clone()), found, "one key, one booking");
        }
        if let Some(id) = heard.id.as_ref().filter(|_| heard.cancel_unanswered) {
            assert!(cancel(&http, id).await);
        }
    }

    let mut bookings = BTreeMap::new();
    for id in answers.into_values().filter_map(|heard| heard.id) {
        // A cancellation whose commands were lost, and that has moved on since, is sent again by the reconciler's first check.
        let settled = http.0.settled(&id, Duration::from_secs(90)).await.unwrap();
        bookings.insert(id, settled);
    }
    assert_eq!(bookings.len(), ROUNDS * customers_a_round(), "one booking a customer");
    http.at_rest().await;

    let ledger = http.0.all("/operator/payments").await.unwrap();
    let mut paid: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for entry in &ledger {
        let sums = paid.entry(entry["booking_id"].as_str().unwrap()).or_default();
        sums.0 += entry["captured"].as_u64().unwrap();
        sums.1 += entry["refunded"].as_u64().unwrap();
    }
    let mut held: BTreeMap<&str, u64> = BTreeMap::new();
    for (id, booking) in &bookings {
        let (captured, refunded) = paid.remove(id.as_str()).unwrap_or_default();
        let amount = booking["amount"]["value"].as_u64().unwrap_or(0);
        assert!(captured == 0 || captured == amount, "{id} was captured more than once: {captured}");
        let confirmed = booking["status"] == "confirmed";
        assert_eq!(captured - refunded, if confirmed { amount } else { 0 }, "{booking}");
        if confirmed {
            *held.entry(booking["flight_id"].as_str().unwrap()).or_default() +=
                booking["seats"].as_u64().unwrap();
        }
    }
    assert!(paid.is_empty(), "payments of no order: {paid:?}");
    for offer in http.get("/flights").await.as_array().unwrap() {
        let held = held.get(offer["id"].as_str().unwrap()).copied().unwrap_or(0);
        assert_eq!(
            offer["capacity"].as_u64().unwrap() - offer["seats_left"].as_u64().unwrap(),
            held,
            "{offer}"
        );
    }
    let statuses: BTreeSet<_> =
        bookings.values().map(|booking| booking["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, BTreeSet::from(["cancelled", "confirmed", "payment_declined", "rejected"]));
    let dead: Vec<_> = http
        .get("/operator/topics")
        .await
        .as_object()
        .unwrap()
        .values()
        .map(|topic| topic["dead_lettered"].clone())
        .collect();
    assert_eq!(dead, [0, 0, 0, 0]);
}
