//! `GET /flights`, the page and `GET /health`.

use std::collections::BTreeSet;

use acceptance::{NewFlight, Order, TestApp, eventually, resolve};
use serde_json::json;

#[tokio::test]
async fn the_flights_are_listed_with_their_free_seats() {
    let app = TestApp::start().await;
    let response = app.get("/flights").await.expect(200);
    assert_eq!(response.media_type(), "application/json");

    let flights = app.flights().await;

    assert!(flights.len() >= 2, "{flights:?}");
    let ids: BTreeSet<&str> = flights.iter().map(|flight| flight.id.as_str()).collect();
    assert_eq!(ids.len(), flights.len(), "each flight once: {flights:?}");
}

#[tokio::test]
async fn the_default_flights_are_useful() {
    let Some(app) = TestApp::standalone("the default seed").await else { return };
    let flights = app.flights().await;
    assert!(flights.iter().all(|flight| flight.is_open() && flight.price > 0), "{flights:?}");
    assert!(
        flights.iter().any(|flight| (1..9).contains(&flight.seats_left)),
        "one is nearly sold out: {flights:?}"
    );
    assert!(flights.iter().any(|flight| flight.seats_left >= 50), "one is not: {flights:?}");
}

#[tokio::test]
async fn seats_are_held_by_a_booking_and_released_by_its_cancellation() {
    let Some(app) = TestApp::with_flights("seats of my own", &[NewFlight::new("AT-1", 9)]).await else {
        return;
    };
    let booking = app.book_until(&Order::new("AT-1", 4), "confirmed").await;
    assert_eq!(app.flight("AT-1").await.seats_left, 5);

    app.cancel(&booking.id).await.expect(202);
    app.settled(&booking.id).await;
    assert_eq!(app.flight("AT-1").await.seats_left, 9);
}

#[tokio::test]
async fn the_amount_is_the_price_of_the_flight_times_the_seats() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let booking = app.book_until(&Order::new(&flight.id, 3), "confirmed").await;
    assert_eq!(booking.json["amount"], json!({ "value": flight.price * 3, "currency": flight.currency }));
}

#[tokio::test]
async fn the_page_is_html_and_everything_it_loads_is_there() {
    let app = TestApp::start().await;
    let page = app.get("/").await.expect(200);
    assert_eq!(page.media_type(), "text/html", "{page}");
    let html = page.text();

    let loaded: Vec<String> = html
        .split(['<', '>'])
        .filter(|tag| ["link ", "script ", "img "].iter().any(|name| tag.starts_with(name)))
        .filter_map(|tag| attribute(tag, "src").or_else(|| attribute(tag, "href")))
        .filter(|url| !url.starts_with("data:") && !url.starts_with('#'))
        .collect();

    assert!(!loaded.is_empty(), "a page of ES modules and CSS: {html}");
    for reference in loaded {
        let url = resolve(&page.url, &reference);
        assert!(url.starts_with(app.base()), "it works below an API stage: {reference}");
        let asset = app.get_url(&url).await.expect(200);
        let media_types: &[&str] = match reference.rsplit('.').next() {
            Some("js" | "mjs") => &["text/javascript", "application/javascript"],
            Some("css") => &["text/css"],
            Some("svg") => &["image/svg+xml"],
            _ => continue,
        };
        assert!(
            media_types.contains(&asset.media_type()),
            "a browser refuses other types: {reference} {asset}"
        );
    }
}

/// The value of an attribute of an HTML tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

#[tokio::test]
async fn the_modules_that_the_page_imports_are_there() {
    let app = TestApp::start().await;
    let page = app.get("/").await.expect(200);
    let scripts = page.text();
    let mut ahead: Vec<String> = scripts
        .split('<')
        .filter(|tag| tag.starts_with("script "))
        .filter_map(|tag| attribute(tag, "src"))
        .map(|reference| resolve(&page.url, &reference))
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(url) = ahead.pop() {
        if !seen.insert(url.clone()) {
            continue;
        }
        let module = app.get_url(&url).await.expect(200).text();
        let imported = module.lines().filter(|line| line.contains("from ") || line.starts_with("import "));
        let quoted = imported.filter_map(|line| line.split(['"', '\'']).nth(1));
        ahead.extend(quoted.filter(|name| name.starts_with('.')).map(|name| resolve(&url, name)));
    }
    assert!(!seen.is_empty(), "the page has modules");
}

#[tokio::test]
async fn health_is_good() {
    let app = TestApp::start().await;
    app.get("/health").await.expect(200);
}

#[tokio::test]
async fn a_flight_shows_its_seats_as_free_until_the_order_holds_them() {
    let Some(app) = TestApp::with_flights("seats not held yet", &[NewFlight::new("AT-1", 9)]).await else {
        return;
    };
    app.run_service("ticket-service", false).await;
    let id = app.book(&Order::new("AT-1", 4)).await.id;
    assert_eq!(app.flight("AT-1").await.seats_left, 9);

    app.run_service("ticket-service", true).await;

    eventually("the seats are held", app.patience(), async || {
        let left = app.flight("AT-1").await.seats_left;
        if left == 5 { Ok(()) } else { Err(format!("{left} seats left")) }
    })
    .await;
    assert_eq!(app.settled(&id).await.status, "confirmed");
}
