//! What the log says while an outside party is in trouble: each cause at once, then once a minute
//! while it lasts, and once that it is over; never a line for each command.
//!
//! Owns when a line is due and what it says. [`Troubles`] is pure: time and numbers are handed in.
//! Must not know a command.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Outcome;
use crate::clock::Clock;
use crate::journal::{Failure, PostFailure};
use crate::telemetry::Party;

/// How often a line is repeated.
const REPEAT: Duration = Duration::from_secs(60);
/// A party that has answered is over its trouble when so long nothing has failed.
const CALM: Duration = Duration::from_secs(5);

/// Why commands wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    FivetranPause,
    FivetranUnreachable,
    FivetranUnclear,
    SlackPause,
    SlackUnreachable,
    SlackUnclear,
    SlackNotNow,
}

impl Cause {
    fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Failed(Failure::Throttled(_)) => Some(Self::FivetranPause),
            Outcome::Failed(Failure::NotSent) => Some(Self::FivetranUnreachable),
            Outcome::Failed(Failure::Unanswered | Failure::Unclear) => Some(Self::FivetranUnclear),
            Outcome::PostFailed(PostFailure::Throttled(_)) => Some(Self::SlackPause),
            Outcome::PostFailed(PostFailure::NotSent) => Some(Self::SlackUnreachable),
            Outcome::PostFailed(PostFailure::Unclear) => Some(Self::SlackUnclear),
            Outcome::PostFailed(PostFailure::Later { .. }) => Some(Self::SlackNotNow),
            _ => None,
        }
    }

    fn party(self) -> Party {
        match self {
            Self::FivetranPause | Self::FivetranUnreachable | Self::FivetranUnclear => Party::Fivetran,
            Self::SlackPause | Self::SlackUnreachable | Self::SlackUnclear | Self::SlackNotNow => {
                Party::Slack
            }
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::FivetranPause => "Fivetran asks for a pause",
            Self::FivetranUnreachable => "Fivetran is not reachable",
            Self::FivetranUnclear => "Fivetran gives no clear answer",
            Self::SlackPause => "Slack asks for a pause",
            Self::SlackUnreachable => "Slack is not reachable",
            Self::SlackUnclear => "Slack gives no clear answer",
            Self::SlackNotNow => "Slack refuses for now",
        }
    }
}

/// Whom an outcome shows to be well.
fn well(outcome: &Outcome) -> Option<Party> {
    match outcome {
        Outcome::Created { .. }
        | Outcome::CreateRefused { .. }
        | Outcome::Found(_)
        | Outcome::Minted(_)
        | Outcome::Vanished
        | Outcome::Cancelled
        | Outcome::NotCancelled
        | Outcome::Failed(Failure::Final(_)) => Some(Party::Fivetran),
        Outcome::Posted
        | Outcome::Told
        | Outcome::PostFailed(PostFailure::Refused(_) | PostFailure::Unconfirmed) => Some(Party::Slack),
        _ => None,
    }
}

/// Why a command may have to wait, for the log.
pub(super) fn cause(outcome: &Outcome) -> &'static str {
    match (Cause::of(outcome), outcome) {
        (Some(cause), _) => cause.sentence(),
        (None, Outcome::Postponed) => "its lease is too short, or somebody else is at work on it",
        _ => "a connection may yet appear",
    }
}

/// A line that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Commands wait: so many calls have failed since the last line, and so long it has lasted.
    Waits { cause: Cause, failed: u64, lasted: Duration },
    /// They do not any more.
    Over { cause: Cause, lasted: Duration },
}

#[derive(Debug)]
struct Trouble {
    /// When it began; `None`: it is over, and kept for when it was last spoken of.
    since: Option<Timestamp>,
    /// When a call last failed so.
    last: Timestamp,
    /// When the party last answered after that.
    answered: Option<Timestamp>,
    /// Calls that failed since the last line.
    failed: u64,
    said: Option<Timestamp>,
    /// Whether this time it has been spoken of.
    known: bool,
}

/// The causes that there have been.
#[derive(Debug, Default)]
struct Troubles(BTreeMap<Cause, Trouble>);

impl Troubles {
    fn failed(&mut self, cause: Cause, now: Timestamp) -> Option<Line> {
        let trouble = self.0.entry(cause).or_insert_with(|| Trouble {
            since: None,
            last: now,
            answered: None,
            failed: 0,
            said: None,
            known: false,
        });
        if trouble.since.is_none() {
            (trouble.since, trouble.known) = (Some(now), false);
        }
        (trouble.last, trouble.answered) = (now, None);
        trouble.failed += 1;
        trouble.line(cause, now)
    }

    fn answered(&mut self, party: Party, now: Timestamp) {
        let of_party = self.0.iter_mut().filter(|(cause, _)| cause.party() == party);
        of_party.for_each(|(_, trouble)| trouble.answered = trouble.answered.or(Some(now)));
    }

    /// What is due with time alone.
    fn pass(&mut self, now: Timestamp) -> Vec<Line> {
        let lines = self.0.iter_mut().filter_map(|(&cause, trouble)| {
            let since = trouble.since?;
            if trouble.answered.is_some() && gone(trouble.last, now) >= CALM {
                trouble.since = None;
                trouble.failed = 0;
                let lasted = gone(since, trouble.last);
                return trouble.known.then_some(Line::Over { cause, lasted });
            }
            // Of what neither fails any more nor works there is nothing new to say.
            if trouble.failed == 0 { None } else { trouble.line(cause, now) }
        });
        lines.collect()
    }
}

impl Trouble {
    fn line(&mut self, cause: Cause, now: Timestamp) -> Option<Line> {
        if self.said.is_some_and(|said| now >= said && gone(said, now) < REPEAT) {
            return None;
        }
        (self.said, self.known) = (Some(now), true);
        let lasted = gone(self.since?, now);
        Some(Line::Waits { cause, failed: std::mem::take(&mut self.failed), lasted })
    }
}

fn gone(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// The log of both parties' troubles.
pub(super) struct TroubleLog {
    clock: Clock,
    troubles: Mutex<Troubles>,
}

impl TroubleLog {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, troubles: Mutex::default() }
    }

    /// Takes note of what a call came to. `waiting` counts the commands that wait for a party.
    pub(super) fn note(&self, outcome: &Outcome, waiting: impl Fn(Party) -> usize) {
        let now = self.clock.now();
        let line = match (Cause::of(outcome), well(outcome)) {
            (Some(cause), _) => self.troubles().failed(cause, now),
            (None, Some(party)) => {
                self.troubles().answered(party, now);
                None
            }
            (None, None) => None,
        };
        line.into_iter().for_each(|line| say(line, &waiting));
    }

    /// Says what is due with time alone; to be asked every few seconds.
    pub(super) fn pass(&self, waiting: impl Fn(Party) -> usize) {
        let lines = self.troubles().pass(self.clock.now());
        lines.into_iter().for_each(|line| say(line, &waiting));
    }

    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn say(line: Line, waiting: &impl Fn(Party) -> usize) {
    match line {
        Line::Waits { cause, failed, lasted } => {
            let (waiting, lasted_s) = (waiting(cause.party()), lasted.as_secs());
            let cause = cause.sentence();
            tracing::warn!(cause, waiting, failed_calls = failed, lasted_s, "commands wait");
        }
        Line::Over { cause, lasted } => {
            let (waiting, lasted_s) = (waiting(cause.party()), lasted.as_secs());
            let cause = cause.sentence();
            tracing::info!(cause, waiting, lasted_s, "that is over");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const DOWN: Cause = Cause::FivetranUnreachable;

    #[test]
    fn an_outage_is_told_at_once_then_every_minute_and_once_when_it_is_over() {
        let mut troubles = Troubles::default();
        let mut told = Vec::new();
        for second in 0..=300 {
            for _ in 0..100 {
                told.extend(troubles.failed(DOWN, at(second)));
            }
            told.extend(troubles.pass(at(second)));
        }
        troubles.answered(Party::Fivetran, at(301));
        for second in 301..=1000 {
            told.extend(troubles.pass(at(second)));
        }
        let waits = |failed, lasted| Line::Waits { cause: DOWN, failed, lasted: seconds(lasted) };
        let mut expected = vec![waits(1, 0)];
        expected.extend((1..=5).map(|minute| waits(6000, minute * 60)));
        expected.push(Line::Over { cause: DOWN, lasted: seconds(300) });
        assert_eq!(told, expected);
    }

    #[test]
    fn a_party_that_comes_and_goes_is_spoken_of_no_oftener() {
        let mut troubles = Troubles::default();
        let (mut warnings, mut over) = (0, 0);
        for second in 0..600 {
            if second % 20 == 0 {
                warnings += usize::from(troubles.failed(DOWN, at(second)).is_some());
            }
            troubles.answered(Party::Fivetran, at(second));
            for line in troubles.pass(at(second)) {
                match line {
                    Line::Waits { .. } => warnings += 1,
                    Line::Over { .. } => over += 1,
                }
            }
        }
        assert_eq!((warnings, over), (10, 10));
    }

    #[test]
    fn causes_and_parties_are_told_apart() {
        let mut troubles = Troubles::default();
        for cause in [DOWN, Cause::FivetranPause, Cause::SlackUnclear] {
            assert!(troubles.failed(cause, at(0)).is_some(), "{cause:?}");
        }
        troubles.answered(Party::Slack, at(1));
        let lasted = Duration::ZERO;
        assert_eq!(troubles.pass(at(30)), [Line::Over { cause: Cause::SlackUnclear, lasted }]);
        // What fails again after an answer is not over.
        troubles.answered(Party::Fivetran, at(31));
        assert_eq!(troubles.failed(DOWN, at(32)), None);
        assert_eq!(troubles.pass(at(50)), [Line::Over { cause: Cause::FivetranPause, lasted }]);
    }

    #[test]
    fn what_nobody_tries_any_more_is_not_spoken_of() {
        let mut troubles = Troubles::default();
        assert!(troubles.failed(DOWN, at(0)).is_some());
        assert_eq!(troubles.pass(at(3600)), []);
        // The clock may be set back; the log goes on.
        assert!(troubles.failed(DOWN, at(-3600)).is_some());
    }

    #[test]
    fn a_line_says_what_an_outcome_means() {
        let said = |outcome: &Outcome| (Cause::of(outcome), well(outcome));
        for (outcome, expected) in [
            (Outcome::Failed(Failure::NotSent), (Some(DOWN), None)),
            (Outcome::PostFailed(PostFailure::Throttled(None)), (Some(Cause::SlackPause), None)),
            (Outcome::PostFailed(PostFailure::Refused(String::new())), (None, Some(Party::Slack))),
            (Outcome::Vanished, (None, Some(Party::Fivetran))),
            (Outcome::Postponed, (None, None)),
            (Outcome::Woken, (None, None)),
        ] {
            assert_eq!(said(&outcome), expected, "{outcome:?}");
        }
    }
}
