//! `POST /slack/events`, and the events that come over a socket in its place.
//!
//! Owns that each is acknowledged at once, before anything is made of it: Slack sends again what it does not
//! see acknowledged within three seconds, and stops sending to a bot that often is not in time. Must not
//! know what a Home shows.
//!
//! <https://docs.slack.dev/apis/events-api#responding>

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::deadline::Deadline;
use super::home::Homes;
use super::json as as_json;
use super::signed::{self, Signed};
use crate::slack::event::Event;
use crate::telemetry::{Answer, Metrics};

/// What the route uses. No `Debug`: it holds secrets.
pub struct Events {
    /// The numbers.
    pub metrics: Metrics,
    /// Who tells Slack's requests from others.
    pub signed: Arc<Signed>,
    /// What people see in the app's Home.
    pub homes: Arc<Homes>,
}

/// Acknowledges one event.
pub async fn handle(State(events): State<Arc<Events>>, request: Request) -> Response {
    let deadline = Deadline::of(request.extensions());
    let (answer, response) = match events.receive(request, deadline).await {
        Ok(Some(said)) => (Answer::Replied, as_json(&said)),
        Ok(None) => (Answer::Replied, StatusCode::OK.into_response()),
        Err(status) => (Answer::Refused, status.into_response()),
    };
    events.metrics.answered(answer, deadline.began().elapsed().as_secs_f64());
    response
}

impl Events {
    /// From a request over HTTP to what there is to say, if anything.
    async fn receive(&self, request: Request, deadline: Deadline) -> Result<Option<Value>, StatusCode> {
        let (head, body) = request.into_parts();
        let body = signed::read(body, deadline).await?;
        self.signed.verify(&head, &body)?;
        let Some(event) = Event::decode(&body) else {
            tracing::warn!(bytes = body.len(), "an event that cannot be read");
            return Err(StatusCode::BAD_REQUEST);
        };
        Ok(self.take(event))
    }

    /// From the payload of an envelope. There is nothing to say to it.
    pub(super) fn heard(&self, payload: &Value, deadline: Deadline) {
        self.take(Event::of_payload(payload));
        self.metrics.answered(Answer::Replied, deadline.began().elapsed().as_secs_f64());
    }

    /// Takes an event that is Slack's, whichever way it came in, and gives the answer, if it has one.
    fn take(&self, event: Event) -> Option<Value> {
        match event {
            Event::Verification(challenge) => Some(json!({ "challenge": challenge })),
            Event::HomeOpened(opened) => {
                self.homes.opened(opened);
                None
            }
            Event::Another(kind) => {
                tracing::debug!(kind, "an event that nothing is made of");
                None
            }
        }
    }
}
