//! What a caller may see and change of a booking.

use axum::http::{HeaderMap, StatusCode, header};
use protocol::manage::ManageSecrets;
use protocol::time::Timestamp;
use shared_http::Problem;

use crate::order::Order;

/// What a caller may see and change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// All of it, with its token.
    Managed,
    /// Its flight and its status.
    Public,
}

/// What the request's token opens.
///
/// # Errors
/// The token is not this booking's: `403`.
pub(super) fn access(
    headers: &HeaderMap,
    order: &Order,
    secrets: &ManageSecrets,
    now: Timestamp,
) -> Result<Access, Problem> {
    match bearer(headers) {
        Some(token) if secrets.accept(order.id, token) => Ok(Access::Managed),
        Some(_) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "the token is not this booking's: use the manage_token of the answer that accepted it, or the link \
             in its mail",
        )),
        None if order.is_opened_by_its_id(now) => Ok(Access::Managed),
        None => Ok(Access::Public),
    }
}

/// The answer to a change without a token.
pub(super) fn token_needed() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "to change a booking, send Authorization: Bearer and its manage_token",
    )
}

/// The token of an `Authorization: Bearer` header. Another scheme is not ours: a proxy may ask for its own.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get_all(header::AUTHORIZATION).iter().find_map(|value| {
        // What is not text is no token of ours, but it was meant as one.
        let value = value.to_str().unwrap_or("Bearer");
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
    })
}
