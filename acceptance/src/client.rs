//! Requests and responses of [`client`], as a test wants them: a request always gets a response, and a response
//! checks itself.

use std::fmt;
use std::future::IntoFuture;
use std::ops::Deref;
use std::pin::Pin;

use bytes::Bytes;
use serde_json::Value;

/// A request to be: `.await` sends it. It panics if there is no response.
#[must_use = "a request does nothing until it is awaited"]
pub struct Request(pub(crate) client::Request);

impl Request {
    /// Adds a header line; the value may hold any byte that HTTP can carry.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self(self.0.header(name, value))
    }

    /// Sends `value` as `application/json`.
    pub fn json(self, value: &Value) -> Self {
        Self(self.0.json(value))
    }

    /// Sends bytes that claim to be `application/json`.
    pub fn json_text(self, text: impl Into<Bytes>) -> Self {
        Self(self.0.json_text(text))
    }

    /// Sends bytes without a content type, their length in `Content-Length`.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self(self.0.body(body))
    }

    /// Sends the body with `Transfer-Encoding: chunked`, so that its length is not known beforehand.
    pub fn chunked(self) -> Self {
        Self(self.0.chunked())
    }
}

impl IntoFuture for Request {
    type Output = Response;
    type IntoFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { Response(self.0.send().await.unwrap_or_else(|error| panic!("{error}"))) })
    }
}

/// A response of any status: the URL, status, headers and body of the inner one, and checks of them.
#[derive(Clone)]
pub struct Response(client::Response);

impl Deref for Response {
    type Target = client::Response;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
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

    /// The body as JSON. The content type does not matter.
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
        self.0.fmt(f)
    }
}
