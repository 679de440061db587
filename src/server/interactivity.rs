//! `POST /slack/interactivity`: what people do with the bot's messages.
//!
//! A button that only opens a URL reports its press too, and has to be answered or the person
//! sees a warning sign. There is nothing to do for it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;

use super::signed;
use crate::app::Bot;
use crate::slack::Interaction;

/// Answers one interaction. One that is unknown is answered all the same, and only its kind is
/// logged: the rest holds what people typed, and a response_url.
pub async fn handle(State(bot): State<Arc<Bot>>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let body = match signed::read(body).await {
        Ok(body) => body,
        Err(status) => return status,
    };
    if let Err(status) = signed::verify(&bot, &head.headers, &body) {
        return status;
    }
    match Interaction::decode(&body) {
        Some(interaction) => tracing::debug!(kind = interaction.kind, "an interaction"),
        None => tracing::warn!(bytes = body.len(), "an interaction that cannot be read"),
    }
    StatusCode::OK
}
