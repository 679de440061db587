//! One step at Fivetran: its turn, what is asked once more before it, and its calls.
//!
//! Owns what a step's outcome says of Fivetran's health. What an answer means for the command is
//! [`crate::provision`]'s, what follows from it [`crate::journal`]'s. Must not call Slack.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::deliver::Job;
use super::flow::Answer;
use super::turns::{Missed, Turn};
use super::{Outcome, Worker, home};
use crate::journal::{Failure, Step};
use crate::outbound::CALL_TIMEOUT;
use crate::store::Claimed;
use crate::telemetry::Party;
use crate::work::{Request, Work};

/// What must be left of the lease, beyond the longest call, before a call is made.
const LEASE_MARGIN: Duration = Duration::from_secs(2);

impl Worker {
    /// Takes one step at Fivetran when its turn comes; `called` is set then. `again`: it repeats one
    /// that failed. `None`: the bot shuts down, and nothing was sent.
    pub(super) async fn provision(
        &self,
        job: Job<'_>,
        step: Step,
        until: Timestamp,
        again: bool,
        called: &AtomicBool,
    ) -> Option<Outcome> {
        let turn = match self.fivetran.wait(&job.claimed.lease, until, &self.parts.stopping).await {
            Ok(turn) => turn,
            Err(Missed::Stopping) => return None,
            Err(Missed::Lost) => return Some(Outcome::Postponed),
            Err(Missed::Late) => return Some(Outcome::Failed(Failure::NotSent)),
            Err(Missed::Paused(left)) => return Some(Outcome::Failed(Failure::Throttled(Some(left)))),
        };
        called.store(true, Ordering::Relaxed);
        // Asked now, since the wait may have been a long one.
        if !self.lease_outlasts(job.claimed, calls_of(&step, job.work.request())) {
            return Some(Outcome::Postponed);
        }
        if again {
            self.parts.metrics.retried(Party::Fivetran);
        }
        // By itself: of all that wait for a turn, few have one.
        let outcome = Box::pin(self.take_step(job, &step, turn)).await;
        tracing::debug!(command = job.claimed.id, ?step, ?outcome, "a step at Fivetran");
        Some(outcome)
    }

    /// Whether so many calls, one after another, are over before anybody else can take the command.
    pub(super) fn lease_outlasts(&self, claimed: &Claimed, calls: u32) -> bool {
        // A lease that is set shorter than that can at best be fresh.
        let fresh = self.parts.store.lease() * 3 / 5;
        let needed = (CALL_TIMEOUT * calls + LEASE_MARGIN).min(fresh);
        let left = claimed.lease.left();
        let outlasts = left >= needed;
        if !outlasts {
            let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            tracing::debug!(
                command = claimed.id,
                left_ms,
                "its lease is too short for a call; nothing was sent"
            );
        }
        outlasts
    }

    async fn take_step(&self, job: Job<'_>, step: &Step, turn: Turn) -> Outcome {
        let provision = &self.parts.provision;
        let request = job.work.request();
        // A renewed link brings its customer back to where the first one would have.
        let landing = match job.work {
            Work::Renew { link, .. } => link,
            _ => &job.claimed.id,
        };
        let outcome = match step {
            Step::Create => match provision.kind(request).await {
                // The lease has gone on while Fivetran was asked.
                Ok(_) if !self.lease_outlasts(job.claimed, 1) => return Outcome::Postponed,
                Ok(kind) => provision.create(request, kind, landing).await,
                Err(failure) => Outcome::Failed(failure),
            },
            Step::Look => provision.look(request).await.map_or_else(Outcome::Failed, Outcome::Found),
            Step::Mint { connection } => match job.work {
                Work::Open { link, .. } => {
                    provision.mint_for_source(request, connection, link, self.parts.clock.now()).await
                }
                _ => provision.mint(request, connection, landing).await,
            },
            Step::Cancel { connection } => provision.cancel(connection).await,
            Step::Sync { connection } => provision.sync(connection).await,
        };
        turn.came_to(answer(&outcome));
        match outcome {
            Outcome::Found(found) => home::with_origin(found, job, &self.parts.store).await,
            outcome => outcome,
        }
    }
}

/// How many calls a step at Fivetran makes at the most, one after another.
fn calls_of(step: &Step, request: &Request) -> u32 {
    match step {
        // Its service's config keys are read first.
        Step::Create if request.kind.is_none() => 2,
        // It is looked at before it is deleted, or synced; and once more after a conflict.
        Step::Cancel { .. } => 2,
        Step::Sync { .. } => 3,
        Step::Create | Step::Look | Step::Mint { .. } => 1,
    }
}

/// What an outcome says of Fivetran's health.
fn answer(outcome: &Outcome) -> Answer {
    match outcome {
        Outcome::Failed(Failure::Throttled(pause)) => Answer::Throttled(*pause),
        Outcome::Failed(Failure::NotSent | Failure::Unanswered | Failure::Unclear | Failure::Doubtful(_)) => {
            Answer::Failed
        }
        _ => Answer::Answered,
    }
}

/// The crash points around a step at Fivetran.
pub(super) fn crash_points(step: &Step) -> (&'static str, &'static str) {
    match step {
        Step::Create => ("create: before the call", "create: answered"),
        // A sync is a look first, and what comes after it can be asked for again and again.
        Step::Look | Step::Sync { .. } => ("look: before the call", "look: answered"),
        Step::Mint { .. } => ("mint: before the call", "mint: answered"),
        Step::Cancel { .. } => ("cancel: before the call", "cancel: answered"),
    }
}
