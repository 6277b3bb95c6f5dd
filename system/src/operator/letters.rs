//! Dead letters: `/operator/dead-letters…`.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use shared_http::Problem;
use tracing::warn;

use super::{Asked, Operator, answer, parse, unavailable};
use crate::view::LetterId;
use crate::view::dead_letter::Letter;

/// A reason is kept for good, so it has an end.
const LONGEST_REASON: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Discard {
    reason: String,
}

type Id = Result<Path<String>, PathRejection>;

fn letter(id: Id) -> Result<LetterId, Problem> {
    id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(no_such_letter)
}

fn no_such_letter() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such dead letter")
}

pub(super) async fn list(State(operator): Asked) -> Result<Response, Problem> {
    let letters = operator.view.dead_letters().await.map_err(unavailable)?;
    Ok(answer(&letters.iter().map(Letter::of).collect::<Vec<_>>()))
}

pub(super) async fn redrive_all(State(operator): Asked) -> Result<Response, Problem> {
    redrive(&operator, None).await
}

pub(super) async fn redrive_one(State(operator): Asked, id: Id) -> Result<Response, Problem> {
    redrive(&operator, Some(letter(id)?)).await
}

async fn redrive(operator: &Operator, one: Option<LetterId>) -> Result<Response, Problem> {
    let is_one = one.is_some();
    let redriven = operator.view.redrive(one).await.map_err(unavailable)?;
    if is_one && redriven == 0 {
        return Err(no_such_letter());
    }
    warn!("{redriven} dead letters were redriven");
    Ok(answer(&json!({"redriven": redriven})))
}

pub(super) async fn discard(State(operator): Asked, id: Id, body: Body) -> Result<Response, Problem> {
    let id = letter(id)?;
    let Discard { reason } = parse(body, "{\"reason\": \"why it is not needed\"}").await?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        let why = format!("the body must have a \"reason\" of 1 to {LONGEST_REASON} characters");
        return Err(Problem::new(StatusCode::BAD_REQUEST, why));
    }
    let discarded = operator.view.discard(id.clone(), reason).await.map_err(unavailable)?;
    if discarded == 0 {
        return Err(no_such_letter());
    }
    warn!("the dead letter {id} was discarded");
    Ok(answer(&json!({"discarded": discarded})))
}
