//! A server that answers as Stripe does, for tests: it keeps intents and refunds, remembers
//! idempotency keys for a day of its clock, and does its worst when told to.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test's server fails by panicking")]

mod books;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use http_body_util::{Full, Limited};
use serde_json::Value;
use shared::entropy::{Entropy, SeededEntropy};
use shared::ids::OrderId;
use shared::time::{Clock, Timestamp};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::books::{Answer, Books, Form};
pub use self::books::{Entry, Status};

/// For how long an idempotency key is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Call {
    Create,
    Show,
    Confirm,
    Capture,
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
    /// The request is on its way until [`StripeServer::land`]; its caller hears nothing.
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

struct Stored {
    path: String,
    form: Form,
    at: Timestamp,
    status: u16,
    body: Value,
}

#[derive(Default)]
struct Account {
    books: Books,
    keys: HashMap<String, Stored>,
    faults: VecDeque<(Call, Fault)>,
    /// Each request goes wrong with this probability, in percent, in a way drawn from the seed.
    chaos: Option<(SeededEntropy, u64)>,
    asked: Vec<Asked>,
    late: Vec<Asked>,
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

    /// What the account says of an order.
    pub fn entry(&self, order: OrderId) -> Entry {
        self.account().books.entry(&order.to_string())
    }

    /// Every request that came, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.account().asked.clone()
    }
}

impl Account {
    /// What goes wrong with this request.
    fn fault(&mut self, call: Call) -> Option<Fault> {
        if let Some(place) = self.faults.iter().position(|(of, _)| *of == call) {
            return self.faults.remove(place).map(|(_, fault)| fault);
        }
        let (entropy, percent) = self.chaos.as_ref()?;
        if entropy.below(100) >= *percent {
            return None;
        }
        let rate_limit =
            serde_json::json!({"error": {"type": "invalid_request_error", "code": "lock_timeout"}});
        let in_use =
            serde_json::json!({"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}});
        Some(match entropy.below(7) {
            0 => Fault::ReplyLost,
            1 => Fault::LandsLate,
            2 => Fault::ErrorBefore,
            3 => Fault::ErrorAfter,
            4 => Fault::Answer(429, rate_limit),
            5 => Fault::Answer(409, in_use),
            _ => Fault::Answer(503, Value::Null),
        })
    }

    /// Does what is asked, or repeats what was answered under the same key.
    fn keyed(&mut self, asked: &Asked, now: Timestamp) -> (Answer, bool) {
        self.keys.retain(|_, stored| now.since(stored.at) < REMEMBERED);
        if let Some(stored) = asked.key.as_ref().and_then(|key| self.keys.get(key)) {
            if stored.path != asked.path || stored.form != asked.form {
                let code = Answer::error(400, "idempotency_error", "", None);
                return (code, false);
            }
            let answer = Answer { status: stored.status, body: stored.body.clone(), stored: true };
            return (answer, true);
        }
        let answer = self.work(asked);
        if answer.stored {
            self.store(asked, &answer, now);
        }
        (answer, false)
    }

    fn store(&mut self, asked: &Asked, answer: &Answer, now: Timestamp) {
        if let Some(key) = &asked.key {
            let (path, form) = (asked.path.clone(), asked.form.clone());
            let (status, body) = (answer.status, answer.body.clone());
            self.keys.insert(key.clone(), Stored { path, form, at: now, status, body });
        }
    }

    fn work(&mut self, asked: &Asked) -> Answer {
        let id = asked.path.split('/').nth(3).unwrap_or_default();
        match asked.call {
            Call::Create => self.books.create(&asked.form),
            Call::Show => self.books.show(id),
            Call::Confirm => self.books.confirm(id, &asked.form),
            Call::Capture => self.books.capture(id),
            Call::Cancel => self.books.cancel(id),
            Call::Refund => self.books.refund(&asked.form),
            Call::ListRefunds => {
                self.books.list_refunds(asked.form.get("payment_intent").map_or("", String::as_str))
            }
        }
    }

    /// The answer, and whether it is a repeated one; none where the caller hears nothing.
    fn answer(&mut self, asked: &Asked, now: Timestamp) -> Result<(Answer, bool), Fault> {
        self.asked.push(asked.clone());
        let seen = asked.key.as_ref().is_some_and(|key| self.keys.contains_key(key));
        let broken = || Answer::error(500, "api_error", "", None);
        match self.fault(asked.call) {
            None => Ok(self.keyed(asked, now)),
            Some(Fault::LandsLate) => {
                self.late.push(asked.clone());
                Err(Fault::LandsLate)
            }
            Some(Fault::Answer(status, body)) => Ok((Answer { status, body, stored: false }, false)),
            // What was answered before is repeated, whatever is broken now.
            Some(Fault::ErrorBefore | Fault::ErrorAfter) if seen => Ok(self.keyed(asked, now)),
            Some(Fault::ErrorBefore) => {
                self.store(asked, &broken(), now);
                Ok((broken(), false))
            }
            Some(Fault::ErrorAfter) => {
                self.keyed(asked, now);
                self.store(asked, &broken(), now);
                Ok((broken(), false))
            }
            Some(fault) => {
                self.keyed(asked, now);
                Err(fault)
            }
        }
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
        (true, ["payment_intents", _, "capture"]) => Call::Capture,
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
