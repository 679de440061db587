//! How long to rest before the next socket is opened.
//!
//! Owns the rests. Knows neither a socket nor Slack's words.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::slack::respond::PostError;
use crate::slack::socket::LINK_DISABLED;

/// The first rest; each after it is twice as long.
const FIRST: Duration = Duration::from_millis(250);
/// The longest while Slack cannot be reached, or fails. People wait.
const LONGEST: Duration = Duration::from_secs(15);
/// The longest after a socket that was open, though not for long: Slack can be reached.
const LONGEST_AFTER_ONE: Duration = Duration::from_secs(2);
/// The rest where somebody has to do something first.
const REFUSED: Duration = Duration::from_secs(60);
/// The rest while Socket Mode is off in the app's settings. Whoever turns it on ends the requests over HTTP
/// with it, and what is typed until a socket is open is lost. Slack allows fifty openings a minute, and four
/// replicas with two places each try 32 times.
const SWITCHED_OFF: Duration = Duration::from_secs(20);
/// The longest pause of Slack's that is kept: a longer one is asked about again.
const PAUSE_LIMIT: Duration = Duration::from_secs(120);
/// A socket that lasted so long was a good one: the next is opened almost at once, whoever closed it. What
/// ends sooner is no reason to open ever more of them.
const GOOD: Duration = Duration::from_secs(10);

/// How the last try went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A socket was open for so long.
    Lasted(Duration),
    /// None was opened, and Slack asks to be left alone for so long, which may be nothing.
    Failed(Duration),
    /// None will be until somebody does something.
    Refused,
    /// None will be until somebody turns Socket Mode on.
    SwitchedOff,
}

impl Outcome {
    /// What a failed opening is.
    pub(super) fn of(error: &PostError) -> Self {
        match error {
            PostError::Refused(word) => Self::refused(word),
            error => Self::Failed(error.pause()),
        }
    }

    /// What it is if Slack refuses in this word.
    pub(super) fn refused(word: &str) -> Self {
        if word == LINK_DISABLED { Self::SwitchedOff } else { Self::Refused }
    }

    /// Whether somebody has to do something before a socket is opened.
    pub(super) fn is_refusal(self) -> bool {
        matches!(self, Self::Refused | Self::SwitchedOff)
    }
}

/// How many tries in a row were no good.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// How long to rest after the last try. `chance` is from 0 to 1: what fails for many at once should
    /// not come back at once.
    pub(super) fn after(&mut self, outcome: Outcome, chance: f64) -> Duration {
        if let Outcome::Lasted(lasted) = outcome
            && lasted >= GOOD
        {
            self.failures = 0;
            // Slack closes those of many at once when it restarts a host.
            return FIRST.mul_f64(chance);
        }
        self.failures = self.failures.saturating_add(1);
        let doubled = FIRST.saturating_mul(1 << (self.failures - 1).min(10)).min(LONGEST);
        // Half of it is left to chance; what Slack asks for is the least.
        let (rest, asked) = match outcome {
            Outcome::Lasted(_) => (doubled.min(LONGEST_AFTER_ONE), Duration::ZERO),
            Outcome::Failed(pause) => (doubled, pause.min(PAUSE_LIMIT)),
            Outcome::Refused => (REFUSED, Duration::ZERO),
            Outcome::SwitchedOff => (SWITCHED_OFF, Duration::ZERO),
        };
        asked + rest / 2 + (rest / 2).mul_f64(chance)
    }
}

/// A number from 0 to 1.
pub(super) fn chance() -> f64 {
    let mut bytes = [0; 2];
    // Without random numbers, the middle.
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(duration: Duration) -> u128 {
        duration.as_millis()
    }

    #[test]
    fn rests_grow_until_a_socket_lasts() {
        let mut pace = Pace::default();
        let failed = Outcome::Failed(Duration::ZERO);
        let rests: Vec<_> = (0..8).map(|_| ms(pace.after(failed, 1.0))).collect();
        assert_eq!(rests, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
        // One that Slack closes at once shows at least that it can be reached.
        assert_eq!(ms(pace.after(Outcome::Lasted(Duration::from_secs(9)), 1.0)), 2_000);
        assert_eq!(ms(pace.after(Outcome::Lasted(GOOD), 0.0)), 0);
        assert_eq!(ms(pace.after(failed, 1.0)), 250);
        assert_eq!(ms(pace.after(Outcome::Lasted(GOOD), 1.0)), 250);
        assert_eq!(ms(pace.after(failed, 0.0)), 125);
    }

    #[test]
    fn a_pause_of_slacks_is_kept() {
        let asked = |s| Outcome::Failed(Duration::from_secs(s));
        assert_eq!(ms(Pace::default().after(asked(30), 0.0)), 30_125);
        assert_eq!(ms(Pace::default().after(asked(30), 1.0)), 30_250);
        assert_eq!(ms(Pace::default().after(asked(100_000), 0.0)), 120_125);
    }

    #[test]
    fn what_somebody_has_to_mend_is_tried_rarely() {
        let mut pace = Pace::default();
        assert_eq!(ms(pace.after(Outcome::Refused, 0.0)), 30_000);
        assert_eq!(ms(pace.after(Outcome::Refused, 1.0)), 60_000);
        assert_eq!(ms(pace.after(Outcome::refused(LINK_DISABLED), 1.0)), 20_000);
    }
}
