//! `POST /bookings` of what is not a good order: 400, with every bad field named at once.

use acceptance::{Order, TestApp};
use serde_json::{Value, json};

fn good() -> Value {
    Order::for_no_flight().json()
}

/// A good order with the value at `pointer` replaced, or added.
fn with(pointer: &str, value: Value) -> Value {
    let mut order = good();
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    let parent = order.pointer_mut(parent).expect("the parent");
    parent[member] = value;
    order
}

/// A good order without the member at `pointer`.
fn without(pointer: &str) -> Value {
    let mut order = good();
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    order.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(member);
    order
}

async fn assert_bad(app: &TestApp, field: &str, order: &Value) {
    let response = app.post(order).await;
    assert_eq!(response.bad_fields(), [field], "{order} {response}");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_bad_request() {
    let app = TestApp::start().await;
    let torn = good().to_string();
    let bodies: [&[u8]; 10] = [
        b"",
        b" ",
        b"hello",
        b"{",
        b"{'seats': 2}",
        b"flight_id=OS-101&seats=2",
        b"<order/>",
        b"{\"seats\": NaN}",
        &torn.as_bytes()[..torn.len() - 1],
        b"\0",
    ];
    for body in bodies {
        app.request("POST", "/bookings").json_text(body.to_vec()).await.problem(400);
    }
    let two = format!("{torn}{torn}");
    app.request("POST", "/bookings").json_text(two).await.problem(400);
}

#[tokio::test]
async fn malformed_utf8_is_a_bad_request() {
    let app = TestApp::start().await;
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\xaf"] {
        let text = with("/passenger/name", json!("Ada @ Byron")).to_string();
        let (before, after) = text.split_once('@').expect("the mark");
        let body = [before.as_bytes(), bad, after.as_bytes()].concat();
        app.request("POST", "/bookings").json_text(body).await.problem(400);
    }
}

#[tokio::test]
async fn json_that_is_not_an_object_is_a_bad_request() {
    let app = TestApp::start().await;
    for body in [json!(null), json!(true), json!(1), json!("order"), json!([]), json!([good()]), json!([[]])]
    {
        app.post(&body).await.problem(400);
    }
    // Deeper than any stack should follow.
    app.request("POST", "/bookings").json_text("[".repeat(16_000)).await.problem(400);
}

#[tokio::test]
async fn every_missing_field_is_named() {
    let app = TestApp::start().await;
    for pointer in
        ["/flight_id", "/seats", "/passenger", "/payment_method", "/passenger/name", "/passenger/email"]
    {
        let response = app.post(&without(pointer)).await;
        let field = pointer[1..].replace('/', ".");
        let fields = response.bad_fields();
        // Without a passenger, its fields may be named instead.
        let named = |name: &String| *name == field || name.starts_with(&format!("{field}."));
        assert!(!fields.is_empty() && fields.iter().all(named), "{field}: {response}");
    }
    let all = app.post(&json!({})).await;
    for field in ["flight_id", "seats", "passenger", "payment_method"] {
        assert!(all.bad_fields().iter().any(|name| name.starts_with(field)), "{field}: {all}");
    }
}

#[tokio::test]
async fn an_unknown_field_is_named() {
    let app = TestApp::start().await;
    assert_bad(&app, "coupon", &with("/coupon", json!("FREE"))).await;
    assert_bad(&app, "passenger.phone", &with("/passenger/phone", json!("+43"))).await;
    assert_bad(&app, "Seats", &with("/Seats", json!(1))).await;
    assert_bad(&app, "status", &with("/status", json!("confirmed"))).await;
    assert_bad(&app, "amount", &with("/amount", json!({ "value": 1, "currency": "EUR" }))).await;
}

#[tokio::test]
async fn bad_and_unknown_and_missing_fields_are_all_named_at_once() {
    let app = TestApp::start().await;
    let response = app
        .post(&json!({
            "flight_id": "",
            "seats": 10,
            "passenger": { "name": "", "email": "ada", "phone": "+43" },
            "coupon": "FREE",
        }))
        .await;
    let wanted = [
        "coupon",
        "flight_id",
        "passenger.email",
        "passenger.name",
        "passenger.phone",
        "payment_method",
        "seats",
    ];
    assert_eq!(response.bad_fields(), wanted, "{response}");
}

#[tokio::test]
async fn seats_are_a_whole_number_from_1_to_9() {
    let app = TestApp::start().await;
    let bad = [
        json!(0),
        json!(10),
        json!(-1),
        json!(1.5),
        json!("2"),
        json!(""),
        json!(null),
        json!(true),
        json!([2]),
        json!({ "value": 2 }),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(257),
        json!(65_537),
        json!(4_294_967_297_u64),
    ];
    for seats in bad {
        assert_bad(&app, "seats", &with("/seats", seats)).await;
    }
    // Not numbers that a JSON library would write.
    for seats in ["99999999999999999999999999999999", "1e999", "-0.0000001"] {
        let body = with("/seats", json!("@")).to_string().replace("\"@\"", seats);
        app.request("POST", "/bookings").json_text(body).await.problem(400);
    }
}

#[tokio::test]
async fn a_card_number_is_refused_and_not_repeated() {
    let app = TestApp::start().await;
    for number in ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242"] {
        let response = app.post(&with("/payment_method", json!(number))).await;
        assert_eq!(response.bad_fields(), ["payment_method"], "{response}");
        assert!(!response.text().contains(number), "a card number goes nowhere: {response}");
    }
}

#[tokio::test]
async fn a_payment_method_is_a_name_of_the_provider() {
    let app = TestApp::start().await;
    let too_long = format!("pm_{}", "x".repeat(65));
    let bad = [
        "",
        "pm_",
        "card_visa",
        "PM_card_visa",
        "pm_card-visa",
        "pm_card visa",
        "pm_kärte",
        "pm_card_visa\n",
    ];
    for name in bad.into_iter().chain([" pm_card_visa", "pm_card_visa ", "pm_\0", &too_long]) {
        assert_bad(&app, "payment_method", &with("/payment_method", json!(name))).await;
    }
    for value in [json!(null), json!(1), json!(["pm_card_visa"]), json!({ "id": "pm_card_visa" })] {
        assert_bad(&app, "payment_method", &with("/payment_method", value)).await;
    }
}

#[tokio::test]
async fn a_passenger_has_a_name() {
    let app = TestApp::start().await;
    let endless = "A".repeat(10_000);
    for name in ["", " ", "\t\n", "Ada\0Byron", "Ada\r\nBcc: eve@example.com", "Ada\u{1b}[2J", &endless] {
        assert_bad(&app, "passenger.name", &with("/passenger/name", json!(name))).await;
    }
    for value in [json!(null), json!(7), json!(["Ada"]), json!({ "first": "Ada" })] {
        assert_bad(&app, "passenger.name", &with("/passenger/name", value)).await;
    }
}

/// The attack: an anonymous order has us mail a stranger's text and link, from our address, to anyone.
#[tokio::test]
async fn a_name_carries_no_link_and_no_text_that_reads_otherwise() {
    let app = TestApp::start().await;
    let too_long = "ß".repeat(101);
    for name in [
        "evil.example",
        "You won! https://evil.example",
        "J.R.R.Tolkien",
        "ada@evil.example",
        "evil/example",
        "<a>Ada</a>",
        "Ada\u{202e}noryB",
        "Ada\u{2066}Byron",
        "Ada\u{200b}Byron",
        "Ada\u{200d}Byron",
        "Ada\u{feff}",
        "Ada\u{2028}Byron",
        "\u{3164}",
        "👩 Ada",
        &too_long,
    ] {
        assert_bad(&app, "passenger.name", &with("/passenger/name", json!(name))).await;
    }
}

#[tokio::test]
async fn a_passenger_has_one_address_that_mail_can_be_sent_to() {
    let app = TestApp::start().await;
    let endless = format!("{}@example.com", "a".repeat(400));
    let bad = [
        "",
        "ada",
        "@",
        "ada@",
        "@example.com",
        "ada byron@example.com",
        "ada@exa mple.com",
        "ada@@example.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "ada@example..com",
        "ada@example.com\0",
        &endless,
    ];
    for email in bad {
        assert_bad(&app, "passenger.email", &with("/passenger/email", json!(email))).await;
    }
    for value in [json!(null), json!(1), json!(["ada@example.com"])] {
        assert_bad(&app, "passenger.email", &with("/passenger/email", value)).await;
    }
}

#[tokio::test]
async fn a_passenger_is_an_object() {
    let app = TestApp::start().await;
    for value in [json!(null), json!("Ada"), json!([]), json!(1)] {
        assert_bad(&app, "passenger", &with("/passenger", value)).await;
    }
}

#[tokio::test]
async fn a_flight_id_is_a_short_word() {
    let app = TestApp::start().await;
    let endless = "A".repeat(1_000);
    for id in ["", " ", "OS\n101", "OS-101\0", &endless] {
        assert_bad(&app, "flight_id", &with("/flight_id", json!(id))).await;
    }
    for value in [json!(null), json!(101), json!(["OS-101"])] {
        assert_bad(&app, "flight_id", &with("/flight_id", value)).await;
    }
}

#[tokio::test]
async fn an_expected_amount_is_money() {
    let app = TestApp::start().await;
    for bad in [json!(null), json!(25_900), json!("EUR 259.00"), json!([])] {
        assert_bad(&app, "expected_amount", &with("/expected_amount", bad)).await;
    }
    for (field, amount) in [
        ("expected_amount.value", json!({"currency": "EUR"})),
        ("expected_amount.value", json!({"value": 259.5, "currency": "EUR"})),
        ("expected_amount.value", json!({"value": -1, "currency": "EUR"})),
        ("expected_amount.value", json!({"value": 9_007_199_254_740_992_u64, "currency": "EUR"})),
        ("expected_amount.value", json!({"value": 1e300, "currency": "EUR"})),
        ("expected_amount.currency", json!({"value": 1})),
        ("expected_amount.currency", json!({"value": 1, "currency": "eur"})),
        ("expected_amount.cents", json!({"value": 1, "currency": "EUR", "cents": 0})),
    ] {
        assert_bad(&app, field, &with("/expected_amount", amount)).await;
    }
}
