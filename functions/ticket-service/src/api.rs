//! The flights API.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use shared_http::{Problem, json};
use tracing::error;

use crate::store::TicketStore;

/// `/flights`.
pub fn router(store: Arc<dyn TicketStore>) -> Router {
    Router::new().route("/flights", get(flights)).with_state(store)
}

async fn flights(State(store): State<Arc<dyn TicketStore>>) -> Result<Response, Problem> {
    let offers = store.offers().await.map_err(|error| {
        error!(%error, "the flights cannot be reached");
        Problem::unavailable()
    })?;
    Ok(json(StatusCode::OK, "application/json", &offers))
}
