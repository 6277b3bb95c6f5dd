//! Reading a request's body.

use std::error::Error;
use std::iter::successors;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use tower_http::timeout::TimeoutError;

use crate::Problem;

/// The largest body that is read, in bytes.
const LARGEST: usize = 16 * 1024;

/// Whether the body is said to be JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()?.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// Reads a body of at most 16 KiB; one that is announced as larger is not waited for.
///
/// # Errors
/// `413` too large, `408` too slow (where the server set a time), `400` cut off.
pub async fn read(body: Body) -> Result<Bytes, Problem> {
    // What `Content-Length` says, where there is one.
    if body.size_hint().lower() > LARGEST as u64 {
        return Err(too_large());
    }
    to_bytes(body, LARGEST).await.map_err(|error| {
        let causes = || successors(Some(&error as &dyn Error), |&error| error.source());
        if causes().any(|cause| cause.is::<TimeoutError>()) {
            return Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time; nothing was changed",
            );
        }
        if causes().any(|cause| cause.is::<http_body_util::LengthLimitError>()) {
            return too_large();
        }
        Problem::new(StatusCode::BAD_REQUEST, "the body was cut off; nothing was changed")
    })
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body has more than 16 KiB")
}
