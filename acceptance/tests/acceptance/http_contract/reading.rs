//! `GET /bookings/{id}`: entity tags, and unknown ids.

use acceptance::{Booking, Order, Response, TestApp};

async fn get_if_none_match(app: &TestApp, id: &str, condition: &str) -> Response {
    app.about("GET", id).header("if-none-match", condition).await
}

/// A booking that will not change any more, and its entity tag.
async fn at_rest(app: &TestApp) -> (String, String) {
    let id = app.book_until(&Order::for_no_flight(), "rejected").await.id;
    let etag = app.get_booking(&id).await.expect(200).header("etag").expect("an ETag").to_owned();
    (id, etag)
}

#[tokio::test]
async fn an_unchanged_booking_is_not_sent_again() {
    let app = TestApp::start().await;
    let (id, etag) = at_rest(&app).await;

    let response = get_if_none_match(&app, &id, &etag).await.expect(304);

    assert!(response.body.is_empty(), "{response}");
    assert_eq!(response.header("etag"), Some(etag.as_str()), "{response}");
}

#[tokio::test]
async fn an_entity_tag_is_well_formed_and_stays_while_the_booking_does() {
    let app = TestApp::start().await;
    let (id, etag) = at_rest(&app).await;
    let opaque = etag.strip_prefix("W/").unwrap_or(&etag);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quotes");
    assert!(inner.bytes().all(|b| b == 0x21 || (0x23..=0x7e).contains(&b)), "{etag}");

    for _ in 0..3 {
        assert_eq!(app.get_booking(&id).await.expect(200).header("etag"), Some(etag.as_str()));
    }
}

#[tokio::test]
async fn if_none_match_understands_stars_lists_and_weak_tags() {
    let app = TestApp::start().await;
    let (id, etag) = at_rest(&app).await;
    let opaque = etag.strip_prefix("W/").unwrap_or(&etag);
    let weak = format!("W/{opaque}");
    let list = format!("\"other\", {etag}");
    let tight = format!("\"other\",{weak},\"third\"");
    let comma = format!("\"a,b\" , {etag}");
    for condition in ["*", &etag, opaque, &weak, &list, &tight, &comma] {
        let response = get_if_none_match(&app, &id, condition).await;
        assert_eq!(response.status, 304, "{condition}: {response}");
    }

    let unquoted = opaque.trim_matches('"');
    let longer = format!("\"{unquoted}x\"");
    let shorter = format!("\"{}\"", &unquoted[1..]);
    for condition in ["\"other\"", "W/\"other\"", "\"\"", &longer, &shorter, "\"*\"", "\"other\", \"third\""]
    {
        let response = get_if_none_match(&app, &id, condition).await;
        assert_eq!(response.status, 200, "{condition}: {response}");
        Booking::read(&response);
    }
}

#[tokio::test]
async fn a_condition_may_be_spread_over_header_lines() {
    let Some(app) = TestApp::standalone("repeated header lines").await else { return };
    let (id, etag) = at_rest(&app).await;
    let request = app.about("GET", &id);
    request.header("if-none-match", "\"other\"").header("if-none-match", &etag).await.expect(304);
}

#[tokio::test]
async fn the_entity_tag_changes_with_every_change_of_the_booking() {
    let Some(app) = TestApp::standalone("a booking held still").await else { return };
    // GIVEN an order that cannot move on
    app.run_service("ticket-service", false).await;
    let flight = app.open_flight().await;
    let id = app.book(&Order::new(&flight.id, 1)).await.id;
    let pending = app.get_booking(&id).await.expect(200).header("etag").expect("an ETag").to_owned();
    get_if_none_match(&app, &id, &pending).await.expect(304);

    // WHEN it is cancelled, and then released
    app.cancel(&id).await.expect(202);
    let cancelling = get_if_none_match(&app, &id, &pending).await.expect(200);
    assert_eq!(Booking::read(&cancelling).status, "cancelling");
    let cancelling = cancelling.header("etag").expect("an ETag").to_owned();
    app.run_service("ticket-service", true).await;
    app.settled(&id).await;

    // THEN each state had its own tag
    let cancelled = get_if_none_match(&app, &id, &cancelling).await.expect(200);
    assert_eq!(Booking::read(&cancelled).status, "cancelled");
    let cancelled = cancelled.header("etag").expect("an ETag");
    assert!(cancelled != pending && cancelling != pending && cancelled != cancelling);
}

#[tokio::test]
async fn an_unknown_booking_is_not_found() {
    let app = TestApp::start().await;
    for id in ["0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11", "00000000-0000-0000-0000-000000000000"] {
        app.get_booking(id).await.problem(404);
        let conditional = get_if_none_match(&app, id, "*").await;
        conditional.problem(404);
    }
}

#[tokio::test]
async fn a_malformed_id_is_not_found() {
    let app = TestApp::start().await;
    let (known, _) = at_rest(&app).await;
    let longer = format!("{known}0");
    let endless = "a".repeat(1_500);
    let malformed =
        ["1", "null", "undefined", "OS-101", "0b5e7c5a-8f0e-4c43-9f5d", &known[1..], &longer, "-", &endless];
    for id in malformed {
        app.get_booking(id).await.problem(404);
        app.cancel(id).await.problem(404);
    }
}

#[tokio::test]
async fn percent_encoded_garbage_is_not_found() {
    let Some(app) = TestApp::standalone("paths that a gateway refuses itself").await else { return };
    let (known, _) = at_rest(&app).await;
    let garbage = [
        "%FF",
        "%2e%2e",
        "%2E%2E%2F",
        "%00",
        "%",
        "%G1",
        "%2",
        "%C3%28",
        "%F0%9F%9B%AB",
        "%27%20OR%201=1",
        "..%2f..",
        "%0d%0aX-Evil:%201",
    ];
    for id in garbage {
        app.get_booking(id).await.problem(404);
        app.cancel(id).await.problem(404);
    }
    for id in [format!("{known}%00"), format!("{known}%20"), format!("%20{known}"), format!("{known}%2F")] {
        app.get_booking(&id).await.problem(404);
    }
}

#[tokio::test]
async fn head_tells_what_get_would_without_its_body() {
    let Some(app) = TestApp::standalone("HEAD, which a stage need not have").await else { return };
    let (id, etag) = at_rest(&app).await;
    let response = app.about("HEAD", &id).await.expect(200);
    assert!(response.body.is_empty());
    assert_eq!(response.header("etag"), Some(etag.as_str()));
}
