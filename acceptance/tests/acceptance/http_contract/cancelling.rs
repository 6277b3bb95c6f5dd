//! `DELETE /bookings/{id}`.

use std::time::Duration;

use acceptance::{Booking, Flight, NewFlight, Order, TestApp};
use futures_util::future::join_all;
use jiff::Timestamp;

#[tokio::test]
async fn a_booking_can_be_cancelled_again_and_again() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let id = app.book(&Order::new(&flight.id, 1)).await.id;

    let first = Booking::read(&app.cancel(&id).await.expect(202));
    let again = Booking::read(&app.cancel(&id).await.expect(202));
    let cancelled = app.settled(&id).await;
    let late = Booking::read(&app.cancel(&id).await.expect(202));

    for booking in [&first, &again] {
        assert!(["cancelling", "cancelled"].contains(&booking.status.as_str()), "{:#}", booking.json);
        assert_eq!(booking.reason.as_deref(), Some("cancelled_by_customer"));
    }
    assert_eq!(cancelled.status, "cancelled");
    assert_eq!(late.json, cancelled.json, "cancelling what is cancelled changes nothing");
    assert_eq!(late.events.iter().filter(|event| *event == "cancel_requested").count(), 1);
}

#[tokio::test]
async fn ten_cancellations_at_once_are_one_refund_and_one_mail() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let order = Order::new(&flight.id, 3);
    let booking = app.book_until(&order, "confirmed").await;

    for answer in join_all((0..10).map(|_| app.cancel(&booking.id))).await {
        Booking::read(&answer.expect(202));
    }

    let bookings = app.assert_paid_and_seated(&[flight], &[&booking.id]).await;
    assert_eq!(bookings[0].status, "cancelled");
    if app.is_standalone() {
        let charge = app.charged(&booking.id).await;
        assert_eq!((Some(charge.captured), Some(charge.refunded)), (booking.amount, booking.amount));
        assert_eq!(app.mails_to(&order.email).await.len(), 2, "one mail for each end");
    }
}

#[tokio::test]
async fn a_rejected_booking_cannot_be_cancelled() {
    let app = TestApp::start().await;
    let booking = app.book_until(&Order::for_no_flight(), "rejected").await;

    app.cancel(&booking.id).await.problem(409);

    assert_eq!(app.booking(&booking.id).await.json, booking.json, "a refused cancellation changes nothing");
}

#[tokio::test]
async fn a_booking_with_a_declined_card_cannot_be_cancelled() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let order = Order::new(&flight.id, 1).with_declined_card();
    let booking = app.book_until(&order, "payment_declined").await;

    app.cancel(&booking.id).await.problem(409);

    assert_eq!(app.booking(&booking.id).await.json, booking.json, "a refused cancellation changes nothing");
}

#[tokio::test]
async fn an_unknown_booking_cannot_be_cancelled() {
    let app = TestApp::start().await;
    app.cancel("0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11").await.problem(404);
}

#[tokio::test]
async fn a_booking_on_a_departed_flight_cannot_be_cancelled() {
    let flight = NewFlight::new("AT-1", 20).departing_in(Duration::from_secs(4));
    let Some(app) = TestApp::with_flights("a flight that departs soon", &[flight]).await else { return };
    let before = app.flight("AT-1").await;

    // GIVEN a booking that was confirmed and one that was cancelled, both in time
    let flown = app.book_until(&Order::new("AT-1", 2), "confirmed").await;
    let cancelled = app.book_until(&Order::new("AT-1", 1), "confirmed").await.id;
    app.cancel(&cancelled).await.expect(202);
    let cancelled = app.settled(&cancelled).await;
    assert!(before.departs_at > Timestamp::now(), "this machine was too slow to book before the departure");

    // WHEN the flight has departed
    departure_of(&before).await;

    // THEN the confirmed one stays, and the cancelled one stays cancelled
    app.cancel(&flown.id).await.problem(409);
    assert_eq!(app.booking(&flown.id).await.json, flown.json);
    let again = Booking::read(&app.cancel(&cancelled.id).await.expect(202));
    assert_eq!(again.json, cancelled.json);
    app.assert_paid_and_seated(&[before], &[&flown.id, &cancelled.id]).await;
}

async fn departure_of(flight: &Flight) {
    let left = flight.departs_at.duration_since(Timestamp::now());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default() + Duration::from_millis(50)).await;
}

#[tokio::test]
async fn the_seats_of_another_customer_are_out_of_reach() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let (mine, other) =
        (app.book(&Order::new(&flight.id, 1)).await, app.book(&Order::new(&flight.id, 1)).await);

    app.cancel(&mine.id).await.expect(202);

    assert_eq!(app.settled(&other.id).await.status, "confirmed");
    assert_eq!(app.settled(&mine.id).await.status, "cancelled");
}
