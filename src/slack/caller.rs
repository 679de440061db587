//! Calls to Slack, counted, and Slack's clock by their answers.
//!
//! Owns nothing but the client and where it is counted. Must not know what is called for.

use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Response};

use crate::clock::Clock;
use crate::outbound::{self, CallError};
use crate::telemetry::{Calling, Metrics, Operation};

/// Whoever calls Slack. Clones share the connections and the numbers.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The one client.
    pub http: Client,
    metrics: Metrics,
    clock: Clock,
}

impl Caller {
    /// Calls over `http`.
    #[must_use]
    pub fn new(http: Client, metrics: Metrics, clock: Clock) -> Self {
        Self { http, metrics, clock }
    }

    /// Counts calls there from now on.
    #[must_use]
    pub(super) fn counting(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Goes by another clock.
    #[must_use]
    pub(super) fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Begins a call, to be counted with what it comes to.
    pub(super) fn calling(&self, call: Operation) -> Calling {
        self.metrics.calling(call)
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sends a request, and returns the beginning of the answer.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let response = request.send().await.map_err(|error| outbound::classify(&error))?;
        if let Some(at) = outbound::answered_at(&response) {
            self.metrics.slacks_clock(at.as_second(), self.clock.now());
        }
        Ok(response)
    }
}
