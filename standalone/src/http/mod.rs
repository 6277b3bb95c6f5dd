//! HTTP in front of the platform: accepts connections, and closes those that keep the others waiting.
//!
//! A client may be slow, silent or many. What bounds it is in [`Limits`]; where all connections are taken, the one that
//! has waited longest for its client is closed for the next.

mod connection;
mod connections;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tower_http::timeout::RequestBodyDeadlineLayer;
use tracing::warn;

use self::connections::Connections;

/// The most connections where the system has descriptors for more; an idle one takes some 10 KB of memory.
const MOST_CONNECTIONS: usize = 10_000;

/// Descriptors that are kept for the database, its readers, calls to other servers and the operator's connections.
const RESERVED_DESCRIPTORS: usize = 96;

/// How long the server waits for a client, and for how many.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the connection, or the first byte of a further request, to the end of the header.
    pub header: Duration,
    /// From there to the end of the body.
    pub body: Duration,
    /// Until a next request begins, or a client that takes no more of its answer goes on.
    pub idle: Duration,
    /// The most connections at the same time.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            connections: MOST_CONNECTIONS,
        }
    }
}

impl Limits {
    /// Those of the operator's own port, whose descriptors are reserved: he gets through when all others are taken.
    pub(crate) fn of_operator(self) -> Self {
        Self { connections: self.connections.min(RESERVED_DESCRIPTORS / 3), ..self }
    }

    /// At most as many connections as the process may have descriptors for; raises its soft limit first.
    pub(crate) fn within_descriptors(self) -> Self {
        let wanted = self.connections + RESERVED_DESCRIPTORS;
        let descriptors = rlimit::increase_nofile_limit(wanted as u64).unwrap_or_else(|error| {
            warn!(%error, "the limit of open files cannot be raised");
            256
        });
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        // With very few, half of them.
        let connections = descriptors.saturating_sub(RESERVED_DESCRIPTORS).max(descriptors / 2);
        if connections < self.connections {
            warn!(
                "{descriptors} open files are allowed: at most {connections} connections are served at a time"
            );
        }
        Self { connections: connections.min(self.connections), ..self }
    }
}

/// Serves until `ended` changes, then finishes the requests in progress.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, mut ended: Receiver<()>) {
    let router = shared_http::close(router.layer(RequestBodyDeadlineLayer::new(limits.body)));
    let connections = Arc::new(Connections::new(limits.connections));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = async {
            let stream = accept(&listener, &connections).await;
            connections.room().await;
            stream
        };
        let stream = tokio::select! {
            _ = ended.changed() => break,
            stream = accepted => stream,
        };
        let (router, ended) = (router.clone(), ended.clone());
        connections.open(&mut tasks, |watch| connection::run(stream, router, watch, limits, ended));
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// The next connection, and whose it is.
async fn accept(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A 202 must not wait for more data (Nagle's algorithm).
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            // It went away before it was accepted.
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory.
                warn!(%error, "no connection can be accepted; the one that waited longest is closed");
                connections.close_one();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
