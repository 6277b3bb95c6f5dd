//! `POST /bookings` of a good order.

use std::time::{Duration, Instant};

use acceptance::{Booking, Order, TestApp, resolve, services};
use serde_json::json;

#[tokio::test]
async fn an_order_is_accepted_as_pending() {
    let app = TestApp::start().await;
    let order = Order::new(&app.open_flight().await.id, 2);

    let response = app.post(&order.json()).await.expect(202);

    let booking = Booking::read(&response);
    assert_eq!(booking.status, "pending");
    assert_eq!(booking.events, ["accepted"]);
    assert_eq!(booking.flight_id, order.flight_id);
    assert_eq!(booking.seats, 2);
    assert_eq!(booking.json["passenger"], json!({ "name": order.name, "email": order.email }));
}

#[tokio::test]
async fn the_location_is_the_booking() {
    let app = TestApp::start().await;
    let accepted = app.post(&Order::for_no_flight().json()).await.expect(202);

    let location = accepted.header("location").expect("a Location");
    let url = resolve(&accepted.url, location);

    assert!(url.starts_with(&format!("{}/bookings/", app.base())), "the stage is kept: {location} is {url}");
    let read = app.get_url(&url).await.expect(200);
    assert_eq!(Booking::read_public(&read).id, Booking::read(&accepted).id);
}

#[tokio::test]
async fn retry_after_is_a_short_time_in_seconds() {
    let app = TestApp::start().await;
    let accepted = app.post(&Order::for_no_flight().json()).await.expect(202);
    let seconds: u64 = accepted.header("retry-after").and_then(|value| value.parse().ok()).expect("seconds");
    assert!(seconds <= 60, "a customer is watching: {seconds} s");
}

#[tokio::test]
async fn a_booking_can_be_read_as_soon_as_it_is_accepted() {
    let app = TestApp::start().await;
    for _ in 0..10 {
        let accepted = app.book(&Order::for_no_flight()).await;
        let read = app.booking(&accepted.id).await;
        assert_eq!(read.created_at, accepted.created_at);
    }
}

#[tokio::test]
async fn ids_without_a_key_are_uuids_in_the_order_of_their_time() {
    let app = TestApp::start().await;
    let order = Order::for_no_flight();
    let (first, second) = (app.book(&order).await.id, app.book(&order).await.id);
    assert_ne!(first, second, "without a key, the same order twice is two orders");
    for id in [&first, &second] {
        assert_uuid(id, 7);
    }
    // Two of one millisecond are in any order.
    assert!(first[..13] <= second[..13], "{first}, then {second}");
}

/// The canonical form: lower case, with hyphens, that version, RFC variant.
pub(super) fn assert_uuid(id: &str, version: usize) {
    let uuid = uuid::Uuid::parse_str(id).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(uuid.hyphenated().to_string(), id, "the canonical form");
    assert_eq!(uuid.get_version_num(), version, "{id}");
    assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122, "{id}");
}

#[tokio::test]
async fn accepting_is_quick_while_every_service_is_down() {
    let Some(app) = TestApp::standalone("accepting is quick").await else { return };
    for service in services() {
        app.run_service(service, false).await;
    }
    let flight = app.open_flight().await;

    for _ in 0..20 {
        let start = Instant::now();
        app.book(&Order::new(&flight.id, 1)).await;
        // A write and a send: milliseconds. The limit only has to tell them from a wait for a service.
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn an_order_expires_two_days_after_it_was_accepted() {
    let Some(app) = TestApp::standalone("the default deadline").await else { return };
    let booking = app.book(&Order::for_no_flight()).await;
    let lifetime = booking.expires_at.duration_since(booking.created_at);
    assert_eq!(lifetime.as_secs(), 48 * 3_600);
}

#[tokio::test]
async fn names_addresses_and_payment_methods_of_real_people_are_good() {
    let app = TestApp::start().await;
    for name in [
        "Žofia Müller-Łąkowska",
        "Zoe\u{308} O’Brien",
        "O'Brien, Jr.",
        "J.R.R. Tolkien",
        "X Æ A-12",
        "李小龍",
        "山田　太郎",
        "أحمد",
        "नरेन्द्र मोदी",
        &"ß".repeat(100),
    ] {
        let mut order = Order::for_no_flight();
        order.name = name.to_owned();
        assert_eq!(app.book(&order).await.json["passenger"]["name"], name);
    }
    for email in ["a.b+tag@example.co.uk", "o'brien@example.com", "x@xn--bcher-kva.example"] {
        let mut order = Order::for_no_flight();
        order.email = email.to_owned();
        assert_eq!(app.book(&order).await.json["passenger"]["email"], email);
    }
    for payment_method in ["pm_1".to_owned(), "pm_card_VISA_42".to_owned(), format!("pm_{}", "x".repeat(64))]
    {
        let mut order = Order::for_no_flight();
        order.payment_method = payment_method;
        app.book(&order).await;
    }
    let mut order = Order::for_no_flight().json();
    order["seats"] = json!(5.0);
    order["expected_amount"] = json!({"value": 64_750.0, "currency": "EUR"});
    assert_eq!(app.post(&order).await.expect(202).json()["seats"], 5, "2.0 is as whole a number as 2");
    for seats in 1..=9 {
        let mut order = Order::for_no_flight();
        order.seats = seats;
        assert_eq!(app.book(&order).await.seats, seats);
    }
}

#[tokio::test]
async fn the_media_type_may_have_parameters_and_any_case() {
    let app = TestApp::start().await;
    for media_type in
        ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"]
    {
        let body = Order::for_no_flight().json().to_string();
        app.request("POST", "/bookings").header("content-type", media_type).body(body).await.expect(202);
    }
}
