//! The REST chain in the server: under the operator's guard, broken by his switches, and durable.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use client::{Bookings, ClientError, Response, ServerProcess};
use serde_json::{Value, json};
use support::{Http, booking, bookings, serve};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinSet;

const PATH: &str = "/rest-chain/bookings";
const PAYMENTS: &str = "/rest-chain/payments";

fn server() -> (ServerProcess, Bookings, TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let server = serve(&kept.path().join("data"), None);
    let client = Bookings::at(server.url()).unwrap();
    (server, client, kept)
}

async fn post(client: &Bookings, booking: &Value) -> Response {
    client.request("POST", PATH).json(booking).send().await.unwrap()
}

fn problem(answer: &Response, status: u16) {
    assert_eq!(answer.status, status, "{answer}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{answer}");
}

#[tokio::test]
async fn it_sells_the_same_flights_with_seats_of_its_own_and_has_its_own_ledger() {
    let (_server, client, _kept) = server();
    let http = Http(client.clone());
    // It has three seats.
    let answer = post(&client, &booking("OS-512", 3, "pm_card_visa")).await.success().unwrap();
    assert_eq!(answer["status"], "confirmed");
    assert_eq!(answer["amount"], json!({"value": 73_500, "currency": "EUR"}));
    problem(&post(&client, &booking("OS-512", 1, "pm_card_visa")).await, 409);
    let charge = json!({"booking_id": answer["id"], "captured": 73_500, "refunded": 0, "currency": "EUR"});
    assert_eq!(http.get(PAYMENTS).await, json!({"items": [charge], "next": null}));

    let order = http.book("OS-512", 3, "pm_card_visa").await;
    assert_eq!(http.settled(&order).await["status"], "confirmed");
    assert_eq!(http.get(PAYMENTS).await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_switch_breaks_both_systems() {
    let (_server, client, _kept) = server();
    let http = Http(client.clone());
    let wanted = booking("OS-101", 1, "pm_card_visa");
    for service in ["ticket-service", "billing-service", "email-service"] {
        let path = format!("/operator/services/{service}");
        http.put(&path, json!({"running": false})).await;
        problem(&post(&client, &wanted).await, 503);
        http.put(&path, json!({"running": true})).await;
        assert_eq!(post(&client, &wanted).await.status, 200, "{service}");
    }
    for (mode, status) in [("unavailable", 503), ("timeout", 504), ("up", 200)] {
        http.put("/operator/payment-provider", json!({"mode": mode})).await;
        assert_eq!(post(&client, &wanted).await.status, status, "{mode}");
    }
    // The mail's, the lost reply's: two charges without a ticket, beside four with one.
    let charges = http.get(PAYMENTS).await["items"].as_array().unwrap().len();
    assert_eq!(charges, 6);
}

#[tokio::test]
async fn attack_it_is_for_this_machine_and_for_no_page_of_another_site() {
    let (_server, client, _kept) = server();
    let wanted = booking("OS-101", 1, "pm_card_visa");
    for (name, value) in [
        ("Host", "evil.example"),
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("X-Forwarded-For", "203.0.113.7"),
    ] {
        let refused = client.request("POST", PATH).header(name, value).json(&wanted).send().await.unwrap();
        problem(&refused, 403);
        problem(&client.request("GET", PAYMENTS).header(name, value).send().await.unwrap(), 403);
    }
    let form = client.request("POST", PATH).header("Content-Type", "text/plain").body(wanted.to_string());
    problem(&form.send().await.unwrap(), 415);
    problem(&client.request("DELETE", PATH).send().await.unwrap(), 405);
    assert_eq!(client.get(PAYMENTS).await.unwrap()["items"], json!([]));
}

/// The other ports that a process listens on.
#[cfg(target_os = "linux")]
fn ports_beside(server: &ServerProcess) -> Vec<u16> {
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
    let sockets: Vec<String> = files
        .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let listening = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        // Local address, state (0A: it listens), inode.
        let (local, state, inode) = (fields[1], fields[3], fields[9]);
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        (state == "0A" && sockets.iter().any(|socket| socket == inode) && port != server.port())
            .then_some(port)
    };
    std::fs::read_to_string("/proc/net/tcp").unwrap().lines().skip(1).filter_map(listening).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn attack_a_name_that_a_stranger_points_at_the_chains_own_ports_does_nothing() {
    let (server, client, _kept) = server();
    let ports = ports_beside(&server);
    assert_eq!(ports.len(), 4, "{ports:?}");
    let paths = ["/bookings", "/payments", "/reservations", "/releases", "/charges", "/mails"];
    for port in ports {
        let inner = Bookings::at(&format!("http://127.0.0.1:{port}")).unwrap();
        for path in paths {
            for host in
                ["evil.example".to_owned(), format!("evil.example:{port}"), format!("localhost:{port}")]
            {
                let post = inner.request("POST", path).header("Host", &host);
                problem(&post.json(&booking("OS-101", 1, "pm_card_visa")).send().await.unwrap(), 403);
                problem(&inner.request("GET", path).header("Host", &host).send().await.unwrap(), 403);
            }
            // What a form can send.
            let form = inner.request("POST", path).header("Content-Type", "text/plain").body("{}");
            let refused = form.send().await.unwrap();
            assert!([404, 405, 415].contains(&refused.status), "{refused}");
        }
    }
    assert_eq!(client.get(PAYMENTS).await.unwrap()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_finishes_the_bookings_in_progress() {
    let (server, client, _kept) = server();
    Http(client.clone()).put("/operator/payment-provider", json!({"mode": "slow"})).await;
    let booking = tokio::spawn({
        let client = client.clone();
        async move { post(&client, &booking("OS-101", 1, "pm_card_visa")).await }
    });
    Http(client).until(PAYMENTS, |page| page["items"] != json!([])).await;
    let stopped = tokio::task::spawn_blocking(|| server.terminate().unwrap());
    assert_eq!(booking.await.unwrap().status, 200);
    assert!(stopped.await.unwrap().success());
}

/// A server with further arguments.
fn serve_with(data: &Path, arguments: &[&str]) -> ServerProcess {
    let mut command = bookings();
    command.args(["serve", "--port", "0", "--data"]).arg(data).args(arguments).env("RUST_LOG", "error");
    ServerProcess::start(command).unwrap()
}

#[tokio::test]
async fn switched_off_it_is_not_there() {
    let kept = tempfile::tempdir().unwrap();
    let server = serve_with(kept.path(), &["--no-rest-chain"]);
    let client = Bookings::at(server.url()).unwrap();
    problem(&post(&client, &booking("OS-101", 1, "pm_card_visa")).await, 404);
    problem(&client.request("GET", PAYMENTS).send().await.unwrap(), 404);
}

#[tokio::test]
async fn attack_the_public_port_has_no_rest_chain() {
    let kept = tempfile::tempdir().unwrap();
    let server = serve_with(kept.path(), &["--host", "0.0.0.0", "--operator-port", "0"]);
    let client = Bookings::at(&format!("http://127.0.0.1:{}", server.port())).unwrap();
    problem(&post(&client, &booking("OS-101", 1, "pm_card_visa")).await, 404);
}

#[tokio::test]
async fn a_server_whose_chain_is_not_used_has_no_file_of_it_and_one_that_has_keeps_it_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let (server, client, kept) = server();
    let file = kept.path().join("data/rest-chain.sqlite");
    assert!(!file.exists());
    assert_eq!(post(&client, &booking("OS-101", 1, "pm_card_visa")).await.status, 200);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(server.terminate().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_customers_name_address_or_payment_token_is_in_its_file() {
    let (server, client, kept) = server();
    assert_eq!(post(&client, &booking("OS-101", 1, "pm_card_visa")).await.status, 200);
    problem(&post(&client, &booking("OS-101", 1, "pm_card_chargeDeclined")).await, 402);
    assert!(server.terminate().unwrap().success());
    let file = std::fs::read(kept.path().join("data/rest-chain.sqlite")).unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(text.contains("OS-101"), "the file is read as it is");
    for secret in ["Ada", "Byron", "ada@", "pm_card"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

const ROUNDS: usize = 3;
const CUSTOMERS: usize = 120;
const CLIENTS: usize = 8;

fn key(number: usize) -> String {
    format!("customer-{number}")
}

fn wanted(number: usize) -> Value {
    booking("OS-900", 1, if number % 10 == 3 { "pm_card_chargeDeclined" } else { "pm_card_visa" })
}

/// Books under the customer's key; answers the id of a confirmed booking.
async fn buy(client: &Bookings, number: usize) -> Result<Option<String>, ClientError> {
    let request = client.request("POST", PATH).header("Idempotency-Key", key(number)).json(&wanted(number));
    let answer = request.send().await?;
    match answer.status {
        200 => Ok(Some(answer.success()?["id"].as_str().unwrap().to_owned())),
        402 => Ok(None),
        _ => panic!("{answer}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_no_confirmed_booking_and_a_repeat_charges_no_customer_twice() {
    let kept = tempfile::tempdir().unwrap();
    let data = kept.path().join("data");
    let mut confirmed: HashMap<usize, String> = HashMap::new();
    for round in 0..ROUNDS {
        let mut server = serve(&data, None);
        let client = Bookings::at(server.url()).unwrap();
        let (next, done, ring) = (Arc::default(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (client, next, done, ring): (_, Arc<AtomicUsize>, _, _) =
                (client.clone(), Arc::clone(&next), done.clone(), ring.clone());
            clients.spawn(async move {
                let mut heard = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= CUSTOMERS {
                        return heard;
                    }
                    if let Ok(Some(id)) = buy(&client, number).await {
                        heard.push((number, id));
                        if done.fetch_add(1, Ordering::SeqCst) + 1 == 10 * (round + 1) {
                            ring.notify_one();
                        }
                    }
                }
            });
        }
        ring.notified().await;
        server.kill();
        for (number, id) in clients.join_all().await.into_iter().flatten() {
            assert_eq!(*confirmed.entry(number).or_insert(id.clone()), id, "customer {number}");
        }
    }
    let killed_midway = CUSTOMERS - confirmed.len();
    assert!(killed_midway > CUSTOMERS / 10, "some were cut off: {killed_midway}");

    let server = serve(&data, None);
    let client = Bookings::at(server.url()).unwrap();
    for number in 0..CUSTOMERS {
        let id = buy(&client, number).await.unwrap();
        assert_eq!(id.is_none(), number % 10 == 3);
        if let Some(before) = confirmed.get(&number) {
            assert_eq!(id.as_ref(), Some(before), "customer {number}");
        }
    }
    let page = client.get("/rest-chain/payments?limit=1000").await.unwrap();
    let captured = page["items"].as_array().unwrap().iter().map(|item| item["captured"].as_u64().unwrap());
    let captured: Vec<_> = captured.filter(|captured| *captured > 0).collect();
    assert_eq!(captured, vec![64_900; CUSTOMERS * 9 / 10]);
    // 260 seats, one for each customer who pays: the rest is free, and no more.
    let left = 260 - captured.len();
    for seats in std::iter::repeat_n(9, left / 9).chain((left % 9 > 0).then_some(left % 9)) {
        let answer = post(&client, &booking("OS-900", seats as u64, "pm_card_visa")).await;
        assert_eq!(answer.status, 200, "{answer}");
    }
    problem(&post(&client, &booking("OS-900", 1, "pm_card_visa")).await, 409);
}
