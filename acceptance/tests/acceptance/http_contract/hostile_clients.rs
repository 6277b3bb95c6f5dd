//! Hostile clients: the server answers them, and keeps serving the others.

use std::future::IntoFuture;

use acceptance::{Booking, Order, Request, TestApp};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::io::AsyncWriteExt;

const SEED: u64 = 20_261_122;

/// A whole order still goes through.
async fn assert_serves(app: &TestApp) {
    app.get("/health").await.expect(200);
    app.book_until(&Order::for_no_flight(), "rejected").await;
}

#[tokio::test]
async fn garbage_on_the_socket_is_survived() {
    let Some(app) = TestApp::standalone("raw bytes").await else { return };
    let mut rng = fastrand::Rng::with_seed(SEED);
    let noise: Vec<u8> = (0..2_000).map(|_| rng.u8(..)).collect();
    let tls_hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";
    let garbage: [&[u8]; 14] = [
        b"\r\n\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /bookings HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /bookings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        tls_hello,
        &noise,
    ];
    // Each connection sits out a silence, so they do it together.
    let answers = futures_util::future::join_all(garbage.iter().map(|bytes| app.send_raw(bytes))).await;
    for (bytes, answer) in garbage.iter().zip(answers) {
        let (sent, answer) = (String::from_utf8_lossy(bytes), String::from_utf8_lossy(&answer));
        assert!(!answer.starts_with("HTTP/1.1 5"), "{sent:?} -> {answer}");
    }
    assert_serves(&app).await;
}

#[tokio::test]
async fn huge_headers_are_refused_and_survived() {
    let Some(app) = TestApp::standalone("raw bytes").await else { return };
    let long = format!("GET /health HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20));
    let many: String = (0..2_000).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let many = format!("GET /health HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    let path = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "p".repeat(1 << 20));
    for request in [long, many, path] {
        let answer = app.send_raw(request.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{}", &answer[..answer.len().min(200)]);
    }
    assert_serves(&app).await;
}

#[tokio::test]
async fn silent_and_unfinished_connections_block_no_other_client() {
    let Some(app) = TestApp::standalone("raw bytes").await else { return };
    let mut open = Vec::new();
    for n in 0..60 {
        let mut connection = app.connection().await;
        let torn = "POST /bookings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n{";
        connection.write_all(&torn.as_bytes()[..torn.len() * n / 60]).await.expect("it is read");
        open.push(connection);
    }
    assert_serves(&app).await;
    drop(open);
    assert_serves(&app).await;
}

#[tokio::test]
async fn odd_requests_never_become_server_errors() {
    let Some(app) = TestApp::standalone("a few hundred odd requests").await else { return };
    let flights = app.flights().await;
    let flight = app.open_flight().await;
    let mut rng = fastrand::Rng::with_seed(SEED);
    let requests: Vec<Request> = (0..400).map(|_| odd_request(&app, &flight.id, &mut rng)).collect();

    let answers: Vec<_> =
        stream::iter(requests).map(Request::into_future).buffer_unordered(8).collect().await;

    let mut ids = Vec::new();
    for answer in &answers {
        assert!(answer.status < 500, "{answer}");
        if answer.status == 202 {
            app.keep_key(answer);
            ids.push(Booking::read(answer).id);
        } else if answer.status >= 400 && !answer.body.is_empty() {
            answer.problem(answer.status);
        }
    }
    let told = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    for status in [202, 400, 404, 405, 415] {
        assert!(told(status) > 3, "the generator reaches every corner: {status} came {} times", told(status));
    }
    // And what was accepted among them is a sound booking.
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    app.assert_paid_and_seated(&flights, &ids).await;
}

fn odd_request(app: &TestApp, flight: &str, rng: &mut fastrand::Rng) -> Request {
    let order = Order::new(flight, rng.u64(1..=2)).json().to_string();
    let most_likely = rng.bool();
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];
    let method = if most_likely { "POST" } else { methods[rng.usize(..methods.len())] };
    let path = if most_likely { "/bookings".to_owned() } else { odd_path(rng) };
    let mut request = app.request(method, &path).body(odd_body(order.into_bytes(), rng));
    let types =
        ["text/plain", "application/json;", "application/json; charset=latin1", "*/*", "application/json, x"];
    let content_type = if rng.u8(..4) > 0 { "application/json" } else { types[rng.usize(..types.len())] };
    request = request.header("content-type", content_type);
    for name in
        ["idempotency-key", "if-none-match", "accept", "content-encoding", "traceparent", "x-forwarded-for"]
    {
        if rng.u8(..4) == 0 {
            request = request.header(name, odd_header(rng));
        }
    }
    if rng.bool() { request.chunked() } else { request }
}

fn odd_path(rng: &mut fastrand::Rng) -> String {
    let roots = [
        "/bookings",
        "/bookings/",
        "/flights",
        "/health",
        "/",
        "/operator/mail",
        "/operator/services/",
        "//",
    ];
    let mut path = roots[rng.usize(..roots.len())].to_owned();
    for _ in 0..rng.usize(..12) {
        let pieces =
            ["/", ".", "..", "%2e", "%FF", "%00", "?", "&", "=", "a", "0", "-", "~", ";", "%", "+", "é"];
        path += &pieces[rng.usize(..pieces.len())].replace('é', "%C3%A9");
    }
    path
}

/// A good order, usually with a random change.
fn odd_body(mut body: Vec<u8>, rng: &mut fastrand::Rng) -> Vec<u8> {
    match rng.u8(..8) {
        0 => (0..rng.usize(..300)).map(|_| rng.u8(..)).collect(),
        1 => b"{\"a\":".repeat(rng.usize(..3_000)),
        2 => vec![b' '; rng.usize(16_000..17_000)],
        3 => body,
        _ => {
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..body.len());
                match rng.u8(..4) {
                    0 => body[at] = rng.u8(..),
                    1 => body.truncate(at.max(1)),
                    2 => body.insert(at, b"{}[]\",:\\0e-\xff"[rng.usize(..12)]),
                    _ => {
                        let words =
                            ["\\ud800", "\\u0000", "null", "1e999", "-0", "[[[", "\"seats\":2,", "🛫"];
                        let word = words[rng.usize(..words.len())];
                        body.splice(at..at, word.bytes());
                    }
                }
            }
            body
        }
    }
}

/// Any bytes that a header line can carry.
fn odd_header(rng: &mut fastrand::Rng) -> Vec<u8> {
    let any = |rng: &mut fastrand::Rng| loop {
        let byte = rng.u8(0x20..);
        if byte != 0x7f {
            break byte;
        }
    };
    (0..rng.usize(..300)).map(|_| any(rng)).collect()
}
