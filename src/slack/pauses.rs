//! The pauses that Slack asks for, kept by everybody who calls the same method.
//!
//! Owns until when which calls wait. Must not know what is called for. A limit counts "per method, per
//! workspace", and a `Retry-After` speaks of all calls of the method; only posting has one for each
//! channel besides, "1 per second", which Slack speaks of in the body.
//! <https://docs.slack.dev/apis/web-api/rate-limits>

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// The pause where Slack does not say how long: "design your apps with a limit of 1 request per second".
const UNSAID: Duration = Duration::from_secs(1);
/// Longest pause that is kept without another question. Slack's windows are of a minute.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Until when which calls wait. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    clock: Clock,
    /// By the clock that nobody sets; by method and channel, and no channel means all of them.
    until: Arc<Mutex<HashMap<(String, String), Duration>>>,
}

impl Pauses {
    /// With this clock.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, until: Arc::default() }
    }

    /// How long a call must still wait; `None`: it need not.
    #[must_use]
    pub fn left(&self, method: &str, channel: &str) -> Option<Duration> {
        let now = self.clock.moment().steady;
        let mut until = self.until();
        until.retain(|_, until| *until > now);
        let of = |channel: &str| until.get(&(method.to_owned(), channel.to_owned())).copied();
        let end = of("").max(of(channel))?;
        Some(end.saturating_sub(now))
    }

    /// Slack asks for a pause of this method, in this channel or with none in all of them.
    pub fn asked(&self, method: &str, channel: &str, pause: Option<Duration>) {
        let end = self.clock.moment().steady.saturating_add(pause.unwrap_or(UNSAID).min(LONGEST));
        let mut until = self.until();
        let known = until.entry((method.to_owned(), channel.to_owned())).or_insert(end);
        *known = end.max(*known);
    }

    fn until(&self) -> MutexGuard<'_, HashMap<(String, String), Duration>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole_seconds(left: Option<Duration>) -> Option<u64> {
        // The clock goes on while the test runs.
        left.map(|left| (left + Duration::from_millis(999)).as_secs())
    }

    #[test]
    fn a_pause_holds_for_all_calls_of_its_method_and_no_others() {
        let clock = Clock::default();
        let pauses = Pauses::new(clock.clone());
        assert_eq!(pauses.left("chat.update", "C1"), None);
        pauses.asked("chat.update", "", Some(Duration::from_secs(3000)));
        for channel in ["", "C1", "C2"] {
            assert_eq!(whole_seconds(pauses.left("chat.update", channel)), Some(600), "no longer than that");
        }
        assert_eq!(pauses.left("chat.postMessage", "C1"), None);
        pauses.asked("chat.postMessage", "C1", Some(Duration::from_secs(300)));
        assert_eq!(whole_seconds(pauses.left("chat.postMessage", "C1")), Some(300));
        assert_eq!(pauses.left("chat.postMessage", "C2"), None, "another channel");
        // Whatever becomes of the wall clock meanwhile.
        clock.set_back(Duration::from_secs(3600));
        assert_eq!(whole_seconds(pauses.left("chat.postMessage", "C1")), Some(300));
        clock.set_ahead(Duration::from_secs(7200));
        assert_eq!(whole_seconds(pauses.left("chat.postMessage", "C1")), Some(300));
        // A shorter one that comes late changes nothing.
        pauses.asked("chat.update", "", None);
        clock.advance(Duration::from_secs(300));
        assert_eq!(pauses.left("chat.postMessage", "C1"), None);
        assert_eq!(whole_seconds(pauses.left("chat.update", "C1")), Some(300));
        clock.advance(Duration::from_secs(300));
        assert_eq!(pauses.left("chat.update", "C1"), None);
    }
}
