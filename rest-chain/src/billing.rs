//! The billing server: charges a card at the payment provider, and waits for its reply.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use group_commit::{Json, Statements};
use rusqlite::{Row, params};
use shared_http::{Problem, json};

use crate::call::stopped;
use crate::gateway::key_reused;
use crate::provider::{Provider, Reply};
use crate::server::parse;
use crate::store::Store;
use crate::switches::{Link, Switches};
use crate::unavailable;
use crate::wire::{Charge, Done};

pub(crate) struct BillingServer {
    pub(crate) store: Arc<Store>,
    pub(crate) provider: Arc<Provider>,
    pub(crate) switches: Arc<dyn Switches>,
}

impl BillingServer {
    pub(crate) fn router(self) -> Router {
        Router::new().route("/charges", post(charge)).with_state(Arc::new(self))
    }
}

/// **Crash contract:** the provider knows the booking as its idempotency key, so a repeat charges nothing. After a crash
/// between its reply and the record, the repeat records it.
async fn charge(
    State(server): State<Arc<BillingServer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if !server.switches.is_running(Link::Billing) {
        return Err(stopped("billing"));
    }
    let Charge { booking_id, amount, payment_method } = parse(&headers, body).await?;
    let database = &server.store.open().await.map_err(unavailable)?.database;
    let sql = "SELECT captured, amount FROM charges WHERE booking_id = ?1";
    let recorded = database.read(|connection| {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        connection.row(sql, [booking_id.as_bytes()], read)
    });
    if let Some((captured, Json(charged))) = recorded.await.map_err(unavailable)? {
        return if amount == charged { answer(captured) } else { Err(key_reused()) };
    }
    let captured = match server.provider.charge(booking_id, &amount, &payment_method).await {
        Reply::Captured => true,
        Reply::Declined => false,
        Reply::Otherwise => return Err(key_reused()),
        Reply::Unavailable => {
            let why = "the payment provider is unavailable; nothing was charged";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why));
        }
        Reply::Lost => return Err(unknown()),
    };
    let sql = "INSERT INTO charges (booking_id, captured, amount) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let recorded = database.write(move |connection| {
        connection.change(sql, params![booking_id.as_bytes(), captured, Json(&amount)])
    });
    // What was charged and could not be recorded is not answered as refused.
    recorded.await.map_err(|_| unknown())?;
    answer(captured)
}

fn answer(captured: bool) -> Result<Response, Problem> {
    match captured {
        true => Ok(json(StatusCode::OK, "application/json", &Done {})),
        false => Err(Problem::new(StatusCode::PAYMENT_REQUIRED, "the card was declined")),
    }
}

fn unknown() -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "whether the card was charged is not known")
}
