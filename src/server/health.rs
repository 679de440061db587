//! `GET /healthz`, `GET /readyz`, and `GET /metrics` on its own listener.
//!
//! Owns what "alive" and "ready" mean: alive is that the event loop answers; ready is that a
//! command could be accepted now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::app::Bot;

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
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], bot.metrics.render())
}
