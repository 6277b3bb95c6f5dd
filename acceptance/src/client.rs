//! A small HTTP/1.1 client: one request, one response, read to its end.

use std::convert::Infallible;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// No answer may take longer than this, whatever is down behind the gateway.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Client(hyper_util::client::legacy::Client<HttpConnector, UnsyncBoxBody<Bytes, Infallible>>);

impl Client {
    pub(crate) fn new() -> Self {
        Self(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    pub(crate) fn request(&self, method: &str, url: String) -> Request {
        Request {
            client: self.clone(),
            method: method.to_owned(),
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            chunked: false,
        }
    }
}

/// A request to be: `.await` sends it.
#[must_use = "a request does nothing until it is awaited"]
pub struct Request {
    client: Client,
    method: String,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    chunked: bool,
}

impl Request {
    /// Adds a header line; the value may hold any byte that HTTP can carry.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header value that HTTP can carry");
        self.headers.append(name, value);
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

    async fn send(self) -> Response {
        let told = format!("{} {}", self.method, self.url);
        let full = Full::new(self.body);
        // A mapped body has no size hint, which is what makes the client send chunks.
        let body =
            if self.chunked { full.map_frame(|frame| frame).boxed_unsync() } else { full.boxed_unsync() };
        let mut request = http::Request::builder()
            .method(self.method.as_str())
            .uri(&self.url)
            .body(body)
            .expect("a request");
        *request.headers_mut() = self.headers;

        let answer = async {
            let (head, body) =
                self.client.0.request(request).await.map_err(|e| format!("{e:?}"))?.into_parts();
            let body = body.collect().await.map_err(|e| format!("{e:?}"))?.to_bytes();
            Ok::<_, String>((head, body))
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok((head, body))) => Response {
                request: told,
                url: self.url,
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            },
            Ok(Err(error)) => panic!("{told}: no answer: {error}"),
            Err(_) => panic!("{told}: no answer within {PATIENCE:?}"),
        }
    }
}

impl IntoFuture for Request {
    type Output = Response;
    type IntoFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// A whole answer, with the request that it answers for failure messages.
#[derive(Clone)]
pub struct Response {
    request: String,
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
    /// Fails unless the status is `status`.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// A header's value, when the answer has the header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a readable header"))
    }

    /// The media type without its parameters, or an empty string.
    pub fn media_type(&self) -> &str {
        self.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap_or_else(|_| panic!("not UTF-8: {self}"))
    }

    /// The body as JSON, whatever the content type says.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// The problem document: fails unless this is RFC 9457 with `status`, a title and a detail.
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.media_type(), "application/problem+json", "{self}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "`status` repeats the status code: {self}");
        for member in ["title", "detail"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.trim().is_empty(), "`{member}` says something: {self}");
        }
        assert!(problem.get("type").is_none_or(Value::is_string), "`type` is a URI reference: {self}");
        problem
    }

    /// The fields that a 400 complains about, sorted: fails unless each entry is exactly a field and a message.
    pub fn bad_fields(&self) -> Vec<String> {
        let problem = self.problem(400);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no `errors` array: {self}"));
        let mut fields: Vec<String> = errors
            .iter()
            .map(|error| {
                assert_eq!(error.as_object().map(serde_json::Map::len), Some(2), "field and message: {self}");
                assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "a message: {self}");
                error["field"].as_str().unwrap_or_else(|| panic!("a field: {self}")).to_owned()
            })
            .collect();
        fields.sort();
        fields
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().take(2_000).collect();
        write!(f, "{} -> {} {:?} {body}", self.request, self.status, self.headers)
    }
}
