//! Mirrors `worker::note`: telling a person that their command waits, while it goes on.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};

use super::deliver::{Way, leaves_other_ways};
use super::job::Job;
use super::process::Bot;
use super::sources::is_part;
use super::{CALL_TIMEOUT, Outcome, millis};
use crate::journal::{Journal, PostFailure, Step, WaitsFor};

/// As in `worker::note`, in ms.
const LIMIT: i64 = 3_000;
/// How often a task looks whether another one is done, in ms.
const GLANCE: i64 = 20;

/// A note that is on its way, perhaps.
#[derive(Default)]
pub(super) struct OnItsWay(Option<Rc<Cell<bool>>>);

impl Bot {
    /// `OnItsWay::settle`.
    pub(super) async fn settle_note(&self, note: &mut OnItsWay) {
        let Some(arrived) = note.0.take() else { return };
        while !arrived.get() {
            self.sleep(GLANCE).await;
        }
    }

    /// `worker::provision_aloud`.
    pub(super) async fn provision_aloud(
        &self,
        job: &Job,
        journal: &mut Journal<usize>,
        step: Step,
        again: bool,
        note: &mut OnItsWay,
    ) -> Outcome {
        let begun = Cell::new(false);
        let step = pin!(self.provision(job, step, again));
        let noting = pin!(async {
            let Some(due) = journal.note_due().filter(|_| !is_part(&job.work)) else {
                return std::future::pending().await;
            };
            let left = millis(due) - self.clock();
            if left > 0 {
                self.sleep(left).await;
            }
            begun.set(true);
            let Some((record, waiting)) = journal.note(WaitsFor::Answer, self.by_both_clocks()) else {
                return OnItsWay::default();
            };
            if !self.record_progress(job, &record.progress, record.then).await {
                return OnItsWay::default();
            }
            let arrived = Rc::new(Cell::new(false));
            let (job, told) = (job.clone(), Rc::clone(&arrived));
            self.spawn(|bot| async move {
                bot.send_note(&job, waiting.waits_for).await;
                told.set(true);
            });
            OnItsWay(Some(arrived))
        });
        match select(step, noting).await {
            Either::Left((outcome, noting)) => {
                if begun.get() {
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

    /// `worker::send_note`.
    pub(super) async fn send_note(&self, job: &Job, waits_for: WaitsFor) {
        let limit = self.moment() + LIMIT;
        let sending = pin!(self.deliver_note(job, waits_for, limit));
        let waited = pin!(self.sleep(LIMIT));
        // What Slack does with it after that, it does all the same.
        let _ = select(sending, waited).await;
    }

    /// `Delivery::note`.
    async fn deliver_note(&self, job: &Job, waits_for: WaitsFor, limit: i64) {
        let mut ways = vec![Way::Url];
        if self.world().slack.web_api {
            ways.insert(usize::from(waits_for == WaitsFor::Slack), Way::WebApi(job.channel));
        }
        for way in ways {
            if self.moment() >= limit || !self.holds_for(job.hand, CALL_TIMEOUT) {
                return;
            }
            let (command, life, hand) = (job.command, self.life, job.hand);
            let sent = self.slack(Some(job), None, move |world, sent| {
                world.reaches(way, command)?;
                // Whoever has not heard of it by then has given it up. Of one whose sender has died meanwhile, whoever
                // has taken the command over knows nothing.
                let died = world.replicas.iter().all(|one| one.life != Some(life))
                    && world.store.row(command).fence > world.hands[hand].fence;
                world.witness_note(command, sent.late || !sent.clear || died || world.now > limit);
                Ok(())
            });
            let sent = sent.await;
            if way == Way::Url {
                self.count_note(job, &sent);
            }
            if !sent.is_err_and(|error| leaves_other_ways(&error)) {
                return;
            }
        }
    }

    fn count_note(&self, job: &Job, sent: &Result<(), PostFailure>) {
        if sent.is_ok() || matches!(sent, Err(PostFailure::Unclear)) {
            self.world().commands[job.command].url_notes += 1;
        }
    }
}
