//! Paths and methods that do not exist, and bodies that are too large or of the wrong kind.

use acceptance::{Booking, Order, TestApp};

const LIMIT: usize = 16 * 1024;

/// A good order, padded to exactly `length` bytes with white space that JSON allows.
fn padded(length: usize) -> String {
    let order = Order::for_no_flight().json().to_string();
    format!("{order:length$}")
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let app = TestApp::start().await;
    for path in
        ["/nope", "/booking", "/bookings/1/seats", "/flights/OS-101", "/admin", "/index.php", "/health/db"]
    {
        app.get(path).await.problem(404);
        app.request("POST", path).json_text("{}").await.problem(404);
    }
}

#[tokio::test]
async fn an_odd_path_is_not_found() {
    let Some(app) = TestApp::standalone("paths that a gateway refuses itself").await else { return };
    let odd = [
        "/Bookings",
        "/bookings/",
        "//",
        "//bookings",
        "/flights/",
        "/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/../Cargo.toml",
        "/%FF",
        "/bookings%2f1",
        "/app.js%00",
        "/operator",
        "/operator/nope",
        "/operator/services",
    ];
    for path in odd {
        app.get(path).await.problem(404);
    }
    // A query changes nothing.
    app.get("/nope?a=%FF&b").await.problem(404);
    app.get("/flights?a=%FF&b").await.expect(200);
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_named_with_those_it_has() {
    let app = TestApp::start().await;
    let booking = format!("/bookings/{}", app.book(&Order::for_no_flight()).await.id);
    let nowhere = "/bookings/0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11";
    for (path, methods) in [
        ("/bookings", &["POST"][..]),
        (&booking, &["GET", "DELETE"]),
        (nowhere, &["GET", "DELETE"]),
        ("/flights", &["GET"]),
        ("/health", &["GET"]),
        ("/", &["GET"]),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if methods.contains(&method) {
                continue;
            }
            let response = app.request(method, path).json_text("{}").await;
            response.problem(405);
            let allow = response.header("allow").unwrap_or_else(|| panic!("an Allow header: {response}"));
            let allowed: Vec<&str> = allow.split(',').map(str::trim).collect();
            assert!(methods.iter().all(|method| allowed.contains(method)), "{methods:?}: {response}");
            assert!(!allowed.contains(&method), "{response}");
        }
    }
}

#[tokio::test]
async fn an_unknown_method_is_not_allowed() {
    let Some(app) = TestApp::standalone("methods that a gateway refuses itself").await else { return };
    for path in ["/bookings", "/flights", "/health", "/"] {
        let response = app.request("BREW", path).await;
        response.problem(405);
        assert!(response.header("allow").is_some(), "{response}");
    }
    app.request("BREW", "/nope").await.problem(404);
}

#[tokio::test]
async fn sixteen_kibibytes_are_not_too_large() {
    let app = TestApp::start().await;
    let body = padded(LIMIT);
    assert_eq!(body.len(), LIMIT);
    let accepted = app.request("POST", "/bookings").json_text(body).await.expect(202);
    Booking::read(&accepted);
    // Behind an API gateway every body has a length.
    if app.is_standalone() {
        app.request("POST", "/bookings").json_text(padded(LIMIT)).chunked().await.expect(202);
    }
}

#[tokio::test]
async fn a_byte_more_is_too_large() {
    let app = TestApp::start().await;
    app.request("POST", "/bookings").json_text(padded(LIMIT + 1)).await.problem(413);
    app.request("POST", "/bookings").json_text("x".repeat(3 * LIMIT)).await.problem(413);
    if app.is_standalone() {
        app.request("POST", "/bookings").json_text(padded(LIMIT + 1)).chunked().await.problem(413);
    }
}

#[tokio::test]
async fn a_body_that_is_only_announced_as_too_large_is_refused_without_waiting_for_it() {
    let Some(app) = TestApp::standalone("raw bytes").await else { return };
    for length in ["16385", "99999999999"] {
        let head = format!(
            "POST /bookings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let answer = app.send_raw(head.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{length}: {answer}");
        assert!(answer.to_lowercase().contains("application/problem+json"), "{answer}");
    }
}

#[tokio::test]
async fn only_json_is_a_supported_media_type() {
    let app = TestApp::start().await;
    let order = Order::for_no_flight().json().to_string();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/jsonp",
        "application/octet-stream",
        "text/plain; note=application/json",
    ] {
        let request = app.request("POST", "/bookings").header("content-type", media_type).body(order.clone());
        request.await.problem(415);
    }
}

#[tokio::test]
async fn a_body_of_no_type_at_all_is_not_supported() {
    let Some(app) = TestApp::standalone("a gateway may add a type").await else { return };
    let order = Order::for_no_flight().json().to_string();
    app.request("POST", "/bookings").body(order.clone()).await.problem(415);
    for media_type in ["", "/", "json", ";", "\u{ff}"] {
        let request = app.request("POST", "/bookings").header("content-type", media_type).body(order.clone());
        request.await.problem(415);
    }
}
