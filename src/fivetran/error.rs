//! What can go wrong with a call to Fivetran, by what is to be done about it.
//!
//! Knows no sentence for users: [`crate::reply`] words them.

use std::time::Duration;

use crate::fivetran::model::ApiMessage;
use crate::outbound::CallError;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 401: the key is wrong, or was replaced.
    #[error("Fivetran rejects the API key")]
    KeyRejected(ApiMessage),
    /// 403: the key's role may not do this.
    #[error("the API key may not do this: {0}")]
    Forbidden(ApiMessage),
    /// 404: no such group, connection or service; `ApiMessage::code` tells which.
    #[error("Fivetran does not find it: {0}")]
    NotFound(ApiMessage),
    /// Another 4xx: Fivetran read the request and will not do it. A name that is taken is 409 or
    /// 400, nobody documents which.
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
    /// Nothing was sent.
    #[error("Fivetran is {0}")]
    Unavailable(CallError),
    /// It may have been done: look before repeating.
    #[error("Fivetran gave {0}")]
    Unclear(CallError),
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(_) => Self::Unavailable(error),
            CallError::Unanswered(_) => Self::Unclear(error),
        }
    }
}
