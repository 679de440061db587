//! Whether a link may be posted, and where.
//!
//! Owns what is done until it may be: the link on show is taken back before another one takes its place, a
//! message that somebody edits is waited for, and what is intended is put on disk. The decision is
//! [`life::intend`]'s.

use std::time::Duration;

use super::super::Outcome;
use super::super::deliver::Job;
use super::{JUDGEMENTS, Links, Posting};
use crate::journal::{Found, Origin, PostFailure, Record};
use crate::life::{self, Ask, At, Change, Intention, Refusal};
use crate::outbound::CALL_TIMEOUT;
use crate::outbox::Shown;
use crate::reply::Audience;
use crate::store::{ClaimedMessage, MessageWrite, StoreError, Written};
use crate::work::{Intent, Work};

/// A link that may be posted.
pub(super) struct Allowed {
    pub(super) change: Change,
    pub(super) version: i64,
    pub(super) at: At,
    pub(super) held: Option<ClaimedMessage>,
}

/// What came of asking whether a link may be posted.
pub(super) enum Asked {
    Allowed(Box<Allowed>),
    Not(Outcome),
    LeaseLost,
}

impl Links {
    /// Asks whether the link may be posted, and puts on disk that it will be.
    pub(super) async fn ask(
        &self,
        job: Job<'_>,
        posting: &Posting<'_>,
        record: &mut Option<Record>,
    ) -> Asked {
        // Nothing is known here of a connection that this command has just made, unless something has happened
        // since. Then what is judged by that does not get on disk, and is judged again.
        let mut is_new = !posting.existed && posting.tried.is_none() && job.work.intent() == Intent::Connect;
        for _ in 0..JUDGEMENTS {
            // After every wait: whoever was stopped in between must not go on as if nothing was.
            if !self.store.holds_for(job.claimed, CALL_TIMEOUT * 2) {
                return Asked::Not(Outcome::Postponed);
            }
            match self.judge(job, posting, record, is_new).await {
                Ok(Some(asked)) => return asked,
                Ok(None) => is_new = false,
                Err(error) => {
                    tracing::warn!(command = job.claimed.id, %error, "could not prepare a link");
                    return Asked::Not(Outcome::Postponed);
                }
            }
        }
        Asked::Not(Outcome::Postponed)
    }

    /// One judgement; `None`: things have changed meanwhile, judge again. `is_new`: nothing is known of the
    /// connection.
    async fn judge(
        &self,
        job: Job<'_>,
        posting: &Posting<'_>,
        record: &mut Option<Record>,
        is_new: bool,
    ) -> Result<Option<Asked>, StoreError> {
        let (claimed, request) = (job.claimed, job.work.request());
        let now = self.delivery.clock.now();
        let stored = if is_new { None } else { self.store.connection(&request.key()).await? };
        let behind = stored.as_ref().is_some_and(|stored| stored.behind);
        let ask = Ask {
            command: &claimed.id,
            intent: job.work.intent(),
            renews: match job.work {
                Work::Renew { link, .. } => Some(link),
                _ => None,
            },
            connection_id: posting.connection,
            purpose: posting.purpose,
            team_id: &claimed.team_id,
            channel_id: &claimed.channel_id,
            requester: &claimed.user_id,
            request,
            expires_at: posting.card.expires_at(now),
            edits: self.delivery.has_web_api() && self.delivery.audience == Audience::Channel,
            takes_back: self.delivery.has_web_api(),
        };
        match life::intend(stored.as_ref().map(|stored| &stored.connection), behind, &ask, now) {
            Intention::Refused(Refusal::Superseded) => Ok(Some(Asked::Not(Outcome::Superseded))),
            Intention::Refused(Refusal::Over) => Ok(Some(Asked::Not(Outcome::Vanished))),
            Intention::Refused(Refusal::Elsewhere { channel_id, user_id }) => {
                let origin = Origin { channel_id, user_id };
                let connection = posting.connection.to_owned();
                Ok(Some(Asked::Not(Outcome::Found(Found::Elsewhere { connection, origin }))))
            }
            Intention::Wait { message_id } => {
                Ok(match Box::pin(self.outbox.show_now(&message_id)).await {
                    Shown::Yes => None,
                    Shown::NotYet => Some(Asked::Not(Outcome::Postponed)),
                    // Nobody is helped by hours of trying: the person learns what Slack says.
                    Shown::Refused(word) => Some(Asked::Not(Outcome::PostFailed(PostFailure::Refused(word)))),
                })
            }
            Intention::TakeBack(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                match self.write(job, &change, version, MessageWrite::None, None, None).await? {
                    Written::LeaseLost => Ok(Some(Asked::LeaseLost)),
                    Written::Committed | Written::Conflict => Ok(None),
                }
            }
            Intention::Post(life::Post { change, at }) => {
                let held = match &at {
                    At::New => None,
                    At::Place(_) => match self.store.claim_message(&change.connection.link.message_id).await?
                    {
                        Some(held) => Some(held),
                        // Somebody is editing it at this moment.
                        None => return Ok(Some(Asked::Not(Outcome::Postponed))),
                    },
                };
                let version = stored.map_or(0, |stored| stored.version);
                let message = if held.is_some() { MessageWrite::None } else { MessageWrite::New };
                let progress = record.as_ref().map(|record| (&record.progress, record.then));
                let written = self.write(job, &change, version, message, progress, None).await;
                if !matches!(written, Ok(Written::Committed))
                    && let Some(held) = &held
                {
                    self.release(held, Duration::ZERO).await;
                }
                match written? {
                    Written::LeaseLost => Ok(Some(Asked::LeaseLost)),
                    Written::Conflict => Ok(None),
                    Written::Committed => {
                        *record = None;
                        Ok(Some(Asked::Allowed(Box::new(Allowed { change, version, at, held }))))
                    }
                }
            }
        }
    }
}
