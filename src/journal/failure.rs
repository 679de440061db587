//! What follows from a call to Fivetran that failed.
//!
//! Owns what is tried again and what ends a command, and what is certain then of a creation that nobody
//! has an answer of. When it is tried again is [`super::pause`]'s decision.

use jiff::Timestamp;

use super::pause::after;
use super::{Due, Failure, Journal, Next, Problem, Stage, THROTTLE_LIMIT};

/// How often what mostly stays is tried again all the same. With the backoff this takes four to eight
/// seconds: as long as a gateway takes to be replaced, and no longer than a person waits in silence.
pub(super) const DOUBTS: u32 = 4;

impl<C> Journal<C> {
    pub(super) fn failed(&mut self, failure: Failure, now: Timestamp) -> Next {
        if now >= self.hopes_until() && !matches!(failure, Failure::Final(_)) {
            let problem = match failure {
                Failure::Doubtful(problem) if self.doubts >= DOUBTS => self.as_far_as_known(problem),
                _ => self.in_vain(),
            };
            return self.tell(problem, now);
        }
        // Nothing that stands between us and Fivetran now says what Fivetran did before.
        let looks_on = self.may_yet_appear();
        match failure {
            Failure::Final(_) if looks_on => self.again(Due::Look, now),
            Failure::Final(problem) => self.tell(self.as_far_as_known(problem), now),
            Failure::Doubtful(problem) if self.doubts >= DOUBTS && !looks_on => {
                self.tell(self.as_far_as_known(problem), now)
            }
            Failure::Throttled(Some(pause)) if pause > THROTTLE_LIMIT && !looks_on => {
                let problem = Problem::RateLimited { retry_after_s: Some(pause.as_secs()) };
                self.tell(self.as_far_as_known(problem), now)
            }
            Failure::Throttled(pause) => self.throttled(pause, now),
            Failure::NotSent | Failure::Unanswered => self.again(self.due, now),
            Failure::Doubtful(_) => {
                self.doubts = self.doubts.saturating_add(1);
                // Whoever answered in Fivetran's place says nothing of what Fivetran did.
                let due = if self.due == Due::Create { Due::Look } else { self.due };
                self.again(due, now)
            }
            Failure::Unclear if matches!(self.progress.stage, Stage::Cancel { .. }) => {
                self.maybe_sent = Some(now);
                self.again(self.due, now)
            }
            Failure::Unclear if self.progress.stage == Stage::Create && self.due == Due::Create => {
                self.maybe_sent = Some(now);
                self.again(Due::Look, now)
            }
            Failure::Unclear => self.again(self.due, now),
        }
    }

    /// Since when it is not known whether a connection was made that is being looked for.
    fn unsure_since(&self) -> Option<Timestamp> {
        let looks = self.progress.stage == Stage::Create && self.due == Due::Look;
        self.maybe_sent.filter(|_| looks)
    }

    /// Whether the look that has just failed was begun while what is looked for could still appear.
    fn may_yet_appear(&self) -> bool {
        self.unsure_since().is_some_and(|sent| {
            let settled = after(sent, self.terms.grace);
            self.looked_at.is_none_or(|looked_at| looked_at < settled)
        })
    }

    /// What a failure comes to with what is known besides: that a connection may have been made before it,
    /// or that the creation was refused, which a look that fails afterwards makes no less so.
    fn as_far_as_known(&self, problem: Problem) -> Problem {
        match &self.refused {
            _ if self.unsure_since().is_some() => Problem::Unsure { why: Box::new(problem) },
            Some(refusal) if !refusal.conflict => refusal.problem.clone(),
            _ => problem,
        }
    }
}
