//! The email server. Mail is simulated: it records which bookings were mailed, and no text.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use group_commit::Statements;
use shared_http::{Problem, json};

use crate::call::stopped;
use crate::server::parse;
use crate::store::Store;
use crate::switches::{Link, Switches};
use crate::unavailable;
use crate::wire::{Done, Mail};

pub(crate) struct EmailServer {
    pub(crate) store: Arc<Store>,
    pub(crate) switches: Arc<dyn Switches>,
}

impl EmailServer {
    pub(crate) fn router(self) -> Router {
        Router::new().route("/mails", post(send)).with_state(Arc::new(self))
    }
}

async fn send(
    State(server): State<Arc<EmailServer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if !server.switches.is_running(Link::Email) {
        return Err(stopped("email"));
    }
    let mail: Mail = parse(&headers, body).await?;
    let database = &server.store.open().await.map_err(unavailable)?.database;
    let sql = "INSERT INTO mails (booking_id) VALUES (?1) ON CONFLICT DO NOTHING";
    let sent = database.write(move |connection| connection.change(sql, [mail.booking_id.as_bytes()]));
    sent.await.map_err(unavailable)?;
    Ok(json(StatusCode::OK, "application/json", &Done {}))
}
