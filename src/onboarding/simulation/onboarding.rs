//! Mirrors `worker::onboard`: a command of several sources, from its expansion to its end. What it does next
//! is the real [`crate::onboarding`]'s decision.

mod source;
mod verdict;

use std::rc::Rc;
use std::time::Duration;

use super::deliver::Way;
use super::job::{Job, place_name};
use super::process::{Bot, StoreError};
use super::slack::{Content, Message};
use super::sources::Sources;
use super::statistics::Ended;
use super::store::{Brought, ClaimedMessage};
use super::{CALL_TIMEOUT, CHANNELS, Outcome, span};
use crate::journal::{
    COMPANY_LOOKS, CREATE_DEADLINE, Company, Ending, FIRST_FENCE, Notice, PostFailure, Problem, Progress,
    Stage, Then,
};
use crate::life::{self, Place};
use crate::onboarding::{GLANCE, LATE_GLANCE, Onboarding, Posting, Step, Unposted, is_too_late};
use crate::work::Onboard;
pub(super) use source::{Arrived, Joining};

/// What is told alone of a command of several sources.
#[derive(Clone, Debug)]
pub(super) enum Report {
    /// Which sources are not in the message, and whether that is not there.
    Missing(Vec<usize>, Option<Unposted>),
    /// Whether several organisations may see it.
    Question,
    /// That it was taken up too late.
    OutOfTime,
}

impl Bot {
    /// `Worker::onboard`.
    pub(super) async fn onboard(&self, job: &Job, onboard: Rc<Onboard>) {
        if !self.may_begin(job, &onboard).await {
            return;
        }
        let Some((onboarding, commands)) = self.expanded(job).await else { return };
        for command in commands {
            self.carry(command, FIRST_FENCE);
        }
        let (mut posting, began) = (Posting::default(), self.moment());
        loop {
            if !self.is_held(job) {
                return self.lost(job);
            }
            let seen = self.db(|store, _| store.onboarding(&onboarding.id)).await;
            let pause = match seen {
                Ok(Some(seen)) => match posting.next(&seen, &job.id(), self.age(job)) {
                    Step::Post => match self.post_onboarding(job, &seen, &mut posting, began).await {
                        Some(pause) => pause,
                        None => continue,
                    },
                    Step::Draw => match self.draw_anew(&seen.message_id).await {
                        Ok(()) => {
                            posting.drawn = true;
                            continue;
                        }
                        Err(StoreError) => posting.pause(Duration::ZERO),
                    },
                    Step::End => return self.end_onboarding(job, &seen, &posting).await,
                    Step::Wait(pause) => pause,
                },
                Ok(None) => LATE_GLANCE,
                Err(StoreError) => posting.pause(Duration::ZERO),
            };
            self.sleep(span(pause)).await;
        }
    }

    /// `LeaseGuard::is_held`.
    pub(super) fn is_held(&self, job: &Job) -> bool {
        let world = self.world();
        !world.hands[job.hand].lost && world.lease_left(self.replica) > 0
    }

    pub(super) fn age(&self, job: &Job) -> jiff::SignedDuration {
        let accepted_at = self.world().store.row(job.command).accepted_at;
        jiff::SignedDuration::from_millis(self.clock() - accepted_at)
    }

    /// `Worker::may_begin`.
    async fn may_begin(&self, job: &Job, onboard: &Onboard) -> bool {
        let mut pauses = Posting::default();
        loop {
            match self.db(|store, _| store.is_expanded(job.command)).await {
                Ok(true) => return true,
                Ok(false) => break,
                Err(StoreError) => self.sleep(span(pauses.pause(Duration::ZERO))).await,
            }
        }
        if self.age(job) >= CREATE_DEADLINE {
            self.declines(job, Report::OutOfTime, Problem::OutOfTime).await;
            return false;
        }
        if !onboard.is_for_few() || !self.world().slack.edits() {
            return true;
        }
        for look in 1..=COMPANY_LOOKS {
            match self.company(job).await {
                Company::Few | Company::Hidden => break,
                Company::Many(others) => {
                    self.declines(job, Report::Question, Problem::Shared(others)).await;
                    return false;
                }
                Company::Untold if look == COMPANY_LOOKS => {}
                Company::Untold => self.sleep(span(pauses.pause(Duration::ZERO))).await,
            }
        }
        true
    }

    /// `Worker::declines`.
    async fn declines(&self, job: &Job, report: Report, why: Problem) {
        if let Some(ending) = self.reported(job, &report).await {
            let stage = Stage::Tell { notice: Notice::from(why), connection: None };
            self.close_onboarding(job, stage.over(ending)).await;
        }
    }

    /// `Worker::expanded`.
    async fn expanded(&self, job: &Job) -> Option<(life::Onboarding, Vec<usize>)> {
        let mut pauses = Posting::default();
        loop {
            let (life, clock) = (self.life, self.clock());
            let (command, fence) = (job.command, job.fence);
            match self.db(|store, now| store.expand(command, fence, life, clock, now)).await {
                Ok(Some(expanded)) => {
                    let mut world = self.world();
                    world.statistics.expansions += u64::from(!expanded.1.is_empty());
                    world.statistics.added_to_open += u64::from(expanded.0.id != job.id());
                    return Some(expanded);
                }
                Ok(None) => {
                    self.lost(job);
                    return None;
                }
                Err(StoreError) => self.sleep(span(pauses.pause(Duration::ZERO))).await,
            }
        }
    }

    /// `Worker::post_onboarding`.
    async fn post_onboarding(
        &self,
        job: &Job,
        seen: &Onboarding,
        posting: &mut Posting,
        began: i64,
    ) -> Option<Duration> {
        self.permit().await;
        let held = match self.claim_message(&seen.message_id).await {
            Ok(Some(held)) => held,
            Ok(None) => return Some(GLANCE),
            Err(StoreError) => return Some(posting.pause(Duration::ZERO)),
        };
        let now = self.clock();
        let pause = match &held.place {
            Some(_) => None,
            None => match self.put_onboarding(job, seen).await {
                Ok((post, place)) => {
                    posting.posted = true;
                    let mut pauses = Posting::default();
                    let stands = loop {
                        match self.db(|store, _| store.placed_message(&held.id, &place, now)).await {
                            Ok(stands) => break stands,
                            Err(StoreError) => self.sleep(span(pauses.pause(Duration::ZERO))).await,
                        }
                    };
                    // Who stood still until somebody else had the message may have made a copy.
                    self.world().wrote_down(post, !stands);
                    None
                }
                Err(failure) => {
                    self.world().statistics.onboardings_unposted += 1;
                    posting.failed(failure, self.is_too_late(job, began))
                }
            },
        };
        let again = Brought::Again(now);
        let _ = self.db(|store, moment| store.record_message(&held, again, now, moment)).await;
        pause
    }

    /// `Delivery::post_for_all`, of the message of an onboarding.
    async fn put_onboarding(&self, job: &Job, seen: &Onboarding) -> Result<(usize, Place), PostFailure> {
        if !self.holds_for(job.hand, CALL_TIMEOUT) {
            return Err(PostFailure::NotSent);
        }
        self.world().commands[job.command].posts += 1;
        let (command, hand, channel) = (job.command, job.hand, job.channel);
        let content = Content::Sources(Sources::of(seen));
        let sent = self.slack(Some(job), None, move |world, sent| {
            world.reaches(Way::WebApi(channel), command)?;
            let post = world.posted(command, None, channel, hand, sent);
            world.slack.messages.push(Message {
                place: channel,
                content,
                since: world.now,
                settled_at: i64::MAX,
                editable: true,
                deleted: false,
                post,
                shown_by: post,
                late_by: None,
            });
            let message = world.slack.messages.len() - 1;
            world.statistics.onboardings_posted += 1;
            world.witness_onboarding(message, sent.late);
            Ok((post, message))
        });
        let (post, message) = sent.await?;
        self.world().slack.posts[post].heard = true;
        Ok((post, Place { channel: place_name(channel), ts: message.to_string() }))
    }

    /// `Worker::drawn_anew`.
    async fn draw_anew(&self, message: &str) -> Result<(), StoreError> {
        let clock = self.clock();
        self.db(|store, _| store.disturb_message(message, clock)).await?;
        self.show_now(message).await;
        Ok(())
    }

    /// `Worker::end_onboarding`, and of `reply::onboarding::report` whether there is anything to tell.
    async fn end_onboarding(&self, job: &Job, seen: &Onboarding, posting: &Posting) {
        let id = job.id();
        let missing: Vec<_> = seen.missing(&id).map(|source| super::name_of(&source.key)).collect();
        let is_elsewhere = seen.id != id && missing.len() < seen.of(&id).count();
        let ending = match missing.is_empty() && posting.given_up.is_none() && !is_elsewhere {
            true => Ending::Delivered,
            false => {
                let report = Report::Missing(missing, posting.given_up.clone());
                let Some(ending) = self.reported(job, &report).await else { return };
                ending
            }
        };
        if seen.message.is_none() && seen.shown().next().is_none() {
            self.finish(seen).await.ok();
        }
        self.close_onboarding(job, Stage::default().over(ending)).await;
    }

    /// `Worker::close_onboarding`.
    async fn close_onboarding(&self, job: &Job, stage: Stage) {
        let progress = Progress::of(stage.clone());
        let then = Then::End(self.now());
        {
            let at = self.moment();
            let ended = Ended { stage, at, past_deadline: false, last: Outcome::Told };
            self.world().commands[job.command].ends.push((job.fence, ended));
        }
        if self.record_progress(job, &progress, then).await {
            self.trace(|| format!("command {} of several has ended", job.command));
            self.world().drop_hand(job.hand, false);
        } else {
            self.lost(job);
        }
    }

    /// `Worker::is_too_late`.
    fn is_too_late(&self, job: &Job, began: i64) -> bool {
        let tried_for = u64::try_from(self.moment() - began).unwrap_or(0);
        is_too_late(self.age(job), Duration::from_millis(tried_for))
    }

    /// `Worker::reported`.
    async fn reported(&self, job: &Job, report: &Report) -> Option<Ending> {
        let (mut pauses, began) = (Posting::default(), self.moment());
        loop {
            self.permit().await;
            let report = report.clone();
            let command = job.command;
            let told = self
                .whisper_to(job, move |world| {
                    world.statistics.reports += 1;
                    match &report {
                        Report::Missing(missing, unposted) => {
                            world.witness_report(command, missing, unposted.as_ref());
                        }
                        Report::Question => {
                            world.statistics.onboardings_asked += 1;
                            world.may_answer_for_all(command);
                        }
                        Report::OutOfTime => {}
                    }
                })
                .await;
            let failure = match told {
                Ok(()) => return Some(Ending::Told),
                Err(failure) => failure,
            };
            if !self.is_held(job) {
                self.lost(job);
                return None;
            }
            if matches!(failure, PostFailure::Refused(_)) || self.is_too_late(job, began) {
                return Some(Ending::Undeliverable);
            }
            let pause = match failure {
                PostFailure::Unclear | PostFailure::Unconfirmed => pauses.unheard(),
                PostFailure::Later { pause, .. } => pauses.pause(pause),
                PostFailure::Throttled(pause) => pauses.pause(pause.unwrap_or_default()),
                _ => pauses.pause(Duration::ZERO),
            };
            self.sleep(span(pause)).await;
        }
    }

    /// `Delivery::whisper`: `seen` by the person once Slack shows it.
    pub(super) async fn whisper_to(
        &self,
        job: &Job,
        seen: impl Fn(&mut super::world::World) + Clone + 'static,
    ) -> Result<(), PostFailure> {
        let person = CHANNELS.len() + job.user;
        let mut failure = PostFailure::Refused("the response_url is dead".to_owned());
        for way in [Way::Url, Way::WebApi(job.channel), Way::WebApi(person)] {
            if !self.holds_for(job.hand, CALL_TIMEOUT) {
                return Err(PostFailure::NotSent);
            }
            let (command, hand, seen) = (job.command, job.hand, seen.clone());
            let sent = self.slack(Some(job), None, move |world, sent| {
                world.reaches(way, command)?;
                world.posted(command, None, person, hand, sent);
                seen(world);
                Ok(())
            });
            match sent.await {
                Ok(()) => return Ok(()),
                Err(error) => failure = super::deliver::or(failure, error),
            }
        }
        Err(failure)
    }

    /// `Store::finish_onboarding`.
    async fn finish(&self, onboarding: &Onboarding) -> Result<bool, StoreError> {
        let (id, clock) = (onboarding.id.clone(), self.clock());
        let done = self.db(|store, _| store.finish_onboarding(&id, clock)).await?;
        self.world().statistics.onboardings_done += u64::from(done);
        Ok(done)
    }

    /// `Outbox::onboarding`.
    pub(super) async fn onboarding_shown(
        &self,
        message: &ClaimedMessage,
    ) -> Result<Option<Onboarding>, StoreError> {
        let Some(id) = &message.onboarding else { return Ok(None) };
        let Some(mut seen) = self.db(|store, _| store.onboarding(id)).await? else { return Ok(None) };
        let now = self.now();
        if seen.done_at.is_none() && seen.is_done() && self.finish(&seen).await? {
            seen.done_at = Some(now);
        }
        Ok(Some(seen))
    }

    /// `Outbox::tell_done`: whether it was said, or needs not be; otherwise for how long Slack asks it to wait.
    pub(super) async fn tell_done(
        &self,
        onboarding: &Onboarding,
        place: &Place,
    ) -> Result<Result<(), Duration>, StoreError> {
        let (_, all) = onboarding.progress();
        if onboarding.is_told || onboarding.done_at.is_none() || !onboarding.is_done() || all == 0 {
            return Ok(Ok(()));
        }
        let (message, id) = (super::deliver::edited(place), onboarding.id.clone());
        let told = self.slack(None, None, move |world, sent| {
            world.slack.update(message)?;
            world.witness_done(message, &id, sent.clear);
            Ok(())
        });
        match told.await {
            Err(PostFailure::Later { pause, .. }) => return Ok(Err(pause)),
            Err(PostFailure::Throttled(pause)) => return Ok(Err(pause.unwrap_or_default())),
            Err(PostFailure::NotSent) => return Ok(Err(Duration::ZERO)),
            _ => {}
        }
        self.db(|store, _| store.told_onboarding(&onboarding.id)).await?;
        Ok(Ok(()))
    }

    /// `WebApi::update`, of the message of an onboarding.
    pub(super) async fn put_sources(
        &self,
        place: &Place,
        held: &ClaimedMessage,
        onboarding: &Onboarding,
    ) -> Result<(), PostFailure> {
        let message = super::deliver::edited(place);
        let (life, claimed, sent_at) = ((self.replica, self.life), held.clone(), self.moment());
        let content = Content::Sources(Sources::of(onboarding));
        self.slack(None, Some(held), move |world, sent| {
            world.slack.update(message)?;
            world.statistics.onboardings_drawn += 1;
            world.shows(message, content);
            world.came_late(message, life, &claimed, sent.late, sent_at);
            world.witness_onboarding(message, sent.late);
            Ok(())
        })
        .await
    }
}
