//! Telling a person that their command waits, while it goes on.
//!
//! Owns the order of things: that they are told is on disk before they are, so that no other process
//! tells them again, and nothing that comes of the command overtakes it. When it is due, and what is
//! known of the reason, is [`crate::journal`]'s decision. Must not call Fivetran.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use jiff::Timestamp;
use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::deliver::{Delivery, Job};
use super::{Outcome, Worker};
use crate::fivetran::model::ConnectCard;
use crate::journal::{self, Step, Waiting, WaitsFor};
use crate::reply;
use crate::slack::respond::PostError;
use crate::store::{Claimed, Recorded};

type Journal = journal::Journal<ConnectCard>;

/// How long a note may take. What comes of its command is held back for no longer, so that nobody
/// reads that it waits below what came of it; Slack answers within a second.
const LIMIT: Duration = Duration::from_secs(3);
/// Notes on their way at a time. They have their own, so that no link waits behind them.
pub(super) const AT_A_TIME: usize = 256;
/// How often the clock is looked at until a note is due, since it can be set.
const GLANCE: Duration = Duration::from_millis(500);

/// A note that is on its way, perhaps.
#[derive(Default)]
pub(super) struct OnItsWay(Option<JoinHandle<()>>);

impl OnItsWay {
    /// Waits until it has arrived, or will not.
    pub(super) async fn settle(&mut self) {
        if let Some(sending) = self.0.take() {
            // One that panicked has been reported by the runtime.
            let _ = sending.await;
        }
    }
}

impl Worker {
    /// Takes a step at Fivetran. If it is still under way when the person is to be told that the
    /// command waits, they are told meanwhile.
    pub(super) async fn provision_aloud(
        self: &Arc<Self>,
        job: Job<'_>,
        journal: &mut Journal,
        step: Step,
        again: bool,
        note: &mut OnItsWay,
    ) -> Option<Outcome> {
        let until = journal.turn_limit(self.parts.clock.now());
        let slow = if step == Step::Create { WaitsFor::Creation } else { WaitsFor::Answer };
        let (called, begun) = (AtomicBool::new(false), AtomicBool::new(false));
        let step = pin!(self.provision(job, step, until, again, &called));
        let noting = pin!(async {
            let Some(due) = journal.note_due().filter(|_| !super::onboard::is_part(job.work)) else {
                return std::future::pending().await;
            };
            self.until(due).await;
            begun.store(true, Ordering::Relaxed);
            let doing = match called.load(Ordering::Relaxed) {
                true => slow,
                false if self.fivetran.is_paused() => WaitsFor::Limit,
                false => WaitsFor::Turn,
            };
            let Some((record, waiting)) = journal.note(doing, self.parts.clock.moment()) else {
                return OnItsWay::default();
            };
            match self.parts.store.record(job.claimed, &record.progress, record.then).await {
                Recorded::Committed => self.send_aside(job, waiting),
                // The step notices it too.
                Recorded::LeaseLost => OnItsWay::default(),
            }
        });
        match select(step, noting).await {
            Either::Left((outcome, noting)) => {
                if begun.load(Ordering::Relaxed) {
                    *note = noting.await;
                }
                outcome
            }
            Either::Right((sending, step)) => {
                *note = sending;
                step.await
            }
        }
    }

    async fn until(&self, due: Timestamp) {
        while let Ok(left) = Duration::try_from(due.duration_since(self.parts.clock.now()))
            && !left.is_zero()
        {
            tokio::time::sleep(left.min(GLANCE)).await;
        }
    }

    /// Sends a note while the command goes on.
    fn send_aside(self: &Arc<Self>, job: Job<'_>, waiting: Waiting) -> OnItsWay {
        let (worker, claimed, work) = (Arc::clone(self), job.claimed.clone(), job.work.clone());
        OnItsWay(Some(self.tasks.spawn(async move {
            worker.send_note(Job { claimed: &claimed, work: &work }, &waiting).await;
        })))
    }

    /// Sends a note. One that does not arrive is not sent again: it may have, and the command goes on
    /// all the same.
    pub(super) async fn send_note(&self, job: Job<'_>, waiting: &Waiting) {
        let Job { claimed, work } = job;
        let content = reply::waits(waiting, work, &claimed.id);
        let until = Instant::now() + LIMIT;
        let sent = tokio::time::timeout_at(until, async {
            // Never closed, so always granted.
            let _note = self.notes.acquire().await.ok();
            self.parts.links.delivery.note(claimed, &content, waiting.waits_for, until).await
        });
        let waits_for = waiting.waits_for;
        match sent.await {
            Ok(Ok(())) => tracing::info!(command = claimed.id, ?waits_for, "told that a command waits"),
            Ok(Err(error)) => {
                tracing::info!(command = claimed.id, ?waits_for, %error, "could not tell that a command waits");
            }
            Err(_) => {
                tracing::info!(
                    command = claimed.id,
                    ?waits_for,
                    "could not tell in time that a command waits"
                );
            }
        }
    }
}

impl Delivery {
    /// Tells the person alone that the command waits. By the Web API first: the response_url takes
    /// five posts, and the last ones are for what comes of the command. But last where it is Slack that
    /// holds the command up, which has just been seen there.
    async fn note(
        &self,
        claimed: &Claimed,
        content: &SlackMessageContent,
        waits_for: WaitsFor,
        until: Instant,
    ) -> Result<(), PostError> {
        self.is_ours(claimed)?;
        let url_first = self.web_api.is_none() || waits_for == WaitsFor::Slack;
        let first = self.note_by(url_first, claimed, content).await;
        match first {
            Err(error) if error.leaves_other_ways() && self.web_api.is_some() => {
                tracing::debug!(command = claimed.id, %error, "not by the first way");
            }
            sent => return sent,
        }
        // Whoever was stopped meanwhile finds that nobody waits for the note any more.
        if Instant::now() >= until {
            return Err(PostError::NotSent("too late"));
        }
        self.is_ours(claimed)?;
        self.note_by(!url_first, claimed, content).await
    }

    async fn note_by(
        &self,
        url: bool,
        claimed: &Claimed,
        content: &SlackMessageContent,
    ) -> Result<(), PostError> {
        match &self.web_api {
            Some(web_api) if !url => {
                web_api.post_ephemeral(&claimed.channel_id, &claimed.user_id, content).await
            }
            _ => self.respond(claimed, content, SlackMessageResponseType::Ephemeral).await,
        }
    }
}
