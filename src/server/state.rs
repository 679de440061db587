//! What the routes share.
//!
//! Owns which route gets to see what: each its own struct of what it uses, told in the route's file,
//! and no more.

use std::sync::Arc;

use axum::extract::FromRef;

use super::commands::Commands;
use super::connected::Connected;
use super::events::Events;
use super::health::Health;
use super::interactivity::Interactivity;

/// The state of the routes that Slack and the customer's browser reach.
#[derive(Clone, FromRef)]
pub struct RouteState {
    /// `POST /slack/commands`.
    pub commands: Arc<Commands>,
    /// `POST /slack/interactivity`.
    pub interactivity: Arc<Interactivity>,
    /// `POST /slack/events`.
    pub events: Arc<Events>,
    /// `GET` and `POST /connected/…`.
    pub connected: Arc<Connected>,
    /// `GET /readyz`.
    pub health: Arc<Health>,
}
