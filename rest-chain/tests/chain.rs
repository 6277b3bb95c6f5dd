//! The chain over HTTP, as the host serves it: each status, and what it leaves behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use rest_chain::{Link, ProviderMode};
use serde_json::{Value, json};
use support::{Chain, booking};

const VISA: &str = "pm_card_visa";
const DECLINED: &str = "pm_card_chargeDeclined";

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_answered_when_all_of_it_is_done() {
    let chain = Chain::start().await;
    let answer = chain.post(&booking("RC-1", 2, VISA), None).await;
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body = answer.success().unwrap();
    let amount = json!({"value": 25_900, "currency": "EUR"});
    assert_eq!(body, json!({"id": body["id"], "status": "confirmed", "amount": amount}));
    assert_eq!(chain.charges().await, [(body["id"].as_str().unwrap().to_owned(), 25_900)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_booking_is_refused_with_every_bad_field_and_nothing_is_done() {
    let chain = Chain::start().await;
    let mut bad = booking("RC-1", 0, "4242 4242");
    bad["passenger"]["email"] = json!("nowhere");
    bad["extra"] = json!(1);
    let answer = chain.problem(&bad, 400).await;
    let fields: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["seats", "payment_method", "passenger.email", "extra"]);

    let post = || chain.request("POST", "/rest-chain/bookings");
    assert_eq!(post().json_text("{").send().await.unwrap().status, 400);
    assert_eq!(post().body("{}").send().await.unwrap().status, 415);
    assert_eq!(post().json_text(" ".repeat(17 << 10)).send().await.unwrap().status, 413);
    assert_eq!(chain.request("GET", "/rest-chain/bookings").send().await.unwrap().status, 405);
    assert_eq!(chain.charges().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_flight_is_404_one_that_left_and_another_price_are_409() {
    let chain = Chain::start().await;
    chain.problem(&booking("RC-9", 1, VISA), 404).await;
    let left = chain.problem(&booking("RC-OLD", 1, VISA), 409).await;
    assert!(left["detail"].as_str().unwrap().contains("departed"), "{left}");
    let mut cheaper = booking("RC-1", 1, VISA);
    cheaper["expected_amount"] = json!({"value": 1, "currency": "EUR"});
    chain.problem(&cheaper, 409).await;
    assert_eq!(chain.charges().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_conserved_declined_cards_and_refusals_of_billing_release_them() {
    let chain = Chain::start().await;
    for _ in 0..4 {
        chain.problem(&booking("RC-2", 3, DECLINED), 402).await;
    }
    chain.switches.provider(ProviderMode::Unavailable);
    chain.problem(&booking("RC-2", 3, VISA), 503).await;
    chain.switches.provider(ProviderMode::Up);
    chain.switches.run(Link::Billing, false);
    chain.problem(&booking("RC-2", 3, VISA), 503).await;
    chain.switches.run(Link::Billing, true);
    // It has three seats.
    assert_eq!(chain.post(&booking("RC-2", 2, VISA), None).await.status, 200);
    chain.problem(&booking("RC-2", 2, VISA), 409).await;
    assert_eq!(chain.post(&booking("RC-2", 1, VISA), None).await.status, 200);
    chain.problem(&booking("RC-2", 1, VISA), 409).await;
    let captured: Vec<_> = chain.charges().await.into_iter().map(|(_, captured)| captured).collect();
    assert_eq!(captured, [12_950, 25_900, 0, 0, 0, 0], "newest first, declined ones last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_turns_the_customer_away_at_once() {
    let chain = Chain::start().await;
    for link in [Link::Tickets, Link::Billing] {
        chain.switches.run(link, false);
        let answer = chain.post(&booking("RC-1", 1, VISA), None).await;
        assert_eq!(answer.status, 503, "{answer}");
        assert_eq!(answer.headers["retry-after"], "1", "{answer}");
        chain.switches.run(link, true);
    }
    assert_eq!(chain.charges().await, []);
    // The mail comes last: the customer is turned away, paid, and their seats stay.
    chain.switches.run(Link::Email, false);
    chain.problem(&booking("RC-2", 3, VISA), 503).await;
    chain.switches.run(Link::Email, true);
    chain.problem(&booking("RC-2", 1, VISA), 409).await;
    assert_eq!(chain.charges().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_504_and_charged_without_a_ticket() {
    let chain = Chain::start().await;
    chain.switches.provider(ProviderMode::Timeout);
    let key = Some("lost");
    assert_eq!(chain.post(&booking("RC-2", 3, VISA), key).await.status, 504);
    let charges = chain.charges().await;
    assert_eq!(charges.iter().map(|(_, captured)| *captured).collect::<Vec<_>>(), [38_850]);
    // It does not know, so the seats stay.
    chain.problem(&booking("RC-2", 1, VISA), 409).await;

    // A customer who returns with the same key gets what was paid for, and is charged no second time.
    chain.switches.provider(ProviderMode::Up);
    let returned = chain.post(&booking("RC-2", 3, VISA), key).await;
    assert_eq!(returned.status, 200, "{returned}");
    assert_eq!(returned.success().unwrap()["id"], charges[0].0);
    assert_eq!(chain.charges().await, charges);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_slow_provider_the_customer_waits_and_is_answered() {
    let chain = Chain::start().await;
    chain.switches.provider(ProviderMode::Slow);
    let began = std::time::Instant::now();
    assert_eq!(chain.post(&booking("RC-1", 1, VISA), None).await.status, 200);
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_is_one_booking_and_one_charge() {
    let chain = Chain::start().await;
    let wanted = booking("RC-1", 1, VISA);
    let first = chain.post(&wanted, Some("one")).await.success().unwrap();
    assert_eq!(chain.post(&wanted, Some("one")).await.success().unwrap(), first);
    assert_eq!(chain.post(&booking("RC-1", 2, VISA), Some("one")).await.status, 422);
    // Also where the first attempt was turned away.
    chain.switches.provider(ProviderMode::Unavailable);
    assert_eq!(chain.post(&wanted, Some("two")).await.status, 503);
    chain.switches.provider(ProviderMode::Up);
    assert_eq!(chain.post(&wanted, Some("two")).await.status, 200);
    assert_eq!(chain.post(&wanted, Some("")).await.status, 400);
    assert_eq!(chain.charges().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_under_one_key_make_one_booking() {
    let chain = Chain::start().await;
    let wanted = booking("RC-2", 1, VISA);
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (chain, wanted) = (chain.client.clone(), wanted.clone());
        asked.spawn(async move {
            let post = chain.request("POST", "/rest-chain/bookings").header("Idempotency-Key", "one");
            post.json(&wanted).send().await.unwrap().status
        });
    }
    let statuses = asked.join_all().await;
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    assert_eq!(chain.charges().await.len(), 1);
    // Two of three seats are left.
    assert_eq!(chain.post(&booking("RC-2", 2, VISA), None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_overtakes_its_booking_takes_no_seats_from_it() {
    let chain = Chain::start().await;
    chain.switches.provider(ProviderMode::Slow);
    let wanted = booking("RC-2", 3, VISA);
    let (client, body) = (chain.client.clone(), wanted.clone());
    let first = tokio::spawn(async move {
        let post = client.request("POST", "/rest-chain/bookings").header("Idempotency-Key", "one");
        post.json(&body).send().await.unwrap().status
    });
    while chain.charges().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Its own call of billing would be refused, and release the seats.
    chain.switches.run(Link::Billing, false);
    assert_eq!(chain.post(&wanted, Some("one")).await.status, 409);
    assert_eq!(first.await.unwrap(), 200);
    chain.problem(&booking("RC-2", 1, VISA), 409).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_customers_than_are_served_at_once_wait_for_their_turn() {
    let chain = Chain::start().await;
    chain.switches.provider(ProviderMode::Slow);
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let client = chain.client.clone();
        asked.spawn(async move {
            let post = client.request("POST", "/rest-chain/bookings").json(&booking("RC-1", 1, VISA));
            post.send().await.unwrap().status
        });
    }
    assert_eq!(asked.join_all().await, [200; 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_customers_at_once_sell_no_seat_twice() {
    let chain = Chain::start().await;
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..60 {
        let client = chain.client.clone();
        let method = if number % 3 == 0 { DECLINED } else { VISA };
        asked.spawn(async move {
            let post = client.request("POST", "/rest-chain/bookings").json(&booking("RC-20", 1, method));
            post.send().await.unwrap().status
        });
    }
    let statuses = asked.join_all().await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(200) + count(402) + count(409), 60, "{statuses:?}");
    // What declined cards held meanwhile may have turned others away; then the seats are free again.
    let mut sold = count(200);
    for _ in 0..21 {
        sold += usize::from(chain.post(&booking("RC-20", 1, VISA), None).await.status == 200);
    }
    assert_eq!(sold, 20);
    let captured = chain.charges().await.into_iter().filter(|(_, captured)| *captured > 0).count();
    assert_eq!(captured, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_paged_newest_first() {
    let chain = Chain::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let answer = chain.post(&booking("RC-1", 1, VISA), None).await.success().unwrap();
        ids.insert(0, answer["id"].clone());
    }
    let mut path = "/rest-chain/payments?limit=2".to_owned();
    let mut pages: Vec<Vec<Value>> = Vec::new();
    loop {
        let page = chain.client.get(&path).await.unwrap();
        pages.push(page["items"].as_array().unwrap().iter().map(|item| item["booking_id"].clone()).collect());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/rest-chain/payments?limit=2&after={next}");
    }
    assert_eq!(pages, [ids[..2].to_vec(), ids[2..4].to_vec(), ids[4..].to_vec()]);
    for bad in ["limit=0", "limit=1001", "limit=x", "after=x", "limit=1&limit=2"] {
        let answer = chain.request("GET", &format!("/rest-chain/payments?{bad}")).send().await.unwrap();
        assert_eq!(answer.status, 400, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmed_bookings_are_known_after_a_restart_and_a_chain_that_is_not_used_has_no_file() {
    let chain = Chain::start().await;
    let file = chain.directory().join(rest_chain::FILE);
    assert!(!file.exists());
    let wanted = booking("RC-2", 2, VISA);
    let before = chain.post(&wanted, Some("kept")).await.success().unwrap();
    assert!(file.exists());
    let chain = chain.restart().await;
    // Known by the gateway alone: no other server is asked.
    for link in [Link::Tickets, Link::Billing, Link::Email] {
        chain.switches.run(link, false);
    }
    assert_eq!(chain.post(&wanted, Some("kept")).await.success().unwrap(), before);
    chain.switches.run(Link::Tickets, true);
    chain.problem(&booking("RC-2", 2, VISA), 409).await;
    assert_eq!(chain.charges().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_program_is_left_alone_and_answered_503() {
    let chain = Chain::start().await;
    std::fs::write(chain.directory().join(rest_chain::FILE), "a letter, and no database at all").unwrap();
    chain.problem(&booking("RC-1", 1, VISA), 503).await;
    assert_eq!(
        std::fs::read(chain.directory().join(rest_chain::FILE)).unwrap(),
        b"a letter, and no database at all"
    );
}
