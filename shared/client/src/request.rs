//! A small HTTP/1.1 client: one request, one response, read to its end.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use thiserror::Error;

/// No answer may take longer than this, even if something behind the server is down.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server did not answer, or answered with an error.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum ClientError {
    #[error("{0:?} is not the URL of a server: give one like http://127.0.0.1:8080")]
    BadUrl(String),
    #[error("{url} does not answer: {reason}; is the server running?")]
    NoAnswer { url: String, reason: String },
    #[error("{url} answered {status}: {body}")]
    Refused { url: String, status: u16, body: String },
    #[error("{what}, not within {within:?}: {last}")]
    TooLong { what: String, within: Duration, last: String },
}

/// Connections to servers, kept for the next request.
#[derive(Clone, Debug)]
pub struct Client(Hyper<HttpConnector, UnsyncBoxBody<Bytes, Infallible>>);

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Hyper::builder(TokioExecutor::new()).build(connector))
    }
}

impl Client {
    /// A request to be sent.
    pub fn request(&self, method: &str, url: impl Into<String>) -> Request {
        Request {
            client: self.clone(),
            method: method.to_owned(),
            url: url.into(),
            headers: Ok(HeaderMap::new()),
            body: Bytes::new(),
            chunked: false,
        }
    }
}

/// A request that [`Request::send`] sends.
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: Client,
    method: String,
    url: String,
    /// Or the error of an invalid header.
    headers: Result<HeaderMap, http::Error>,
    body: Bytes,
    chunked: bool,
}

impl Request {
    /// Adds a header line; the value may hold any byte that HTTP can carry.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let add = |mut headers: HeaderMap| {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            headers.append(name, HeaderValue::from_bytes(value.as_ref())?);
            Ok(headers)
        };
        self.headers = self.headers.and_then(add);
        self
    }

    /// Sends `value` as `application/json`.
    pub fn json(self, value: &Value) -> Self {
        self.json_text(value.to_string())
    }

    /// Sends bytes that claim to be `application/json`.
    pub fn json_text(self, text: impl Into<Bytes>) -> Self {
        self.header(CONTENT_TYPE.as_str(), "application/json").body(text)
    }

    /// Sends bytes without a content type, their length in `Content-Length`.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body with `Transfer-Encoding: chunked`, so that its length is not known beforehand.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// The whole answer, with any status.
    ///
    /// # Errors
    /// There is no answer, or not within half a minute.
    pub async fn send(self) -> Result<Response, ClientError> {
        let Self { client, method, url, headers, body, chunked } = self;
        let no_answer = |reason: String| ClientError::NoAnswer { url: url.clone(), reason };
        let full = Full::new(body);
        // A mapped body has no size hint, which is what makes the client send chunks.
        let body = if chunked { full.map_frame(|frame| frame).boxed_unsync() } else { full.boxed_unsync() };
        let request = http::Request::builder().method(method.as_str()).uri(&url).body(body);
        let mut request = request.map_err(|error| no_answer(error.to_string()))?;
        *request.headers_mut() = headers.map_err(|error| no_answer(error.to_string()))?;

        let exchange = async {
            let text = |error: &dyn std::error::Error| format!("{error:?}");
            let (head, body) = client.0.request(request).await.map_err(|error| text(&error))?.into_parts();
            let body = body.collect().await.map_err(|error| text(&error))?.to_bytes();
            Ok((head, body))
        };
        let exchanged = tokio::time::timeout(PATIENCE, exchange).await;
        let (head, body) =
            exchanged.unwrap_or_else(|_| Err(format!("nothing within {PATIENCE:?}"))).map_err(no_answer)?;
        Ok(Response { method, status: head.status.as_u16(), headers: head.headers, body, url })
    }
}

/// A whole answer, with the request that it answers for failure messages.
#[derive(Clone)]
pub struct Response {
    method: String,
    /// The absolute URL that was asked.
    pub url: String,
    /// The status code.
    pub status: u16,
    /// The header lines.
    pub headers: HeaderMap,
    /// The body, possibly empty.
    pub body: Bytes,
}

impl Response {
    /// The body as JSON; null if it is not JSON.
    ///
    /// # Errors
    /// The status is not a success.
    pub fn success(self) -> Result<Value, ClientError> {
        if (200..300).contains(&self.status) {
            return Ok(serde_json::from_slice(&self.body).unwrap_or(Value::Null));
        }
        let body = String::from_utf8_lossy(&self.body).into_owned();
        Err(ClientError::Refused { url: self.url, status: self.status, body })
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, url, status, headers, body } = self;
        let body: String = String::from_utf8_lossy(body).chars().take(2_000).collect();
        write!(f, "{method} {url} -> {status} {headers:?} {body}")
    }
}
