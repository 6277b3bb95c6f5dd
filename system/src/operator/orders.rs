//! Orders, their journeys, the audit, and what was mailed and paid: `/operator/orders…`, `/operator/audit`,
//! `/operator/mail`, `/operator/payments`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use booking_gateway::api::without_passenger;
use booking_gateway::order::Order;
use protocol::ids::OrderId;
use serde_json::json;
use shared_http::Problem;
use tracing::warn;

use super::query::Query;
use super::{Asked, Operator, answer, local, no_page, simulated, unavailable};
use crate::audit::{Audit, Auditor, Case, Row};
use crate::journey::Journey;
use crate::view::{Erased, Filter};

type Id = Result<Path<String>, PathRejection>;

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such booking")
}

fn parse_id(id: Id) -> Result<OrderId, Problem> {
    id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(unknown)
}

/// What is known of an order that exists.
async fn find(operator: &Operator, id: OrderId) -> Result<(Order, Case), Problem> {
    let case = operator.view.case(id).await.map_err(unavailable)?;
    let order = case.order.clone().ok_or_else(unknown)?;
    Ok((order, case))
}

pub(super) async fn list(State(operator): Asked, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref())?;
    let filter = Filter { status: query.take("status")?, settled: query.take("settled")? };
    let page = query.page()?;
    let orders = operator.view.orders(filter, &page).await.map_err(no_page)?;
    let items: Vec<_> = orders.items.iter().map(without_passenger).collect();
    Ok(answer(&json!({"items": items, "next": orders.next})))
}

pub(super) async fn journey(State(operator): Asked, id: Id) -> Result<Response, Problem> {
    let (order, case) = find(&operator, parse_id(id)?).await?;
    let journey = Journey::of(&order, &case, operator.view.as_ref());
    Ok(answer(&json!({
        "order": without_passenger(&order),
        "messages": journey.messages,
        "cut_before": journey.cut_before,
        "rows": journey.rows,
    })))
}

pub(super) async fn audit(State(operator): Asked, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref())?;
    let order: Option<OrderId> = query.take("order")?;
    query.end()?;
    let Some(id) = order else {
        let audit: Audit = operator.verdicts.audit().await.map_err(unavailable)?;
        return Ok(answer(&audit));
    };
    let (_, case) = find(&operator, id).await?;
    let books = operator.view.books();
    let rows = Row::of(&case, &books);
    let mut auditor = Auditor::new(books, operator.clock.now());
    auditor.case(id, &case);
    let mut audit = json!(auditor.without_flights());
    audit["rows"] = json!(rows);
    Ok(answer(&audit))
}

pub(super) async fn differences(State(operator): Asked) -> Response {
    answer(&operator.verdicts.differences())
}

pub(super) async fn erase(State(operator): Asked, id: Id) -> Result<Response, Problem> {
    let id = parse_id(id)?;
    match local(&operator)?.erase(id).await.map_err(unavailable)? {
        Erased::Erased => {
            warn!("order {id}: its passenger was erased");
            Ok(answer(&json!({"erased": id})))
        }
        Erased::Unknown => Err(unknown()),
        Erased::Refused(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
    }
}

pub(super) async fn mail(State(operator): Asked, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let page = Query::parse(query.as_deref())?.page()?;
    Ok(answer(&local(&operator)?.mails(&page).await.map_err(no_page)?))
}

pub(super) async fn payments(State(operator): Asked, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let page = Query::parse(query.as_deref())?.page()?;
    Ok(answer(&simulated(&operator)?.ledger(&page).await.map_err(no_page)?))
}
