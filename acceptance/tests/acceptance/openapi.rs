//! `docs/openapi.yaml` against the running server: what is documented happens, and what happens is documented.

use std::collections::BTreeSet;

use acceptance::{OpenApi, Order, Response, Setup, TestApp, unique};
use serde_json::json;

const NOWHERE: &str = "0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11";

#[test]
fn every_example_is_valid_under_its_schema() {
    let checked = OpenApi::load().check_examples();
    assert!(checked >= 15, "the documentation has examples: {checked}");
}

#[test]
fn the_description_covers_exactly_the_public_paths() {
    let api = OpenApi::load();
    assert_eq!(api.document()["openapi"], "3.1.0");
    let operations: BTreeSet<(String, String)> =
        api.responses().into_iter().map(|(method, path, _)| (method, path)).collect();
    let promised = [
        ("DELETE", "/bookings/{id}"),
        ("GET", "/"),
        ("GET", "/bookings/{id}"),
        ("GET", "/flights"),
        ("GET", "/health"),
        ("POST", "/bookings"),
    ];
    let promised = promised.map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(operations, BTreeSet::from(promised));
}

/// The answers that clients get, and which of the documented ones they were.
struct Judge {
    api: OpenApi,
    seen: BTreeSet<(String, String, String)>,
}

impl Judge {
    fn check(&mut self, method: &str, path: &str, response: &Response) {
        self.api.check(method, path, response);
        self.seen.insert((method.to_owned(), path.to_owned(), response.status.to_string()));
    }
}

#[tokio::test]
async fn every_documented_answer_is_given_as_documented() {
    let app = TestApp::start().await;
    let mut judge = Judge { api: OpenApi::load(), seen: BTreeSet::new() };

    for path in ["/", "/health", "/flights"] {
        judge.check("GET", path, &app.get(path).await);
    }

    let (key, mut order) = (unique("key"), Order::for_no_flight());
    let post = |order: &Order| {
        let request = app.request("POST", "/bookings").header("idempotency-key", &key);
        app.send_order(request.json(&order.json()))
    };
    judge.check("POST", "/bookings", &post(&order).await.expect(202));
    judge.check("POST", "/bookings", &post(&order).await.expect(202));
    order.seats = 2;
    judge.check("POST", "/bookings", &post(&order).await.expect(422));
    judge.check("POST", "/bookings", &app.post(&json!({ "seats": 0, "coupon": 1 })).await.expect(400));
    for body in ["{", "[]", "null"] {
        judge.check("POST", "/bookings", &app.request("POST", "/bookings").json_text(body).await.expect(400));
    }
    let bad_key = app.request("POST", "/bookings").header("idempotency-key", "a b").json(&order.json());
    judge.check("POST", "/bookings", &bad_key.await.expect(400));
    let large = app.request("POST", "/bookings").json_text("x".repeat(17_000));
    judge.check("POST", "/bookings", &large.await.expect(413));
    let text = app.request("POST", "/bookings").header("content-type", "text/plain").body("x");
    judge.check("POST", "/bookings", &text.await.expect(415));

    for id in [NOWHERE, "1"] {
        judge.check("GET", "/bookings/{id}", &app.get_booking(id).await.expect(404));
        judge.check("DELETE", "/bookings/{id}", &app.cancel(id).await.expect(404));
    }

    every_kind_of_booking(&app, &mut judge).await;

    let promised: BTreeSet<_> = judge
        .api
        .responses()
        .into_iter()
        .filter(|(_, _, status)| status != "default" && status != "429")
        .collect();
    assert_eq!(judge.seen, promised, "every documented answer was seen, and no other");
}

async fn every_kind_of_booking(app: &TestApp, judge: &mut Judge) {
    let flight = app.open_flight().await.id;
    let confirmed = app.book_until(&Order::new(&flight, 1), "confirmed").await.id;
    let rejected = app.book_until(&Order::for_no_flight(), "rejected").await.id;
    let declined = app.book_until(&Order::new(&flight, 1).with_declined_card(), "payment_declined").await.id;
    for id in [&confirmed, &rejected, &declined] {
        let current = app.get_booking(id).await.expect(200);
        judge.check("GET", "/bookings/{id}", &current);
        let etag = current.header("etag").expect("an ETag").to_owned();
        let unchanged = app.about("GET", id).header("if-none-match", etag).await.expect(304);
        judge.check("GET", "/bookings/{id}", &unchanged);
    }
    let delete = format!("/bookings/{confirmed}");
    judge.check("DELETE", "/bookings/{id}", &app.request("DELETE", &delete).await.expect(401));
    let wrong =
        |method| app.request(method, &delete).header("authorization", "Bearer AAAAAAAAAAAAAAAAAAAAAA");
    for method in ["GET", "DELETE"] {
        judge.check(method, "/bookings/{id}", &wrong(method).await.expect(403));
    }
    let public = app.get(&delete).await.expect(200);
    judge.check("GET", "/bookings/{id}", &public);
    for id in [&rejected, &declined] {
        judge.check("DELETE", "/bookings/{id}", &app.cancel(id).await.expect(409));
    }
    judge.check("DELETE", "/bookings/{id}", &app.cancel(&confirmed).await.expect(202));
    app.settled(&confirmed).await;
    judge.check("DELETE", "/bookings/{id}", &app.cancel(&confirmed).await.expect(202));
    judge.check("GET", "/bookings/{id}", &app.get_booking(&confirmed).await.expect(200));
}

#[tokio::test]
async fn a_client_beyond_its_limit_is_answered_as_documented() {
    let setup = Setup { bookings_per_client: Some(1), ..Setup::default() };
    let Some(app) = TestApp::standalone_with("a limit of one booking a minute", setup).await else { return };
    app.book(&Order::for_no_flight()).await;
    let refused = app.post(&Order::for_no_flight().json()).await.expect(429);
    OpenApi::load().check("POST", "/bookings", &refused);
}

#[tokio::test]
async fn a_wrong_path_and_a_wrong_method_answer_as_documented() {
    let app = TestApp::start().await;
    let api = OpenApi::load();
    api.check_component("NotFound", &app.get("/nope").await.expect(404));
    for path in ["/", "/health", "/flights", "/bookings", "/bookings/1"] {
        api.check_component("MethodNotAllowed", &app.request("PATCH", path).await.expect(405));
    }
}

#[tokio::test]
async fn the_request_schema_and_the_server_agree_on_what_is_an_order() {
    let app = TestApp::start().await;
    let api = OpenApi::load();
    let good = Order::for_no_flight().json();
    let mut bodies = vec![good.clone(), json!({}), json!([]), json!(null)];
    for (pointer, value) in [
        ("/seats", json!(1)),
        ("/seats", json!(9)),
        ("/seats", json!(0)),
        ("/seats", json!(10)),
        ("/seats", json!(1.5)),
        ("/seats", json!("2")),
        ("/seats", json!(5.0)),
        ("/seats", json!(1e300)),
        ("/expected_amount", json!({ "value": 25_900.0, "currency": "EUR" })),
        ("/expected_amount", json!({ "value": 1e300, "currency": "EUR" })),
        ("/expected_amount", json!({ "value": 9_007_199_254_740_991_u64, "currency": "EUR" })),
        ("/expected_amount", json!({ "value": 9_007_199_254_740_992_u64, "currency": "EUR" })),
        ("/payment_method", json!("pm_1")),
        ("/payment_method", json!("4242424242424242")),
        ("/payment_method", json!("pm_")),
        ("/payment_method", json!(format!("pm_{}", "x".repeat(65)))),
        ("/passenger", json!({ "name": "Ada" })),
        ("/passenger", json!({ "name": "", "email": "ada@example.com" })),
        ("/passenger", json!({ "name": "Ada", "email": "ada" })),
        ("/passenger", json!({ "name": "Ada", "email": "ada@example.com", "phone": "1" })),
        ("/passenger", json!({ "name": "A".repeat(5_000), "email": "ada@example.com" })),
        ("/flight_id", json!("")),
        ("/flight_id", json!("A".repeat(1_000))),
        ("/flight_id", json!(101)),
    ] {
        let mut body = good.clone();
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        body.pointer_mut(parent).expect("the parent")[member] = value;
        bodies.push(body);
    }
    let long_local = |length| format!("{}@example.com", "a".repeat(length));
    let long_label = |length| format!("ada@{}.com", "a".repeat(length));
    let long = |length: usize| format!("ada@{}com", "a.".repeat((length - 7) / 2));
    for email in [
        "a.b+tag@example.co.uk",
        "o'brien@example.com",
        "ada@example",
        ".ada@example.com",
        "ada.@example.com",
        "a..b@example.com",
        "ada@-example.com",
        "ada@example-.com",
        "ada@ex_ample.com",
        "ada@example.com.",
        "ada@1.2",
        "ada@[127.0.0.1]",
        "\"ada\"@example.com",
        "Ada <ada@example.com>",
        "ädа@example.com",
        "ada@exämple.com",
        "ada@example.com\n",
        &long_local(64),
        &long_local(65),
        &long_label(63),
        &long_label(64),
        &long(253),
        &long(255),
    ] {
        let mut body = good.clone();
        body["passenger"]["email"] = json!(email);
        bodies.push(body);
    }
    for name in [
        "Ada\u{7f}Byron",
        "Ada\u{85}Byron",
        "J.R.R. Tolkien",
        "J.R.R Tolkien",
        "A\u{301}.B. Byron",
        "evil.example",
        "李小龍",
        "नरेन्द्र मोदी",
        "山田　太郎",
        "　",
        "-",
        "Ada\u{34f}",
        "\u{3164}",
        "Ada\u{a0}Byron",
        "Ada²",
        "Ⅻ",
        "Ada\n",
        &"ß".repeat(100),
        &"ß".repeat(101),
        &"𝒜".repeat(100),
        &"👩".repeat(3),
    ] {
        let mut body = good.clone();
        body["passenger"]["name"] = json!(name);
        bodies.push(body);
    }
    for body in bodies {
        let documented = api.accepts_request("POST", "/bookings", &body);
        let response = app.post(&body).await;
        assert_eq!(response.status == 202, documented, "the schema says {documented}: {body} {response}");
    }
}
