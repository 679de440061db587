//! A command that its person waits for: when they are told so, and what it waits for then.
//!
//! Owns that this is due once at the most, how long everybody waits without a word, and what is known
//! of the reason. When a command rests is [`super::pause`]'s decision; the sentence is
//! [`crate::reply`]'s.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::pause::{CREATE_DEADLINE, after};
use super::{Due, Failure, Found, Journal, Next, Outcome, Problem, RESPONSE_URL_POSTS, Stage};
use crate::outbound::Obstacle;

/// How long a person waits without a word. After that people begin to type the command again.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(10);
/// The same where a process takes up what another has left for longer than that: most of these end
/// within moments.
const PATIENCE_WITH_A_SUCCESSOR: SignedDuration = SignedDuration::from_secs(2);
/// What a response_url must have left after such a word: a try of the link, and the failure.
const POSTS_KEPT: u32 = 2;

/// What a person is told whose command is not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Until when it goes on trying.
    pub until: Timestamp,
}

/// What a command waits for, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// The end of a pause that Fivetran asks for.
    Limit,
    /// Fivetran to be reached at all.
    Reach,
    /// Fivetran to give a clear answer again.
    Recovery,
    /// To know whether the connection was made: its creation was answered by nothing clear.
    Certainty,
    /// To know why Fivetran refuses a creation, as it does where a connection is there already.
    Conflict,
    /// That Fivetran answers again, and nobody in its place.
    Foreign,
    /// Fivetran's answer to a creation that is under way.
    Creation,
    /// Fivetran's answer to anything else that is under way.
    Answer,
    /// Slack to take the message with the link, or to say that it has.
    Slack,
    /// Its turn: Fivetran takes only a few requests at a time at the moment.
    Turn,
    /// Nobody knows: a process has taken it up again, or the database is slow.
    Unknown,
}

/// What a process knows of how long a person waits, and for what.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    /// What holds the command up, by the last outcome that says so.
    trouble: Option<WaitsFor>,
    /// Until when nobody is told.
    quiet_until: Timestamp,
    /// When the rest ends that is interrupted to tell them, and whether the command is in hand.
    rests_until: Option<(Timestamp, Hands)>,
}

impl Waits {
    pub(super) fn since(accepted_at: Timestamp) -> Self {
        Self { trouble: None, quiet_until: after(accepted_at, PATIENCE), rests_until: None }
    }
}

/// Whether a process keeps a command in hand while it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hands {
    Free,
    Full,
}

impl<C> Journal<C> {
    /// From when on, by the wall clock, the person is to be told that the command waits; `None`: they have
    /// been, or must not be.
    #[must_use]
    pub fn note_due(&self) -> Option<Timestamp> {
        self.noted_from().map(|from| self.by_wall_clock(from))
    }

    fn noted_from(&self) -> Option<Timestamp> {
        let working = match self.progress.stage {
            Stage::Create | Stage::Cancel { .. } | Stage::Sync { .. } => true,
            // Without anything amiss it is there in a moment.
            Stage::Deliver { .. } => self.due != Due::Post || self.waits.trouble.is_some(),
            // What there is to tell is on its way.
            Stage::Tell { .. } | Stage::Over { .. } => false,
        };
        // What Slack does not take by its only way has no other.
        let ways_last = self.terms.web_api
            || (self.progress.posts < RESPONSE_URL_POSTS - POSTS_KEPT
                && self.waits.trouble != Some(WaitsFor::Slack));
        let due = working && ways_last && !self.progress.noted;
        Some(self.waits.quiet_until).filter(|&from| due && from < self.tries_until())
    }

    /// Takes note that the person is being told. `doing` is what the command waits for if nothing has
    /// failed. `None`: what they would be told to wait for has passed, as after a standstill.
    pub(super) fn noted(&mut self, doing: WaitsFor, now: Timestamp) -> Option<Waiting> {
        let waits_for = self.waits.trouble.unwrap_or(doing);
        // A link that may be there is not put there again for as long.
        let is_slacks = waits_for == WaitsFor::Slack && !self.maybe_posted;
        let until = if is_slacks { self.limit() } else { self.tries_until() };
        if until <= now {
            return None;
        }
        self.progress.noted = true;
        if !self.terms.web_api {
            // Before it is sent, so that no crash can hide it.
            self.progress.posts += 1;
        }
        Some(Waiting { waits_for, until: self.by_wall_clock(until) })
    }

    /// What is told when it was tried in vain to the end. Fivetran is blamed for what this process knows of alone.
    #[must_use]
    pub fn in_vain(&self) -> Problem {
        if !self.fivetran_failed {
            return Problem::OutOfTime;
        }
        let limited = self.waits.trouble == Some(WaitsFor::Limit);
        // What was sent before may have been done all the same, which the other one says.
        if limited && self.maybe_sent.is_none() {
            Problem::RateLimited { retry_after_s: None }
        } else {
            Problem::NoAnswer
        }
    }

    /// What the command waits for, as far as the last outcome says.
    #[must_use]
    pub fn waits_for(&self) -> Option<WaitsFor> {
        self.waits.trouble
    }

    /// Until when anything is tried at Fivetran.
    fn tries_until(&self) -> Timestamp {
        after(self.terms.accepted_at, CREATE_DEADLINE)
    }

    /// Rests for so long. If the person is to be told meanwhile, the rest is interrupted for it.
    pub(super) fn rest_aloud(&mut self, rest: Duration, now: Timestamp) -> Next {
        self.waits.rests_until = None;
        let until = now.saturating_add(rest).unwrap_or(now);
        match self.noted_from() {
            Some(due) if due < until && !rest.is_zero() => {
                self.waits.rests_until = Some((until, Hands::Free));
                match Duration::try_from(due.duration_since(now)) {
                    Ok(left) if !left.is_zero() => Next::Rest(left),
                    _ => self.noted(WaitsFor::Unknown, now).map_or(Next::Rest(rest), Next::Note),
                }
            }
            _ => Next::Rest(rest),
        }
    }

    /// If it is a rest, the same with the command in hand.
    pub(super) fn in_hand(&mut self, rest: Next) -> Next {
        if let Some((_, hands)) = &mut self.waits.rests_until {
            *hands = Hands::Full;
        }
        match rest {
            Next::Rest(pause) => Next::Stay(pause),
            next => next,
        }
    }

    /// A rest was interrupted: the person is told, and then it goes on. `None`: it is over.
    pub(super) fn interrupted(&mut self, now: Timestamp) -> Option<Next> {
        let (until, hands) = self.waits.rests_until.filter(|&(until, _)| now < until)?;
        let left = Duration::try_from(until.duration_since(now)).ok()?;
        let next = self.rest_aloud(left, now);
        Some(if hands == Hands::Full { self.in_hand(next) } else { next })
    }

    /// Remembers what an outcome says of the reason for any wait.
    pub(super) fn notice_trouble(&mut self, outcome: &Outcome<C>, now: Timestamp) {
        let creating = self.progress.stage == Stage::Create;
        self.fivetran_failed |= matches!(outcome, Outcome::Failed(_));
        self.waits.trouble = match outcome {
            Outcome::Failed(Failure::Throttled(_)) => Some(WaitsFor::Limit),
            Outcome::Failed(Failure::NotSent) => Some(WaitsFor::Reach),
            Outcome::Failed(Failure::Unclear) if creating && self.due == Due::Create => {
                Some(WaitsFor::Certainty)
            }
            // Nothing got as far as Fivetran.
            Outcome::Failed(Failure::Doubtful(Problem::Blocked(
                Obstacle::UnknownHost
                | Obstacle::ProxyRefuses
                | Obstacle::UnknownProxy
                | Obstacle::SilentProxy,
            ))) => Some(WaitsFor::Reach),
            Outcome::Failed(Failure::Doubtful(Problem::Blocked(Obstacle::Foreign { .. }))) => {
                Some(WaitsFor::Foreign)
            }
            Outcome::Failed(Failure::Unanswered | Failure::Unclear | Failure::Doubtful(_)) => {
                Some(WaitsFor::Recovery)
            }
            // If it goes on, then for this.
            Outcome::Failed(Failure::Final(_)) if creating && self.maybe_sent.is_some() => {
                Some(WaitsFor::Certainty)
            }
            Outcome::Found(Found::Nothing) if creating => match (self.maybe_sent, &self.refused) {
                (Some(_), _) => Some(WaitsFor::Certainty),
                (None, Some(_)) => Some(WaitsFor::Conflict),
                (None, None) => None,
            },
            Outcome::PostFailed(_) => Some(WaitsFor::Slack),
            // The link's old message is not edited yet, or the lease is short.
            Outcome::Postponed if self.is_posting() => self.waits.trouble.or(Some(WaitsFor::Unknown)),
            Outcome::Postponed | Outcome::Woken | Outcome::Noted => self.waits.trouble,
            _ => None,
        };
        if let Outcome::TakenOver = outcome {
            self.waits.quiet_until = self.waits.quiet_until.max(after(now, PATIENCE_WITH_A_SUCCESSOR));
        }
    }
}
