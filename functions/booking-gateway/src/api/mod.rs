//! The bookings API, and the page that uses it.

mod booking;
mod pace;
mod page;
mod request;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use messaging::store::StoreError;
use protocol::event::TraceParent;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use shared_http::{Problem, json};
use tracing::error;

use crate::accept::{Acceptance, Acceptor};
use crate::gateway::Cancellation;
use crate::order::{Ignored, Order, Status};

pub use booking::Booking;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// `/bookings`, `/health` and the page.
pub fn router(acceptor: Acceptor) -> Router {
    Router::new()
        .route("/bookings", axum::routing::post(accept))
        .route("/bookings/{id}", get(show).delete(cancel))
        .route(
            "/health",
            get(|| async { json(StatusCode::OK, "application/json", &serde_json::json!({"status": "ok"})) }),
        )
        .with_state(Arc::new(acceptor))
        .merge(page::router())
}

async fn accept(
    State(acceptor): State<Arc<Acceptor>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = request::idempotency_key(&headers)?;
    let request = request::parse(&headers, body).await?;
    let trace = headers.get(TRACEPARENT).and_then(|value| TraceParent::parse(value.to_str().ok()?).ok());
    let accepted = acceptor.accept(request, key.as_ref(), trace).await.map_err(unavailable)?;
    let now = acceptor.gateway.clock.now();
    match accepted {
        Acceptance::Accepted(order) => {
            // Relative to /bookings: it resolves under any stage.
            let location = format!("bookings/{}", order.id);
            let mut response = show_order(StatusCode::ACCEPTED, &order, now);
            // The answer to a `POST` always has one, also where a repeated one finds the order settled.
            response
                .headers_mut()
                .entry(header::RETRY_AFTER)
                .or_insert(header::HeaderValue::from_static("1"));
            if let Ok(location) = location.parse() {
                response.headers_mut().insert(header::LOCATION, location);
            }
            Ok(response)
        }
        Acceptance::KeyReused => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "this Idempotency-Key was used for another booking: send the same body again, or a new key",
        )),
    }
}

async fn show(
    State(acceptor): State<Arc<Acceptor>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let order = acceptor.gateway.orders.get(parse_id(id)?).await.map_err(unavailable)?.ok_or_else(unknown)?;
    let now = acceptor.gateway.clock.now();
    if request::if_none_match(&headers, &etag(&order)) {
        let no_cache = [(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"))];
        return Ok((StatusCode::NOT_MODIFIED, no_cache, headers_of(&order, now)).into_response());
    }
    Ok(show_order(StatusCode::OK, &order, now))
}

async fn cancel(
    State(acceptor): State<Arc<Acceptor>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    match acceptor.gateway.cancel(parse_id(id)?).await.map_err(unavailable)? {
        Cancellation::Cancelling(order) => {
            Ok(show_order(StatusCode::ACCEPTED, &order, acceptor.gateway.clock.now()))
        }
        Cancellation::Refused(order, why) => Err(Problem::new(StatusCode::CONFLICT, refusal(&order, why))),
        Cancellation::Unknown => Err(unknown()),
    }
}

fn refusal(order: &Order, why: Ignored) -> &'static str {
    match (why, order.state.status()) {
        (Ignored::Departed, _) => "the flight has departed, so the booking can no longer be cancelled",
        (Ignored::Ended | Ignored::Superseded, Status::Rejected) => {
            "the booking was rejected: no seats are held and nothing was charged, so there is nothing to cancel"
        }
        (Ignored::Ended | Ignored::Superseded, Status::PaymentDeclined) => {
            "the payment was declined: nothing was charged and the seats are released, so there is nothing to cancel"
        }
        (
            Ignored::Ended | Ignored::Superseded,
            Status::Pending
            | Status::TicketsReserved
            | Status::Confirmed
            | Status::Cancelling
            | Status::Cancelled,
        ) => "the booking cannot be cancelled as it stands: ask for it again",
    }
}

fn show_order(status: StatusCode, order: &Order, now: Timestamp) -> Response {
    let mut response = json(status, "application/json", &Booking::of(order));
    response.headers_mut().extend(headers_of(order, now));
    response
}

/// Which version of the booking this is, and while it is not settled, when to ask again.
fn headers_of(order: &Order, now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(etag) = etag(order).parse() {
        headers.insert(header::ETAG, etag);
    }
    headers.extend(pace::retry_after(order, now).map(|seconds| (header::RETRY_AFTER, seconds.into())));
    headers
}

/// What is shown depends on the order alone, and that on its version.
fn etag(order: &Order) -> String {
    format!("\"{}\"", order.version)
}

/// An invalid id, or one that is not text, is answered 404.
fn parse_id(id: Result<Path<String>, PathRejection>) -> Result<OrderId, Problem> {
    id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such booking")
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unavailable(error: StoreError) -> Problem {
    error!(%error, "the orders cannot be reached");
    Problem::unavailable()
}
