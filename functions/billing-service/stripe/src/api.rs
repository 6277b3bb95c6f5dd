//! Stripe's API over HTTP: one request, its answer, and what the answer means, the same for every request.
//! <https://docs.stripe.com/error-low-level>

use std::io;
use std::sync::Arc;
use std::time::Duration;

use billing_service::provider::ProviderError;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use messaging::clock::Clock;
use messaging::error_chain::error_chain;
use protocol::time::Timestamp;
use rustls::crypto::CryptoProvider;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::objects::{ErrorBody, ErrorObject};
use super::settings::{ApiUrl, SecretKey};

/// The version of the API that this module is written for; Stripe keeps serving it. It is the one
/// that stripe-node v22.3.0 pins. <https://docs.stripe.com/changelog>
const VERSION: &str = "2026-06-24.dahlia";

/// Far more than an answer has.
const LONGEST_BODY: usize = 1024 * 1024;

/// How long a connection may take to be made: nothing was asked yet.
const CONNECT: Duration = Duration::from_secs(2);

/// A quarter of an hour, the longest pause between two copies of a command.
const GENERATION_MILLIS: i64 = 15 * 60 * 1000;

pub(super) struct Api {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: ApiUrl,
    authorization: HeaderValue,
    clock: Arc<dyn Clock>,
}

/// A request of `POST`.
pub(super) struct Post<'a> {
    pub(super) path: String,
    pub(super) form: &'a [(&'a str, &'a str)],
    /// Its idempotency key; none where the payment's own state prevents a repeat.
    pub(super) key: Option<String>,
    /// How long its answer is waited for.
    pub(super) patience: Duration,
}

/// An answer, read.
struct Answer {
    status: StatusCode,
    /// Whether it is the stored answer to an earlier request under the same idempotency key.
    replayed: bool,
    /// Stripe's name of the request, under which its support finds it.
    request: String,
    body: Bytes,
}

/// Why a request was not done.
pub(super) enum Failure {
    /// The card was refused.
    Card,
    /// The request does not fit the object it is about, or names something that is not there.
    Request(ErrorObject, String),
    /// Any other failure: it means the same for every request.
    Provider(ProviderError),
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Card => Self::Refused("a card was refused where none was asked".to_owned()),
            Failure::Request(_, said) => Self::Refused(said),
            Failure::Provider(error) => error,
        }
    }
}

impl Api {
    /// Fails where the machine has no root certificates.
    pub(super) fn new(
        url: ApiUrl,
        key: &SecretKey,
        cryptography: CryptoProvider,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(cryptography)?
            // Plain HTTP is for loopback alone: see `ApiUrl`.
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .map_err(|_| io::Error::other("the secret key cannot stand in a header"))?;
        authorization.set_sensitive(true);
        Ok(Self { client, url, authorization, clock })
    }

    /// Reads an object.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        patience: Duration,
    ) -> Result<T, Failure> {
        self.ask(Method::GET, path, None, Bytes::new(), patience).await.map_err(Failure::Provider)?.read()
    }

    /// Sends a `POST`.
    ///
    /// Under an idempotency key Stripe repeats what it answered first, for a day: errors too, even if
    /// their cause is gone. So if the answer is a repeated error, the request is sent again under a key
    /// that is new each quarter of an hour. The request itself must make sure that a new key cannot do
    /// the work twice: see the [parent module](super).
    pub(super) async fn post<T: DeserializeOwned>(&self, post: &Post<'_>) -> Result<T, Failure> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(post.form).finish();
        let ask = |key: Option<String>| {
            self.ask(Method::POST, &post.path, key, Bytes::from(form.clone()), post.patience)
        };
        let mut answer = ask(post.key.clone()).await.map_err(Failure::Provider)?;
        if let Some(key) = post.key.as_ref().filter(|_| answer.is_an_old_error()) {
            debug!("{} under {key} was answered from store: {}", post.path, answer.status);
            let new_key = format!("{key}/{}", generation(self.clock.now()));
            answer = ask(Some(new_key)).await.map_err(Failure::Provider)?;
        }
        answer.read()
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<String>,
        body: Bytes,
        patience: Duration,
    ) -> Result<Answer, ProviderError> {
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", self.url.as_str()))
            .header(header::AUTHORIZATION, &self.authorization)
            .header("Stripe-Version", VERSION);
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| ProviderError::Refused(format!("{method} {path} cannot be asked: {error}")))?;
        let by = Instant::now() + patience;
        let late = || ProviderError::Unknown(format!("no answer to {method} {path} within {patience:?}"));
        let response = match tokio::time::timeout_at(by, self.client.request(request)).await {
            Err(_) => return Err(late()),
            Ok(Err(error)) if error.is_connect() => {
                return Err(ProviderError::Unavailable(format!("no connection: {}", error_chain(&error))));
            }
            Ok(Err(error)) => {
                return Err(ProviderError::Unknown(format!("{method} {path}: {}", error_chain(&error))));
            }
            Ok(Ok(response)) => response,
        };
        let (parts, body) = response.into_parts();
        let body = match tokio::time::timeout_at(by, Limited::new(body, LONGEST_BODY).collect()).await {
            Err(_) => return Err(late()),
            Ok(Err(error)) => {
                return Err(ProviderError::Unknown(format!(
                    "the answer to {method} {path} broke off: {error}"
                )));
            }
            Ok(Ok(body)) => body.to_bytes(),
        };
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Answer {
            status: parts.status,
            replayed: header("Idempotent-Replayed") == Some("true"),
            request: header("Request-Id").unwrap_or("unnamed").chars().take(64).collect(),
            body,
        })
    }
}

impl Answer {
    fn is_an_old_error(&self) -> bool {
        self.replayed && !self.status.is_success() && self.status != StatusCode::PAYMENT_REQUIRED
    }

    /// The object, or why there is none.
    fn read<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let Self { status, request, body, .. } = self;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                // Not its text: a body that is not Stripe's may hold anything.
                warn!(
                    "an answer of Stripe cannot be read at line {} column {}",
                    error.line(),
                    error.column()
                );
                Failure::Provider(ProviderError::Unknown(format!("request {request}: {status}, unreadable")))
            });
        }
        let ErrorBody { error } = serde_json::from_slice(&body).unwrap_or_default();
        let said = format!(
            "request {request}: {status} {} {}",
            word(Some(&error.kind)),
            word(error.code.as_deref()),
        );
        let provider = |error| Err(Failure::Provider(error));
        match status.as_u16() {
            402 if error.kind == "card_error" => Err(Failure::Card),
            // The same key came with other parameters: those of an earlier version of this program.
            // Stripe forgets them within a day.
            400 | 409 if error.kind == "idempotency_error" && error.code.as_deref() != Some(IN_USE) => {
                provider(ProviderError::Refused(said))
            }
            400 | 402 | 404 => Err(Failure::Request(error, said)),
            // The first request under this key is still being worked on.
            409 => provider(ProviderError::Unknown(said)),
            429 => provider(ProviderError::Unavailable(said)),
            // It may have done the work before it failed.
            500.. => provider(ProviderError::Unknown(said)),
            _ => provider(ProviderError::Refused(said)),
        }
    }
}

const IN_USE: &str = "idempotency_key_in_use";

/// A word of an error, or nothing: other text of the answer must not reach the log.
pub(super) fn word(text: Option<&str>) -> &str {
    text.filter(|text| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .unwrap_or_default()
}

fn generation(now: Timestamp) -> i64 {
    now.as_millis() / GENERATION_MILLIS
}
