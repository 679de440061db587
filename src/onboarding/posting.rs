//! The command of an onboarding, step by step.
//!
//! Owns when its message is posted, drawn anew and given up, and when the command ends. Pure; worker and
//! simulator share it.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Next, Onboarding};
use crate::journal::{LATE, LATEST, PostFailure, THROTTLE_LIMIT, WEB_API_DEADLINE};

/// How often the sources that are being made are looked at.
pub const GLANCE: Duration = Duration::from_millis(200);
/// The same once that takes long.
pub const LATE_GLANCE: Duration = Duration::from_secs(1);
/// From when on it does.
const LONG: SignedDuration = SignedDuration::from_secs(5);
/// First pause before something that failed is tried again.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest of those.
const PAUSE_LIMIT: Duration = Duration::from_secs(15);
/// Pauses before a message is posted once more that Slack may have taken: each may make a copy of it.
const UNCLEAR_PAUSES: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(30), Duration::from_secs(300)];

/// Why the message of an onboarding is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unposted {
    /// Slack refuses it, in this word.
    Refused(String),
    /// Slack never said whether it took it.
    Unclear,
    /// Slack was out of reach for as long as was tried.
    Silent,
}

/// What a process that carries the command knows of its message, besides the row.
#[derive(Debug, Default)]
pub struct Posting {
    /// Why it is not tried any more.
    pub given_up: Option<Unposted>,
    /// Whether it was posted: nobody does so twice, wherever it stands by now.
    pub posted: bool,
    /// Whether it was drawn after everything had ended.
    pub drawn: bool,
    /// Tries that failed.
    tries: u32,
    /// Those of them of which nothing was heard.
    unheard: usize,
}

/// Whether a process has tried to reach Slack for long enough, for a command of this age: nobody may have been there
/// to try it before.
#[must_use]
pub fn is_too_late(age: SignedDuration, tried_for: Duration) -> bool {
    age > WEB_API_DEADLINE && (tried_for > LATE.unsigned_abs() || age >= LATEST)
}

/// What the process does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It posts the message.
    Post,
    /// It has the message drawn as it is now: lines of what was not set up go, whoever has drawn them, and
    /// whether the message is still there is known before anybody is told so.
    Draw,
    /// It looks again after this pause.
    Wait(Duration),
    /// It tells whoever asked what was not set up, and ends the command.
    End,
}

impl Posting {
    /// What comes next; `age`: how long ago the command was accepted.
    #[must_use]
    pub fn next(&self, onboarding: &Onboarding, parent: &str, age: SignedDuration) -> Step {
        let waits = onboarding.waits(parent);
        match onboarding.next(parent, age) {
            Next::Post if self.given_up.is_none() && !self.posted => Step::Post,
            Next::Post | Next::End if !waits && self.drawn => Step::End,
            Next::Post | Next::End if !waits => Step::Draw,
            _ if age < LONG => Step::Wait(GLANCE),
            _ => Step::Wait(LATE_GLANCE),
        }
    }

    /// The pause before something is tried again that has failed; `asked`: at least so long, as far as anybody
    /// can be asked to wait.
    pub fn pause(&mut self, asked: Duration) -> Duration {
        let doubled = PAUSE * (1 << self.tries.min(8));
        self.tries = self.tries.saturating_add(1);
        doubled.min(PAUSE_LIMIT).max(asked.min(THROTTLE_LIMIT))
    }

    /// The same after a sentence that may have been heard: each further one may be heard once more.
    pub fn unheard(&mut self) -> Duration {
        let pause = UNCLEAR_PAUSES.get(self.unheard).or(UNCLEAR_PAUSES.last()).copied();
        self.unheard += 1;
        pause.unwrap_or(PAUSE_LIMIT)
    }

    /// The message did not reach Slack, or may not have: the pause before it is tried again. `None`: it is
    /// given up, as when it [`is_too_late`].
    pub fn failed(&mut self, failure: PostFailure, too_late: bool) -> Option<Duration> {
        match failure {
            PostFailure::Refused(word) => self.given_up = Some(Unposted::Refused(word)),
            PostFailure::Unconfirmed => self.given_up = Some(Unposted::Unclear),
            PostFailure::Unclear => {
                let pause = UNCLEAR_PAUSES.get(self.unheard).copied();
                self.unheard += 1;
                if pause.is_some() {
                    return pause;
                }
                self.given_up = Some(Unposted::Unclear);
            }
            _ if too_late => {
                let unheard = self.unheard > 0;
                self.given_up = Some(if unheard { Unposted::Unclear } else { Unposted::Silent });
            }
            PostFailure::Later { pause, .. } => return Some(self.pause(pause)),
            PostFailure::Throttled(pause) => return Some(self.pause(pause.unwrap_or_default())),
            PostFailure::NotSent => return Some(self.pause(Duration::ZERO)),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_ever_because_slack_says_so() {
        let mut posting = Posting::default();
        let asked = PostFailure::Throttled(Some(Duration::MAX));
        assert_eq!(posting.failed(asked, false), Some(THROTTLE_LIMIT));
        assert_eq!(posting.pause(Duration::ZERO), PAUSE * 2);
        assert_eq!(posting.given_up, None);
    }

    #[test]
    fn slack_is_given_up_only_by_who_has_tried_it_for_a_while() {
        let second = Duration::from_secs(1);
        let (day, late) = (SignedDuration::from_hours(24), LATE.unsigned_abs());
        assert!(!is_too_late(day, late) && is_too_late(day, late + second));
        assert!(!is_too_late(WEB_API_DEADLINE, late + second));
        // However many have died at it.
        assert!(is_too_late(LATEST, Duration::ZERO));
        let mut posting = Posting::default();
        assert!(posting.failed(PostFailure::NotSent, false).is_some() && posting.given_up.is_none());
        assert_eq!(posting.failed(PostFailure::NotSent, true), None);
        assert_eq!(posting.given_up, Some(Unposted::Silent));
    }
}
