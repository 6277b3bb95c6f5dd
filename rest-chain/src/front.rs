//! What the host serves: its requests are forwarded to the chain's gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use shared_http::Problem;
use tokio::sync::Semaphore;

use crate::call::{Caller, Failure, IDEMPOTENCY_KEY};

/// The most bookings that are made at the same time. Each holds up to four connections, and their descriptors are the
/// host's.
const BOOKINGS: usize = 128;

/// How long the gateway's answer is awaited: each of its calls may take 5 s.
const PATIENCE: Duration = Duration::from_secs(25);

/// How long a booking waits for its turn.
const TURN: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Front {
    gateway: SocketAddr,
    caller: Caller,
    turns: Arc<Semaphore>,
}

/// `POST /rest-chain/bookings` and `GET /rest-chain/payments`. For the operator alone: put a guard before it.
pub(crate) fn router(gateway: SocketAddr, caller: Caller) -> Router {
    let front = Front { gateway, caller, turns: Arc::new(Semaphore::new(BOOKINGS)) };
    Router::new()
        .route("/rest-chain/bookings", post(book))
        .route("/rest-chain/payments", get(payments))
        .method_not_allowed_fallback(shared_http::method_not_allowed)
        .with_state(front)
}

async fn book(State(front): State<Front>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let body = shared_http::read(body).await?;
    let Ok(Ok(_turn)) = tokio::time::timeout(TURN, front.turns.acquire()).await else {
        let why = "too many bookings are being made; nothing was held or charged";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why));
    };
    let passed: HeaderMap = headers
        .into_iter()
        // Only the first of several values has its name.
        .scan(None, |last: &mut Option<HeaderName>, (name, value)| {
            *last = name.or_else(|| last.clone());
            Some((last.clone()?, value))
        })
        .filter(|(name, _)| [header::CONTENT_TYPE, IDEMPOTENCY_KEY].contains(name))
        .collect();
    front.forward(Method::POST, "/bookings", passed, body).await
}

async fn payments(State(front): State<Front>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let path = format!("/payments?{}", query.unwrap_or_default());
    front.forward(Method::GET, &path, HeaderMap::new(), Bytes::new()).await
}

impl Front {
    async fn forward(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, Problem> {
        let exchanged = self.caller.exchange(self.gateway, method, path, headers, body, PATIENCE).await;
        match exchanged {
            Ok(answer) => {
                let (mut head, body) = answer.into_parts();
                // The connection's own.
                for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::DATE] {
                    head.headers.remove(name);
                }
                Ok((head.status, head.headers, body).into_response())
            }
            Err(Failure::Refused | Failure::Answered(..)) => {
                Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the REST chain takes no requests"))
            }
            Err(Failure::Unknown) => Err(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the REST chain did not answer: what was held or charged is not known",
            )),
        }
    }
}
