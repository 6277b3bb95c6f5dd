//! `/local/*`: what exists on this ground alone. Stops services, breaks the payment provider, and
//! shows the topics, the mails and the provider's ledger.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post, put};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::http::{Problem, json};
use shared::store::StoreError;
use shared::topic::Topic;
use tokio::sync::watch;
use tracing::warn;

use crate::dead_letters;
use crate::sqlite::ledger::{Mode, SimulatedProvider};
use crate::sqlite::mailbox::Mailbox;
use crate::sqlite::topics::SqliteTopics;
use crate::workers::Running;

/// What `/local/*` acts on.
pub struct Control {
    /// The switch of each consumer, by its service's name.
    pub services: HashMap<&'static str, watch::Sender<Running>>,
    /// The payment provider, if it is the simulated one.
    pub simulated: Option<Arc<SimulatedProvider>>,
    /// The topics.
    pub topics: SqliteTopics,
    /// The mails sent.
    pub mailbox: Arc<Mailbox>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ServiceState {
    running: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ProviderState {
    mode: Mode,
}

impl Control {
    /// The simulated provider, which alone can be broken and looked into from here.
    fn simulated(&self) -> Result<&SimulatedProvider, Problem> {
        self.simulated.as_deref().ok_or_else(|| {
            let why = "payments are made by Stripe, which keeps its own books: see its dashboard; this path is for --payment-provider simulated";
            Problem::new(StatusCode::CONFLICT, why)
        })
    }
}

/// `/local/*`.
pub fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route("/local/services/{service}", put(set_service))
        .route("/local/payment-provider", put(set_provider))
        .route("/local/topics", get(topics))
        .route("/local/dead-letters", get(dead_letters))
        .route("/local/dead-letters/redrive", post(redrive_all))
        .route("/local/dead-letters/{id}/redrive", post(redrive_one))
        .route("/local/mail", get(mail))
        .route("/local/payments", get(payments))
        .with_state(control)
}

async fn set_service(
    State(control): State<Arc<Control>>,
    service: Result<Path<String>, PathRejection>,
    body: Bytes,
) -> Result<Response, Problem> {
    let service = service.map(|Path(service)| service).unwrap_or_default();
    let Some(switch) = control.services.get(service.as_str()) else {
        let known = "the services are ticket-service, billing-service, email-service and order-updates";
        return Err(Problem::new(StatusCode::NOT_FOUND, known));
    };
    let state: ServiceState = parse(&body, "{\"running\": true} or {\"running\": false}")?;
    switch.send_replace(if state.running { Running::Yes } else { Running::No });
    warn!("{service} is {}", if state.running { "started" } else { "stopped" });
    Ok(json(StatusCode::OK, "application/json", &state))
}

async fn set_provider(State(control): State<Arc<Control>>, body: Bytes) -> Result<Response, Problem> {
    let state: ProviderState =
        parse(&body, "{\"mode\": \"up\"}, or \"unavailable\", \"timeout\" or \"slow\"")?;
    control.simulated()?.set_mode(state.mode);
    warn!("the payment provider is {:?}", state.mode);
    Ok(json(StatusCode::OK, "application/json", &state))
}

async fn topics(State(control): State<Arc<Control>>) -> Result<Response, Problem> {
    let states = control.topics.states().await.map_err(unavailable)?;
    let by_name: serde_json::Map<_, _> = states
        .into_iter()
        .map(|(topic, state)| (topic.name().to_owned(), serde_json::json!(state)))
        .collect();
    Ok(json(StatusCode::OK, "application/json", &by_name))
}

async fn dead_letters(State(control): State<Arc<Control>>) -> Result<Response, Problem> {
    let mut letters = Vec::new();
    for topic in Topic::ALL {
        letters.extend(control.topics.dead_letters(topic).await.map_err(unavailable)?);
    }
    let letters: Vec<_> = letters.iter().map(dead_letters::Letter::of).collect();
    Ok(json(StatusCode::OK, "application/json", &letters))
}

async fn redrive_all(State(control): State<Arc<Control>>) -> Result<Response, Problem> {
    redrive(&control, None).await
}

async fn redrive_one(
    State(control): State<Arc<Control>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| no_such_letter())?;
    redrive(&control, Some(id)).await
}

async fn redrive(control: &Control, one: Option<i64>) -> Result<Response, Problem> {
    let redriven = control.topics.redrive(one).await.map_err(unavailable)?;
    if one.is_some() && redriven == 0 {
        return Err(no_such_letter());
    }
    warn!("{redriven} dead letters are redriven");
    Ok(json(StatusCode::OK, "application/json", &serde_json::json!({"redriven": redriven})))
}

async fn mail(State(control): State<Arc<Control>>) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, "application/json", &control.mailbox.sent().await.map_err(unavailable)?))
}

async fn payments(State(control): State<Arc<Control>>) -> Result<Response, Problem> {
    let ledger = control.simulated()?.ledger().await.map_err(unavailable)?;
    Ok(json(StatusCode::OK, "application/json", &ledger))
}

fn no_such_letter() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such dead letter")
}

fn parse<T: DeserializeOwned>(body: &[u8], shape: &str) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body must be {shape}: {error}")))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unavailable(error: StoreError) -> Problem {
    warn!(%error, "the database cannot be reached");
    Problem::unavailable()
}
