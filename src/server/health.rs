//! `GET /healthz`, `GET /readyz`, and `GET /metrics` on its own listener.
//!
//! Owns what "alive" and "ready" mean: alive is that the event loop answers; ready is that a
//! command could be accepted now.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::Metrics;

/// Longest wait for the numbers that only the database knows.
const CENSUS_LIMIT: Duration = Duration::from_secs(1);

/// What both routes use.
pub struct Health {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// The database.
    pub store: Store,
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
}

/// The process lives.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The database can be written to and the bot is not shutting down.
pub async fn readyz(State(health): State<Arc<Health>>) -> (StatusCode, &'static str) {
    if health.stopping.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else if health.store.is_writable(health.clock.now()).await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be written to\n")
    }
}

/// The metrics in the OpenMetrics text format.
pub async fn metrics(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let now = health.clock.now();
    let store = health.store.clone();
    // A task of its own: a statement that is dropped half-way costs a session.
    let census = tokio::spawn(async move { store.census(now).await });
    if let Ok(Ok(Ok(census))) = tokio::time::timeout(CENSUS_LIMIT, census).await {
        let age = census.oldest_open.map_or(0.0, |accepted| now.duration_since(accepted).as_secs_f64());
        health.metrics.undeliverable.set(census.undeliverable);
        health.metrics.oldest_open_seconds.set(age);
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], health.metrics.render())
}
