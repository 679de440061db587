//! A command of several sources: one command for each, one message for all, one report of what was not set up.
//!
//! Owns the order of that. Each source is a command like any other, carried by whoever has it; what to do
//! next is [`crate::onboarding`]'s decision, and everything it goes by is in the database, so that whoever
//! takes the command over goes on from there. Must not call Fivetran.

mod begin;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use slack_morphism::prelude::SlackMessageContent;

use super::deliver::{Job, failure};
use super::link::{Arrived, Joining};
use super::{Outcome, Worker, ended};
use crate::crash::crash_point;
use crate::journal::{CREATE_DEADLINE, Ending, PATIENCE, Progress, Record, Stage, Then, WaitsFor};
use crate::life;
use crate::onboarding::{GLANCE, LATE_GLANCE, Onboarding, Posting, Step, is_too_late};
use crate::reply::{self, Audience};
use crate::slack::respond::PostError;
use crate::store::{Brought, Claimed, Expanded, Recorded, StoreError};
use crate::work::{Intent, Onboard, Request, Work};

/// Whether a command is part of one of several sources, which tells what comes of all of them.
pub(super) fn is_part(work: &Work) -> bool {
    matches!(work, Work::Connect(request) if request.onboarding.is_some())
}

/// Whether a person has waited for as long as anybody does without a word, and anything is still tried.
fn may_wait(age: SignedDuration) -> bool {
    (PATIENCE..CREATE_DEADLINE).contains(&age)
}

impl Worker {
    /// Carries a command of several sources until it has ended, or is somebody else's.
    pub(super) async fn onboard(self: &Arc<Self>, claimed: &Claimed, onboard: &Onboard) {
        if !self.may_begin(claimed, onboard).await {
            return;
        }
        let Some(Expanded { onboarding, commands }) = self.expanded(claimed, onboard).await else { return };
        crash_point("onboard: expanded");
        for command in commands {
            self.carry(command);
        }
        let (mut posting, mut noted) = (Posting::default(), claimed.progress.noted);
        let began = self.parts.clock.moment().steady;
        loop {
            if !claimed.lease.is_held() {
                return self.lost(claimed);
            }
            let age = self.parts.clock.now().duration_since(claimed.accepted_at);
            let pause = match self.parts.store.onboarding(&onboarding.id).await {
                Ok(Some(seen)) if !noted && may_wait(age) && seen.waits(&claimed.id) => {
                    noted = true;
                    if !self.note_wait(claimed, &seen).await {
                        return self.lost(claimed);
                    }
                    continue;
                }
                Ok(Some(seen)) => match posting.next(&seen, &claimed.id, age) {
                    Step::Post => match self.post_onboarding(claimed, &seen, &mut posting, began).await {
                        Some(pause) => pause,
                        None => continue,
                    },
                    Step::Draw => match self.drawn_anew(&seen.message_id).await {
                        Ok(()) => {
                            posting.drawn = true;
                            continue;
                        }
                        Err(error) => {
                            tracing::warn!(command = claimed.id, %error, "could not have a message drawn");
                            posting.pause(Duration::ZERO)
                        }
                    },
                    Step::End => return self.end_onboarding(claimed, onboard, &seen, &posting).await,
                    Step::Wait(pause) => pause,
                },
                // Nobody deletes one whose command is open.
                Ok(None) => LATE_GLANCE,
                Err(error) => {
                    tracing::warn!(command = claimed.id, %error, "could not read how an onboarding stands");
                    posting.pause(Duration::ZERO)
                }
            };
            if !self.stay(pause).await {
                return;
            }
        }
    }

    /// Has its sources made, once; `None`: it is somebody else's, or the bot stops.
    async fn expanded(self: &Arc<Self>, claimed: &Claimed, onboard: &Onboard) -> Option<Expanded> {
        let mut pauses = Posting::default();
        loop {
            match self.parts.store.expand(claimed, onboard, self.parts.clock.now()).await {
                Ok(Some(expanded)) => return Some(expanded),
                Ok(None) => {
                    self.lost(claimed);
                    return None;
                }
                Err(error) => {
                    tracing::warn!(command = claimed.id, %error, "could not begin an onboarding, trying again");
                    if !self.stay(pauses.pause(Duration::ZERO)).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Tells whoever asked that some of it still waits; once, so that this is on disk before. False: the command
    /// is somebody else's.
    async fn note_wait(&self, claimed: &Claimed, seen: &Onboarding) -> bool {
        let progress = Progress { noted: true, ..claimed.progress.clone() };
        if self.parts.store.record(claimed, &progress, Then::GoOn).await != Recorded::Committed {
            return false;
        }
        let why = if self.fivetran.is_paused() { WaitsFor::Limit } else { WaitsFor::Unknown };
        let note = reply::onboarding::waits(seen, &claimed.id, why);
        // Never closed, so always granted.
        let _note = self.notes.acquire().await.ok();
        match self.parts.links.delivery.whisper(claimed, &note).await {
            Ok(()) => tracing::info!(command = claimed.id, waits_for = ?why, "told that sources wait"),
            Err(error) => tracing::info!(command = claimed.id, %error, "could not tell that sources wait"),
        }
        true
    }

    /// Posts the message of an onboarding; a pause before it is looked at again, if one is due. `began`: since when
    /// this process has it.
    async fn post_onboarding(
        &self,
        claimed: &Claimed,
        seen: &Onboarding,
        posting: &mut Posting,
        began: Duration,
    ) -> Option<Duration> {
        let store = &self.parts.store;
        // Never closed, so always granted; before the message's lease, since the wait may be a long one.
        let _call = self.slack_calls.acquire().await.ok();
        let held = match store.claim_message(&seen.message_id).await {
            Ok(Some(held)) => held,
            // Whoever has it posts it.
            Ok(None) => return Some(GLANCE),
            Err(error) => {
                tracing::warn!(command = claimed.id, %error, "could not take the message of an onboarding");
                return Some(posting.pause(Duration::ZERO));
            }
        };
        let now = self.parts.clock.now();
        let stands = held.place.is_some();
        let sent = match stands {
            true => Ok(None),
            false => {
                crash_point("onboard: before the post");
                let content = reply::onboarding::message(seen);
                self.parts.links.delivery.post_for_all(claimed, content).await
            }
        };
        crash_point("onboard: posted");
        let pause = match sent {
            Ok(Some(place)) => {
                posting.posted = true;
                // Whatever has changed since it was read is shown by whoever edits it next.
                let mut pauses = Posting::default();
                while let Err(error) = store.placed_message(&seen.message_id, &place, now).await {
                    tracing::warn!(command = claimed.id, %error, "could not record a message, trying again");
                    tokio::time::sleep(pauses.pause(Duration::ZERO)).await;
                }
                None
            }
            Ok(None) => {
                posting.posted = !stands;
                None
            }
            Err(error) => {
                tracing::info!(command = claimed.id, %error, "the message of an onboarding did not reach Slack");
                posting.failed(failure(error), self.is_too_late(claimed, began))
            }
        };
        if let Err(error) = store.record_message(&held, Brought::Again(now), now).await {
            tracing::warn!(message = held.id, %error, "could not give a message back");
        }
        pause
    }

    /// Tells whoever asked what was not set up, and ends the command.
    async fn end_onboarding(
        &self,
        claimed: &Claimed,
        onboard: &Onboard,
        seen: &Onboarding,
        posting: &Posting,
    ) {
        let report = reply::onboarding::report(seen, &claimed.id, posting.given_up.as_ref());
        let ending = match &report {
            None => Ending::Delivered,
            Some(report) => match self.reported(claimed, report).await {
                Some(ending) => ending,
                None => return,
            },
        };
        crash_point("onboard: reported");
        let now = self.parts.clock.now();
        // Of one in which nothing came to be, no message is ever drawn.
        if seen.message.is_none()
            && seen.shown().next().is_none()
            && let Err(error) = self.parts.store.finish_onboarding(seen, now).await
        {
            tracing::warn!(command = claimed.id, %error, "could not note the end of an onboarding");
        }
        self.close_onboarding(claimed, onboard, Stage::default().over(ending), ending).await;
    }

    /// Puts the end of a command of several sources on disk.
    async fn close_onboarding(&self, claimed: &Claimed, onboard: &Onboard, stage: Stage, ending: Ending) {
        let progress = Progress::of(stage);
        let then = Then::End(self.parts.clock.now());
        let untold = onboard.sources.first().filter(|_| ending == Ending::Undeliverable);
        let entry = untold.and_then(|first| {
            let work = Work::Connect(first.clone());
            ended::entry(Job { claimed, work: &work }, &progress, then, None)
        });
        let recorded = self.parts.store.record_with(claimed, &progress, then, entry.as_ref());
        if recorded.await == Recorded::Committed {
            crash_point("end: recorded");
            self.ended(claimed, Some("onboard"), None, ending, &progress.stage);
        } else {
            self.lost(claimed);
        }
    }

    /// Whether a command, which this process has had since then, is too old for Slack to be tried any longer.
    fn is_too_late(&self, claimed: &Claimed, began: Duration) -> bool {
        let now = self.parts.clock.moment();
        is_too_late(now.at.duration_since(claimed.accepted_at), now.steady.saturating_sub(began))
    }

    /// Tells it, by whatever way takes it; `None`: it is somebody else's, or the bot stops.
    pub(in crate::worker) async fn reported(
        &self,
        claimed: &Claimed,
        report: &SlackMessageContent,
    ) -> Option<Ending> {
        let (mut pauses, began) = (Posting::default(), self.parts.clock.moment().steady);
        loop {
            let sent = {
                // Never closed, so always granted.
                let _call = self.slack_calls.acquire().await.ok();
                self.parts.links.delivery.whisper(claimed, report).await
            };
            let error = match sent {
                Ok(()) => return Some(Ending::Told),
                Err(error) => error,
            };
            tracing::info!(command = claimed.id, %error, "could not tell what came of a command");
            if !claimed.lease.is_held() {
                self.lost(claimed);
                return None;
            }
            if matches!(error, PostError::Refused(_)) || self.is_too_late(claimed, began) {
                return Some(Ending::Undeliverable);
            }
            let pause = match error {
                PostError::Unclear(_) | PostError::Unconfirmed(_) => pauses.unheard(),
                error => pauses.pause(error.pause()),
            };
            if !self.stay(pause).await {
                return None;
            }
        }
    }

    /// Has a message drawn as it is now, if it stands anywhere.
    async fn drawn_anew(&self, message: &str) -> Result<(), StoreError> {
        self.parts.store.disturb_message(message, self.parts.clock.now()).await?;
        self.parts.links.outbox.show_now(message).await;
        Ok(())
    }

    /// Whether a connection that is ready becomes part of an onboarding. `record` is how the command stands by
    /// now, and is taken once it is on disk.
    pub(super) async fn joining(
        &self,
        job: Job<'_>,
        connection: &str,
        record: &mut Option<Record>,
    ) -> Joining {
        let Work::Connect(request) = job.work else { return Joining::Alone };
        let joining = match &request.onboarding {
            Some(id) => self.part_of(job, connection, id).await,
            None => self.adding(job, connection, request, record).await,
        };
        joining.unwrap_or_else(|error| {
            tracing::warn!(command = job.claimed.id, %error, "could not prepare a source");
            Joining::Not(Outcome::Postponed)
        })
    }

    /// A source of several belongs to their onboarding: it is open for as long as one of their commands is.
    async fn part_of(&self, job: Job<'_>, connection: &str, id: &str) -> Result<Joining, StoreError> {
        let Some(seen) = self.parts.store.onboarding(id).await? else { return Ok(Joining::Alone) };
        let onboarding = life::Onboarding { id: seen.id, message_id: seen.message_id };
        self.parts.links.may_join(job, connection, onboarding).await
    }

    /// One that was asked for by itself is put into what is open for its customer, before anybody hears of it.
    async fn adding(
        &self,
        job: Job<'_>,
        connection: &str,
        request: &Request,
        record: &mut Option<Record>,
    ) -> Result<Joining, StoreError> {
        let links = &self.parts.links;
        // Whoever was asked about a link wants that link, and where links are private, no message is shared.
        let may = job.work.intent() == Intent::Connect
            && links.delivery.has_web_api()
            && links.delivery.audience == Audience::Channel;
        match &request.customer {
            Some(customer) if may => links.add(job, connection, customer, record).await,
            _ => Ok(Joining::Alone),
        }
    }

    /// What a command goes on with after a pause, or after another process. What has joined is no link that may or
    /// may not have been posted: nothing is asked about it again, whatever has become of it since. `None`: the
    /// command is somebody else's, or the bot stops.
    pub(super) async fn resumed(
        &self,
        job: Job<'_>,
        stage: &Stage,
        outcome: Outcome,
    ) -> Option<(Outcome, Option<Arrived>)> {
        let pauses = matches!(outcome, Outcome::TakenOver | Outcome::Woken | Outcome::Noted);
        match (stage, job.work) {
            (Stage::Deliver { connection, .. }, Work::Connect(request))
                if pauses && request.customer.is_some() && !is_part(job.work) =>
            {
                match self.has_joined(job, connection).await? {
                    true => self.joined(job, Arrived::Added).await,
                    false => Some((outcome, None)),
                }
            }
            _ => Some((outcome, None)),
        }
    }

    /// Whether this command has put its connection into an onboarding; `None`: it is somebody else's, or the
    /// bot stops.
    async fn has_joined(&self, job: Job<'_>, connection: &str) -> Option<bool> {
        let mut pauses = Posting::default();
        loop {
            let error = match self.parts.links.has_added(job, connection).await {
                Ok(added) => return Some(added),
                Err(error) => error,
            };
            tracing::warn!(command = job.claimed.id, %error, "could not read how a source stands, trying again");
            self.pause(job, &mut pauses, Duration::ZERO).await?;
        }
    }

    /// What a connection comes to that has become part of an onboarding, or is about to; `None`: the command is
    /// somebody else's, or the bot stops.
    pub(super) async fn joined(&self, job: Job<'_>, arrived: Arrived) -> Option<(Outcome, Option<Arrived>)> {
        self.say_where(job).await?;
        Some((Outcome::Posted, Some(arrived)))
    }

    /// Says where a source is that was asked for by itself, before its command ends: whoever goes on after a
    /// crash says it again. It is in the message whether or not Slack takes this, so that is all that is tried
    /// again. `None`: the command is somebody else's, or the bot stops.
    async fn say_where(&self, job: Job<'_>) -> Option<()> {
        // Those that were asked for together are reported together.
        if is_part(job.work) {
            return Some(());
        }
        let said = reply::onboarding::added(&job.work.request().service_name, &job.claimed.id);
        let mut pauses = Posting::default();
        loop {
            let sent = {
                // Never closed, so always granted.
                let _call = self.slack_calls.acquire().await.ok();
                self.parts.links.delivery.whisper(job.claimed, &said).await
            };
            let Err(error) = sent else { return Some(()) };
            tracing::info!(command = job.claimed.id, %error, "could not say where a source is");
            let age = self.parts.clock.now().duration_since(job.claimed.accepted_at);
            let later =
                matches!(error, PostError::Throttled(_) | PostError::NotSent(_) | PostError::Later { .. });
            // The message shows it.
            if !later || age >= CREATE_DEADLINE {
                return Some(());
            }
            self.pause(job, &mut pauses, error.pause()).await?;
        }
    }

    /// Keeps a command in hand before something is tried again; `None`: it is somebody else's, or the bot stops.
    async fn pause(&self, job: Job<'_>, pauses: &mut Posting, asked: Duration) -> Option<()> {
        if !self.stay(pauses.pause(asked)).await {
            return None;
        }
        if !job.claimed.lease.is_held() {
            self.lost(job.claimed);
            return None;
        }
        Some(())
    }
}
