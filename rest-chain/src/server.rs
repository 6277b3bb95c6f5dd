//! One of the chain's HTTP servers: on a free port of 127.0.0.1, for the chain alone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use axum::{Router, serve};
use serde::de::DeserializeOwned;
use shared_http::Problem;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A port that was taken and is not served yet.
pub(crate) struct Port {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Port {
    pub(crate) async fn take() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Serves until `ended` changes, then finishes the requests in progress.
    pub(crate) fn serve(self, servers: &mut JoinSet<()>, router: Router, mut ended: watch::Receiver<()>) {
        let router =
            shared_http::close(router).layer(middleware::from_fn_with_state(self.address, for_the_chain));
        // An answer must not wait for more data (Nagle's algorithm).
        let listener = self.listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        servers.spawn(async move {
            let ended = async move { drop(ended.changed().await) };
            // It never fails: what cannot be accepted is tried again.
            let _ = serve(listener, router).with_graceful_shutdown(ended).await;
        });
    }
}

/// Refuses what a page in a browser of this machine could send: by a name that a stranger points at 127.0.0.1, or as
/// what a form can send.
async fn for_the_chain(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|host| host.as_bytes());
    if host.and_then(|host| std::str::from_utf8(host).ok()?.parse().ok()) != Some(address) {
        return Problem::new(StatusCode::FORBIDDEN, "this server is for the REST chain alone")
            .into_response();
    }
    next.run(request).await
}

/// A body that one server of the chain sent to another.
pub(crate) async fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    if !shared_http::is_json(headers) {
        let why = "the body must be sent as Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    let body = shared_http::read(body).await?;
    let bad =
        |error| Problem::new(StatusCode::BAD_REQUEST, format!("the body is not as it must be: {error}"));
    serde_json::from_slice(&body).map_err(bad)
}
