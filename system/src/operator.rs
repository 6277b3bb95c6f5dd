//! The operator's API, `/operator/*`: stops and starts services, breaks the payment provider, redrives dead
//! letters, and shows the topics, the mails and the provider's ledger. For this machine alone: see `guard`.

mod guard;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared_http::{Problem, json};
use tracing::warn;

use crate::dead_letters::Letter;
use crate::operations::{Erased, Operations, ProviderMode, SimulatedProvider};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ServiceState {
    running: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ProviderState {
    mode: ProviderMode,
}

type Platform = State<Arc<dyn Operations>>;

/// `/operator/*`. To be served on loopback only.
pub fn router(platform: Arc<dyn Operations>) -> Router {
    Router::new()
        .route("/operator/services/{service}", get(service).put(set_service))
        .route("/operator/payment-provider", get(provider).put(set_provider))
        .route("/operator/topics", get(topics))
        .route("/operator/dead-letters", get(dead_letters))
        .route("/operator/dead-letters/redrive", post(redrive_all))
        .route("/operator/dead-letters/{id}/redrive", post(redrive_one))
        .route("/operator/orders/{id}/erase", post(erase))
        .route("/operator/mail", get(mail))
        .route("/operator/payments", get(payments))
        .with_state(platform)
        // Here, so that the guard stands before it.
        .method_not_allowed_fallback(shared_http::method_not_allowed)
        .layer(axum::middleware::from_fn(guard::guard))
}

/// Other paths of the host, for those who may use the operator's API.
pub fn guarded(router: Router) -> Router {
    router.layer(axum::middleware::from_fn(guard::guard))
}

/// The topic whose consumer a path names.
fn consumed_by(service: Result<Path<String>, PathRejection>) -> Result<Topic, Problem> {
    let service = service.map(|Path(service)| service).unwrap_or_default();
    Topic::ALL.into_iter().find(|topic| topic.switch() == service).ok_or_else(|| {
        let known = Topic::ALL.map(Topic::switch).join(", ");
        Problem::new(StatusCode::NOT_FOUND, format!("the services are {known}"))
    })
}

async fn service(
    State(platform): Platform,
    service: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let running = platform.is_running(consumed_by(service)?);
    Ok(json(StatusCode::OK, "application/json", &ServiceState { running }))
}

async fn set_service(
    State(platform): Platform,
    service: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Problem> {
    let topic = consumed_by(service)?;
    let state: ServiceState = parse(body, "{\"running\": true} or {\"running\": false}").await?;
    platform.switch(topic, state.running).await.map_err(unavailable)?;
    warn!("{} is {}", topic.switch(), if state.running { "started" } else { "stopped" });
    Ok(json(StatusCode::OK, "application/json", &state))
}

async fn provider(State(platform): Platform) -> Result<Response, Problem> {
    let mode = simulated(platform.as_ref())?.mode();
    Ok(json(StatusCode::OK, "application/json", &ProviderState { mode }))
}

async fn set_provider(State(platform): Platform, body: Body) -> Result<Response, Problem> {
    let state: ProviderState =
        parse(body, "{\"mode\": \"up\"}, or \"unavailable\", \"timeout\" or \"slow\"").await?;
    simulated(platform.as_ref())?.set_mode(state.mode).await.map_err(unavailable)?;
    warn!("the payment provider is {:?}", state.mode);
    Ok(json(StatusCode::OK, "application/json", &state))
}

async fn topics(State(platform): Platform) -> Result<Response, Problem> {
    let states = platform.topics().await.map_err(unavailable)?;
    let by_name: serde_json::Map<_, _> = states
        .into_iter()
        .map(|(topic, state)| (topic.name().to_owned(), serde_json::json!(state)))
        .collect();
    Ok(json(StatusCode::OK, "application/json", &by_name))
}

async fn dead_letters(State(platform): Platform) -> Result<Response, Problem> {
    let letters = platform.dead_letters().await.map_err(unavailable)?;
    let letters: Vec<_> = letters.iter().map(Letter::of).collect();
    Ok(json(StatusCode::OK, "application/json", &letters))
}

async fn redrive_all(State(platform): Platform) -> Result<Response, Problem> {
    redrive(platform.as_ref(), None).await
}

async fn redrive_one(
    State(platform): Platform,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| no_such_letter())?;
    redrive(platform.as_ref(), Some(id)).await
}

async fn redrive(platform: &dyn Operations, one: Option<i64>) -> Result<Response, Problem> {
    let redriven = platform.redrive(one).await.map_err(unavailable)?;
    if one.is_some() && redriven == 0 {
        return Err(no_such_letter());
    }
    warn!("{redriven} dead letters were redriven");
    Ok(json(StatusCode::OK, "application/json", &serde_json::json!({"redriven": redriven})))
}

async fn erase(
    State(platform): Platform,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such booking");
    let id: OrderId = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(unknown)?;
    match platform.erase(id).await.map_err(unavailable)? {
        Erased::Erased => {
            warn!("order {id}: its passenger was erased");
            Ok(json(StatusCode::OK, "application/json", &serde_json::json!({"erased": id})))
        }
        Erased::Unknown => Err(unknown()),
        Erased::Refused(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
    }
}

async fn mail(State(platform): Platform) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, "application/json", &platform.mails().await.map_err(unavailable)?))
}

async fn payments(State(platform): Platform) -> Result<Response, Problem> {
    let ledger = simulated(platform.as_ref())?.ledger().await.map_err(unavailable)?;
    Ok(json(StatusCode::OK, "application/json", &ledger))
}

/// The simulated provider, which alone can be broken and inspected from here.
fn simulated(platform: &dyn Operations) -> Result<&dyn SimulatedProvider, Problem> {
    platform.simulated_provider().ok_or_else(|| {
        let why = "payments are made by Stripe, which keeps its own books: see its dashboard; this path is for --payment-provider simulated";
        Problem::new(StatusCode::CONFLICT, why)
    })
}

fn no_such_letter() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such dead letter")
}

async fn parse<T: DeserializeOwned>(body: Body, shape: &str) -> Result<T, Problem> {
    let body = shared_http::read(body).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body must be {shape}: {error}")))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unavailable(error: StoreError) -> Problem {
    warn!(%error, "the database cannot be reached");
    Problem::unavailable()
}
