//! The standalone platform's own parts: the data directory and the flights file.

use acceptance::{NewFlight, Order, TestApp};
use serde_json::json;

#[tokio::test]
async fn everything_survives_a_restart() {
    let Some(mut app) = TestApp::standalone("a restart").await else { return };
    let flight = app.open_flight().await;
    let kept = app.book_until(&Order::new(&flight.id, 2), "confirmed").await;
    let order = Order::new(&flight.id, 1);
    let cancelled = app.book_until(&order, "confirmed").await;
    app.cancel(&cancelled.id).await.expect(202);
    let cancelled = app.settled(&cancelled.id).await;
    app.assert_paid_and_seated(std::slice::from_ref(&flight), &[&kept.id, &cancelled.id]).await;
    let (ledger, mails, flights) =
        (app.ledger().await, app.mails_to(&order.email).await, app.flights().await);
    let etag = app.get_booking(&kept.id).await.header("etag").map(str::to_owned);

    app.restart().await;

    assert_eq!(app.booking(&kept.id).await.json, kept.json);
    assert_eq!(app.booking(&cancelled.id).await.json, cancelled.json);
    assert_eq!(app.get_booking(&kept.id).await.header("etag"), etag.as_deref());
    assert_eq!(app.ledger().await, ledger, "the ledger is durable");
    assert_eq!(app.mails_to(&order.email).await, mails);
    for (now, before) in app.flights().await.iter().zip(&flights) {
        assert_eq!((&now.id, now.seats_left), (&before.id, before.seats_left));
    }
}

#[tokio::test]
async fn a_data_directory_serves_one_server_at_a_time() {
    let Some(mut app) = TestApp::standalone("a lock").await else { return };
    let refused = app.start_beside().await;
    assert!(refused.is_err(), "the directory is locked");
    app.book_until(&Order::for_no_flight(), "rejected").await;
    app.restart().await;
}

#[tokio::test]
async fn a_flights_file_defines_the_flights_on_sale() {
    let planned = [NewFlight::new("AT-1", 180), NewFlight::new("AT-2", 1)];
    let Some(app) = TestApp::with_flights("a flights file", &planned).await else { return };
    for planned in planned {
        let flight = app.flight(&planned.id).await;
        assert_eq!(flight.json["price"], json!({ "value": 12_900, "currency": "EUR" }));
        assert_eq!((flight.capacity, flight.seats_left), (planned.capacity, planned.capacity));
        assert_eq!((&flight.json["from"], &flight.json["to"]), (&json!("VIE"), &json!("LIS")));
    }
}

#[tokio::test]
async fn a_flights_file_is_upserted_and_held_seats_stay_held() {
    let flight = NewFlight::new("AT-1", 9);
    let Some(mut app) = TestApp::with_flights("a flights file read again", &[flight]).await else { return };
    let booking = app.book_until(&Order::new("AT-1", 4), "confirmed").await;

    // WHEN the plane grows, the price falls and another flight is added
    let larger = NewFlight { price: 9_900, ..NewFlight::new("AT-1", 12) };
    app.restart_with(&[larger, NewFlight::new("AT-2", 5)]).await.expect("a good flights file");

    let (first, second) = (app.flight("AT-1").await, app.flight("AT-2").await);
    assert_eq!((first.capacity, first.seats_left, first.price), (12, 8, 9_900));
    assert_eq!((second.capacity, second.seats_left), (5, 5));
    assert_eq!(app.booking(&booking.id).await.json, booking.json, "what was sold was sold");
    assert_eq!(app.book_until(&Order::new("AT-1", 1), "confirmed").await.amount, Some(9_900));

    // AND flights that a file leaves out are still there
    app.restart_with(&[NewFlight::new("AT-2", 6)]).await.expect("a good flights file");
    assert_eq!(app.flight("AT-1").await.seats_left, 7);
    assert_eq!(app.flight("AT-2").await.seats_left, 6);
}

#[tokio::test]
async fn a_capacity_below_what_is_held_is_refused() {
    let Some(mut app) = TestApp::with_flights("a plane that shrinks", &[NewFlight::new("AT-1", 9)]).await
    else {
        return;
    };
    let booking = app.book_until(&Order::new("AT-1", 4), "confirmed").await;

    let refused = app.restart_with(&[NewFlight::new("AT-2", 5), NewFlight::new("AT-1", 3)]).await;
    let message = refused.expect_err("passengers are on board");
    assert!(message.contains("AT-1"), "it says which flight: {message}");

    // Exactly full is fine, and the refused file has changed nothing.
    app.restart_with(&[NewFlight::new("AT-1", 4)]).await.expect("a good flights file");
    let flight = app.flight("AT-1").await;
    assert_eq!((flight.capacity, flight.seats_left), (4, 0));
    assert!(app.flights().await.iter().all(|flight| flight.id != "AT-2"), "all flights of a file or none");
    assert_eq!(app.booking(&booking.id).await.json, booking.json);
}
