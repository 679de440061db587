//! `GET /healthz`, `GET /readyz`, and `GET /metrics` on its own listener.
//!
//! Owns what "alive" and "ready" mean: alive is that the event loop answers; ready is that a
//! command could be accepted now.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::app::Bot;

/// Longest wait for the numbers that only the database knows.
const CENSUS_LIMIT: Duration = Duration::from_secs(1);

/// The process lives.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The database can be written to and the bot is not shutting down.
pub async fn readyz(State(bot): State<Arc<Bot>>) -> (StatusCode, &'static str) {
    if bot.stopping.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else if bot.store.is_writable(bot.clock.now()).await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be written to\n")
    }
}

/// The metrics in the OpenMetrics text format.
pub async fn metrics(State(bot): State<Arc<Bot>>) -> impl IntoResponse {
    let now = bot.clock.now();
    let census = tokio::time::timeout(CENSUS_LIMIT, bot.store.census(now)).await;
    if let Ok(Ok(census)) = census {
        let age = census.oldest_open.map_or(0.0, |accepted| now.duration_since(accepted).as_secs_f64());
        bot.metrics.undeliverable.set(census.undeliverable);
        bot.metrics.oldest_open_seconds.set(age);
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], bot.metrics.render())
}
