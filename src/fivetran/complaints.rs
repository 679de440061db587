//! What the log is told of calls to Fivetran that fail: each cause at once, then once a minute while
//! it lasts.
//!
//! Owns when a line is due. What it says is the error's own text, which holds no secret. Must not know
//! who called.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::call::Call;
use super::error::Error;

/// How often a line is repeated.
const REPEAT: Duration = Duration::from_secs(60);
/// Causes kept in mind. There are some dozens; a partner that words each refusal anew must not fill
/// the memory.
const MOST: usize = 256;

/// What the log has been told of late.
#[derive(Default)]
pub(super) struct Complaints(Mutex<HashMap<(&'static str, String), Instant>>);

impl Complaints {
    /// Tells the log of a call that failed, if that is due. What Fivetran itself says to one request is
    /// told by whoever made it.
    pub(super) fn note(&self, call: Call, error: &Error) {
        let cause = error.to_string();
        if is_about_the_way(error) && self.is_due(call, &cause, Instant::now()) {
            tracing::warn!(%call, %cause, "a call to Fivetran failed");
        }
    }

    fn is_due(&self, call: Call, cause: &str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (call.name(), cause.to_owned());
        if told.get(&key).is_some_and(|told| now.duration_since(*told) < REPEAT) {
            return false;
        }
        if told.len() >= MOST {
            told.retain(|_, told| now.duration_since(*told) < REPEAT);
        }
        if told.len() < MOST {
            told.insert(key, now);
        }
        true
    }
}

/// Whether an error speaks of the network, the configuration or Fivetran's health.
fn is_about_the_way(error: &Error) -> bool {
    match error {
        Error::Blocked(_) | Error::TooLarge { .. } | Error::Unavailable(_) | Error::Unclear(_) => true,
        Error::KeyRejected(_)
        | Error::Forbidden(_)
        | Error::Gone(_)
        | Error::NotFound(_)
        | Error::Rejected { .. }
        | Error::Throttled(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cause_is_told_at_once_and_then_once_a_minute() {
        let complaints = Complaints::default();
        let due = |call, cause| complaints.is_due(call, cause, Instant::now());
        assert!(due(Call::See, "a redirect") && due(Call::See, "timeout") && due(Call::List, "timeout"));
        tokio::time::advance(REPEAT - Duration::from_secs(1)).await;
        assert!(!due(Call::See, "timeout"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(due(Call::See, "timeout"));
        assert!(!due(Call::See, "timeout"));
    }

    #[tokio::test(start_paused = true)]
    async fn causes_without_number_are_told_and_not_kept() {
        let complaints = Complaints::default();
        for number in 0..MOST * 2 {
            assert!(complaints.is_due(Call::See, &number.to_string(), Instant::now()));
        }
        assert!(complaints.0.lock().unwrap().len() <= MOST);
    }
}
