//! One connection: requests and answers, until it ends or has waited for its client for too long.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::Limits;
use super::watch::Watch;

/// Serves one connection. Once `ended` has changed, it is closed as soon as no request is in progress.
pub(super) async fn run(
    (stream, peer): (TcpStream, SocketAddr),
    router: Router,
    watch: Arc<Watch>,
    limits: Limits,
    mut ended: Receiver<()>,
) {
    let io = TokioIo::new(Watched { inner: stream, watch: watch.clone() });
    let router = TowerToHyperService::new(router);
    let requests = watch.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        requests.requested();
        let watch = requests.clone();
        let mut request = request.map(|inner| Body::new(Question(Watched { inner, watch: watch.clone() })));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.call(request);
        async move { answer.await.map(|answer| answer.map(|inner| Answer(Watched { inner, watch }))) }
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(io, service));
    let mut ended = pin!(ended.changed());
    let mut ending = false;
    let mut timer = pin!(sleep_until(Instant::now() + limits.header));
    poll_fn(|cx| {
        if !ending && ended.as_mut().poll(cx).is_ready() {
            ending = true;
            connection.as_mut().graceful_shutdown();
        }
        if connection.as_mut().poll(cx).is_ready() || (ending && watch.is_unasked()) {
            return Poll::Ready(());
        }
        // What it waits for now is known only after the poll.
        match watch.closes_at(&limits) {
            None => Poll::Pending,
            Some(at) => {
                if timer.deadline() != at {
                    timer.as_mut().reset(at);
                }
                timer.as_mut().poll(cx)
            }
        }
    })
    .await;
}

/// A part of a connection that tells its watch what happens.
struct Watched<T> {
    inner: T,
    watch: Arc<Watch>,
}

impl AsyncRead for Watched<TcpStream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.watch.received();
        }
        read
    }
}

impl Watched<TcpStream> {
    fn tell<T>(&self, wrote: Poll<T>) -> Poll<T> {
        match wrote {
            Poll::Pending => self.watch.stalled(),
            Poll::Ready(_) => self.watch.moved(),
        }
        wrote
    }
}

impl AsyncWrite for Watched<TcpStream> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.tell(wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.tell(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The body of a request.
struct Question(Watched<Incoming>);

impl HttpBody for Question {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.0.inner).poll_frame(cx);
        match frame {
            Poll::Pending => self.0.watch.stalled(),
            Poll::Ready(_) => self.0.watch.moved(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.inner.size_hint()
    }
}

/// The body of an answer; the connection drops it once it has taken all of it.
struct Answer(Watched<Body>);

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.inner.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.watch.answered();
    }
}
