//! Calls from one server to another: connections that are kept, and a time after which a reply is no longer awaited.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use protocol::ids::OrderId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared_http::Problem;
use tracing::warn;

/// How long a reply is awaited.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The largest reply that is read, in bytes: a full page of payments has a tenth of that.
const LARGEST: usize = 2 << 20;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Connections to all servers of the chain, kept for the next call.
#[derive(Clone)]
pub(crate) struct Caller(Client<HttpConnector, Body>);

/// Why a call has no good reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused it before doing anything, or takes no calls.
    Refused,
    /// There is no reply, so what was done is not known.
    Unknown,
    /// The server answered that this cannot be done.
    Answered(StatusCode, Bytes),
}

impl Caller {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Posts `body` and waits for the reply. The booking is the idempotency key.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        server: SocketAddr,
        path: &str,
        booking: OrderId,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let unknown = |error: &dyn std::fmt::Display| {
            warn!(booking_id = %booking, "booking {booking}: {path} has no usable reply: {error}");
            Failure::Unknown
        };
        let body = serde_json::to_vec(body).map_err(|error| unknown(&error))?;
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(booking.to_string().parse().ok().map(|key: HeaderValue| (IDEMPOTENCY_KEY, key)));
        let exchanged = self.exchange(server, Method::POST, path, headers, body.into(), PATIENCE).await?;
        let (head, body) = exchanged.into_parts();
        match head.status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(|error| unknown(&error)),
            StatusCode::SERVICE_UNAVAILABLE => Err(Failure::Refused),
            StatusCode::GATEWAY_TIMEOUT => Err(Failure::Unknown),
            status => Err(Failure::Answered(status, body)),
        }
    }

    /// Sends a request and reads the whole reply.
    pub(crate) async fn exchange(
        &self,
        server: SocketAddr,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
        patience: Duration,
    ) -> Result<Response<Bytes>, Failure> {
        let request = Request::builder().method(method).uri(format!("http://{server}{path}"));
        let Ok(mut request) = request.body(Body::from(body)) else { return Err(Failure::Refused) };
        *request.headers_mut() = headers;
        let exchange = async {
            let (head, body) = match self.0.request(request).await {
                Ok(response) => response.into_parts(),
                // Nothing was sent.
                Err(error) if error.is_connect() => return Err(Failure::Refused),
                Err(_) => return Err(Failure::Unknown),
            };
            let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Failure::Unknown)?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(patience, exchange).await.unwrap_or(Err(Failure::Unknown))
    }
}

/// `503`, at once: that server is stopped.
pub(crate) fn stopped(what: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("the {what} server is stopped"))
}
