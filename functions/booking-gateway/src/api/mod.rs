//! The bookings API, and the page that uses it.

mod access;
mod booking;
mod pace;
pub mod page;
pub mod request;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use messaging::store::StoreError;
use protocol::event::TraceParent;
use protocol::ids::OrderId;
use protocol::manage::ManageToken;
use protocol::time::Timestamp;
use serde::Serialize;
use shared_http::assets::if_none_match;
use shared_http::{Problem, json};
use tracing::error;

use self::access::{Access, access, token_needed};
use self::booking::Booking;
use crate::accept::{Acceptance, Acceptor};
use crate::gateway::Cancellation;
use crate::limits::Client;
use crate::order::{Ignored, Order, Status};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// `/bookings`, `/health` and the page. A request whose client is to be limited has its [`Client`] as an extension.
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

/// An order as `GET` shows it, without its passenger: for an operator.
pub fn without_passenger(order: &Order) -> impl Serialize {
    Booking::without_passenger(order)
}

async fn accept(
    State(acceptor): State<Arc<Acceptor>>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = request::idempotency_key(&headers)?;
    let request = request::parse(&headers, body).await?;
    let trace = headers.get(TRACEPARENT).and_then(|value| TraceParent::parse(value.to_str().ok()?).ok());
    let client = client.map(|Extension(client)| client);
    let accepted = acceptor.accept(request, key.as_ref(), trace, client).await.map_err(unavailable)?;
    let now = acceptor.gateway.clock.now();
    match accepted {
        Acceptance::Accepted(order) => {
            // Relative to /bookings: it resolves under any stage.
            let location = format!("bookings/{}", order.id);
            // Who knows the key and the body may manage the booking, however old it is.
            let view = View { order: &order, access: Access::Managed, now };
            let mut response = view.answer(StatusCode::ACCEPTED, Some(acceptor.manage.token(order.id)));
            // The answer to a `POST` always has one, also where a repeated one finds the order settled.
            response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
            if let Ok(location) = location.parse() {
                response.headers_mut().insert(header::LOCATION, location);
            }
            Ok(response)
        }
        Acceptance::Limited(wait) => Err(Problem::too_many(
            wait,
            "too many bookings were made from your address in the last minute; one that was accepted is not affected",
        )),
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
    let order = find(&acceptor, id).await?;
    let now = acceptor.gateway.clock.now();
    let access = access(&headers, &order, &acceptor.manage, now)?;
    let view = View { order: &order, access, now };
    if if_none_match(&headers, &view.etag()) {
        return Ok((StatusCode::NOT_MODIFIED, view.headers()).into_response());
    }
    Ok(view.answer(StatusCode::OK, None))
}

async fn cancel(
    State(acceptor): State<Arc<Acceptor>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let order = find(&acceptor, id).await?;
    let now = acceptor.gateway.clock.now();
    match access(&headers, &order, &acceptor.manage, now)? {
        Access::Managed => {}
        Access::Public => return Err(token_needed()),
    }
    match acceptor.gateway.cancel(order.id, Some(order)).await.map_err(unavailable)? {
        Cancellation::Cancelling(order) => {
            Ok(View { order: &order, access: Access::Managed, now }.answer(StatusCode::ACCEPTED, None))
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

/// A booking as one caller sees it at one moment.
struct View<'a> {
    order: &'a Order,
    access: Access,
    now: Timestamp,
}

impl View<'_> {
    fn answer(&self, status: StatusCode, token: Option<ManageToken>) -> Response {
        let booking = Booking::of(self.order, self.access, token);
        let mut response = json(status, "application/json", &booking);
        response.headers_mut().extend(self.headers());
        response
    }

    /// Which version and view this is, and while the order is not settled, when to ask again. No cache keeps it: there
    /// is a name in it, and what the next caller may see is another question.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
        headers.extend(self.etag().parse().ok().map(|etag: HeaderValue| (header::ETAG, etag)));
        let again = pace::retry_after(self.order, self.now);
        headers.extend(again.map(|seconds| (header::RETRY_AFTER, seconds.into())));
        headers
    }

    /// What is shown depends on the order, and that on its version, and on what the caller may see.
    fn etag(&self) -> String {
        let view = match self.access {
            Access::Managed => "managed",
            Access::Public => "public",
        };
        format!("\"{}-{view}\"", self.order.version)
    }
}

async fn find(acceptor: &Acceptor, id: Result<Path<String>, PathRejection>) -> Result<Order, Problem> {
    acceptor.gateway.orders.get(parse_id(id)?).await.map_err(unavailable)?.ok_or_else(unknown)
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
