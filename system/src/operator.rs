//! The operator's API, `/operator/*`: shows the system, stops and breaks parts of it, redrives and discards dead letters.
//! For this machine alone: see `guard`. It is described by docs/operator.openapi.yaml.

mod events;
mod guard;
mod letters;
mod orders;
mod overview;
mod query;
mod switches;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post, put};
use messaging::clock::Clock;
use messaging::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared_http::{Problem, json};
use tokio::sync::watch;
use tracing::warn;

use self::overview::{Overview, Topics};
use crate::verdict::Verdicts;
use crate::view::{Capability, Local, PageError, Provider, SimulatedProvider, View};

/// What is served beside the API, at the same address.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// The customers' API, `POST /bookings`.
    pub bookings: bool,
    /// The REST chain.
    pub rest_chain: bool,
}

/// What the API is served from.
pub struct Operator {
    view: Arc<dyn View>,
    verdicts: Verdicts,
    clock: Arc<dyn Clock>,
    beside: Beside,
    /// Changes when the server stops: the streams of events end then.
    ended: watch::Receiver<()>,
}

impl Operator {
    /// The API of that platform. Within a runtime: the verdict is kept fresh in the background, until `ended` changes.
    pub fn new(
        view: Arc<dyn View>,
        clock: Arc<dyn Clock>,
        beside: Beside,
        ended: watch::Receiver<()>,
    ) -> Self {
        let verdicts = Verdicts::of(view.clone(), clock.clone());
        tokio::spawn(verdicts.clone().keep_fresh(ended.clone()));
        Self { view, verdicts, clock, beside, ended }
    }

    /// What its platform can do of what not every one can.
    fn capabilities(&self) -> Vec<Capability> {
        let view = self.view.as_ref();
        let all = [
            (Capability::Bookings, self.beside.bookings),
            (Capability::Poison, view.local().is_some()),
            (Capability::Messages, view.journal().is_some()),
            (Capability::ExactCounts, view.counts_exactly()),
            (Capability::FreeReads, view.reads_freely()),
        ];
        all.into_iter().filter_map(|(capability, has)| has.then_some(capability)).collect()
    }
}

type Asked = State<Arc<Operator>>;

/// `/operator/*`. To be served on loopback only.
pub fn router(operator: Operator) -> Router {
    let routes = Router::new()
        .route("/operator/system", get(system))
        .route(
            "/operator/services/{service}",
            get(switches::service).merge(change(put(switches::set_service))),
        )
        .route(
            "/operator/payment-provider",
            get(switches::provider).merge(change(put(switches::set_provider))),
        )
        .route("/operator/poison", change(post(switches::poison)))
        .route("/operator/topics", get(topics))
        .route("/operator/orders", get(orders::list))
        .route("/operator/orders/{id}/journey", get(orders::journey))
        .route("/operator/orders/{id}/erase", change(post(orders::erase)))
        .route("/operator/audit", get(orders::audit))
        .route("/operator/differences", get(orders::differences))
        .route("/operator/events", get(events::events))
        .route("/operator/dead-letters", get(letters::list))
        .route("/operator/dead-letters/redrive", change(post(letters::redrive_all)))
        .route("/operator/dead-letters/{id}/redrive", change(post(letters::redrive_one)))
        .route("/operator/dead-letters/{id}/discard", change(post(letters::discard)))
        .route("/operator/mail", get(orders::mail))
        .route("/operator/payments", get(orders::payments))
        .with_state(Arc::new(operator))
        .merge(crate::page::router());
    guarded(routes)
}

/// A change, which must be sent as JSON: a form of another site's page cannot be.
fn change(route: MethodRouter<Arc<Operator>>) -> MethodRouter<Arc<Operator>> {
    route.route_layer(axum::middleware::from_fn(guard::says_json))
}

/// Paths for those who may use the operator's API.
pub fn guarded(router: Router) -> Router {
    router
        // Here, so that the guard stands before it.
        .method_not_allowed_fallback(shared_http::method_not_allowed)
        .layer(axum::middleware::from_fn(guard::guard))
}

async fn system(State(operator): Asked) -> Result<Response, Problem> {
    Ok(answer(&Overview::of(&operator).await.map_err(unavailable)?))
}

async fn topics(State(operator): Asked) -> Result<Response, Problem> {
    Ok(answer(&Topics::of(operator.view.topics().await.map_err(unavailable)?)))
}

/// `200`, with that body.
fn answer<T: Serialize + ?Sized>(body: &T) -> Response {
    json(StatusCode::OK, "application/json", body)
}

/// The simulated provider, which alone can be broken and inspected from here.
fn simulated(operator: &Operator) -> Result<&dyn SimulatedProvider, Problem> {
    match operator.view.provider() {
        Provider::Simulated(simulated) => Ok(simulated),
        Provider::Unbreakable => Err(Problem::new(
            StatusCode::CONFLICT,
            "this platform's simulated provider cannot be broken, and its ledger is not listed: the audit compares it",
        )),
        Provider::Stripe => Err(Problem::new(
            StatusCode::CONFLICT,
            "payments are made by Stripe, which keeps its own books: see its dashboard; this path is for --payment-provider simulated",
        )),
    }
}

/// What only a platform on one machine can do.
fn local(operator: &Operator) -> Result<&dyn Local, Problem> {
    let why = "this platform is not on one machine, and does not have that";
    operator.view.local().ok_or_else(|| Problem::new(StatusCode::CONFLICT, why))
}

async fn parse<T: DeserializeOwned>(body: Body, shape: &str) -> Result<T, Problem> {
    let body = shared_http::read(body).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body must be {shape}: {error}")))
}

fn no_page(error: PageError) -> Problem {
    match error {
        PageError::After => query::refused("after", &error.to_string()),
        PageError::Store(error) => unavailable(error),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unavailable(error: StoreError) -> Problem {
    warn!(%error, "the state of the system cannot be read");
    Problem::unavailable()
}
