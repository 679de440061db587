//! What can go wrong with a call to Fivetran, by what is to be done about it.
//!
//! Knows no sentence for users: [`crate::reply`] words them.

use std::time::Duration;

use crate::fivetran::call::Call;
use crate::fivetran::model::ApiMessage;
use crate::outbound::{CallError, Obstacle};
use crate::telemetry::CallOutcome;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 401: the key is wrong, or was replaced.
    #[error("Fivetran rejects the API key")]
    KeyRejected(ApiMessage),
    /// 403: the key's role may not do this.
    #[error("the API key may not do this: {0}")]
    Forbidden(ApiMessage),
    /// 404, and by Fivetran's own word it is the connection that was asked about which is not there.
    /// Nothing else means that a connection is gone.
    #[error("Fivetran does not have this connection: {0}")]
    Gone(ApiMessage),
    /// 404, and by Fivetran's own word there is no such group, service or the like;
    /// `ApiMessage::code` tells which.
    #[error("Fivetran does not find it: {0}")]
    NotFound(ApiMessage),
    /// Another 4xx: Fivetran read the request and will not do it. A name that is taken is 409 or
    /// 400, nobody documents which; and 409 is any conflict with how things are.
    #[error("Fivetran refuses with status {status}: {said}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// Fivetran's own words.
        said: ApiMessage,
    },
    /// 429: nothing was done; wait so long, if it says how long.
    #[error("rate limited by Fivetran")]
    Throttled(Option<Duration>),
    /// Something stands in the way, and nothing was done.
    #[error("{}", in_the_way(*.0))]
    Blocked(Obstacle),
    /// The answer is larger than is read. Nothing was done but reading.
    #[error("Fivetran's answer is larger than is read, which is {} MB", call.limit_mb())]
    TooLarge {
        /// To what.
        call: Call,
    },
    /// Nothing was sent.
    #[error("Fivetran is {0}")]
    Unavailable(CallError),
    /// It may have been done: look before repeating.
    #[error("Fivetran gave {0}")]
    Unclear(CallError),
}

/// What something in the way means: that Fivetran is not reached, or what answers in its place.
fn in_the_way(obstacle: Obstacle) -> String {
    match obstacle {
        Obstacle::OddShape => format!("Fivetran gave {obstacle}"),
        Obstacle::Redirect { .. } | Obstacle::Foreign { .. } => {
            format!("something else answers in Fivetran's place: {obstacle}")
        }
        obstacle => format!("Fivetran is not reachable: {obstacle}"),
    }
}

impl Error {
    /// Whether nothing at all answered, so that the next call would fare no better.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Unclear(error) => error.is_silence(),
            Self::Blocked(obstacle) => {
                !matches!(obstacle, Obstacle::Redirect { .. } | Obstacle::Foreign { .. } | Obstacle::OddShape)
            }
            Self::KeyRejected(_)
            | Self::Forbidden(_)
            | Self::Gone(_)
            | Self::NotFound(_)
            | Self::Rejected { .. }
            | Self::Throttled(_)
            | Self::TooLarge { .. } => false,
        }
    }

    /// What a call that failed so is counted as.
    pub(super) fn outcome(&self) -> CallOutcome {
        match self {
            Self::KeyRejected(_)
            | Self::Forbidden(_)
            | Self::Gone(_)
            | Self::NotFound(_)
            | Self::Rejected { .. } => CallOutcome::Refused,
            Self::Throttled(_) => CallOutcome::Limited,
            Self::Unavailable(error) | Self::Unclear(error) => CallOutcome::without_answer(error),
            Self::Blocked(_) if self.is_silence() => CallOutcome::Unreachable,
            Self::Blocked(_) | Self::TooLarge { .. } => CallOutcome::Failed,
        }
    }

    /// What a failure of the transport means for a call.
    pub(super) fn of(call: Call, error: CallError) -> Self {
        match error {
            CallError::NotSent(_) => Self::Unavailable(error),
            CallError::Barred(obstacle) => Self::Blocked(obstacle),
            CallError::TooLarge(_) if !call.acts() => Self::TooLarge { call },
            CallError::TooLarge(_) | CallError::Unanswered(_) => Self::Unclear(error),
        }
    }
}
