//! A server that answers as Stripe does, for tests: it keeps intents and refunds, remembers
//! idempotency keys for a day of its clock, and injects faults when told to.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test's server fails by panicking")]

mod account;
mod books;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use http_body_util::{Full, Limited};
use messaging::clock::Clock;
use messaging::entropy::SeededEntropy;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::account::Account;
pub use self::books::{Entry, Status};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Call {
    Create,
    Show,
    Confirm,
    Cancel,
    Refund,
    ListRefunds,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The work is done; the answer breaks off.
    ReplyLost,
    /// The work is done; no answer ever comes.
    Silent,
    /// The request is on its way until [`StripeServer::land`]; its caller gets no answer.
    LandsLate,
    /// `500`, with nothing done; stored under the key.
    ErrorBefore,
    /// The work is done, then `500`; stored under the key.
    ErrorAfter,
    /// That answer, with nothing done or stored.
    Answer(u16, Value),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What for.
    pub call: Call,
    /// Its idempotency key.
    pub key: Option<String>,
    /// Its `Stripe-Version`.
    pub version: String,
    /// Its `Authorization`.
    pub authorization: String,
    /// Its parameters.
    pub form: BTreeMap<String, String>,
    path: String,
}

/// The server, until it is dropped.
pub struct StripeServer {
    url: String,
    account: Arc<Mutex<Account>>,
    serving: JoinHandle<()>,
}

struct Shared {
    account: Arc<Mutex<Account>>,
    clock: Arc<dyn Clock>,
}

impl Drop for StripeServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl StripeServer {
    /// Starts one on a free port of loopback.
    pub async fn start(clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let account = Arc::<Mutex<Account>>::default();
        let shared = Arc::new(Shared { account: account.clone(), clock });
        let router = axum::Router::new().fallback(serve).with_state(shared);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, account, serving }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    /// The next such request goes wrong. Faults for one kind of request come one after another.
    pub fn inject(&self, call: Call, fault: Fault) {
        self.account().faults.push_back((call, fault));
    }

    /// From now on every request goes wrong with that probability, by that seed.
    pub fn chaos(&self, seed: u64, percent: u64) {
        self.account().chaos = (percent > 0).then(|| (SeededEntropy::new(seed), percent));
    }

    /// The requests that were on their way arrive.
    pub fn land(&self, now: Timestamp) -> usize {
        let mut account = self.account();
        let late = std::mem::take(&mut account.late);
        late.iter().map(|asked| account.keyed(asked, now)).count()
    }

    /// Moves the intents of an order on, as time does.
    pub fn set_status(&self, order: OrderId, status: Status) {
        self.account().books.set_status(&order.to_string(), status);
    }

    /// Moves the refunds that stand so on, as time does: `pending` to `succeeded`, say.
    pub fn set_refunds(&self, from: &str, to: &'static str) {
        self.account().books.set_refunds(from, to);
    }

    /// From now on no page of a list is longer.
    pub fn set_largest_page(&self, most: usize) {
        self.account().books.largest_page = Some(most);
    }

    /// Forgets which orders the refunds are about, as if they had been made in the dashboard.
    pub fn forget_orders_of_refunds(&self) {
        self.account().books.forget_orders_of_refunds();
    }

    /// What the account says of an order.
    pub fn entry(&self, order: OrderId) -> Entry {
        self.account().books.entry(&order.to_string())
    }

    /// Every request that came, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.account().asked.clone()
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 64 * 1024).await.unwrap();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let path = parts.uri.path();
    let post = parts.method == axum::http::Method::POST;
    let call = match (post, path.split('/').skip(2).collect::<Vec<_>>().as_slice()) {
        (true, ["payment_intents"]) => Call::Create,
        (false, ["payment_intents", _]) => Call::Show,
        (true, ["payment_intents", _, "confirm"]) => Call::Confirm,
        (true, ["payment_intents", _, "cancel"]) => Call::Cancel,
        (true, ["refunds"]) => Call::Refund,
        (false, ["refunds"]) => Call::ListRefunds,
        _ => return Ok(reply(404, &Value::Null, false)),
    };
    let parameters = if post { body.to_vec() } else { parts.uri.query().unwrap_or_default().into() };
    let asked = Asked {
        call,
        key: header("idempotency-key"),
        version: header("stripe-version").unwrap_or_default(),
        authorization: header("authorization").unwrap_or_default(),
        form: form_urlencoded::parse(&parameters).into_owned().collect(),
        path: path.to_owned(),
    };
    let answered = shared.account.lock().unwrap().answer(&asked, shared.clock.now());
    match answered {
        Ok((answer, replayed)) => Ok(reply(answer.status, &answer.body, replayed)),
        Err(Fault::Silent) => std::future::pending().await,
        Err(_) => Ok(broken_off()),
    }
}

fn reply(status: u16, body: &Value, replayed: bool) -> Response<Body> {
    let mut response =
        Response::new(Body::from(if body.is_null() { "<html>".to_owned() } else { body.to_string() }));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("request-id", "req_test".parse().unwrap());
    if replayed {
        response.headers_mut().insert("idempotent-replayed", "true".parse().unwrap());
    }
    response
}

/// An answer that ends before it says anything.
fn broken_off() -> Response<Body> {
    Response::new(Body::new(Limited::new(Full::new(Bytes::from_static(b"{\"id\"")), 1)))
}
