//! Everything fails at random while customers book and cancel; then everything is up, and money and seats must agree.
//!
//! `ACCEPTANCE_SEED` repeats a run's decisions (not its timing): each failure prints its seed.

use std::time::Duration;

use acceptance::{NewFlight, Order, TestApp, services, unique};
use serde_json::Value;

const MODES: [&str; 4] = ["up", "unavailable", "timeout", "slow"];

#[tokio::test]
async fn money_and_seats_agree_after_everything_failed_at_random() {
    let flights = [NewFlight::new("AT-1", 15), NewFlight::new("AT-2", 40)];
    let Some(mut app) = TestApp::with_flights("chaos", &flights).await else { return };
    let seed = std::env::var("ACCEPTANCE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("ACCEPTANCE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let before = app.flights().await;

    let mut ids: Vec<String> = Vec::new();
    let mut sent: Vec<(String, Value)> = Vec::new();
    for _ in 0..80 {
        match rng.u8(..16) {
            0..=5 => {
                let key = unique("chaos");
                let order = some_order(&mut rng).json();
                ids.push(send(&app, &key, &order).await);
                sent.push((key, order));
            }
            6 | 7 if !sent.is_empty() => {
                let (key, order) = &sent[rng.usize(..sent.len())];
                let id = send(&app, key, order).await;
                assert!(ids.contains(&id), "an order sent again is the same booking");
            }
            8..=10 if !ids.is_empty() => {
                let answer = app.cancel(&ids[rng.usize(..ids.len())]).await;
                assert!([202, 409].contains(&answer.status), "{answer}");
            }
            11 | 12 => {
                let service = rng.choice(services());
                app.run_service(service.expect("there are services"), rng.bool()).await;
            }
            13 => app.payment_provider(MODES[rng.usize(..4)]).await,
            14 if rng.u8(..8) == 0 => app.restart().await,
            _ => tokio::time::sleep(Duration::from_millis(rng.u64(..60))).await,
        }
    }

    for service in services() {
        app.run_service(service, true).await;
    }
    app.payment_provider("up").await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let bookings = app.assert_paid_and_seated(&before, &ids).await;
    let ledger = app.ledger().await;
    assert!(ledger.keys().all(|id| ids.contains(&id.as_str())), "no other booking was charged: {ledger:?}");
    for booking in bookings {
        let email = booking.json["passenger"]["email"].as_str().unwrap_or_default();
        let mails = app.mails_to(email).await;
        if booking.reason.as_deref() == Some("unknown_flight") {
            assert!(mails.is_empty(), "{mails:#?}");
            continue;
        }
        let last_word = booking.status.trim_start_matches("payment_");
        let last = mails.first().map(|mail| mail.to_lowercase()).unwrap_or_default();
        assert!(last.contains(last_word), "the last mail tells how it ended: {:#} {mails:#?}", booking.json);
        assert!(mails.len() <= 2, "{mails:#?}");
    }
}

async fn send(app: &TestApp, key: &str, order: &Value) -> String {
    let request = app.request("POST", "/bookings").header("idempotency-key", key).json(order);
    acceptance::Booking::read(&app.send_order(request).await.expect(202)).id
}

fn some_order(rng: &mut fastrand::Rng) -> Order {
    let order = Order::new(["AT-1", "AT-2", "AT-2", "XX-0"][rng.usize(..4)], rng.u64(1..=4));
    if rng.u8(..4) == 0 { order.with_declined_card() } else { order }
}
