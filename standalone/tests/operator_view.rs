//! What the operator's API shows of a running server, and what it changes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use client::{Client, ServerProcess};
use serde_json::{Value, json};
use support::{Http, bookings, serve};
use tempfile::TempDir;

fn server() -> (ServerProcess, Http, TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(&kept.path().join("data"), None);
    let http = Http::new(server.url());
    (server, http, kept)
}

async fn switch(http: &Http, service: &str, running: bool) {
    http.put(&format!("/operator/services/{service}"), json!({"running": running})).await;
}

async fn post(http: &Http, path: &str, body: Value) -> Value {
    http.0.post(path, &body).await.unwrap()
}

/// The status of an answer that is refused, and why.
async fn refused(server: &ServerProcess, method: &str, path: &str, body: &Value) -> (u16, String) {
    let request = Client::default().request(method, format!("{}{path}", server.url()));
    let request = if method == "GET" { request } else { request.json(body) };
    let answer = request.send().await.unwrap();
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    (answer.status, problem["detail"].as_str().unwrap_or_default().to_owned())
}

fn unfinished(topics: &Value) -> Vec<(String, u64, u64)> {
    let number = |topic: &Value, name: &str| topic[name].as_u64().unwrap();
    let topics = topics.as_object().unwrap().iter();
    let counts = topics.map(|(name, topic)| {
        let live = ["waiting", "in_flight", "delayed"].map(|state| number(topic, state)).iter().sum();
        (name.clone(), number(topic, "sent") - number(topic, "finished"), live)
    });
    counts.collect()
}

/// The server-sent events of a server.
struct Events(BufReader<TcpStream>);

impl Events {
    fn of(server: &ServerProcess, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let host = format!("127.0.0.1:{}", server.port());
        write!(stream, "GET /operator/events HTTP/1.1\r\nHost: {host}\r\n{last}\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event: its id, its name and its data; `None` at the end of the stream.
    fn next(&mut self) -> Option<(String, String, Value)> {
        let (mut id, mut name) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim();
            match line.split_once(": ") {
                Some(("id", found)) => found.clone_into(&mut id),
                Some(("event", found)) => found.clone_into(&mut name),
                Some(("data", data)) => return Some((id, name, serde_json::from_str(data).unwrap())),
                _ => {}
            }
        }
    }

    /// The next event of that name that is as wanted.
    fn until(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> (String, Value) {
        loop {
            let (id, found, data) = self.next().unwrap();
            if found == name && wanted(&data) {
                return (id, data);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_less_finished_is_what_is_in_the_topic_also_after_a_kill_and_a_restart() {
    let (mut server, http, kept) = server();
    let done = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&done).await;
    http.at_rest().await;
    switch(&http, "billing-service", false).await;
    for _ in 0..3 {
        http.book("OS-101", 1, "pm_card_visa").await;
    }
    let before = http.until("/operator/topics", |topics| topics["billing"]["waiting"] == 3).await;
    assert_eq!(before["billing"]["sent"], 4, "{before}");
    for (topic, unfinished, live) in unfinished(&before) {
        assert_eq!(unfinished, live, "{topic}: {before}");
    }
    server.kill();
    let server = serve(&kept.path().join("data"), None);
    let http = http.moved_to(server.url());
    let after = http.until("/operator/topics", |topics| topics["tickets"]["in_flight"] == 0).await;
    for name in ["waiting", "sent", "finished"] {
        assert_eq!(after["billing"][name], before["billing"][name], "{after}");
    }
    switch(&http, "billing-service", true).await;
    http.at_rest().await;
    let rest = http.get("/operator/topics").await;
    assert!(unfinished(&rest).iter().all(|(_, unfinished, live)| (*unfinished, *live) == (0, 0)), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_age_grows_over_all_delayed_copies() {
    let (_server, http, _kept) = server();
    http.put("/operator/payment-provider", json!({"mode": "unavailable"})).await;
    http.book("OS-101", 1, "pm_card_visa").await;
    // Each copy is younger than the age of its event.
    let topics = http.until("/operator/topics", |topics| topics["billing"]["oldest_age_seconds"] == 4).await;
    assert!(topics["billing"]["sent"].as_u64().unwrap() >= 3, "{topics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journey_shows_each_attempt_with_its_delay_and_why_it_waits() {
    let (_server, http, _kept) = server();
    http.put("/operator/payment-provider", json!({"mode": "unavailable"})).await;
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    let path = format!("/operator/orders/{id}/journey");
    let delayed = |journey: &Value| {
        let messages = journey["messages"].as_array().unwrap();
        messages.iter().filter(|message| message["phase"] == "delayed").cloned().collect::<Vec<_>>()
    };
    let journey = http.until(&path, |journey| delayed(journey).len() == 2).await;
    for (attempt, message) in (1..).zip(delayed(&journey)) {
        assert_eq!(message["attempt"], attempt, "{journey}");
        assert_eq!((&message["topic"], &message["type"]), (&json!("billing"), &json!("booking.charge.v1")));
        assert!(message["due"].as_str() > message["at"].as_str(), "{message}");
        assert!(message["reason"].as_str().unwrap().contains("503"), "{message}");
    }
    let money = journey["rows"].as_array().unwrap().iter().find(|row| row["equal"] == false).unwrap();
    assert!(money["what"].as_str().unwrap().starts_with("money kept"), "{money}");
    assert_eq!(journey["cut_before"], Value::Null);

    http.put("/operator/payment-provider", json!({"mode": "up"})).await;
    http.settled(&id).await;
    http.at_rest().await;
    let journey = http.get(&path).await;
    assert!(journey["rows"].as_array().unwrap().iter().all(|row| row["equal"] == true), "{journey}");
    let audit = http.get(&format!("/operator/audit?order={id}")).await;
    assert_eq!(audit["rows"], journey["rows"]);
    assert!(!journey.to_string().contains("Ada") && !journey.to_string().contains("pm_card"), "{journey}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journey_of_before_the_restart_says_where_it_is_cut() {
    let (server, http, kept) = server();
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&id).await;
    assert!(server.terminate().unwrap().success());
    let server = serve(&kept.path().join("data"), None);
    let journey = http.moved_to(server.url()).get(&format!("/operator/orders/{id}/journey")).await;
    assert_eq!(journey["messages"], json!([]));
    assert!(journey["cut_before"].as_str() > journey["order"]["updated_at"].as_str(), "{journey}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_poison_is_dead_lettered_and_harms_no_order() {
    let (server, http, _kept) = server();
    for (kind, failure) in [("unreadable", "undecodable"), ("newer-version", "newer version")] {
        post(&http, "/operator/poison", json!({"topic": "tickets", "kind": kind})).await;
        let letters = http
            .until("/operator/dead-letters", |letters| {
                letters.as_array().unwrap().iter().any(|one| one["failure"].to_string().contains(failure))
            })
            .await;
        let letter =
            letters.as_array().unwrap().iter().find(|one| one["failure"].to_string().contains(failure));
        let letter = letter.unwrap();
        assert_eq!((&letter["attempts"], &letter["redrives"]), (&json!(1), &json!(0)), "{letter}");
        assert!(!letter["advice"].as_str().unwrap().is_empty(), "{letter}");
    }
    let verdict = http.until("/operator/system", |system| system["audit"]["differences"] == 2).await;
    assert_eq!(verdict["topics"]["tickets"]["dead_lettered"], 2);
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    assert_eq!(http.settled(&id).await["status"], "confirmed");

    let letters = http.get("/operator/dead-letters").await;
    for letter in letters.as_array().unwrap() {
        let path = format!("/operator/dead-letters/{}/discard", letter["id"]);
        for nothing in [json!({}), json!({"reason": " "}), json!({"reason": "x".repeat(501)})] {
            let (status, why) = refused(&server, "POST", &path, &nothing).await;
            assert_eq!(status, 400, "{why}");
            assert!(why.contains("reason"), "{why}");
        }
        assert_eq!(post(&http, &path, json!({"reason": "sent to try it"})).await, json!({"discarded": 1}));
        assert_eq!(refused(&server, "POST", &path, &json!({"reason": "again"})).await.0, 404);
    }
    http.until("/operator/system", |system| system["audit"]["differences"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_crashes_its_handler_is_dead_lettered_after_five_receives() {
    let (_server, http, _kept) = server();
    post(&http, "/operator/poison", json!({"topic": "email", "kind": "crashing"})).await;
    let letters = http.until("/operator/dead-letters", |letters| letters[0]["attempts"] == 5).await;
    assert_eq!(letters[0]["failure"], "received 5 times and never acknowledged");
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    assert_eq!(http.settled(&id).await["status"], "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_as_it_happens() {
    let (server, http, _kept) = server();
    let mut events = Events::of(&server, None);
    let (_, first) = events.until("gauges", |_| true);
    assert_eq!((&first["platform"], &first["skipped"]), (&json!("standalone"), &json!(0)));
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    events.until("order", |order| order["id"] == *id && order["status"] == "pending");
    for (topic, phase) in
        [("tickets", "sent"), ("tickets", "received"), ("tickets", "answered"), ("billing", "answered")]
    {
        let (_, message) = events.until("message", |one| one["topic"] == topic && one["phase"] == phase);
        assert_eq!(message["order"], *id);
    }
    events.until("order", |order| order["id"] == *id && order["settled"] == true);
    switch(&http, "email-service", false).await;
    events.until("service", |one| *one == json!({"name": "email-service", "running": false}));
    http.put("/operator/payment-provider", json!({"mode": "slow"})).await;
    events.until("provider", |one| *one == json!({"name": "simulated", "mode": "slow"}));
    events.until("gauges", |system| {
        system["services"]["email-service"]["running"] == false && system["orders"]["confirmed"] == 1
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_comes_back_misses_nothing_or_is_told_to_read_again() {
    let (server, http, kept) = server();
    let mut events = Events::of(&server, None);
    let (seen, _) = events.until("gauges", |_| true);
    drop(events);
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    http.settled(&id).await;
    let mut events = Events::of(&server, Some(&seen));
    events.until("order", |order| order["id"] == *id && order["status"] == "pending");
    let (last, _) = events.until("order", |order| order["settled"] == true);
    drop(events);
    assert!(server.terminate().unwrap().success());
    let server = serve(&kept.path().join("data"), None);
    // The process that knew what came after is gone.
    let (_, name, _) = Events::of(&server, Some(&last)).next().unwrap();
    assert_eq!(name, "reset");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_ends_when_the_server_stops_and_does_not_hold_it_up() {
    let (server, _http, _kept) = server();
    let mut events = Events::of(&server, None);
    events.until("gauges", |_| true);
    let begun = Instant::now();
    let stopped = tokio::task::spawn_blocking(move || server.terminate().unwrap().success());
    while events.next().is_some() {}
    assert!(stopped.await.unwrap());
    // It would be ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_answered_in_pages_and_a_bad_parameter_is_named() {
    let (server, http, _kept) = server();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = http.book("OS-101", 1, "pm_card_visa").await;
        http.settled(&id).await;
        ids.insert(0, id);
    }
    http.at_rest().await;
    for (path, key) in
        [("/operator/orders", "id"), ("/operator/mail", "booking_id"), ("/operator/payments", "booking_id")]
    {
        let first = http.get(&format!("{path}?limit=2")).await;
        let next = first["next"].as_str().unwrap();
        let second = http.get(&format!("{path}?limit=2&after={next}")).await;
        assert_eq!(second["next"], Value::Null);
        let items = first["items"].as_array().unwrap().iter().chain(second["items"].as_array().unwrap());
        assert_eq!(items.map(|item| item[key].as_str().unwrap()).collect::<Vec<_>>(), ids, "{path}");
        for bad in ["limit=0", "limit=1001", "limit=x", "after=x", "limit=1&limit=2", "what=1"] {
            let (status, why) = refused(&server, "GET", &format!("{path}?{bad}"), &Value::Null).await;
            let name = bad.split('=').next().unwrap();
            assert_eq!(status, 400, "{path}?{bad}");
            assert!(why.contains(&format!("\"{name}\"")), "{why}");
        }
    }
    let (status, why) = refused(&server, "GET", "/operator/orders?status=lost", &Value::Null).await;
    assert!(status == 400 && why.contains("status") && why.contains("confirmed"), "{why}");
    assert_eq!(refused(&server, "GET", "/operator/audit?order=x", &Value::Null).await.0, 400);
    let nowhere = "0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11";
    for path in [format!("/operator/orders/{nowhere}/journey"), format!("/operator/audit?order={nowhere}")] {
        assert_eq!(refused(&server, "GET", &path, &Value::Null).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_show_what_the_api_shows() {
    let (server, http, kept) = server();
    switch(&http, "billing-service", false).await;
    let id = http.book("OS-101", 1, "pm_card_visa").await;
    http.until("/operator/topics", |topics| topics["billing"]["waiting"] == 1).await;
    let run = |arguments: &[&str]| {
        let output = bookings().args(arguments).args(["--url", server.url()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let topics = run(&["topics"]);
    let billing = topics.lines().find(|line| line.starts_with("billing")).unwrap();
    assert_eq!(billing.split_whitespace().nth(1), Some("1"), "{topics}");
    let orders = run(&["orders"]);
    let line = orders.lines().find(|line| line.starts_with(&id)).unwrap();
    assert!(line.contains("tickets_reserved") && line.contains("payment"), "{orders}");
    assert_eq!(run(&["orders", "--status", "confirmed"]).lines().count(), 1, "only the header");
    let journey = run(&["journey", &id]);
    for part in ["booking.reserve.v1 sent", "tickets_reserved by tickets_reserved", "money kept", "≠"] {
        assert!(journey.contains(part), "{journey}");
    }
    let json: Value = serde_json::from_str(&run(&["journey", &id, "--json"])).unwrap();
    assert_eq!(json["order"]["id"], *id);

    let data = kept.path().join("data");
    let audit =
        |order: &str| bookings().args(["audit", "--order", order, "--data"]).arg(&data).output().unwrap();
    let found = audit(&id);
    let text = String::from_utf8(found.stdout).unwrap();
    assert!(found.status.success() && text.contains("seats held, by the Ticket Service"), "{text}");
    let unknown = audit("0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11");
    assert!(!unknown.status.success());
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("no service knows"));
}
