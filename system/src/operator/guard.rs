//! Who may use the operator's API: users of this machine, and no web page of another site.
//!
//! A browser on this machine reaches loopback for every page that it shows. What a page of another site can send is
//! known by three headers that no script can set: `Host`, `Origin` and `Sec-Fetch-Site`. A name that a stranger points at
//! 127.0.0.1 (DNS rebinding) is in `Host`. A form of another site can send no `application/json`.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::header::{AsHeaderName, FORWARDED, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shared_http::Problem;

/// Answers `403` to a request that is not from this machine.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    match is_local(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Answers `415` to a change that is not sent as JSON.
pub(super) async fn says_json(request: Request, next: Next) -> Response {
    if shared_http::is_json(request.headers()) {
        return next.run(request).await;
    }
    let why = "a change must be sent as Content-Type: application/json";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response()
}

fn is_local(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let forbidden = |why: &str| Err(Problem::new(StatusCode::FORBIDDEN, why));
    let Ok(Some(host)) = only(headers, HOST) else {
        return forbidden("the operator's API needs one Host");
    };
    // A request line may have an address too: `GET http://name/path`.
    if !is_loopback(host) || uri.authority().is_some_and(|authority| !is_loopback(authority.as_str())) {
        return forbidden(
            "the operator's API is for this machine: ask it as 127.0.0.1, [::1] or localhost, on its own port",
        );
    }
    let own = |origin: &str| {
        origin.strip_prefix("http://").is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    match only(headers, ORIGIN) {
        Ok(None) => {}
        Ok(Some(origin)) if own(origin) => {}
        _ => return forbidden("the operator's API takes no requests of another site's pages"),
    }
    // Also of another port of this machine: any program may serve pages there.
    match only(headers, "sec-fetch-site") {
        Ok(None | Some("same-origin" | "none")) => {}
        _ => return forbidden("the operator's API takes no requests of another site's pages"),
    }
    // A proxy on this machine may serve strangers, and call the server by its loopback address.
    if headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for") {
        return forbidden("the operator's API takes no forwarded requests: ask it on its own machine");
    }
    Ok(())
}

/// The one value of a header, if it has any.
///
/// # Errors
/// It has several, or one that is not text.
fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}

/// Whether an authority names this machine: 127.0.0.0/8, `[::1]` or `localhost`, with any port or none.
fn is_loopback(authority: &str) -> bool {
    let Ok(parsed) = authority.parse::<Authority>() else { return false };
    let host = parsed.host();
    let ip6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    // `user@host` is no Host of a browser.
    !authority.contains('@')
        && (host.eq_ignore_ascii_case("localhost")
            || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || ip6.and_then(|ip| ip.parse().ok()) == Some(Ipv6Addr::LOCALHOST))
}
