//! `GET /healthz`, `GET /readyz`, and `GET /metrics` on its own listener.
//!
//! Owns what "alive" and "ready" mean: alive is that the event loop answers; ready is that a
//! command could be accepted now: one that comes over a socket needs one that is open.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;

use tokio_util::sync::CancellationToken;

use super::sockets::{Open, SOCKETS};
use crate::clock::Clock;
use crate::slack::socket::Switch;
use crate::store::{Census, Store};
use crate::telemetry::Metrics;

/// What both routes use.
pub struct Health {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// The database.
    pub store: Store,
    /// How Slack reaches the bot.
    pub reached: Reached,
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
}

/// How Slack reaches the bot.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Whether by requests, which have signatures.
    pub by_http: bool,
    /// By sockets, with how many of them are open.
    pub by_sockets: Option<Open>,
    /// Whether Slack uses them.
    pub socket_mode: Switch,
}

impl Reached {
    /// The sockets in words, if there are to be any.
    fn sockets(&self) -> Option<String> {
        self.open_sockets().map(|(open, wanted)| format!("{open} of {wanted} sockets"))
    }

    /// How many of them are open, of how many, if there are to be any.
    #[must_use]
    pub fn open_sockets(&self) -> Option<(usize, usize)> {
        Some((self.by_sockets.as_ref()?.count().min(SOCKETS), SOCKETS))
    }

    /// Whether Slack sends requests. Where both ways are open, it sends none while Socket Mode is switched on.
    #[must_use]
    pub fn by_requests(&self) -> bool {
        self.by_http && !self.socket_mode.is_on()
    }

    /// Whether a command could come in at all. Where both ways are open a request may, whatever Slack said last:
    /// an orchestrator must not keep it out while the sockets are what fails.
    fn is_possible(&self) -> bool {
        self.by_http || self.by_sockets.as_ref().is_none_or(|open| open.count() > 0)
    }
}

impl Health {
    /// Keeps what was counted; until the next time, also while the database does not answer.
    fn count(&self, census: &Census, now: Timestamp) {
        let since = |since: Timestamp| now.duration_since(since).as_secs_f64().max(0.0);
        let age = |from: Option<Timestamp>| from.map_or(0.0, since);
        self.metrics.open_commands(&census.open);
        self.metrics.undeliverable.set(census.undeliverable);
        self.metrics.oldest_open_seconds.set(age(census.oldest_open));
        self.metrics.messages_behind.set(census.behind);
        self.metrics.message_oldest_seconds.set(age(census.behind_since));
        self.metrics.audit_oldest_seconds.set(age(census.line_since));
        self.metrics.sweep_oldest(census.listed_before.map(since));
    }
}

/// The process lives.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The database can be written to, Slack can reach the bot as far as that lies with it, and the bot is not
/// shutting down.
pub async fn readyz(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    let not_ready = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"));
    if health.stopping.is_cancelled() {
        return not_ready("shutting down");
    }
    if !health.store.is_writable(health.clock.now()).await {
        return not_ready("the database cannot be written to");
    }
    if !health.reached.is_possible() {
        return not_ready("no socket to Slack is open");
    }
    let sockets = health.reached.sockets();
    (StatusCode::OK, sockets.map_or_else(|| "ready\n".to_owned(), |open| format!("ready, {open}\n")))
}

/// The metrics in the OpenMetrics text format.
pub async fn metrics(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let now = health.clock.now();
    // One that is full, or read-only, still answers.
    let (census, takes_writes) = tokio::join!(health.store.counted(now), health.store.is_writable(now));
    health.metrics.database_up(census.is_some() && takes_writes);
    if let Some(census) = census {
        health.count(&census, now);
    }
    health.metrics.by_http(health.reached.by_requests());
    if let Some(open) = &health.reached.by_sockets {
        health.metrics.sockets(open.count().min(SOCKETS), SOCKETS);
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], health.metrics.render())
}
