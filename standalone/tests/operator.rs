//! The operator's API: for this machine, and for no web page of another site.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use client::{Client, Response, ServerProcess};
use serde_json::{Value, json};
use support::{Http, bookings, serve};
use tempfile::TempDir;

const SWITCH: &str = "/operator/services/billing-service";
const OFF: &str = r#"{"running": false}"#;
/// Every path, with its method.
const PATHS: [(&str, &str); 10] = [
    ("GET", "/operator/topics"),
    ("GET", "/operator/dead-letters"),
    ("GET", "/operator/mail"),
    ("GET", "/operator/payments"),
    ("GET", "/operator/payment-provider"),
    ("GET", SWITCH),
    ("PUT", SWITCH),
    ("PUT", "/operator/payment-provider"),
    ("POST", "/operator/dead-letters/redrive"),
    ("POST", "/operator/dead-letters/7/redrive"),
];

fn server() -> (ServerProcess, TempDir) {
    let kept = tempfile::tempdir().unwrap();
    (serve(&kept.path().join("data"), None), kept)
}

async fn ask(server: &ServerProcess, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Client::default().request(method, format!("{}{path}", server.url()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let request = if method == "GET" { request } else { request.body(OFF) };
    request.send().await.unwrap()
}

/// Sends an attack to every path, with JSON where a change needs it: each is refused, and nothing has changed.
async fn refused_everywhere(server: &ServerProcess, headers: &[(&str, &str)]) {
    for (method, path) in PATHS {
        let headers = [headers, &[("Content-Type", "application/json")]].concat();
        let answer = ask(server, method, path, &headers).await;
        problem(&answer, 403);
    }
    unchanged(server).await;
}

async fn unchanged(server: &ServerProcess) {
    assert_eq!(Http::new(server.url()).get(SWITCH).await, json!({"running": true}));
}

fn problem(answer: &Response, status: u16) {
    assert_eq!(answer.status, status, "{answer}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{answer}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["status"], status, "{answer}");
}

#[tokio::test]
async fn attack_a_name_that_a_stranger_points_at_this_machine_reads_and_changes_nothing() {
    let (server, _kept) = server();
    let port = server.port();
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("evil@127.0.0.1:{port}"),
        format!("0.0.0.0:{port}"),
        format!("192.168.1.7:{port}"),
        format!("[2001:db8::1]:{port}"),
        String::new(),
    ] {
        refused_everywhere(&server, &[("Host", &host)]).await;
    }
}

#[tokio::test]
async fn attack_a_form_of_another_site_cannot_send_what_changes_something() {
    let (server, _kept) = server();
    // What an HTML form or a script without the server's consent can send.
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        for (method, path) in PATHS.iter().filter(|(method, _)| *method != "GET") {
            let answer = ask(&server, method, path, &[("Content-Type", content_type)]).await;
            problem(&answer, 415);
            problem(&ask(&server, method, path, &[]).await, 415);
        }
    }
    unchanged(&server).await;
}

#[tokio::test]
async fn attack_a_page_of_another_origin_reads_and_changes_nothing() {
    let (server, _kept) = server();
    let port = server.port();
    for origin in [
        "http://evil.example".to_owned(),
        "https://evil.example".to_owned(),
        "null".to_owned(),
        String::new(),
        "http://localhost".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}, http://evil.example"),
    ] {
        refused_everywhere(&server, &[("Origin", &origin)]).await;
    }
    for site in ["cross-site", "same-site"] {
        refused_everywhere(&server, &[("Sec-Fetch-Site", site)]).await;
    }
}

#[tokio::test]
async fn attack_two_hosts_or_two_origins_do_not_pass_as_one() {
    let (server, _kept) = server();
    let own = format!("127.0.0.1:{}", server.port());
    let origin = format!("http://{own}");
    refused_everywhere(&server, &[("Host", &own), ("Host", "evil.example")]).await;
    refused_everywhere(&server, &[("Origin", &origin), ("Origin", "http://evil.example")]).await;
}

#[test]
fn attack_an_address_in_the_request_line_does_not_pass_by_the_host() {
    let (server, _kept) = server();
    let own = format!("127.0.0.1:{}", server.port());
    for request in [
        format!("GET http://evil.example/operator/mail HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"),
        "GET /operator/mail HTTP/1.0\r\n\r\n".to_owned(),
    ] {
        let mut connection = TcpStream::connect(&own).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.split(' ').nth(1) == Some("403"), "{request}{answer}");
    }
}

#[tokio::test]
async fn attack_a_stranger_behind_a_proxy_of_this_machine_is_refused() {
    let (server, _kept) = server();
    refused_everywhere(&server, &[("X-Forwarded-For", "203.0.113.7")]).await;
    refused_everywhere(&server, &[("Forwarded", "for=203.0.113.7")]).await;
}

#[tokio::test]
async fn this_machine_may_use_it_by_each_name_of_loopback() {
    let (server, _kept) = server();
    let port = server.port();
    for host in [
        "localhost".to_owned(),
        format!("LocalHost:{port}"),
        format!("127.0.0.1:{port}"),
        "127.8.9.10".to_owned(),
        format!("[::1]:{port}"),
    ] {
        let origin = format!("http://{host}");
        for own in [&[("Host", host.as_str())][..], &[("Host", &host), ("Origin", &origin)]] {
            let fetched = [own, &[("Sec-Fetch-Site", "same-origin")]].concat();
            assert_eq!(ask(&server, "GET", "/operator/topics", &fetched).await.status, 200, "{own:?}");
            let json = [own, &[("Content-Type", "application/json; charset=utf-8")]].concat();
            assert_eq!(ask(&server, "PUT", SWITCH, &json).await.status, 200, "{own:?}");
        }
    }
}

#[tokio::test]
async fn the_customers_api_takes_any_host() {
    let (server, _kept) = server();
    for path in ["/", "/flights", "/health"] {
        assert_eq!(ask(&server, "GET", path, &[("Host", "tickets.example")]).await.status, 200);
    }
}

#[tokio::test]
async fn a_change_larger_than_it_can_be_is_refused_as_a_problem() {
    let (server, _kept) = server();
    let request = Client::default().request("PUT", format!("{}{SWITCH}", server.url()));
    problem(&request.json_text(" ".repeat(3 << 20)).send().await.unwrap(), 413);
}

/// A server that is reachable from outside, and the lines of its greeting.
fn public(data: &Path, port: &str) -> (Running, Vec<String>) {
    let mut command = bookings();
    command.args(["serve", "--host", "0.0.0.0", "--port", "0", "--operator-port", port, "--data"]).arg(data);
    let mut child = command.env("RUST_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).take(6);
    let lines = lines.collect();
    (Running(child), lines)
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn attack_the_public_port_has_nothing_of_the_operators() {
    let kept = tempfile::tempdir().unwrap();
    let (_server, greeting) = public(kept.path(), "0");
    let port = greeting[0].strip_prefix("listening on http://0.0.0.0:").unwrap();
    let operator = greeting[1].strip_prefix("operator").unwrap().trim().strip_suffix("/operator/").unwrap();
    assert!(operator.starts_with("http://127.0.0.1:"), "{greeting:?}");
    assert!(greeting[4].contains(&format!("curl -X PUT {operator}{SWITCH} ")), "{greeting:?}");

    let public = format!("http://127.0.0.1:{port}");
    for (method, path) in PATHS {
        let request = Client::default().request(method, format!("{public}{path}"));
        problem(&request.json_text(OFF).send().await.unwrap(), 404);
    }
    assert_eq!(Http::new(&public).get("/health").await["status"], "ok");

    // His own port has the page and the bookings too.
    let http = Http::new(operator);
    http.put(SWITCH, json!({"running": false})).await;
    assert_eq!(http.get(SWITCH).await, json!({"running": false}));
    let order = Http::new(&public).book("OS-101", 1, "pm_card_visa").await;
    assert_eq!(http.get(&format!("/bookings/{order}")).await["id"], order);
}

#[tokio::test]
async fn an_operators_port_that_is_taken_is_named() {
    let (taken, kept) = server();
    let mut command = bookings();
    command.args(["serve", "--host", "0.0.0.0", "--port", "0", "--operator-port", &taken.port().to_string()]);
    let output = command.arg("--data").arg(kept.path().join("other")).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("--operator-port 0"), "{error}");
}
