//! `GET /connected/{command}`: where the customer's browser lands after the Connect Card.
//!
//! Owns the page and its headers. Shows nothing of the request and changes nothing: anyone,
//! Slack's crawler included, can open it.

use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse};

/// Nothing may be loaded, framed, sent on or kept.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// The page.
pub async fn handle() -> impl IntoResponse {
    (HEADERS, Html(include_str!("connected.html")))
}
