//! What an operator stops and breaks: `/operator/services/…`, `/operator/payment-provider`, `/operator/poison`.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use protocol::topic::Topic;
use serde::{Deserialize, Serialize};
use shared_http::Problem;
use tracing::warn;

use super::{Asked, answer, local, parse, simulated, unavailable};
use crate::view::{Poison, ProviderMode, Switches};

/// Whether a service runs.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceState {
    pub(super) running: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ProviderState {
    mode: ProviderMode,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Poisoned {
    topic: Topic,
    kind: Poison,
}

type Name = Result<Path<String>, PathRejection>;

/// The topic whose consumer a path names.
fn consumed_by(service: Name) -> Result<Topic, Problem> {
    let service = service.map(|Path(service)| service).unwrap_or_default();
    Topic::ALL.into_iter().find(|topic| topic.switch() == service).ok_or_else(|| {
        let known = Topic::ALL.map(Topic::switch).join(", ");
        Problem::new(StatusCode::NOT_FOUND, format!("the services are {known}"))
    })
}

fn switches(operator: &super::Operator) -> Result<&dyn Switches, Problem> {
    operator.view.switches().ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "the services of this platform have no switches here")
    })
}

pub(super) async fn service(State(operator): Asked, service: Name) -> Result<Response, Problem> {
    let topic = consumed_by(service)?;
    Ok(answer(&ServiceState { running: switches(&operator)?.is_running(topic) }))
}

pub(super) async fn set_service(
    State(operator): Asked,
    service: Name,
    body: Body,
) -> Result<Response, Problem> {
    let topic = consumed_by(service)?;
    let state: ServiceState = parse(body, "{\"running\": true} or {\"running\": false}").await?;
    switches(&operator)?.switch(topic, state.running).await.map_err(unavailable)?;
    warn!("{} is {}", topic.switch(), if state.running { "started" } else { "stopped" });
    Ok(answer(&state))
}

pub(super) async fn provider(State(operator): Asked) -> Result<Response, Problem> {
    Ok(answer(&ProviderState { mode: simulated(&operator)?.mode() }))
}

pub(super) async fn set_provider(State(operator): Asked, body: Body) -> Result<Response, Problem> {
    let state: ProviderState =
        parse(body, "{\"mode\": \"up\"}, or \"unavailable\", \"timeout\" or \"slow\"").await?;
    simulated(&operator)?.set_mode(state.mode).await.map_err(unavailable)?;
    warn!("the payment provider is {:?}", state.mode);
    Ok(answer(&state))
}

pub(super) async fn poison(State(operator): Asked, body: Body) -> Result<Response, Problem> {
    let shape = "{\"topic\": \"billing\", \"kind\": \"unreadable\"}, or \"newer-version\" or \"crashing\"";
    let poisoned: Poisoned = parse(body, shape).await?;
    local(&operator)?.poison(poisoned.topic, poisoned.kind).await.map_err(unavailable)?;
    warn!("a {:?} message was sent to {}, as an operator wanted", poisoned.kind, poisoned.topic);
    Ok(answer(&poisoned))
}
