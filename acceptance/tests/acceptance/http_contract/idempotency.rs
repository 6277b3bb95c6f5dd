//! `Idempotency-Key`: an order that is sent twice is booked once.

use std::collections::BTreeSet;

use acceptance::{Booking, Order, Response, TestApp, unique};
use futures_util::future::join_all;

use super::accepting::assert_uuid;

async fn post(app: &TestApp, key: impl AsRef<[u8]>, body: String) -> Response {
    app.send_order(app.request("POST", "/bookings").header("idempotency-key", key).json_text(body)).await
}

async fn post_order(app: &TestApp, key: &str, order: &Order) -> Response {
    post(app, key, order.json().to_string()).await
}

#[tokio::test]
async fn the_same_order_with_the_same_key_is_the_same_booking() {
    let app = TestApp::start().await;
    let (key, order) = (unique("key"), Order::for_no_flight());

    let first = post_order(&app, &key, &order).await.expect(202);
    let again = post_order(&app, &key, &order).await.expect(202);

    assert_eq!(Booking::read(&again).id, Booking::read(&first).id);
    assert!(again.header("location").is_some() && again.header("retry-after").is_some(), "{again}");
    assert_uuid(&Booking::read(&first).id, 4);
}

#[tokio::test]
async fn the_order_is_compared_as_parsed() {
    let app = TestApp::start().await;
    let (key, order) = (unique("key"), Order::for_no_flight());
    let id = Booking::read(&post_order(&app, &key, &order).await.expect(202)).id;

    let (flight, email) = (&order.flight_id, &order.email);
    let other_spelling = format!(
        "\r\n{{ \"payment_method\" : \"pm_card\\u005fvisa\",\n\t\"passenger\":{{\"email\":\"{email}\",\
         \"name\":\"\\u0041da Byron\"}}, \"seats\":1,\"flight_id\":\"{flight}\"}} "
    );
    let again = post(&app, &key, other_spelling).await.expect(202);

    assert_eq!(Booking::read(&again).id, id);
}

#[tokio::test]
async fn the_same_key_answers_with_the_booking_as_it_is_now() {
    let app = TestApp::start().await;
    let (key, order) = (unique("key"), Order::for_no_flight());
    let id = Booking::read(&post_order(&app, &key, &order).await.expect(202)).id;
    app.settled(&id).await;

    let again = Booking::read(&post_order(&app, &key, &order).await.expect(202));

    assert_eq!((again.id, again.status.as_str()), (id, "rejected"));
}

#[tokio::test]
async fn another_order_with_the_same_key_is_unprocessable() {
    let app = TestApp::start().await;
    let (key, order) = (unique("key"), Order::for_no_flight());
    let first = Booking::read(&post_order(&app, &key, &order).await.expect(202));

    let mut others = vec![order.clone(); 5];
    others[0].seats = 2;
    others[1].name = "Eve".to_owned();
    others[2].email = "eve@example.com".to_owned();
    others[3].payment_method = "pm_other".to_owned();
    others[4].flight_id = "XX-405".to_owned();
    for other in others {
        post_order(&app, &key, &other).await.problem(422);
    }

    let now = app.settled(&first.id).await;
    assert_eq!(
        (now.seats, &now.json["passenger"]),
        (1, &first.json["passenger"]),
        "the booking is untouched"
    );
}

#[tokio::test]
async fn a_key_is_not_used_up_by_a_bad_order() {
    let app = TestApp::start().await;
    let key = unique("key");
    let order = Order::for_no_flight();
    let mut bad = order.clone();
    bad.seats = 0;

    post_order(&app, &key, &bad).await.problem(400);
    post_order(&app, &key, &order).await.expect(202);
    post_order(&app, &key, &bad).await.problem(400);
}

#[tokio::test]
async fn different_keys_are_different_bookings() {
    let app = TestApp::start().await;
    let order = Order::for_no_flight();
    let base = unique("Key");
    let mut ids = BTreeSet::new();
    for key in [base.clone(), base.to_uppercase(), base.to_lowercase(), format!("{base}0")] {
        ids.insert(Booking::read(&post_order(&app, &key, &order).await.expect(202)).id);
    }
    assert_eq!(ids.len(), 4, "every byte of a key counts: {ids:?}");
}

#[tokio::test]
async fn twenty_equal_orders_at_once_are_one_booking_and_one_charge() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let (key, order) = (unique("key"), Order::new(&flight.id, 2));

    let answers = join_all((0..20).map(|_| post_order(&app, &key, &order))).await;

    let ids: BTreeSet<String> =
        answers.into_iter().map(|answer| Booking::read(&answer.expect(202)).id).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let bookings = app.assert_paid_and_seated(&[flight], &ids).await;
    assert_eq!(bookings[0].status, "confirmed");
    if app.is_standalone() {
        let ledger = app.ledger().await;
        assert_eq!(ledger.keys().collect::<Vec<_>>(), ids, "no other booking was charged");
    }
}

#[tokio::test]
async fn of_different_orders_with_one_key_exactly_one_wins() {
    let app = TestApp::start().await;
    let (key, order) = (unique("key"), Order::for_no_flight());
    let mut rival = order.clone();
    rival.seats = 2;

    let answers =
        join_all((0..20).map(|n| post_order(&app, &key, if n % 2 == 0 { &order } else { &rival }))).await;

    let (mut ids, mut seats) = (BTreeSet::new(), BTreeSet::new());
    for answer in answers {
        if answer.status == 202 {
            let booking = Booking::read(&answer);
            ids.insert(booking.id);
            seats.insert(booking.seats);
        } else {
            answer.problem(422);
        }
    }
    assert_eq!((ids.len(), seats.len()), (1, 1), "{ids:?} {seats:?}");
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_ascii_characters() {
    let app = TestApp::start().await;
    let order = Order::for_no_flight().json().to_string();
    let longest = format!("{:x<255}", unique("key"));
    assert_eq!(longest.len(), 255);
    let alphabet: String = unique("key") + &(0x21..=0x7e_u8).map(char::from).collect::<String>();
    for key in [&longest, &alphabet] {
        post(&app, key, order.clone()).await.expect(202);
    }
    for key in [format!("{longest}x"), "two words".to_owned(), "tab\tbed".to_owned()] {
        post(&app, &key, order.clone()).await.problem(400);
    }
}

#[tokio::test]
async fn a_key_that_is_empty_or_not_ascii_is_a_bad_request() {
    let Some(app) = TestApp::standalone("keys that a gateway may change on their way").await else { return };
    let order = Order::for_no_flight().json().to_string();
    for key in [&b""[..], "schlüssel".as_bytes(), b"\xff", "鍵".as_bytes(), b"key\x80"] {
        post(&app, key, order.clone()).await.problem(400);
    }
}

#[tokio::test]
async fn a_key_lives_as_long_as_its_order() {
    let Some(mut app) = TestApp::standalone("a key after a restart").await else { return };
    let (key, order) = (unique("key"), Order::for_no_flight());
    let id = Booking::read(&post_order(&app, &key, &order).await.expect(202)).id;
    app.settled(&id).await;

    app.restart().await;

    let again = Booking::read(&post_order(&app, &key, &order).await.expect(202));
    assert_eq!((again.id, again.status.as_str()), (id, "rejected"));
}

#[tokio::test]
async fn an_id_cannot_be_computed_from_its_key() {
    let Some(one) = TestApp::standalone("ids of two deployments").await else { return };
    let Some(other) = TestApp::standalone("ids of two deployments").await else { return };
    let (key, order) = (unique("key"), Order::for_no_flight());
    let id = Booking::read(&post_order(&one, &key, &order).await.expect(202)).id;
    let elsewhere = Booking::read(&post_order(&other, &key, &order).await.expect(202)).id;
    assert_ne!(id, elsewhere, "each deployment has its own secret");
}

#[tokio::test]
async fn a_key_that_is_a_uuid_with_a_time_lends_it_to_the_id() {
    let app = TestApp::start().await;
    let (key, order) = (uuid::Uuid::now_v7().to_string(), Order::for_no_flight());

    let id = Booking::read(&post_order(&app, &key, &order).await.expect(202)).id;
    let again = Booking::read(&post_order(&app, &key, &order).await.expect(202)).id;

    assert_eq!(again, id);
    assert_uuid(&id, 7);
    // Its 48 bits of time, and nothing of the rest.
    assert_eq!(id[..13], key[..13]);
    assert_ne!(id[15..], key[15..]);
}
