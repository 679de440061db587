//! Mirrors `worker`: taking commands, and carrying each action by action.

use std::rc::Rc;
use std::time::Duration;

use super::fivetran::{Call, Instead, Is};
use super::job::Job;
use super::link::{Delivered, Posting};
use super::note::OnItsWay;
use super::onboarding::{Arrived, Joining};
use super::planted::Fault;
use super::process::Bot;
use super::sources::is_part;
use super::statistics::Ended;
use super::world::{Chore, Hand};
use super::{CREATE_TIMEOUT, LEASE, Outcome, TEAM, span, stamp};
use crate::fivetran::model::ApiMessage;
use crate::journal::{
    Act, FIRST_FENCE, Failure, Found, GRACE, Journal, Message, Notice, Origin, Problem, Record, Step, Terms,
    Then, Turn,
};
use crate::work::{Confirmed, Work};

/// As in `worker`, in ms.
const LEASE_MARGIN: i64 = 2_000;

impl Bot {
    /// `worker::take_due`, once.
    pub(super) async fn take_due(self) {
        let clock = self.clock();
        let (life, in_hand) = (self.life, self.world().in_hand(Some(self.life)));
        let claimed = self.db(|store, now| store.claim(life, &in_hand, clock, now)).await;
        for (command, fence) in claimed.unwrap_or_default() {
            self.carry(command, fence);
        }
        self.world().rest(self.replica, self.life, Chore::Commands);
    }

    /// `worker::carry`.
    pub(super) fn carry(&self, command: usize, fence: i64) {
        let job = {
            let mut world = self.world();
            let row = world.store.row(command).clone();
            world.hands.push(Hand {
                command,
                life: self.life,
                fence,
                at_work: true,
                cut_off: false,
                lost: false,
                checked_at: 0,
            });
            let hand = world.hands.len() - 1;
            // Its lease counts from when it was asked for: an answer that has been waiting for longer than
            // that is looked at again first.
            if world.replicas[self.replica].renewed_at.is_none() {
                world.hands[hand].lost = !world.store.keep(command, fence);
            }
            world.commands[command].began = world.commands[command].began.min(hand);
            let (name, channel, user, work) = (row.name, row.channel, row.user, Rc::new(row.work));
            let several = row.several;
            Job { hand, command, fence, name, channel, user, work, several }
        };
        self.trace(|| format!("takes command {command} with fence {fence} as hand {}", job.hand));
        self.spawn(|bot| async move { bot.take_turns(job).await });
    }

    /// `worker::take_turns`.
    async fn take_turns(self, job: Job) {
        if let Some(onboard) = &job.several {
            return Box::pin(self.onboard(&job, Rc::clone(onboard))).await;
        }
        let (mut journal, mut outcome) = self.take_up(&job);
        let (mut posted, mut note) = (None, OnItsWay::default());
        loop {
            let stage = &journal.progress().stage;
            let Some((resumed, joined)) = Box::pin(self.resumed(&job, stage, outcome)).await else { return };
            (outcome, posted) = (resumed, joined.or(posted));
            self.trace(|| format!("hand {}: {outcome:?}", job.hand));
            let last = outcome.clone();
            let Turn { record, act, again } = journal.next(outcome, self.by_both_clocks());
            self.trace(|| format!("hand {}: -> {act:?}", job.hand));
            self.check_wait(&job, &act);
            outcome = match act {
                Act::Provision(step) => {
                    if !self.record(&job, record).await {
                        return;
                    }
                    Box::pin(self.provision_aloud(&job, &mut journal, step, again, &mut note)).await
                }
                Act::Company => {
                    if !self.record(&job, record).await {
                        return;
                    }
                    Outcome::Company(Box::pin(self.company(&job)).await)
                }
                Act::Deliver(Message::Link { connection, existed, purpose, card }) => {
                    self.settle_note(&mut note).await;
                    let mut record = record;
                    match Box::pin(self.joining(&job, &connection, &mut record)).await {
                        Joining::Alone => {}
                        Joining::LeaseLost => return self.lost(&job),
                        Joining::Not(instead) => {
                            if !self.record(&job, record).await {
                                return;
                            }
                            outcome = instead;
                            continue;
                        }
                        Joining::InMessage(arrived) => {
                            if !self.record(&job, record).await {
                                return;
                            }
                            let Some(joined) = Box::pin(self.arrives(&job, arrived)).await else { return };
                            (outcome, posted) = joined;
                            continue;
                        }
                    }
                    let tried = (journal.is_unanswered(), journal.progress().tries);
                    let posting = Posting { connection, existed, purpose, card, tried };
                    self.permit().await;
                    if let Work::Open { link, .. } = &*job.work {
                        if !self.record(&job, record).await {
                            return;
                        }
                        outcome = Box::pin(self.show(&job, link, &posting)).await;
                        continue;
                    }
                    match Box::pin(self.post_link(&job, &posting, record)).await {
                        Delivered::Posted(landed) => {
                            posted = Some(Arrived::Link(landed));
                            Outcome::Posted
                        }
                        Delivered::Not(outcome) => outcome,
                        Delivered::LeaseLost => return self.lost(&job),
                    }
                }
                Act::Deliver(Message::Notice(notice)) => {
                    self.settle_note(&mut note).await;
                    if !self.record(&job, record).await {
                        return;
                    }
                    if is_part(&job.work) {
                        outcome = Outcome::Told;
                        continue;
                    }
                    let connection = journal.progress().stage.connection();
                    Box::pin(self.tell(&job, &notice, connection)).await
                }
                Act::Stay(pause) => {
                    if !self.record(&job, record).await {
                        return;
                    }
                    self.sleep(span(pause)).await;
                    if self.world().hands[job.hand].lost {
                        return self.lost(&job);
                    }
                    Outcome::Woken
                }
                Act::Note(waiting) => {
                    if !self.record(&job, record).await {
                        return;
                    }
                    if !is_part(&job.work) {
                        Box::pin(self.send_note(&job, waiting.waits_for)).await;
                    }
                    Outcome::Noted
                }
                Act::Rest(pause) => {
                    self.settle_note(&mut note).await;
                    let (id, until) =
                        (job.id(), self.now().saturating_add(pause).unwrap_or(jiff::Timestamp::MAX));
                    self.world().replicas[self.replica].resting.put_down(&id, job.fence, journal, until);
                    if self.record(&job, record).await {
                        self.world().drop_hand(job.hand, false);
                    }
                    return;
                }
                Act::End(_) => {
                    self.note_end(&job, &journal, last);
                    if Box::pin(self.end(&job, posted.take(), record)).await {
                        self.trace(|| format!("command {} has ended", job.command));
                        self.world().drop_hand(job.hand, false);
                    }
                    return;
                }
            };
        }
    }

    fn take_up(&self, job: &Job) -> (Journal<usize>, Outcome) {
        let mut world = self.world();
        let row = world.store.row(job.command);
        let terms = Terms {
            accepted_at: stamp(row.accepted_at),
            web_api: world.slack.web_api,
            intent: job.work.intent(),
            for_few: job.work.is_for_few() && world.slack.edits(),
            joins: is_part(&job.work),
            grace: GRACE,
            spread: crate::journal::mix(job.command as u64 + 1),
        };
        let progress = row.progress.clone();
        assert!(progress.stage.fits(terms.intent), "{:?} does not fit {:?}", progress.stage, terms.intent);
        let first = job.fence == FIRST_FENCE;
        let resting = &mut world.replicas[self.replica].resting;
        let taken = resting.take_up(&job.id(), job.fence, terms, progress);
        debug_assert!(!first || matches!(taken.1, Outcome::Accepted));
        taken
    }

    /// Waits for a permit to call: others may have them all.
    pub(super) async fn permit(&self) {
        let waits = {
            let mut world = self.world();
            if world.dice.one_in(64) { world.dice.between(0, 40_000) } else { 0 }
        };
        if waits > 0 {
            self.sleep(waits).await;
        }
    }

    /// `worker::record` and `Store::record`.
    pub(super) async fn record(&self, job: &Job, record: Option<Record>) -> bool {
        let Some(Record { progress, then }) = record else { return true };
        let ours = self.record_progress(job, &progress, then).await;
        if !ours {
            self.lost(job);
        }
        ours
    }

    /// `Store::record`.
    pub(super) async fn record_progress(
        &self,
        job: &Job,
        progress: &crate::journal::Progress,
        then: Then,
    ) -> bool {
        let mut pause = 50;
        loop {
            let recorded = self.db(|store, _| store.record(job.command, job.fence, progress, then)).await;
            if let Ok(recorded) = recorded {
                return recorded;
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(2_000);
        }
    }

    /// `worker::lost`.
    pub(super) fn lost(&self, job: &Job) {
        self.trace(|| format!("hand {} has lost command {}", job.hand, job.command));
        let mut world = self.world();
        world.replicas[self.replica].resting.forget(&job.id());
        world.statistics.leases_lost += 1;
        // Whoever only missed the answer of the commit that ended the command has not lost it.
        let ended_by_us = world.store.row(job.command).fence == job.fence;
        // Its note may still be on its way, and goes by the same lease.
        world.hands[job.hand].lost |= !ended_by_us;
        world.drop_hand(job.hand, !ended_by_us);
    }

    /// `worker::end`.
    async fn end(&self, job: &Job, posted: Option<Arrived>, record: Option<Record>) -> bool {
        let Some(record) = record else { return true };
        let ours = match (posted, &*job.work) {
            (Some(Arrived::Link(landed)), _) => self.settle(job, *landed, &record).await,
            (Some(Arrived::Part(source)), _) => self.join(job, &source, &record).await,
            (Some(Arrived::Added), _) => self.record_progress(job, &record.progress, record.then).await,
            (None, Work::Cancel { .. } | Work::Sync { .. } | Work::Open { .. }) => {
                self.record_progress(job, &record.progress, record.then).await
            }
            (None, _) => self.give_up(job, &record.progress, record.then).await,
        };
        if !ours {
            self.lost(job);
        }
        ours
    }

    fn note_end(&self, job: &Job, journal: &Journal<usize>, last: Outcome) {
        let now = self.now();
        let mut world = self.world();
        let ended = Ended {
            stage: journal.progress().stage.clone(),
            at: world.now,
            past_deadline: now >= journal.deadline(),
            last,
        };
        world.commands[job.command].ends.push((job.fence, ended));
    }

    /// `worker::provision`.
    pub(super) async fn provision(&self, job: &Job, step: Step, again: bool) -> Outcome {
        let may_be_lost = {
            let world = self.world();
            world.hands[job.hand].lost || world.lease_left(self.replica) == 0
        };
        if may_be_lost {
            return Outcome::Postponed;
        }
        self.permit().await;
        if again && self.world().dice.one_in(16) {
            return Outcome::Postponed;
        }
        let needed = (CREATE_TIMEOUT + LEASE_MARGIN).min(LEASE / 2);
        if step == Step::Create && self.world().lease_left(self.replica) < needed {
            return Outcome::Postponed;
        }
        self.world().commands[job.command].fivetran_calls += 1;
        self.take_step(job, &step).await
    }

    /// `worker::take_step` and `provision`.
    async fn take_step(&self, job: &Job, step: &Step) -> Outcome {
        let (command, name) = (job.command, job.name);
        match step {
            Step::Create => {
                let made = self
                    .fivetran(Call::Create, move |world| {
                        let made = world.fivetran.create(name, command, world.now);
                        world.trace(|| format!("    Fivetran creates for command {command}: {made:?}"));
                        world.witness_connections(name, command);
                        made
                    })
                    .await;
                match made {
                    Ok(Some((id, card))) => Outcome::Created { connection: id.to_string(), card },
                    Ok(None) => {
                        let conflict = self.world().fivetran.conflict;
                        let said = ApiMessage::default();
                        Outcome::CreateRefused { problem: Problem::NameTaken(said), conflict }
                    }
                    Err(Instead::Refused) => {
                        let problem = Problem::Refused(ApiMessage::default());
                        Outcome::CreateRefused { problem, conflict: false }
                    }
                    Err(Instead::Failed(failure)) => Outcome::Failed(failure),
                }
            }
            Step::Look if self.world().store.has(Fault::NoLook) => Outcome::Found(Found::Nothing),
            Step::Look => {
                match self.fivetran(Call::Other, move |world| world.fivetran.look(name, world.now)).await {
                    Ok(found) => self.with_origin(found, job).await,
                    Err(instead) => failed(instead),
                }
            }
            Step::Mint { connection } => {
                let id: usize = connection.parse().unwrap();
                match self.fivetran(Call::Other, move |world| world.fivetran.mint(id, world.now)).await {
                    Ok(Some(card)) => Outcome::Minted(card),
                    Ok(None) => Outcome::Vanished,
                    Err(instead) => failed(instead),
                }
            }
            Step::Cancel { connection } => self.cancel(connection.parse().unwrap()).await,
            Step::Sync { connection } => self.sync(connection.parse().unwrap()).await,
        }
    }

    /// `provision::cancel`.
    async fn cancel(&self, id: usize) -> Outcome {
        let seen = self
            .fivetran(Call::Other, move |world| {
                world.fivetran.connections.get(id).map_or(Is::Deleted, super::fivetran::Connection::is)
            })
            .await;
        match seen {
            Ok(Is::Connected | Is::Broken) => return Outcome::NotCancelled,
            Ok(Is::Deleted) => return Outcome::Vanished,
            Ok(Is::Incomplete) => {}
            Err(instead) => return unanswered(instead),
        }
        let deleted = self
            .fivetran(Call::Other, move |world| {
                let (now, there) = (world.now, world.fivetran.exists(id));
                world.trace(|| format!("    Fivetran deletes {id}, which is there: {there}"));
                world.fivetran.becomes(id, Is::Deleted, now);
                there
            })
            .await;
        match deleted {
            Ok(true) => Outcome::Cancelled,
            Ok(false) => Outcome::Vanished,
            Err(instead) => failed(instead),
        }
    }

    /// `provision::sync`.
    async fn sync(&self, id: usize) -> Outcome {
        let seen = self.fivetran(Call::Other, move |world| world.fivetran.connections[id].is()).await;
        match seen {
            Ok(Is::Deleted) => return Outcome::Vanished,
            Ok(Is::Incomplete) => return Outcome::Failed(Failure::Final(Problem::Unfinished)),
            Ok(Is::Connected | Is::Broken) => {}
            Err(instead) => return unanswered(instead),
        }
        let begun = self
            .fivetran(Call::Other, move |world| {
                let now = world.now;
                world.trace(|| format!("    Fivetran syncs {id}"));
                world.fivetran.sync(id, now)
            })
            .await;
        match begun {
            Ok(true) => Outcome::SyncBegun,
            Ok(false) => Outcome::Vanished,
            Err(instead) => failed(instead),
        }
    }

    /// `worker::home::with_origin`.
    async fn with_origin(&self, found: Found, job: &Job) -> Outcome {
        let Work::Connect(request) = &*job.work else { return Outcome::Found(found) };
        if !matches!(found, Found::Unfinished { .. } | Found::Finished { .. }) {
            return Outcome::Found(found);
        }
        let Ok(stored) = self.connection(job.name).await else { return Outcome::Postponed };
        let Some(link) = stored.map(|stored| stored.connection.link).filter(|link| link.has_home()) else {
            return Outcome::Found(found);
        };
        let here = link.team_id == TEAM && link.channel_id == job.channel_id();
        let origin = Origin { channel_id: link.channel_id, user_id: link.requester };
        Outcome::Found(match found {
            Found::Finished { connection, broken, .. } => {
                Found::Finished { connection, origin: Some(origin), broken }
            }
            Found::Unfinished { connection, .. } if !here && request.confirmed == Confirmed::No => {
                Found::Elsewhere { connection, origin }
            }
            found => found,
        })
    }

    /// `worker::tell`.
    async fn tell(&self, job: &Job, notice: &Notice, connection: Option<&str>) -> Outcome {
        self.permit().await;
        if *notice == Notice::Cancelled
            && let Some(connection) = connection
            && !self.cancelled(job, connection).await
        {
            return Outcome::Postponed;
        }
        self.deliver_notice(job, notice).await
    }

    fn check_wait(&self, job: &Job, act: &Act<usize>) {
        let mut world = self.world();
        let idle = &mut world.commands[job.command].idle_waits;
        match act {
            Act::Rest(Duration::ZERO) | Act::Stay(Duration::ZERO) => *idle += 1,
            Act::Rest(_) | Act::Stay(_) => *idle = 0,
            _ => return,
        }
        if *idle > 1 {
            world.violate(|| format!("command {} waits for nothing, again and again", job.command));
        }
    }
}

/// Nothing was done by a look.
fn unanswered(instead: Instead) -> Outcome {
    match failed(instead) {
        Outcome::Failed(Failure::Unclear) => Outcome::Failed(Failure::Unanswered),
        outcome => outcome,
    }
}

fn failed(instead: Instead) -> Outcome {
    match instead {
        Instead::Failed(failure) => Outcome::Failed(failure),
        Instead::Refused => Outcome::Failed(Failure::Unclear),
    }
}
