//! The life of an order, to each possible end; money and seats must agree at each end.

use std::time::Duration;

use acceptance::{Booking, Charge, NewFlight, Order, Setup, TestApp, eventually};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Events up to a cancellation have one order; the release and the refund after it have any.
fn sorted_tail(events: &[String], head: usize) -> Vec<&str> {
    let mut events: Vec<&str> = events.iter().map(String::as_str).collect();
    events[head..].sort_unstable();
    events
}

/// Waits for the mails to a passenger; fails when there are more.
async fn mails(app: &TestApp, email: &str, count: usize) -> Vec<String> {
    eventually(&format!("{count} mails to {email}"), app.patience(), async || {
        let mails = app.mails_to(email).await;
        assert!(mails.len() <= count, "no mail twice: {mails:#?}");
        if mails.len() == count { Ok(mails) } else { Err(format!("{mails:#?}")) }
    })
    .await
}

#[tokio::test]
async fn a_good_order_is_confirmed_and_paid_once() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;

    let booking = app.book_until(&Order::new(&flight.id, 2), "confirmed").await;

    assert_eq!(booking.events, ["accepted", "tickets_reserved", "payment_captured"]);
    assert_eq!(booking.amount, Some(2 * flight.price));
    app.assert_paid_and_seated(&[flight], &[&booking.id]).await;
}

#[tokio::test]
async fn a_confirmed_order_is_mailed_once() {
    let Some(app) = TestApp::standalone("mails").await else { return };
    let order = Order::new(&app.open_flight().await.id, 1);

    app.book_until(&order, "confirmed").await;

    let sent = mails(&app, &order.email, 1).await;
    assert!(sent[0].to_lowercase().contains("confirm"), "{sent:#?}");
    app.at_rest().await;
    mails(&app, &order.email, 1).await;
}

#[tokio::test]
async fn an_order_for_more_seats_than_are_left_is_rejected_as_sold_out() {
    let app = TestApp::start().await;
    let flights = app.flights().await;
    let nearly_full = flights.iter().find(|flight| flight.is_open() && flight.seats_left < 9);
    let Some(flight) = nearly_full else {
        assert!(!app.is_standalone(), "the default flights have one that is nearly sold out: {flights:?}");
        return;
    };

    let order = Order::new(&flight.id, flight.seats_left + 1);
    let booking = app.book_until(&order, "rejected").await;

    assert_eq!(booking.reason.as_deref(), Some("sold_out"));
    assert_eq!(booking.events, ["accepted", "tickets_unavailable"]);
    app.assert_paid_and_seated(&flights, &[&booking.id]).await;
    if app.is_standalone() {
        assert_eq!(app.charged(&booking.id).await, Charge::default(), "no card was touched");
        mails(&app, &order.email, 1).await;
    }
}

#[tokio::test]
async fn the_last_seats_can_be_had() {
    let Some(app) = TestApp::with_flights("a small plane", &[NewFlight::new("AT-1", 3)]).await else {
        return;
    };
    let before = app.flights().await;
    let last = app.book_until(&Order::new("AT-1", 3), "confirmed").await;
    assert_eq!(app.flight("AT-1").await.seats_left, 0);
    let late = app.book_until(&Order::new("AT-1", 1), "rejected").await;
    assert_eq!(late.reason.as_deref(), Some("sold_out"));
    app.assert_paid_and_seated(&before, &[&last.id, &late.id]).await;
}

#[tokio::test]
async fn an_order_for_an_unknown_flight_is_rejected_and_mails_nobody() {
    let app = TestApp::start().await;
    let order = Order::for_no_flight();

    let booking = app.book_until(&order, "rejected").await;

    assert_eq!(booking.reason.as_deref(), Some("unknown_flight"));
    assert_eq!(booking.events, ["accepted", "tickets_unavailable"]);
    if app.is_standalone() {
        assert_eq!(app.charged(&booking.id).await, Charge::default(), "no card was touched");
        app.at_rest().await;
        mails(&app, &order.email, 0).await;
    }
}

#[tokio::test]
async fn a_declined_card_pays_nothing_and_releases_the_seats() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let order = Order::new(&flight.id, 2).with_declined_card();

    let booking = app.book_until(&order, "payment_declined").await;

    assert_eq!(booking.reason.as_deref(), Some("card_declined"));
    assert_eq!(booking.events, ["accepted", "tickets_reserved", "payment_declined", "tickets_released"]);
    app.assert_paid_and_seated(&[flight], &[&booking.id]).await;
    if app.is_standalone() {
        assert_eq!(app.charged(&booking.id).await.captured, 0, "a declined card is never captured");
        let sent = mails(&app, &order.email, 1).await;
        assert!(sent[0].to_lowercase().contains("declined"), "{sent:#?}");
    }
}

#[tokio::test]
async fn only_a_known_good_card_pays() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let orders =
        ["pm_card_chargeDeclinedInsufficientFunds", "pm_1", "pm_card_visa_", "pm_CARD_VISA"].map(|card| {
            let payment_method = card.to_owned();
            Order { payment_method, ..Order::new(&flight.id, 1) }
        });

    let ids = join_all(orders.iter().map(async |order| app.book(order).await.id)).await;

    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for booking in app.assert_paid_and_seated(std::slice::from_ref(&flight), &ids).await {
        assert_eq!(booking.status, "payment_declined", "{:#}", booking.json);
    }
}

#[tokio::test]
async fn an_order_cancelled_at_once_holds_nothing_and_costs_nothing() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let id = app.book(&Order::new(&flight.id, 2)).await.id;

    app.cancel(&id).await.expect(202);

    let booking = app.settled(&id).await;
    assert_eq!(booking.status, "cancelled");
    assert_eq!(booking.reason.as_deref(), Some("cancelled_by_customer"));
    assert!(booking.events.iter().any(|event| event == "cancel_requested"), "{:#}", booking.json);
    app.assert_paid_and_seated(&[flight], &[&id]).await;
}

#[tokio::test]
async fn an_order_cancelled_while_pending_never_reaches_the_card() {
    let Some(app) = TestApp::standalone("an order that stays pending").await else { return };
    let flight = app.open_flight().await;
    app.run_service("ticket-service", false).await;
    let order = Order::new(&flight.id, 2);
    let id = app.book(&order).await.id;

    let cancelling = Booking::read(&app.cancel(&id).await.expect(202));
    assert_eq!(cancelling.status, "cancelling");
    assert_eq!(cancelling.awaiting.iter().collect::<Vec<_>>(), ["tickets"]);
    app.run_service("ticket-service", true).await;

    let booking = app.settled(&id).await;
    assert_eq!(booking.events, ["accepted", "cancel_requested", "tickets_released"]);
    app.assert_paid_and_seated(&[flight], &[&id]).await;
    assert_eq!(app.charged(&id).await, Charge::default());
    let sent = mails(&app, &order.email, 1).await;
    assert!(sent[0].to_lowercase().contains("cancel"), "{sent:#?}");
}

#[tokio::test]
async fn an_order_cancelled_after_it_was_confirmed_is_refunded_once() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let order = Order::new(&flight.id, 2);
    let id = app.book_until(&order, "confirmed").await.id;

    let cancelling = Booking::read(&app.cancel(&id).await.expect(202));
    assert_eq!(cancelling.status, "cancelling");
    assert_eq!(cancelling.awaiting.iter().collect::<Vec<_>>(), ["payment", "tickets"]);

    let booking = app.settled(&id).await;
    assert_eq!(booking.status, "cancelled");
    let reached = ["accepted", "tickets_reserved", "payment_captured", "cancel_requested"];
    assert_eq!(
        sorted_tail(&booking.events, 4),
        [&reached[..], &["payment_reversed", "tickets_released"]].concat()
    );
    app.assert_paid_and_seated(&[flight], &[&id]).await;
    if app.is_standalone() {
        let amount = booking.amount.unwrap_or_default();
        assert_eq!(app.charged(&id).await, Charge { captured: amount, refunded: amount });
        let sent = mails(&app, &order.email, 2).await;
        assert!(sent[0].to_lowercase().contains("cancel"), "newest first: {sent:#?}");
        assert!(sent[1].to_lowercase().contains("confirm"), "newest first: {sent:#?}");
    }
}

#[tokio::test]
async fn an_order_cancelled_while_billing_is_down_is_refunded_when_it_is_up() {
    let Some(app) = TestApp::standalone("billing stopped").await else { return };
    let flight = app.open_flight().await;
    app.run_service("billing-service", false).await;
    let id = app.book(&Order::new(&flight.id, 2)).await.id;
    app.booking_when(&id, "holds its seats", |booking| booking.status == "tickets_reserved").await;

    app.cancel(&id).await.expect(202);
    // The seats are released without waiting for the refund.
    let alone = |booking: &Booking| booking.awaiting.iter().eq(["payment"]);
    let waiting = app.booking_when(&id, "awaits the payment only", alone).await;
    assert_eq!(waiting.status, "cancelling");
    assert_eq!(app.flight(&flight.id).await.seats_left, flight.seats_left);
    app.run_service("billing-service", true).await;

    let booking = app.settled(&id).await;
    assert_eq!(booking.status, "cancelled");
    app.assert_paid_and_seated(&[flight], &[&id]).await;
}

#[tokio::test]
async fn a_charge_after_the_deadline_is_not_captured() {
    let setup = Setup { deadline: Some(Duration::from_secs(2)), ..Setup::default() };
    let Some(app) = TestApp::standalone_with("a short deadline", setup).await else { return };
    let flight = app.open_flight().await;
    app.run_service("billing-service", false).await;
    let booking = app.book(&Order::new(&flight.id, 2)).await;
    assert_eq!(booking.expires_at.duration_since(booking.created_at).as_secs(), 2);
    app.booking_when(&booking.id, "holds its seats", |booking| booking.status == "tickets_reserved").await;

    let left = booking.expires_at.duration_since(Timestamp::now());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default() + Duration::from_millis(50)).await;
    app.run_service("billing-service", true).await;

    let booking = app.settled(&booking.id).await;
    assert_eq!((booking.status.as_str(), booking.reason.as_deref()), ("cancelled", Some("expired")));
    assert_eq!(booking.events, ["accepted", "tickets_reserved", "payment_declined", "tickets_released"]);
    app.assert_paid_and_seated(&[flight], &[&booking.id]).await;
    assert_eq!(app.charged(&booking.id).await.captured, 0);
}

#[tokio::test]
async fn an_order_at_another_price_than_expected_is_rejected() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let expecting = |value: u64, currency: &str| {
        let mut order = Order::new(&flight.id, 2).json();
        order["expected_amount"] = json!({"value": value, "currency": currency});
        order
    };
    let price = flight.price * 2;
    let end = async |order: &Value| {
        let booking = Booking::read(&app.post(order).await);
        app.settled(&booking.id).await
    };
    for unexpected in [expecting(price - 1, "EUR"), expecting(price + 1, "EUR"), expecting(price, "USD")] {
        let booking = end(&unexpected).await;
        assert_eq!((booking.status.as_str(), booking.reason.as_deref()), ("rejected", Some("price_changed")));
    }
    let expected = end(&expecting(price, "EUR")).await;
    assert_eq!((expected.status.as_str(), expected.amount), ("confirmed", Some(price)));
}
