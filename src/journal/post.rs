//! What comes of a post that failed, and what a person is told instead of a link.
//!
//! Owns when a post is repeated and when it is given up. Must not know the ways to Slack.

use std::time::Duration;

use jiff::Timestamp;

use super::pause::{CREATE_DEADLINE, after};
use super::{Due, Ending, Journal, Next, Notice, PostFailure, Problem, RESPONSE_URL_POSTS, Stage};
use crate::work::Intent;

/// Slack's word where it asks for a pause to the end.
const RATE_LIMITED: &str = "ratelimited";

/// A pause that Slack asks for as everybody has to make it now and then: it ends nothing.
const SHORT_PAUSE: Duration = Duration::from_secs(60);

impl<C> Journal<C> {
    pub(super) fn post_failed(&mut self, failure: PostFailure, now: Timestamp) -> Next {
        let telling = matches!(self.progress.stage, Stage::Tell { .. });
        self.post_failed_at = Some(now);
        match failure {
            PostFailure::Refused(_) if telling => self.end(Ending::Undeliverable),
            PostFailure::Refused(slack_says) => {
                // Of the tries of another process, whoever posts knows from the connection's row that none
                // may be there. Of a link that is shown to one person alone no row knows.
                let unknown = self.maybe_posted && self.terms.intent == Intent::Open;
                self.maybe_posted = self.unanswered || unknown;
                self.tell(Problem::CannotPost { slack_says }, now)
            }
            PostFailure::Unconfirmed if telling => self.end(Ending::Undeliverable),
            PostFailure::Unconfirmed => self.tell(Problem::Unconfirmed, now),
            // The time in which the person can still be told is not spent on hope.
            PostFailure::Later { slack_says, .. } if !telling && now >= self.hopes_until() => {
                self.tell(Problem::CannotPost { slack_says }, now)
            }
            PostFailure::Later { pause, .. } => {
                self.progress.posts = self.progress.posts.saturating_sub(1);
                self.throttled(Some(pause), now)
            }
            PostFailure::Throttled(pause)
                if !telling
                    && (self.maybe_posted || pause.is_none_or(|pause| pause > SHORT_PAUSE))
                    && now >= self.hopes_until() =>
            {
                self.tell(Problem::CannotPost { slack_says: RATE_LIMITED.to_owned() }, now)
            }
            PostFailure::Throttled(pause) => {
                self.progress.posts = self.progress.posts.saturating_sub(1);
                self.throttled(pause, now)
            }
            // As of one that is refused for now: what it tells may have been there all along.
            PostFailure::NotSent if !telling && self.maybe_posted && now >= self.hopes_until() => {
                self.tell(Problem::Unconfirmed, now)
            }
            PostFailure::NotSent => {
                self.progress.posts = self.progress.posts.saturating_sub(1);
                self.again(self.due, now)
            }
            PostFailure::Unclear if telling && !self.may_post() => self.end(Ending::Undeliverable),
            PostFailure::Unclear => {
                self.maybe_posted |= !telling;
                self.unanswered |= !telling;
                // Each further one may show the link once more, and says no more than the ones before.
                if !telling && now >= after(self.terms.accepted_at, CREATE_DEADLINE) {
                    return self.tell(Problem::Unconfirmed, now);
                }
                if !self.may_post() {
                    self.unconfirmed();
                }
                self.again_unclear(now)
            }
        }
    }

    /// Whether a message is what is due.
    pub(super) fn is_posting(&self) -> bool {
        match self.progress.stage {
            Stage::Deliver { .. } => self.due == Due::Post,
            Stage::Tell { .. } => true,
            _ => false,
        }
    }

    /// Whether the response_url has a post left. Its last is kept for telling the person.
    pub(super) fn may_post(&self) -> bool {
        let limit = match self.progress.stage {
            Stage::Tell { .. } => RESPONSE_URL_POSTS,
            _ => RESPONSE_URL_POSTS - 1,
        };
        self.terms.web_api || self.progress.posts < limit
    }

    /// Gives up on the link: it may be there, but Slack never said so.
    pub(super) fn unconfirmed(&mut self) {
        let connection = self.progress.stage.connection().map(str::to_owned);
        self.progress.stage = Stage::Tell { notice: Problem::Unconfirmed.into(), connection };
        self.card = None;
    }

    /// Ends the search for a link: the person is told instead.
    pub(super) fn tell(&mut self, notice: impl Into<Notice>, now: Timestamp) -> Next {
        let connection = self.progress.stage.connection().map(str::to_owned);
        self.tell_of(notice, connection, now)
    }

    pub(super) fn tell_of(
        &mut self,
        notice: impl Into<Notice>,
        connection: Option<String>,
        now: Timestamp,
    ) -> Next {
        let notice = match notice.into() {
            // That a newer one stands there, or that the connection is gone, holds all the same; and whether a
            // link may stand there at all is judged before one does.
            notice @ Notice::Problem(
                Problem::Superseded | Problem::Gone | Problem::NotHere | Problem::CompanyUntold,
            ) => notice,
            // Nobody is told that there is no link while one may be there.
            Notice::Problem(_)
                if self.maybe_posted && matches!(self.progress.stage, Stage::Deliver { .. }) =>
            {
                Problem::Unconfirmed.into()
            }
            notice => notice,
        };
        self.progress.stage = Stage::Tell { notice, connection };
        self.late_until = self.late_until.filter(|until| now < *until);
        self.progress.tries = 0;
        self.card = None;
        self.begin(self.due, now)
    }
}
