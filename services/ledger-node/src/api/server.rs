//! The server: TLS, and bounds on what a client may hold or drag out.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{Method, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use openssl::ssl::{Ssl, SslAcceptor};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_openssl::SslStream;

use super::{
    Shared, openapi,
    problem::{Code, Problem},
};

/// Connections at the same time; whoever comes then waits in the system's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a request's head may take to arrive, and a connection may idle before the next one.
const HEAD_TIME_MAX: Duration = Duration::from_secs(15);
/// Bytes of a request's head under HTTP/1, which is also the size of a connection's buffer.
const H1_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a request's head under HTTP/2.
const H2_HEAD_BYTES_MAX: u32 = 16 * 1024;
/// Header fields of a request.
const HEADERS_MAX: usize = 64;
/// Requests of one HTTP/2 connection at the same time.
const H2_STREAMS_MAX: u32 = 64;
/// HTTP/2 streams that a client has reset and the server has not noticed: more are a flood.
const H2_RESETS_MAX: usize = 32;
/// Bytes of answers in the queue of one HTTP/2 stream.
const H2_SEND_BYTES_MAX: usize = 64 * 1024;
/// How often a silent HTTP/2 connection is asked whether it lives, and how long it may think.
const H2_PING_EVERY: Duration = Duration::from_secs(20);
const H2_PING_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a request may take until its answer begins: longer than every wait that it may ask for.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);
/// How long an answer may be stuck because its reader does not read.
const STUCK_TIME_MAX: Duration = Duration::from_secs(30);

/// The routes of a node with what every request passes.
fn router(shared: Shared) -> Router {
    let nothing_here = |uri: Uri| async move {
        Problem::new(Code::NotFound, format!("there is nothing at {}", uri.path()))
    };
    openapi::routes()
        .0
        .fallback(nothing_here)
        .method_not_allowed_fallback(|method: Method| async move {
            Problem::new(Code::MethodNotAllowed, format!("{method} is not offered here"))
        })
        .layer(middleware::from_fn(in_time))
        .with_state(shared)
}

async fn in_time(request: Request, next: Next) -> Response {
    match timeout(REQUEST_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let text = format!("no answer within {} s", REQUEST_TIME_MAX.as_secs());
            Problem::new(Code::TooSlow, text).into_response()
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(H1_BUFFER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_pending_accept_reset_streams(H2_RESETS_MAX)
        .max_local_error_reset_streams(H2_RESETS_MAX)
        .max_header_list_size(H2_HEAD_BYTES_MAX)
        .max_send_buf_size(H2_SEND_BYTES_MAX)
        .keep_alive_interval(H2_PING_EVERY)
        .keep_alive_timeout(H2_PING_TIME_MAX);
    builder
}

/// Serves clients until the node ends.
pub(crate) async fn serve(listener: TcpListener, acceptor: SslAcceptor, shared: Shared) {
    let router = router(shared);
    let acceptor = Arc::new(acceptor);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file descriptors, for example: others may close soon.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            if let Err(error) = connection(socket, &acceptor, router).await {
                tracing::debug!("client connection: {error}");
            }
            drop(place);
        });
    }
}

async fn connection(
    socket: TcpStream,
    acceptor: &SslAcceptor,
    router: Router,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A small answer must not wait for the next one.
    let _ = socket.set_nodelay(true);
    let mut stream = SslStream::new(Ssl::new(acceptor.context())?, socket)?;
    timeout(HANDSHAKE, Pin::new(&mut stream).accept()).await??;
    let io = TokioIo::new(Unstuck { stream, deadline: None });
    builder().serve_connection(io, TowerToHyperService::new(router)).await
}

/// A connection that breaks when its other side does not read for too long: a reader that stands
/// still would keep its place and its answer for ever.
struct Unstuck<S> {
    stream: S,
    /// Running while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Unstuck<S> {
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + STUCK_TIME_MAX)));
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstuck<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstuck<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.judge(cx, closed)
    }
}
