//! Who may see and change a booking: its token, and attacks on it.

use acceptance::{Booking, Order, Response, TestApp, unique};

/// A request with that token.
async fn with_token(app: &TestApp, method: &str, id: &str, token: &str) -> Response {
    let request = app.request(method, &format!("/bookings/{id}"));
    request.header("authorization", format!("Bearer {token}")).await
}

async fn without_token(app: &TestApp, method: &str, id: &str) -> Response {
    app.request(method, &format!("/bookings/{id}")).await
}

fn etag(response: &Response) -> String {
    response.header("etag").expect("an ETag").to_owned()
}

#[tokio::test]
async fn the_token_comes_with_the_first_answer_and_every_repeated_one() {
    let app = TestApp::start().await;
    let (key, order) = (unique("key"), Order::for_no_flight());
    let post = || {
        app.send_order(app.request("POST", "/bookings").header("idempotency-key", &key).json(&order.json()))
    };

    let first = Booking::read(&post().await.expect(202));
    let again = Booking::read(&post().await.expect(202));
    app.settled(&first.id).await;
    let late = Booking::read(&post().await.expect(202));

    let token = first.token.expect("a token");
    assert_eq!(again.token.as_ref(), Some(&token));
    assert_eq!(late.token.as_ref(), Some(&token), "also when the payment token is long dropped");
    let seen = Booking::read(&with_token(&app, "GET", &first.id, &token).await.expect(200));
    assert_eq!((seen.id, seen.token), (first.id, None), "no other answer has it");
}

#[tokio::test]
async fn without_its_token_a_booking_shows_its_flight_and_status_and_nobodys_name() {
    let app = TestApp::start().await;
    let order = Order::for_no_flight();
    let id = app.book_until(&order, "rejected").await.id;

    let response = without_token(&app, "GET", &id).await.expect(200);

    let public = Booking::read_public(&response);
    assert_eq!((public.status.as_str(), &public.flight_id), ("rejected", &order.flight_id));
    assert!(!response.text().contains(&order.name) && !response.text().contains(&order.email), "{response}");
    assert!(!response.text().contains("manage_token"), "{response}");
}

#[tokio::test]
async fn nothing_is_changed_without_a_token_or_with_a_wrong_one() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let mine = app.book_until(&Order::new(&flight.id, 1), "confirmed").await;
    let others = app.book(&Order::for_no_flight()).await.token.expect("a token");

    let refused = without_token(&app, "DELETE", &mine.id).await;
    refused.problem(401);
    let asked = ["www-authenticate", "x-amzn-remapped-www-authenticate"].map(|name| refused.header(name));
    assert!(asked.contains(&Some("Bearer")), "{refused}");
    for wrong in [others.as_str(), "", "x", "AAAAAAAAAAAAAAAAAAAAAA", &others[..21], &format!("{others}A")] {
        for method in ["GET", "DELETE"] {
            with_token(&app, method, &mine.id, wrong).await.problem(403);
        }
    }

    assert_eq!(app.booking(&mine.id).await.json, mine.json);
    app.cancel(&mine.id).await.expect(202);
    assert_eq!(app.settled(&mine.id).await.status, "cancelled");
}

#[tokio::test]
async fn a_victims_id_as_an_idempotency_key_yields_nothing_that_opens_the_victims_booking() {
    let app = TestApp::start().await;
    let flight = app.open_flight().await;
    let victim = app.book_until(&Order::new(&flight.id, 1), "confirmed").await;

    // WHEN the finder of an id books under it, and under what the token is derived from
    for key in [victim.id.clone(), format!("manage/1{}", victim.id), victim.id.replace('-', "")] {
        let order = Order::for_no_flight();
        let request = app.request("POST", "/bookings").header("idempotency-key", &key).json(&order.json());
        let mine = Booking::read(&request.await.expect(202));

        // THEN neither their id nor their token fits
        let bytes: Vec<u8> = (0..16)
            .map(|n| u8::from_str_radix(&mine.id.replace('-', "")[2 * n..2 * n + 2], 16).expect("hex digits"))
            .collect();
        for tried in [mine.token.expect("a token"), mine.id, base64url(&bytes)] {
            with_token(&app, "DELETE", &victim.id, &tried).await.problem(403);
        }
    }
    assert_eq!(app.booking(&victim.id).await.status, "confirmed");
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let digits = bits.as_bytes().chunks(6).map(|six| format!("{:0<6}", String::from_utf8_lossy(six)));
    digits.map(|six| char::from(ALPHABET[usize::from_str_radix(&six, 2).expect("six bits")])).collect()
}

#[tokio::test]
async fn a_tag_of_one_view_never_answers_the_other() {
    let app = TestApp::start().await;
    let id = app.book_until(&Order::for_no_flight(), "rejected").await.id;
    let path = format!("/bookings/{id}");
    let (managed, public) = (app.get_booking(&id).await.expect(200), app.get(&path).await.expect(200));

    assert_ne!(etag(&managed), etag(&public));
    let with = async |tag: &str| app.about("GET", &id).header("if-none-match", tag).await;
    let without = async |tag: &str| app.get(&path).header("if-none-match", tag).await;
    Booking::read(&with(&etag(&public)).await.expect(200));
    Booking::read_public(&without(&etag(&managed)).await.expect(200));
    for same in [with(&etag(&managed)).await, without(&etag(&public)).await] {
        assert_eq!(same.status, 304, "{same}");
        assert_eq!(same.header("cache-control"), Some("no-store"), "{same}");
        assert_eq!(same.header("vary"), Some("Authorization"), "{same}");
    }
    // With a wrong token not even a star says that there is something.
    let wrong = app.get(&path).header("authorization", "Bearer x").header("if-none-match", "*").await;
    wrong.problem(403);
}

#[tokio::test]
async fn an_unknown_booking_is_not_found_with_any_token() {
    let app = TestApp::start().await;
    let token = app.book(&Order::for_no_flight()).await.token.expect("a token");
    for id in ["0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11", "1"] {
        for method in ["GET", "DELETE"] {
            without_token(&app, method, id).await.problem(404);
            with_token(&app, method, id, &token).await.problem(404);
        }
    }
}

#[tokio::test]
async fn the_scheme_may_be_written_in_any_case_and_another_scheme_is_no_token() {
    let app = TestApp::start().await;
    let booking = app.book(&Order::for_no_flight()).await;
    let (id, token) = (booking.id, booking.token.expect("a token"));
    let path = format!("/bookings/{id}");
    for scheme in ["bearer", "BEARER"] {
        let request = app.get(&path).header("authorization", format!("{scheme} {token}"));
        Booking::read(&request.await.expect(200));
    }
    if app.is_standalone() {
        // An API Gateway takes other schemes for its own.
        let basic = app.get(&path).header("authorization", "Basic YWRhOmJ5cm9u");
        Booking::read_public(&basic.await.expect(200));
    }
}
