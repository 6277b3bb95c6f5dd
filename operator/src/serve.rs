//! The system page and the operator's API, on loopback.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::response::Redirect;
use axum::routing::get;
use booking_gateway::api::page;
use messaging::clock::Clock;
use system::operator::{self, Beside, Operator};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::view::AwsView;

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    router: axum::Router,
    end: watch::Sender<()>,
}

impl Server {
    /// Listens on a port of 127.0.0.1; 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn listen(view: Arc<AwsView>, clock: Arc<dyn Clock>, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let (end, ended) = watch::channel(());
        let beside = Beside { bookings: false, rest_chain: false };
        let router = operator::router(Operator::new(view, clock, beside, ended)).merge(page::shared());
        let router = router.route("/", get(async || Redirect::temporary("system")));
        Ok(Self { listener, router: shared_http::close(router), end })
    }

    /// Where the page is.
    ///
    /// # Errors
    /// The system does not tell the port.
    pub fn url(&self) -> io::Result<String> {
        Ok(format!("http://{}/system", self.listener.local_addr()?))
    }

    /// Serves until `stop` ends. The streams of events end then too.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self { listener, router, end } = self;
        let stopped = async move {
            stop.await;
            end.send_replace(());
        };
        axum::serve(listener, router).with_graceful_shutdown(stopped).await
    }
}
