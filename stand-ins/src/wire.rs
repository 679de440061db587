//! HTTP for the stand-ins: a listener, one request as plain data, one answer as plain data.
//!
//! Owns sockets and hyper. Must not know Slack, Fivetran, or which faults exist.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::lock;

const BACKLOG: u32 = 4096;
const BODY_LIMIT: usize = 4 << 20;
/// How many are written at once of what has a pause of less than a second.
const AT_ONCE: usize = 64;
/// What a label tells of a query.
const SHOWN: [&str; 4] = ["group_id", "schema", "limit", "cursor"];

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What a handler gives: an answer, or an error after which the connection is closed in silence.
pub(crate) type Outcome = io::Result<Response<Body>>;

/// Marks an answer after which the connection is reset instead of closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resets;

/// As an error, what is written in the place of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) once: Bytes,
    /// Until nobody reads any more, with such a pause before each.
    pub(crate) again: Option<(Bytes, Duration)>,
}

impl std::fmt::Display for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no answer by HTTP")
    }
}

impl std::error::Error for Raw {}

impl Raw {
    async fn write(&self, socket: &mut Socket) -> io::Result<()> {
        socket.write_all(&self.once).await?;
        if let Some((again, between)) = &self.again {
            let many = again.repeat(if between.as_secs() == 0 { AT_ONCE } else { 1 });
            loop {
                pause(*between).await;
                socket.write_all(&many).await?;
            }
        }
        socket.shutdown().await
    }
}

/// A request with its body read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// A header's text; empty when absent or not text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether this stands in its address or its body.
    pub(crate) fn says(&self, word: &str) -> bool {
        let in_body = || self.body.windows(word.len()).any(|part| part == word.as_bytes());
        !word.is_empty() && (self.path.contains(word) || self.query.contains(word) || in_body())
    }

    /// The first query parameter of this name, decoded.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Method, path and what is asked of it, without what could let somebody in.
    pub(crate) fn label(&self) -> String {
        let query = form_urlencoded::parse(self.query.as_bytes());
        let shown: Vec<_> = query
            .filter(|(key, _)| SHOWN.contains(&key.as_ref()))
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let mark = if shown.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, shown.join("&"))
    }

    /// The body as JSON, `Null` when it is empty, or `None` when it is not JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        if self.body.is_empty() {
            return Some(Value::Null);
        }
        serde_json::from_slice(&self.body).ok()
    }
}

/// An answer before it becomes bytes on the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::json_text(status, body.to_string())
    }

    /// JSON that has been written already.
    pub(crate) fn json_text(status: u16, body: String) -> Self {
        Self::new(status, "application/json; charset=utf-8", body)
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.to_owned())
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    pub(crate) fn redirect(status: u16, location: String) -> Self {
        Self::text(status, "").with("location", location)
    }

    #[must_use]
    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, headers: Vec::new(), content_type, body: Bytes::from(body) }
    }

    /// The response, whole.
    pub(crate) fn into_response(self) -> Response<Body> {
        let body = Full::new(self.body.clone()).map_err(|never| match never {}).boxed_unsync();
        self.with_body(body)
    }

    /// The response with another body than the answer's own, which only lends its head.
    pub(crate) fn with_body(&self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// A running listener. Dropping it leaves it running; `shutdown` stops it.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) addr: SocketAddr,
    stop: CancellationToken,
}

impl Listening {
    /// Stops accepting and closes every open connection.
    pub(crate) fn shutdown(&self) {
        self.stop.cancel();
    }
}

/// A bound socket which nobody serves yet, so that its owner can learn its address first.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    pub(crate) addr: SocketAddr,
}

/// Binds a socket; port 0 picks a free one.
pub(crate) fn bind(addr: SocketAddr) -> io::Result<Bound> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let addr = listener.local_addr()?;
    Ok(Bound { listener, addr })
}

impl Bound {
    /// What `serve` will give, for owners which must hold it before they can answer.
    pub(crate) fn handle(&self) -> Listening {
        Listening { addr: self.addr, stop: CancellationToken::new() }
    }

    /// Serves in the background until `listening` is shut down.
    ///
    /// Each request is handled in a task of its own: a caller who hangs up does not undo work, as
    /// it would not with the real party.
    pub(crate) fn serve<H, F>(self, listening: &Listening, handler: H)
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.accept(listening, move |stream| converse(stream, Arc::clone(&handler)));
    }

    /// Hands each connection to a task of its own, until `listening` is shut down.
    pub(crate) fn accept<C, F>(self, listening: &Listening, mut converse: C)
    where
        C: FnMut(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = listening.stop.clone();
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = self.listener.accept() => accepted,
                };
                // A failed accept concerns one caller; yielding keeps a run of them from spinning.
                let Ok((stream, _)) = accepted else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let connection = converse(stream);
                let stop = stop.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = connection => {}
                    }
                });
            }
        });
    }
}

async fn converse<H, F>(stream: TcpStream, handler: Arc<H>)
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let raw: Arc<Mutex<Option<Raw>>> = Arc::default();
    let socket = Socket { stream, reset: Arc::clone(&reset) };
    let wanted = Arc::clone(&raw);
    let service = service_fn(move |incoming: hyper::Request<Incoming>| {
        let (handler, reset, raw) = (Arc::clone(&handler), Arc::clone(&reset), Arc::clone(&wanted));
        Box::pin(async move {
            let Some(request) = read(incoming).await? else {
                return Ok(Answer::text(413, "Payload Too Large").into_response());
            };
            let outcome = tokio::spawn(handler(request)).await.map_err(io::Error::other)?;
            let is_reset = match &outcome {
                Ok(response) => response.extensions().get::<Resets>().is_some(),
                Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
            };
            reset.store(is_reset, Ordering::Relaxed);
            let error = outcome.as_ref().err().and_then(|error| error.get_ref()?.downcast_ref::<Raw>());
            *lock(&raw) = error.cloned();
            outcome
        })
    });
    let mut connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    // An error here is a caller who left, or a drop that was asked for.
    let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let mut socket = connection.into_parts().io.into_inner();
    let raw = lock(&raw).take();
    let _ = match raw {
        Some(raw) => raw.write(&mut socket).await,
        None => socket.shutdown().await,
    };
}

/// A socket that can be reset instead of closed.
struct Socket {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn read(incoming: hyper::Request<Incoming>) -> io::Result<Option<Request>> {
    let (head, body) = incoming.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return Ok(None),
        Err(error) => return Err(io::Error::other(error)),
    };
    Ok(Some(Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    }))
}

/// Waits by the real clock; no time at all does not even yield.
pub(crate) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
