//! The listener: hyper's connections around axum's routes.
//!
//! Owns how a connection is taken, bounded and drained. Must not know what a route does. This
//! loop is here, and not axum's own, because that one never ends a half-sent header, takes any
//! number of connections and listens with a backlog that a burst overflows.

pub mod accept;
pub mod allowance;
pub mod commands;
pub mod connected;
pub mod crowd;
mod deadline;
pub mod doctor;
pub mod events;
mod feedback;
pub mod form;
pub mod health;
pub mod home;
pub mod interactivity;
mod line;
mod list;
mod seats;
pub mod signed;
pub mod sockets;
pub mod state;
pub mod words;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crowd::Crowd;
use health::Health;
use state::RouteState;

/// Connections that the kernel keeps for us; a burst on the usual 128 costs its callers a second.
const BACKLOG: u32 = 4096;
/// Largest header block, in bytes, and most headers in it.
const HEADER_LIMIT: (usize, usize) = (16 * 1024, 64);
/// Longest wait for open connections to finish after the listener was closed.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How often is said that none can be accepted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Where the bot listens and where it is reached.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `HOST` and `PORT`.
    pub listen: SocketAddr,
    /// `PUBLIC_URL`, without a slash at its end. `None` where nobody reaches the bot.
    pub public_url: Option<String>,
    /// `METRICS_ADDR`.
    pub metrics: Option<SocketAddr>,
}

/// An answer as JSON.
fn json(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(json) => {
            let json_type = HeaderValue::from_static("application/json; charset=utf-8");
            ([(header::CONTENT_TYPE, json_type)], json).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The routes that Slack and the customer's browser reach.
pub fn routes(state: RouteState) -> Router {
    Router::new()
        .route("/slack/commands", post(commands::handle))
        .route("/slack/interactivity", post(interactivity::handle))
        .route("/slack/events", post(events::handle))
        .route("/connected/{link}", get(connected::handle).post(connected::lead::handle))
        .route("/connected/{link}/{proof}", get(connected::handle).post(connected::lead::handle))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .with_state(state)
}

/// The route on the metrics listener.
pub fn metrics_routes(health: Arc<Health>) -> Router {
    Router::new().route("/metrics", get(health::metrics)).with_state(health)
}

/// Opens a listening socket.
///
/// # Errors
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How a connection is read. How long it may be silent is `line`'s to say.
fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(HEADER_LIMIT.0)
        .max_headers(HEADER_LIMIT.1);
    http
}

/// Serves until `stop`, then lets open connections finish their request. `crowd` has those of all listeners.
pub async fn serve(listener: TcpListener, routes: Router, crowd: Arc<Crowd>, stop: CancellationToken) {
    let http = http();
    let service = TowerToHyperService::new(routes);
    let graceful = GracefulShutdown::new();
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Nearly always a lack of file descriptors.
                crowd.make_room();
                if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
                    complained = Some(Instant::now());
                    tracing::warn!(%error, "could not accept a connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without it an acknowledgement can wait 40 ms for the peer's delayed ack.
        let _ = stream.set_nodelay(true);
        // After the accept: nobody has to leave while nobody comes.
        let Some(place) = stop.run_until_cancelled(crowd.enter()).await else { break };
        let first = heard(stream, stop.clone());
        let (http, service, graceful) = (http.clone(), service.clone(), graceful.watcher());
        tokio::spawn(place.hold(first, move |place, stream| {
            let (stream, service) = place.noted(stream, service);
            graceful.watch(http.serve_connection(TokioIo::new(stream), service))
        }));
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not finish in time");
    }
}

/// The connection once something has come on it; `None`: it ends, or the bot stops, before.
async fn heard(stream: TcpStream, stop: CancellationToken) -> Option<TcpStream> {
    let mut byte = [0];
    tokio::select! {
        biased;
        // Whether it is readable may be a guess of the system's; this is certain.
        first = stream.peek(&mut byte) => first.ok().filter(|&bytes| bytes > 0)?,
        () = stop.cancelled() => return None,
    };
    Some(stream)
}
