//! A cancellation and an answer cross on their way: the answer is already written when the customer cancels.
//!
//! The switches force each race into the harmful order.

use acceptance::{Booking, Charge, Flight, Order, TestApp};

/// GIVEN an answer that waits in order-updates, WHEN the order is cancelled and the answer is read, THEN the order
/// ends cancelled, with its seats released and its money refunded.
async fn cancelled_before_the_answer_is_read(
    app: &TestApp,
    flight: Flight,
    id: &str,
    awaited: &[&str],
) -> Charge {
    app.waiting_in("order-updates", 1).await;
    let cancelling = Booking::read(&app.cancel(id).await.expect(202));
    assert_eq!(cancelling.status, "cancelling");
    assert_eq!(cancelling.awaiting.iter().collect::<Vec<_>>(), awaited);

    app.run_service("order-updates", true).await;

    let bookings = app.assert_paid_and_seated(&[flight], &[id]).await;
    assert_eq!(bookings[0].status, "cancelled");
    assert_eq!(bookings[0].reason.as_deref(), Some("cancelled_by_customer"));
    app.charged(id).await
}

/// An order whose payment has an answer that the gateway has not read.
async fn paid_but_not_applied(app: &TestApp, order: &Order) -> Booking {
    app.run_service("billing-service", false).await;
    let id = app.book(order).await.id;
    let booking =
        app.booking_when(&id, "holds its seats", |booking| booking.status == "tickets_reserved").await;
    app.run_service("order-updates", false).await;
    app.run_service("billing-service", true).await;
    booking
}

#[tokio::test]
async fn seats_that_were_held_before_the_cancellation_was_known_are_released() {
    let Some(app) = TestApp::standalone("a race").await else { return };
    let flight = app.open_flight().await;
    app.run_service("order-updates", false).await;
    let id = app.book(&Order::new(&flight.id, 2)).await.id;

    let charge = cancelled_before_the_answer_is_read(&app, flight, &id, &["tickets"]).await;

    assert_eq!(charge, Charge::default(), "from pending, no charge was ever sent");
}

#[tokio::test]
async fn seats_that_were_refused_before_the_cancellation_was_known_are_not_waited_for() {
    let Some(app) = TestApp::standalone("a race").await else { return };
    let flight = app.open_flight().await;
    app.run_service("order-updates", false).await;
    let id = app.book(&Order::for_no_flight()).await.id;

    let charge = cancelled_before_the_answer_is_read(&app, flight, &id, &["tickets"]).await;

    assert_eq!(charge, Charge::default());
}

#[tokio::test]
async fn a_payment_that_was_captured_before_the_cancellation_was_known_is_refunded() {
    let Some(app) = TestApp::standalone("a race").await else { return };
    let flight = app.open_flight().await;
    let booking = paid_but_not_applied(&app, &Order::new(&flight.id, 2)).await;

    let charge =
        cancelled_before_the_answer_is_read(&app, flight, &booking.id, &["payment", "tickets"]).await;

    let amount = booking.amount.unwrap_or_default();
    assert_eq!(charge, Charge { captured: amount, refunded: amount }, "once");
}

#[tokio::test]
async fn a_card_that_was_declined_before_the_cancellation_was_known_is_not_waited_for() {
    let Some(app) = TestApp::standalone("a race").await else { return };
    let flight = app.open_flight().await;
    let booking = paid_but_not_applied(&app, &Order::new(&flight.id, 2).with_declined_card()).await;

    let charge =
        cancelled_before_the_answer_is_read(&app, flight, &booking.id, &["payment", "tickets"]).await;

    assert_eq!(charge.captured, 0);
}

#[tokio::test]
async fn a_delayed_charge_is_not_captured_after_the_cancellation() {
    let Some(app) = TestApp::standalone("a race").await else { return };
    let flight = app.open_flight().await;
    // GIVEN a charge that waits for the provider
    app.payment_provider("unavailable").await;
    let id = app.book(&Order::new(&flight.id, 2)).await.id;
    acceptance::eventually("the charge is put off", app.patience(), async || {
        let topics = app.topics().await;
        if topics["billing"]["delayed"] == 1 { Ok(()) } else { Err(format!("{topics:#}")) }
    })
    .await;

    // WHEN the order is cancelled before the provider is back
    app.cancel(&id).await.expect(202);
    app.payment_provider("up").await;

    // THEN the later charge finds the reversal; `at_rest` waits for it
    let bookings = app.assert_paid_and_seated(&[flight], &[&id]).await;
    assert_eq!(bookings[0].status, "cancelled");
    let charge = app.charged(&id).await;
    assert_eq!(charge.captured, charge.refunded);
}

#[tokio::test]
async fn a_capture_whose_reply_is_lost_while_the_customer_cancels_is_refunded() {
    let Some(app) = TestApp::standalone("a race").await else { return };
    let flight = app.open_flight().await;
    // GIVEN a charge that has begun
    app.payment_provider("slow").await;
    let id = app.book(&Order::new(&flight.id, 2)).await.id;
    acceptance::eventually("billing works", app.patience(), async || {
        let topics = app.topics().await;
        if topics["billing"]["in_flight"] != 0 { Ok(()) } else { Err(format!("{topics:#}")) }
    })
    .await;

    // WHEN the customer cancels, and further replies are lost for a while
    app.payment_provider("timeout").await;
    app.cancel(&id).await.expect(202);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    app.payment_provider("up").await;

    let bookings = app.assert_paid_and_seated(&[flight], &[&id]).await;
    assert_eq!(bookings[0].status, "cancelled");
}

#[tokio::test]
async fn a_waiting_mail_does_not_delay_a_cancellation() {
    let Some(app) = TestApp::standalone("a race").await else { return };
    let flight = app.open_flight().await;
    app.run_service("email-service", false).await;
    let order = Order::new(&flight.id, 1);
    let id = app.book_until(&order, "confirmed").await.id;

    app.cancel(&id).await.expect(202);
    assert_eq!(app.settled(&id).await.status, "cancelled");
    app.run_service("email-service", true).await;

    app.assert_paid_and_seated(&[flight], &[&id]).await;
    let mails = app.mails_to(&order.email).await;
    assert!(
        mails.first().is_some_and(|mail| mail.contains("cancel")),
        "the last word is the newest: {mails:#?}"
    );
    assert!(mails.len() <= 2, "{mails:#?}");
}
