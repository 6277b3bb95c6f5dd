//! Clients that are slow, silent or many: each is given up, and all others are served meanwhile.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Command;
use std::time::Duration;

use client::ServerProcess;
use standalone::http::Limits;
use standalone::{Options, Server};
use support::socket::Socket;
use support::{Http, bookings, serve};
use tempfile::TempDir;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(250);
/// No limit that a test reaches.
const PATIENT: Limits = Limits { header: LONG, body: LONG, idle: LONG, connections: 100 };

const BODY: &str = r#"{"flight_id": "OS-101", "seats": 1, "payment_method": "pm_card_visa", "passenger": {"name": "Ada Byron", "email": "ada@example.com"}}"#;

/// The header of a booking.
fn header() -> String {
    format!(
        "POST /bookings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        BODY.len()
    )
}

async fn server(limits: Limits) -> (Server, TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let options = Options { limits, ..Options::new(kept.path().join("data")) };
    (Server::start(options).await.unwrap(), kept)
}

/// A whole order goes through.
async fn serves(url: &str) {
    let http = Http::new(url);
    let order = http.book("OS-101", 1, "pm_card_visa").await;
    assert_eq!(http.settled(&order).await["status"], "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_a_header_that_never_ends_is_given_up() {
    let (server, _kept) = server(Limits { header: SHORT, ..PATIENT }).await;
    let mut silent = Socket::to(server.url());
    let mut slow = Socket::to(server.url());
    slow.send("GET /health HTTP/1.1\r\n").unwrap();
    // A byte now and then does not help.
    let mut bytes = 0;
    while slow.send("X").is_ok() {
        bytes += 1;
        assert!(bytes < 600, "the server still waits");
        tokio::time::sleep(SHORT / 5).await;
    }
    assert!(silent.is_closed());
    serves(server.url()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_the_header_of_a_second_request_that_never_ends_is_given_up() {
    let (server, _kept) = server(Limits { header: SHORT, ..PATIENT }).await;
    let mut slow = Socket::to(server.url());
    assert_eq!(slow.get("/health").unwrap(), 200);
    slow.send("GET /health HTTP/1.1\r\n").unwrap();
    assert!(slow.is_closed());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_a_body_that_never_ends_is_answered_408_and_books_nothing() {
    let (server, _kept) = server(Limits { body: SHORT, ..PATIENT }).await;
    for path in ["POST /bookings", "PUT /operator/payment-provider"] {
        let mut slow = Socket::to(server.url());
        let header = header().replace("POST /bookings", path).replace("Host: x", "Host: localhost");
        slow.send(&header).unwrap();
        slow.send(&BODY[..20]).unwrap();
        let (status, head, body) = slow.answer().unwrap();
        assert_eq!(status, 408, "{head}{body}");
        assert!(head.contains("application/problem+json") && body.contains("\"status\":408"), "{head}{body}");
        assert!(slow.is_closed());
    }
    assert_eq!(Http::new(server.url()).get("/operator/mail").await["items"], serde_json::json!([]));
    serves(server.url()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_think_longer_than_it_may_take_for_a_header_and_an_idle_one_is_closed() {
    let (thinking, _kept) = server(Limits { header: SHORT, ..PATIENT }).await;
    let mut client = Socket::to(thinking.url());
    assert_eq!(client.get("/health").unwrap(), 200);
    tokio::time::sleep(SHORT * 3).await;
    assert_eq!(client.get("/health").unwrap(), 200);

    let (idle, _kept) = server(Limits { idle: SHORT, ..PATIENT }).await;
    let mut client = Socket::to(idle.url());
    assert_eq!(client.get("/health").unwrap(), 200);
    assert!(client.is_closed());
    idle.stop().await;
    // It waits for no idle client.
    thinking.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_a_client_that_takes_no_answers_is_given_up() {
    let (server, _kept) = server(Limits { idle: SHORT, ..PATIENT }).await;
    let mut greedy = Socket::to(server.url());
    greedy.sends_until_closed(&"GET /flights HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100));
    serves(server.url()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_connections_are_taken_the_one_that_is_idle_longest_is_closed() {
    let (server, _kept) = server(Limits { connections: 3, ..PATIENT }).await;
    let mut clients: Vec<_> = (0..3).map(|_| Socket::to(server.url())).collect();
    for client in &mut clients {
        assert_eq!(client.get("/health").unwrap(), 200);
    }
    // The first one is used again, so it is not the one.
    assert_eq!(clients[0].get("/health").unwrap(), 200);
    let mut next = Socket::to(server.url());
    assert_eq!(next.get("/health").unwrap(), 200);
    assert!(clients[1].is_closed());
    assert_eq!(clients[0].get("/health").unwrap(), 200);
    assert_eq!(clients[2].get("/health").unwrap(), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_bodies_and_answers_that_hang_take_no_connection_from_others() {
    let (server, _kept) = server(Limits { connections: 4, ..PATIENT }).await;
    let mut hanging = Vec::new();
    for round in 0..40 {
        let mut slow = Socket::to(server.url());
        slow.send(&header()).unwrap();
        slow.send(&BODY[..round]).unwrap();
        hanging.push(slow);
    }
    serves(server.url()).await;
    assert!(hanging[0].is_closed());
    drop(hanging);
    server.stop().await;
}

/// The real binary, with as many descriptors.
fn with_descriptors(descriptors: u32) -> (ServerProcess, TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")]);
    command.arg(bookings().get_program()).args(["serve", "--port", "0", "--data"]).arg(kept.path());
    (
        {
            command.env("RUST_LOG", "error");
            ServerProcess::start(command).unwrap()
        },
        kept,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_three_hundred_half_open_connections_with_256_descriptors() {
    let (server, _kept) = with_descriptors(256);
    let mut open = Vec::new();
    for number in 0..300 {
        let mut half = Socket::to(server.url());
        // One in three has said nothing, one the half of its header, one the half of its body.
        let sent = match number % 3 {
            0 => String::new(),
            1 => header()[..30].to_owned(),
            _ => header() + &BODY[..30],
        };
        // It may have been closed already, for those after it.
        let _ = half.send(&sent);
        open.push(half);
        if number % 50 == 0 {
            serves(server.url()).await;
        }
    }
    serves(server.url()).await;
    drop(open);
    serves(server.url()).await;
    assert!(server.terminate().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_five_thousand_idle_connections() {
    // This process needs them too.
    let descriptors = rlimit::increase_nofile_limit(5_500).unwrap();
    let number = 5_000.min(descriptors as usize - 400);
    let kept = tempfile::tempdir().unwrap();
    let server = serve(kept.path(), None);
    let mut idle = Vec::new();
    for _ in 0..number {
        let mut client = Socket::to(server.url());
        assert_eq!(client.get("/health").unwrap(), 200);
        idle.push(client);
    }
    serves(server.url()).await;
    // With descriptors for all, none was closed.
    if descriptors >= 5_500 {
        assert_eq!(idle[0].get("/health").unwrap(), 200);
    }
    assert!(server.terminate().unwrap().success());
    assert!(idle[1].is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_progress_is_answered_before_the_server_ends() {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(kept.path(), None);
    let mut client = Socket::to(server.url());
    client.send(&header()).unwrap();
    client.send(&BODY[..30]).unwrap();
    let mut idle = Socket::to(server.url());
    assert_eq!(idle.get("/health").unwrap(), 200);
    let url = server.url().to_owned();
    let ended = std::thread::spawn(move || server.terminate().unwrap());
    // From now on it takes no other requests.
    assert!(idle.is_closed());
    client.send(&BODY[30..]).unwrap();
    assert_eq!(client.answer().unwrap().0, 202);
    assert!(client.is_closed());
    assert!(ended.join().unwrap().success());
    assert!(std::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).is_err());
}
