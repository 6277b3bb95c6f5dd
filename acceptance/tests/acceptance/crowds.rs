//! Many customers at once: the last seats, cancellations between any two steps, and every kind of order together.

use std::time::Duration;

use acceptance::{NewFlight, Order, TestApp};
use futures_util::future::join_all;

#[tokio::test]
async fn a_full_plane_is_never_overbooked() {
    let Some(app) = TestApp::with_flights("a small plane", &[NewFlight::new("AT-1", 5)]).await else {
        return;
    };
    let before = app.flights().await;

    let orders: Vec<Order> = (0..12).map(|_| Order::new("AT-1", 1)).collect();
    let ids = join_all(orders.iter().map(async |order| app.book(order).await.id)).await;

    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let bookings = app.assert_paid_and_seated(&before, &ids).await;
    let confirmed = bookings.iter().filter(|booking| booking.status == "confirmed").count();
    let sold_out = bookings.iter().filter(|booking| booking.reason.as_deref() == Some("sold_out")).count();
    assert_eq!((confirmed, sold_out), (5, 7));
    assert_eq!(app.flight("AT-1").await.seats_left, 0);
}

#[tokio::test]
async fn an_order_cancelled_at_any_moment_ends_cancelled_and_unpaid() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let one = async |delay: u64| {
        let id = app.book(&Order::new(&flight.id, 1)).await.id;
        // A cancellation must be possible between any two steps of the order.
        tokio::time::sleep(Duration::from_millis(delay)).await;
        app.cancel(&id).await.expect(202);
        assert_eq!(app.settled(&id).await.status, "cancelled");
        id
    };
    let seats = flight.seats_left.min(16);

    let ids = join_all((0..seats).map(|n| one(n * n / 2))).await;

    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    app.assert_paid_and_seated(std::slice::from_ref(&flight), &ids).await;
}

#[tokio::test]
async fn money_and_seats_agree_after_many_orders_of_every_kind() {
    let flights = [NewFlight::new("AT-1", 20), NewFlight::new("AT-2", 9)];
    let Some(app) = TestApp::with_flights("a storm", &flights).await else { return };
    let before = app.flights().await;
    let one = async |n: u64| {
        let mut order = Order::new(["AT-1", "AT-1", "AT-2", "XX-0"][n as usize % 4], n % 3 + 1);
        if n.is_multiple_of(5) {
            order = order.with_declined_card();
        }
        let id = app.book(&order).await.id;
        if n % 7 < 2 {
            tokio::time::sleep(Duration::from_millis(n * 5)).await;
            let answer = app.cancel(&id).await;
            assert!([202, 409].contains(&answer.status), "{answer}");
        }
        id
    };

    let ids = join_all((0..40).map(one)).await;

    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let bookings = app.assert_paid_and_seated(&before, &ids).await;
    for status in ["confirmed", "rejected", "payment_declined", "cancelled"] {
        assert!(
            bookings.iter().any(|booking| booking.status == status),
            "the storm has every kind: {status}"
        );
    }
}
