//! How many requests an account may make in a while, and what a caller is told of it.
//!
//! Owns the rolling window and the refusal. Must not know what is requested; the time is handed in.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::wire::Answer;

/// By what all requests are counted.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// What a paying account has. <https://fivetran.com/docs/rest-api/rate-limiting>
const USUAL: u64 = 20_000;

/// The requests of the last while.
pub(crate) struct Limit {
    most: u64,
    window: SignedDuration,
    /// Whether a request too many is refused.
    holds: bool,
    granted: VecDeque<Timestamp>,
}

/// What becomes of one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Seconds after which there is room again; `None` when the request is granted.
    pub(crate) retry_after: Option<u64>,
}

impl Verdict {
    /// The answer to a request that is not granted.
    pub(crate) fn refusal(&self) -> Option<Answer> {
        let message = format!("Max {} api calls allowed in one-hour rolling time period", self.limit);
        let body = json!({ "code": "TooManyRequests", "message": message });
        Some(Answer::json(429, &body).with("retry-after", self.retry_after?.to_string()))
    }
}

/// The answer to a creation too many. Nobody has told whether it says when there is room again.
/// <https://github.com/fivetran/terraform-provider-fivetran/issues/80>
pub(crate) fn too_many_creations(most: u64) -> Answer {
    let message = format!("No more than {most} connectors can be created in one-minute  time period");
    Answer::json(429, &json!({ "code": "TooManyRequests", "message": message }))
}

impl Default for Limit {
    fn default() -> Self {
        Self { most: USUAL, window: HOUR, holds: false, granted: VecDeque::new() }
    }
}

impl Limit {
    /// From now on so many an hour are granted.
    pub(crate) fn set(&mut self, an_hour: u64) {
        self.set_within(an_hour, HOUR);
    }

    /// From now on so many are granted within a window of time.
    pub(crate) fn set_within(&mut self, most: u64, window: SignedDuration) {
        (self.most, self.window, self.holds) = (most, window, true);
    }

    /// Judges a request. One that is refused uses nothing up.
    pub(crate) fn ask(&mut self, now: Timestamp) -> Verdict {
        let retry_after = self.wait(now).filter(|_| self.holds);
        if retry_after.is_none() {
            self.granted.push_back(now);
        }
        let used = u64::try_from(self.granted.len()).unwrap_or(u64::MAX);
        let remaining = self.most.saturating_sub(used);
        Verdict { limit: self.most, remaining, retry_after }
    }

    /// Somebody else has just made so many requests with the same account.
    pub(crate) fn spend(&mut self, requests: usize, now: Timestamp) {
        self.granted.extend(std::iter::repeat_n(now, requests));
    }

    /// The requests of the window before now.
    pub(crate) fn spent(&mut self, now: Timestamp) -> usize {
        let window = self.window;
        let over = |at: &Timestamp| now.duration_since(*at) >= window;
        while self.granted.front().is_some_and(over) {
            self.granted.pop_front();
        }
        self.granted.len()
    }

    /// The seconds until there is room, or `None` when there is.
    fn wait(&mut self, now: Timestamp) -> Option<u64> {
        let spent = self.spent(now);
        let over = spent.checked_sub(usize::try_from(self.most).unwrap_or(usize::MAX))?;
        // The account is granted one more when so many have become too old to count.
        let Some(last) = self.granted.get(over) else {
            return Some(u64::try_from(self.window.as_secs()).unwrap_or(0));
        };
        let left = self.window.saturating_sub(now.duration_since(*last)).as_millis();
        Some(u64::try_from(left).unwrap_or(0).div_ceil(1000).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_hour_rolls() {
        let mut limit = Limit::default();
        limit.set(3);
        let remaining: Vec<_> = [0, 10, 20].map(|second| limit.ask(at(second)).remaining).into();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = Verdict { limit: 3, remaining: 0, retry_after: Some(3575) };
        assert_eq!(limit.ask(at(25)), refused);
        assert_eq!(limit.ask(at(3599)).retry_after, Some(1));
        assert_eq!(limit.ask(at(3600)).retry_after, None);
        assert_eq!(limit.ask(at(3600)).retry_after, Some(10));
        assert_eq!(limit.spent(at(3600)), 3);
        limit.spend(2, at(3650));
        assert_eq!((limit.spent(at(3650)), limit.ask(at(3650)).retry_after), (3, Some(3550)));
        assert_eq!(limit.spent(at(9999)), 0);
    }

    #[test]
    fn it_is_only_told_until_it_is_set() {
        let mut limit = Limit::default();
        limit.spend(20_001, at(0));
        assert_eq!(limit.ask(at(0)), Verdict { limit: USUAL, remaining: 0, retry_after: None });
        limit.set(0);
        assert_eq!(limit.ask(at(9999)).retry_after, Some(3600));
    }
}
