//! What the tests of the binary and of the ground share.
#![allow(dead_code, clippy::unwrap_used, clippy::allow_attributes, reason = "each test file uses its part")]

pub(crate) mod smtp_server;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::{Method, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The real binary, serving.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
}

impl Process {
    pub(crate) fn serve(data: &Path, flights: Option<&Path>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
        command.args(["serve", "--port", "0", "--data"]).arg(data).env("RUST_LOG", "error");
        if let Some(flights) = flights {
            command.arg("--flights").arg(flights);
        }
        Self::start(command)
    }

    /// One with its own arguments and environment.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it said {line:?}"));
        Self { child, url: url.to_owned() }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; answers how it ended.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of one server. Every call answers the status and the body, or nothing if the server
/// did not.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Http {
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Option<(u16, Value)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let exchange = async {
            let response = self.client.request(request.body(body.to_string().into()).unwrap()).await.ok()?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.ok()?.to_bytes();
            Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
        };
        tokio::time::timeout(Duration::from_secs(20), exchange).await.ok()?
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None, &Value::Null).await.unwrap().1
    }

    pub(crate) async fn put(&self, path: &str, body: Value) {
        assert_eq!(self.ask(Method::PUT, path, None, &body).await.unwrap().0, 200);
    }

    pub(crate) async fn book(&self, flight: &str, seats: u64, method: &str) -> Value {
        let (status, body) =
            self.ask(Method::POST, "/bookings", None, &booking(flight, seats, method)).await.unwrap();
        assert_eq!(status, 202, "{body}");
        body
    }

    pub(crate) async fn cancel(&self, id: &str) -> (u16, Value) {
        self.ask(Method::DELETE, &format!("/bookings/{id}"), None, &Value::Null).await.unwrap()
    }

    pub(crate) async fn booking(&self, id: &str) -> Value {
        self.get(&format!("/bookings/{id}")).await
    }

    /// The booking once it is settled: by its messages, well before the reconciler would look at it.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        let started = Instant::now();
        loop {
            let booking = self.booking(id).await;
            if booking["settled"] == true {
                return booking;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "it does not settle: {booking}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until no topic has a message.
    pub(crate) async fn at_rest(&self) {
        let started = Instant::now();
        loop {
            let topics = self.get("/local/topics").await;
            let busy = topics
                .as_object()
                .unwrap()
                .values()
                .any(|topic| ["waiting", "in_flight", "delayed"].iter().any(|state| topic[state] != 0));
            if !busy {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "it does not come to rest: {topics}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn booking(flight: &str, seats: u64, method: &str) -> Value {
    json!({
        "flight_id": flight, "seats": seats, "payment_method": method,
        "passenger": {"name": "Ada Byron", "email": "ada@example.com"},
    })
}
