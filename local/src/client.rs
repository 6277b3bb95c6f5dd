//! A small HTTP client for one server.

use std::time::Duration;

use axum::http::{Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use thiserror::Error;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The server did not answer as it should.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum ClientError {
    #[error("{0:?} is not the URL of a server: give one like http://127.0.0.1:8080")]
    BadUrl(String),
    #[error("{url} does not answer: {reason}; is the server running?")]
    NoAnswer { url: String, reason: String },
    #[error("{url} answered {status}: {body}")]
    Refused { url: String, status: StatusCode, body: String },
}

/// Talks to one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: String,
    http: Hyper<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// A client of the server at that URL.
    pub(crate) fn new(url: &str) -> Result<Self, ClientError> {
        let base = url.trim_end_matches('/').to_owned();
        let is_http = base
            .parse::<Uri>()
            .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.authority().is_some());
        if !is_http {
            return Err(ClientError::BadUrl(url.to_owned()));
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self { base, http: Hyper::builder(TokioExecutor::new()).build(connector) })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.ask(Method::GET, path, None, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.ask(Method::POST, path, None, body.to_string().into()).await
    }

    /// A `POST` that may be repeated: the same key is the same order.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<Value, ClientError> {
        self.ask(Method::POST, path, Some(key), body.to_string().into()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.ask(Method::PUT, path, None, body.to_string().into()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.ask(Method::DELETE, path, None, Bytes::new()).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        let url = format!("{}{path}", self.base);
        let no_answer = |reason: String| ClientError::NoAnswer { url: url.clone(), reason };
        let mut request =
            Request::builder().method(method).uri(&url).header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.body(Full::new(body)).map_err(|_| ClientError::BadUrl(url.clone()))?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| no_answer(chain(&error)))?;
            let status = response.status();
            let body =
                response.into_body().collect().await.map_err(|error| no_answer(chain(&error)))?.to_bytes();
            if !status.is_success() {
                let body = String::from_utf8_lossy(&body).into_owned();
                return Err(ClientError::Refused { url: url.clone(), status, body });
            }
            serde_json::from_slice(&body).map_err(|error| no_answer(error.to_string()))
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| no_answer("no answer in time".to_owned()))?
    }
}

/// An error with its causes, which is where the reason of a refused connection is.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
