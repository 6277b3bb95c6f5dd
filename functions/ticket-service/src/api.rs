//! The flights API.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use messaging::clock::Clock;
use shared_http::{Problem, json};
use tracing::error;

use crate::store::TicketStore;

/// `/flights`: those that have not left.
pub fn router(store: Arc<dyn TicketStore>, clock: Arc<dyn Clock>) -> Router {
    Router::new().route("/flights", get(flights)).with_state((store, clock))
}

async fn flights(
    State((store, clock)): State<(Arc<dyn TicketStore>, Arc<dyn Clock>)>,
) -> Result<Response, Problem> {
    let mut offers = store.offers().await.map_err(|error| {
        error!(%error, "the flights cannot be reached");
        Problem::unavailable()
    })?;
    let now = clock.now();
    offers.retain(|offer| offer.flight.departs_at > now);
    Ok(json(StatusCode::OK, "application/json", &offers))
}
