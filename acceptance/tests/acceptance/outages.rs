//! Something is down for a while: orders are still accepted, their messages wait, and no operator has to act
//! afterwards.

use std::time::{Duration, Instant};

use acceptance::{Booking, Charge, Order, Request, TestApp, services};
use futures_util::future::join_all;
use serde_json::json;

/// GIVEN a consumer that is down, WHEN three orders come in, THEN they wait in `topic` with `status`, and all of them
/// are confirmed and mailed once it is up again.
async fn orders_wait_for(app: &TestApp, service: &str, topic: &str, status: &str) {
    let flight = app.open_flight().await;
    app.run_service(service, false).await;

    let orders: Vec<Order> = (0..3).map(|_| Order::new(&flight.id, 2)).collect();
    let ids = join_all(orders.iter().map(async |order| app.book(order).await.id)).await;
    let waiting = app.waiting_in(topic, 3).await;
    assert!(waiting["oldest_age_seconds"].as_f64().is_some_and(|age| age >= 0.0), "{waiting:#}");
    for id in &ids {
        app.booking_when(id, &format!("is {status}"), |booking| booking.status == status).await;
    }
    // They keep their status while it is down.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.topics().await[topic]["waiting"], 3);
    for (order, id) in orders.iter().zip(&ids) {
        assert_eq!(app.booking(id).await.status, status);
        assert!(app.mails_to(&order.email).await.is_empty(), "no mail before its time");
    }

    app.run_service(service, true).await;

    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for booking in app.assert_paid_and_seated(&[flight], &ids).await {
        assert_eq!(booking.status, "confirmed");
    }
    for order in &orders {
        assert_eq!(app.mails_to(&order.email).await.len(), 1, "one mail each");
    }
}

#[tokio::test]
async fn orders_wait_for_the_ticket_service() {
    let Some(app) = TestApp::standalone("ticket-service down").await else { return };
    orders_wait_for(&app, "ticket-service", "tickets", "pending").await;
}

#[tokio::test]
async fn orders_wait_for_the_billing_service() {
    let Some(app) = TestApp::standalone("billing-service down").await else { return };
    orders_wait_for(&app, "billing-service", "billing", "tickets_reserved").await;
}

#[tokio::test]
async fn only_mails_wait_for_the_email_service() {
    let Some(app) = TestApp::standalone("email-service down").await else { return };
    orders_wait_for(&app, "email-service", "email", "confirmed").await;
}

#[tokio::test]
async fn orders_wait_for_the_gateway_to_read_its_updates() {
    let Some(app) = TestApp::standalone("order-updates down").await else { return };
    orders_wait_for(&app, "order-updates", "order-updates", "pending").await;
}

#[tokio::test]
async fn every_service_may_be_down_and_start_in_any_order() {
    let Some(app) = TestApp::standalone("everything down").await else { return };
    let flight = app.open_flight().await;
    for service in services() {
        app.run_service(service, false).await;
    }
    let orders =
        [Order::new(&flight.id, 1), Order::new(&flight.id, 2).with_declined_card(), Order::for_no_flight()];
    let ids = join_all(orders.iter().map(async |order| app.book(order).await.id)).await;
    let cancelled = app.book(&Order::new(&flight.id, 3)).await.id;
    app.cancel(&cancelled).await.expect(202);

    for service in services().into_iter().rev() {
        app.run_service(service, true).await;
    }

    let ids: Vec<&str> = ids.iter().chain([&cancelled]).map(String::as_str).collect();
    let bookings = app.assert_paid_and_seated(&[flight], &ids).await;
    let ends: Vec<&str> = bookings.iter().map(|booking| booking.status.as_str()).collect();
    assert_eq!(ends, ["confirmed", "payment_declined", "rejected", "cancelled"]);
}

#[tokio::test]
async fn a_switch_during_work_delays_no_message() {
    let Some(app) = TestApp::standalone("switches thrown quickly").await else { return };
    let flight = app.open_flight().await;
    let mut ids = Vec::new();
    for round in 0..20 {
        for _ in 0..2 {
            ids.push(app.book(&Order::new(&flight.id, 1)).await.id);
        }
        for service in services() {
            app.run_service(service, false).await;
            tokio::time::sleep(Duration::from_millis(round % 5)).await;
            app.run_service(service, true).await;
        }
    }

    // `at_rest` has a short limit: a message that its consumer lost would wait for its visibility timeout.
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for booking in app.assert_paid_and_seated(&[flight], &ids).await {
        assert_eq!(booking.status, "confirmed");
    }
}

#[tokio::test]
async fn orders_in_flight_and_switches_survive_a_restart() {
    let Some(mut app) = TestApp::standalone("a restart").await else { return };
    let flight = app.open_flight().await;
    app.run_service("billing-service", false).await;
    app.payment_provider("unavailable").await;
    let orders: Vec<Order> = (0..6).map(|_| Order::new(&flight.id, 1)).collect();
    let ids = join_all(orders.iter().map(async |order| app.book(order).await.id)).await;

    app.restart().await;

    app.waiting_in("billing", 6).await;
    let service = app.get("/operator/services/billing-service").await.expect(200).json();
    assert_eq!(service, json!({"running": false}));
    let provider = app.get("/operator/payment-provider").await.expect(200).json();
    assert_eq!(provider, json!({"mode": "unavailable"}));
    app.payment_provider("up").await;
    app.run_service("billing-service", true).await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for booking in app.assert_paid_and_seated(&[flight], &ids).await {
        assert_eq!(booking.status, "confirmed");
    }
}

#[tokio::test]
async fn an_unavailable_provider_delays_the_charge_and_loses_nothing() {
    let Some(app) = TestApp::standalone("provider unavailable").await else { return };
    let flight = app.open_flight().await;
    app.payment_provider("unavailable").await;
    let paying = app.book(&Order::new(&flight.id, 2)).await.id;
    let declined = app.book(&Order::new(&flight.id, 2).with_declined_card()).await.id;
    acceptance::eventually("both charges are put off", app.patience(), async || {
        let topics = app.topics().await;
        if topics["billing"]["delayed"] == 2 { Ok(()) } else { Err(format!("{topics:#}")) }
    })
    .await;
    for id in [&paying, &declined] {
        assert_eq!(app.booking(id).await.status, "tickets_reserved", "waiting is not a failure");
    }
    assert_eq!(
        app.ledger().await.values().map(|charge| charge.captured).sum::<u64>(),
        0,
        "503 before anything"
    );

    app.payment_provider("up").await;

    let bookings = app.assert_paid_and_seated(&[flight], &[&paying, &declined]).await;
    assert_eq!((bookings[0].status.as_str(), bookings[1].status.as_str()), ("confirmed", "payment_declined"));
}

#[tokio::test]
async fn a_capture_whose_reply_was_lost_is_found_and_not_repeated() {
    let Some(app) = TestApp::standalone("provider times out").await else { return };
    let flight = app.open_flight().await;
    // GIVEN orders whose payments are opened slowly, so that the mode can change between two calls
    app.payment_provider("slow").await;
    let orders = [Order::new(&flight.id, 2), Order::new(&flight.id, 1).with_declined_card()];
    let ids = join_all(orders.iter().map(async |order| app.book(order).await.id)).await;
    acceptance::eventually("both payments are open", app.patience(), async || {
        let ledger = app.ledger().await;
        if ids.iter().all(|id| ledger.contains_key(id)) { Ok(()) } else { Err(format!("{ledger:?}")) }
    })
    .await;

    // WHEN the provider captures but its reply is lost
    app.payment_provider("timeout").await;
    acceptance::eventually("the provider captures", app.patience(), async || {
        let charge = app.charged(&ids[0]).await;
        if charge.captured != 0 { Ok(()) } else { Err(format!("{charge:?}")) }
    })
    .await;
    app.payment_provider("up").await;

    // THEN the capture is found
    let bookings = app.assert_paid_and_seated(&[flight], &[&ids[0], &ids[1]]).await;
    assert_eq!((bookings[0].status.as_str(), bookings[1].status.as_str()), ("confirmed", "payment_declined"));
}

#[tokio::test]
async fn a_slow_provider_is_only_slow() {
    let Some(app) = TestApp::standalone("provider slow").await else { return };
    let flight = app.open_flight().await;
    app.payment_provider("slow").await;
    let start = Instant::now();
    let id = app.book(&Order::new(&flight.id, 1)).await.id;
    assert!(start.elapsed() < Duration::from_secs(1), "the customer does not wait for the provider");

    assert_eq!(app.settled(&id).await.status, "confirmed");

    assert!(start.elapsed() >= Duration::from_secs(2), "two seconds a call");
    app.assert_paid_and_seated(&[flight], &[&id]).await;
}

#[tokio::test]
async fn a_refund_waits_for_the_provider_and_the_seats_do_not() {
    let Some(app) = TestApp::standalone("a refund while the provider is unavailable").await else { return };
    let flight = app.open_flight().await;
    let booking = app.book_until(&Order::new(&flight.id, 2), "confirmed").await;
    app.payment_provider("unavailable").await;

    app.cancel(&booking.id).await.expect(202);

    let alone = |booking: &Booking| booking.awaiting.iter().eq(["payment"]);
    app.booking_when(&booking.id, "awaits the refund only", alone).await;
    assert_eq!(app.flight(&flight.id).await.seats_left, flight.seats_left);
    assert_eq!(app.charged(&booking.id).await.refunded, 0);
    app.payment_provider("up").await;
    assert_eq!(app.settled(&booking.id).await.status, "cancelled");
    app.assert_paid_and_seated(&[flight], &[&booking.id]).await;
    let amount = booking.amount.unwrap_or_default();
    assert_eq!(app.charged(&booking.id).await, Charge { captured: amount, refunded: amount });
}

#[tokio::test]
async fn an_idle_system_has_no_message_in_its_topics() {
    let Some(app) = TestApp::standalone("topics").await else { return };
    app.book_until(&Order::new(&app.open_flight().await.id, 1), "confirmed").await;
    app.at_rest().await;
    for topic in app.topics().await.as_object().into_iter().flat_map(|topics| topics.values()) {
        let age = &topic["oldest_age_seconds"];
        assert!(age.is_null() || *age == 0, "no message, no age: {topic:#}");
    }
}

#[tokio::test]
async fn a_switch_that_does_not_exist_is_not_found() {
    let Some(app) = TestApp::standalone("switches").await else { return };
    let good = json!({ "running": true });
    for service in
        ["booking-gateway", "Billing-Service", "billing", "tickets", "..", "%FF", "email-service%20"]
    {
        app.put(&format!("/operator/services/{service}"), &good).await.problem(404);
    }
    for service in services() {
        let path = format!("/operator/services/{service}");
        app.request("DELETE", &path).await.problem(405);
    }
}

#[tokio::test]
async fn a_switch_refuses_unknown_values() {
    let Some(app) = TestApp::standalone("switches").await else { return };
    let bad = [
        "",
        "{",
        "[]",
        "null",
        "true",
        "{}",
        r#"{"running":null}"#,
        r#"{"running":"false"}"#,
        r#"{"running":0}"#,
        r#"{"mode":"down"}"#,
        r#"{"mode":""}"#,
        r#"{"mode":"Up"}"#,
        r#"{"mode":null}"#,
        r#"{"mode":["up"]}"#,
    ];
    for body in bad {
        let put = |path: &str| -> Request { app.request("PUT", path).json_text(body) };
        put("/operator/services/billing-service").await.problem(400);
        put("/operator/payment-provider").await.problem(400);
    }

    // And none of it has switched anything.
    let flight = app.open_flight().await;
    app.book_until(&Order::new(&flight.id, 1), "confirmed").await;
}
