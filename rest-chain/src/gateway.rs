//! The gateway: calls tickets and waits, calls billing and waits, calls email and waits, then answers.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use booking_gateway::api::request;
use booking_gateway::idempotency::{IdempotencyKey, RequestDigest};
use booking_gateway::order::Request;
use group_commit::{Json, Statements, lock};
use messaging::entropy::Entropy;
use protocol::ids::OrderId;
use protocol::money::Money;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use shared_http::{FieldError, Problem, json};
use tracing::warn;

use crate::call::{Caller, Failure};
use crate::provider::Provider;
use crate::store::{Opened, Store};
use crate::unavailable;
use crate::wire::{Charge, Done, Mail, Release, Reserve, Reserved};

pub(crate) struct Gateway {
    pub(crate) store: Arc<Store>,
    pub(crate) caller: Caller,
    pub(crate) tickets: SocketAddr,
    pub(crate) billing: SocketAddr,
    pub(crate) email: SocketAddr,
    /// Only its ledger is shown here.
    pub(crate) provider: Arc<Provider>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// The bookings under an idempotency key that are being made.
    pub(crate) in_progress: Mutex<HashSet<OrderId>>,
}

impl Gateway {
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/bookings", post(accept))
            .route("/payments", get(payments))
            .with_state(Arc::new(self))
    }
}

/// `200`: all is done.
#[derive(Serialize)]
struct Confirmed<'a> {
    id: OrderId,
    status: &'static str,
    amount: &'a Money,
}

fn confirmed(id: OrderId, amount: &Money) -> Response {
    let body = Confirmed { id, status: "confirmed", amount };
    let mut response = json(StatusCode::OK, "application/json", &body);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

async fn accept(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = request::idempotency_key(&headers)?;
    let request = request::parse(&headers, body).await?;
    // A customer who goes away does not stop it midway.
    let booking = tokio::spawn(async move { gateway.book(request, key).await });
    booking
        .await
        .unwrap_or_else(|_| Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here")))
}

impl Gateway {
    /// The whole purchase.
    ///
    /// **Crash contract:** `200` is answered after the booking is on disk with its seats, its charge and its mail. A process
    /// that dies before that leaves what the calls so far have done: seats that are held, perhaps a charge. A repeat under the
    /// same idempotency key finds them and goes on; without one they stay.
    async fn book(&self, request: Request, key: Option<IdempotencyKey>) -> Result<Response, Problem> {
        let opened = self.store.open().await.map_err(unavailable)?;
        let id = match &key {
            Some(key) => {
                OrderId::from_bytes(opened.secret.tag(&[b"rest-chain/1\0", key.as_str().as_bytes()]))
            }
            None => self.entropy.order_id(),
        };
        // An id from a key alone can be in progress, or done, before.
        let _turn = key.as_ref().map(|_| self.enter(id)).transpose()?;
        let digest = key.map(|_| RequestDigest::of(id, &request, &opened.secret));
        if let Some(digest) = &digest
            && let Some(amount) = made_before(opened, id, digest).await?
        {
            return Ok(confirmed(id, &amount));
        }
        let Reserved { amount, departs_at } = self.reserve(id, &request).await?;
        self.charge(id, &request, &amount).await?;
        let mail = Mail {
            booking_id: id,
            passenger: request.passenger,
            flight_id: request.flight_id,
            seats: request.seats,
            amount: amount.clone(),
            departs_at,
        };
        self.mail(mail).await?;
        let recorded = amount.clone();
        let write = opened.database.write(move |connection| {
            let sql = "INSERT INTO bookings (id, amount, digest) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            let digest = digest.as_ref().map(RequestDigest::as_bytes);
            connection.change(sql, params![id.as_bytes(), Json(&recorded), digest])
        });
        write.await.map_err(unavailable)?;
        Ok(confirmed(id, &amount))
    }

    async fn reserve(&self, id: OrderId, request: &Request) -> Result<Reserved, Problem> {
        let body = Reserve {
            booking_id: id,
            flight_id: request.flight_id.clone(),
            seats: request.seats,
            expected_amount: request.expected_amount.clone(),
        };
        let reserved = self.caller.post(self.tickets, "/reservations", id, &body).await;
        reserved.map_err(|failure| match failure {
            Failure::Refused => {
                no_service("tickets cannot be had just now: nothing is held, and nothing was charged")
            }
            Failure::Unknown => no_reply("tickets did not answer: seats may be held, nothing was charged"),
            Failure::Answered(status, body) => passed_on(status, &body),
        })
    }

    async fn charge(&self, id: OrderId, request: &Request, amount: &Money) -> Result<(), Problem> {
        let body =
            Charge { booking_id: id, amount: amount.clone(), payment_method: request.payment_method.clone() };
        let problem = match self.caller.post(self.billing, "/charges", id, &body).await {
            Ok(Done {}) => return Ok(()),
            // It may have been charged, so the seats stay.
            Err(Failure::Unknown) => {
                return Err(no_reply(
                    "billing did not answer: whether the card was charged is not known, and the seats are held",
                ));
            }
            Err(Failure::Refused) => {
                no_service("nothing can be paid just now: nothing was charged, and the seats are released")
            }
            Err(Failure::Answered(status, body)) => passed_on(status, &body),
        };
        let released = self.caller.post(self.tickets, "/releases", id, &Release { booking_id: id }).await;
        if !matches!(released, Ok(Done {})) {
            warn!(booking_id = %id, "booking {id}: its seats could not be released");
        }
        Err(problem)
    }

    async fn mail(&self, mail: Mail) -> Result<(), Problem> {
        match self.caller.post(self.email, "/mails", mail.booking_id, &mail).await {
            Ok(Done {}) => Ok(()),
            Err(Failure::Refused) => Err(no_service(
                "the mail cannot be sent just now: the card was charged, and the seats are held",
            )),
            Err(Failure::Unknown) => {
                Err(no_reply("email did not answer: the card was charged, and the seats are held"))
            }
            Err(Failure::Answered(status, body)) => Err(passed_on(status, &body)),
        }
    }

    /// Makes the booking the only one under its key for as long as the answer lives.
    fn enter(&self, id: OrderId) -> Result<Turn<'_>, Problem> {
        if lock(&self.in_progress).insert(id) {
            return Ok(Turn { gateway: self, id });
        }
        let why = "a booking under this Idempotency-Key is being made: send it again once that is answered";
        Err(Problem::new(StatusCode::CONFLICT, why))
    }
}

/// A booking under an idempotency key that is being made.
struct Turn<'a> {
    gateway: &'a Gateway,
    id: OrderId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.gateway.in_progress).remove(&self.id);
    }
}

/// The amount of a booking that was confirmed before under the same key.
async fn made_before(opened: &Opened, id: OrderId, digest: &RequestDigest) -> Result<Option<Money>, Problem> {
    let sql = "SELECT amount, digest FROM bookings WHERE id = ?1";
    let found = opened.database.read(|connection| {
        connection.row(sql, [id.as_bytes()], |row| {
            Ok((row.get::<_, Json<Money>>(0)?, row.get::<_, Option<[u8; 16]>>(1)?))
        })
    });
    match found.await.map_err(unavailable)? {
        None => Ok(None),
        Some((Json(amount), Some(known))) if known == *digest.as_bytes() => Ok(Some(amount)),
        Some(_) => Err(key_reused()),
    }
}

/// `422`.
pub(crate) fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "this Idempotency-Key was used for another booking: send the same body again, or a new key",
    )
}

fn no_service(why: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)
}

fn no_reply(why: &str) -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, why)
}

/// Another server's problem, in its words.
fn passed_on(status: StatusCode, body: &Bytes) -> Problem {
    #[derive(Deserialize)]
    struct Detail {
        detail: String,
    }
    match (status.as_u16(), serde_json::from_slice(body)) {
        (402 | 404 | 409 | 422, Ok(Detail { detail })) => Problem::new(status, detail),
        _ => {
            warn!("a server of the REST chain answered {status}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here")
        }
    }
}

#[derive(Deserialize)]
struct Page {
    limit: Option<String>,
    after: Option<String>,
}

/// The provider's ledger, newest first.
async fn payments(
    State(gateway): State<Arc<Gateway>>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let bad = |field: &str, message: &str| {
        Problem::fields(vec![FieldError { field: field.to_owned(), message: message.to_owned() }])
    };
    let Query(Page { limit, after }) = page.map_err(|_| bad("limit", "must be given once"))?;
    let limit = match limit.as_deref().map(str::parse) {
        None => 100,
        Some(Ok(limit @ 1..=1_000)) => limit,
        Some(_) => return Err(bad("limit", "must be a whole number from 1 to 1000")),
    };
    let below = match after.as_deref().map(str::parse) {
        None => i64::MAX,
        Some(Ok(below)) => below,
        Some(Err(_)) => return Err(bad("after", "must be the next of a page")),
    };
    let page = gateway.provider.payments(below, limit).await.map_err(unavailable)?;
    Ok(json(StatusCode::OK, "application/json", &page).into_response())
}
