//! Files that a page is made of, linked into the binary that serves them.

use std::io::Read;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::read::GzEncoder;
use sha2::{Digest, Sha256};

/// A page.
pub const HTML: &str = "text/html; charset=utf-8";
/// A style sheet.
pub const CSS: &str = "text/css; charset=utf-8";
/// A script or a module.
pub const JS: &str = "text/javascript; charset=utf-8";
/// A drawing.
pub const SVG: &str = "image/svg+xml";

/// Where a file is served, as what, and its text.
pub type Asset = (&'static str, &'static str, &'static str);

/// Only the page's own files may run or load on it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves each file at its path: compressed for those who take it, with a strong entity tag, and with a policy under which
/// a page loads nothing but such files.
///
/// # Panics
/// Two files have one path.
pub fn assets(files: impl IntoIterator<Item = Asset>) -> Router {
    files.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        let file = Arc::new(File::new(content_type, text));
        router.route(path, get(move |headers: HeaderMap| async move { file.answer(&headers) }))
    })
}

/// A file of the page, plain and compressed.
struct File {
    content_type: &'static str,
    plain: Form,
    /// Made when it is first asked for: on AWS it never is.
    gzip: OnceLock<Form>,
}

/// The bytes that are sent, and their strong entity tag.
struct Form {
    bytes: Bytes,
    etag: String,
}

impl Form {
    fn new(bytes: Bytes) -> Self {
        let digest = Sha256::digest(&bytes);
        let hash: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { etag: format!("\"{hash}\""), bytes }
    }
}

impl File {
    fn new(content_type: &'static str, text: &'static str) -> Self {
        let plain = Form::new(Bytes::from_static(text.as_bytes()));
        Self { content_type, plain, gzip: OnceLock::new() }
    }

    /// The file in the form that the client takes, or that it has it already.
    fn answer(&self, asked: &HeaderMap) -> Response {
        let (form, encoding) = match takes_gzip(asked) {
            true => (self.gzip.get_or_init(|| compressed(&self.plain.bytes)), Some("gzip")),
            false => (&self.plain, None),
        };
        // What a `304` has too.
        let headers = [
            (header::ETAG, form.etag.as_str()),
            // A cache asks each time, and is answered with a `304`.
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "Accept-Encoding"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        if if_none_match(asked, &form.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let mut response = (headers, form.bytes.clone()).into_response();
        let shown = response.headers_mut();
        shown.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        shown.extend(encoding.map(|name| (header::CONTENT_ENCODING, HeaderValue::from_static(name))));
        response
    }
}

/// Whether the client takes gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, "q=1"));
        let weight = weight.trim().trim_start_matches("q=").parse::<f32>();
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

fn compressed(bytes: &[u8]) -> Form {
    let mut gzip = Vec::new();
    // Reading from memory does not fail.
    let _ = GzEncoder::new(bytes, Compression::best()).read_to_end(&mut gzip);
    Form::new(gzip.into())
}

/// Whether the caller already has what `etag` names.
pub fn if_none_match(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == etag)
}
