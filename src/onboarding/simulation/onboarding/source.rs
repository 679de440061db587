//! Mirrors `worker::link::source` and what of `worker::onboard` is about one source: how it comes into the
//! message, and how a link for it is shown.

use std::time::Duration;

use crate::journal::{CREATE_DEADLINE, Found, Origin, PostFailure, Record, Stage};
use crate::life::{self, Ask, Change, Intention, Link, Refusal};
use crate::onboarding::Posting;
use crate::onboarding::simulation::deliver::{Way, leaves_other_ways, or};
use crate::onboarding::simulation::job::{Job, person};
use crate::onboarding::simulation::link::{self, Landed};
use crate::onboarding::simulation::process::{Bot, StoreError, Written};
use crate::onboarding::simulation::slack::{Content, Message};
use crate::onboarding::simulation::sources::is_part;
use crate::onboarding::simulation::store::{MessageWrite, Stored, Write};
use crate::onboarding::simulation::{CALL_TIMEOUT, CHANNELS, Outcome, TEAM, number, span};
use crate::work::{Intent, Work};

/// As in `worker::link` and `store::onboardings`.
const PAUSE: i64 = 50;
const JUDGEMENTS: u32 = 16;
const OFFERS: u32 = 16;

/// `onboard::Arrived`.
pub(in crate::onboarding::simulation) enum Arrived {
    Link(Box<Landed>),
    Part(Source),
    Added,
}

/// `onboard::Joining`.
pub(in crate::onboarding::simulation) enum Joining {
    Alone,
    InMessage(Arrived),
    Not(Outcome),
    LeaseLost,
}

/// `source::Source`.
pub(in crate::onboarding::simulation) struct Source {
    connection: String,
    onboarding: life::Onboarding,
}

/// `source::Prepared`.
enum Prepared {
    Ready(Box<Change>),
    Again,
    Not(Joining),
}

impl Bot {
    /// `Worker::joining`.
    pub(in crate::onboarding::simulation) async fn joining(
        &self,
        job: &Job,
        connection: &str,
        record: &mut Option<Record>,
    ) -> Joining {
        let Work::Connect(request) = &*job.work else { return Joining::Alone };
        let may = job.work.intent() == Intent::Connect && self.world().slack.edits();
        let joining = match (&request.onboarding, &request.customer) {
            (Some(id), _) => self.part_of(job, connection, id).await,
            (None, Some(customer)) if may => self.add(job, connection, customer, record).await,
            _ => Ok(Joining::Alone),
        };
        joining.unwrap_or(Joining::Not(Outcome::Postponed))
    }

    /// `Worker::part_of` and `Links::may_join`.
    async fn part_of(&self, job: &Job, connection: &str, id: &str) -> Result<Joining, StoreError> {
        let Some(seen) = self.db(|store, _| store.onboarding(id)).await? else { return Ok(Joining::Alone) };
        let onboarding = life::Onboarding { id: seen.id, message_id: seen.message_id };
        for _ in 0..JUDGEMENTS {
            let stored = self.connection(job.name).await?;
            match self.prepared(job, connection, &onboarding, stored.as_ref()).await? {
                Prepared::Ready(_) => {
                    let source = Source { connection: connection.to_owned(), onboarding };
                    return Ok(Joining::InMessage(Arrived::Part(source)));
                }
                Prepared::Not(instead) => return Ok(instead),
                Prepared::Again => {}
            }
        }
        Ok(Joining::Not(Outcome::Postponed))
    }

    /// `Links::prepared`.
    async fn prepared(
        &self,
        job: &Job,
        connection: &str,
        onboarding: &life::Onboarding,
        stored: Option<&Stored>,
    ) -> Result<Prepared, StoreError> {
        let behind = stored.is_some_and(|stored| stored.behind);
        Ok(match self.joined(job, connection, onboarding, stored, behind) {
            Intention::Post(change) => Prepared::Ready(Box::new(change)),
            Intention::Refused(refusal) => Prepared::Not(Joining::Not(instead(refusal, connection))),
            Intention::Wait { message_id } => match self.show_now(&message_id).await {
                true => Prepared::Again,
                false => Prepared::Not(Joining::Not(Outcome::Postponed)),
            },
            Intention::TakeBack(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                self.world().statistics.made_way += 1;
                match self.write_for(job, &change, version, MessageWrite::None, None).await? {
                    Written::LeaseLost => Prepared::Not(Joining::LeaseLost),
                    Written::Committed | Written::Conflict => Prepared::Again,
                }
            }
        })
    }

    /// `Links::add`.
    async fn add(
        &self,
        job: &Job,
        connection: &str,
        customer: &str,
        record: &mut Option<Record>,
    ) -> Result<Joining, StoreError> {
        for _ in 0..JUDGEMENTS {
            let stored = self.connection(job.name).await?;
            if stored.as_ref().is_some_and(|stored| is_added(&stored.connection.link, job, connection)) {
                return Ok(Joining::InMessage(Arrived::Added));
            }
            let open = self.db(|store, _| store.open_onboarding(job.channel, customer)).await?;
            let Some(onboarding) = open else { return Ok(Joining::Alone) };
            let change = match self.prepared(job, connection, &onboarding, stored.as_ref()).await? {
                Prepared::Ready(change) => change,
                Prepared::Not(instead) => return Ok(instead),
                Prepared::Again => continue,
            };
            let write = Write {
                change: &change,
                version: stored.map_or(0, |stored| stored.version),
                held: Some((job.command, job.fence)),
                progress: record.as_ref().map(|record| (&record.progress, record.then)),
                message: MessageWrite::None,
                reminders: self.reminders(),
                now: self.clock(),
            };
            match self.write_join(&onboarding.id, write).await? {
                Some(Written::Committed) => {
                    *record = None;
                    return Ok(Joining::InMessage(Arrived::Added));
                }
                Some(Written::LeaseLost) => return Ok(Joining::LeaseLost),
                Some(Written::Conflict) | None => {}
            }
        }
        Ok(Joining::Not(Outcome::Postponed))
    }

    /// `Links::joined`.
    fn joined(
        &self,
        job: &Job,
        connection: &str,
        onboarding: &life::Onboarding,
        stored: Option<&Stored>,
        behind: bool,
    ) -> Intention<Change> {
        let (id, channel_id, now) = (job.id(), job.channel_id(), self.now());
        let ask = Ask {
            command: &id,
            intent: job.work.intent(),
            renews: None,
            connection_id: connection,
            purpose: None,
            team_id: TEAM,
            channel_id: &channel_id,
            requester: person(job.user),
            request: job.work.request(),
            expires_at: now,
            edits: true,
            takes_back: true,
        };
        life::join(stored.map(|stored| &stored.connection), behind, &ask, onboarding, now)
    }

    /// `Worker::resumed`.
    pub(in crate::onboarding::simulation) async fn resumed(
        &self,
        job: &Job,
        stage: &Stage,
        outcome: Outcome,
    ) -> Option<(Outcome, Option<Arrived>)> {
        let pauses = matches!(outcome, Outcome::TakenOver | Outcome::Woken | Outcome::Noted);
        match (stage, &*job.work) {
            (Stage::Deliver { connection, .. }, Work::Connect(request))
                if pauses && request.customer.is_some() && !is_part(&job.work) =>
            {
                match self.has_joined(job, connection).await? {
                    true => self.arrives(job, Arrived::Added).await,
                    false => Some((outcome, None)),
                }
            }
            _ => Some((outcome, None)),
        }
    }

    /// `Worker::has_joined` and `Links::has_added`.
    async fn has_joined(&self, job: &Job, connection: &str) -> Option<bool> {
        let mut pauses = Posting::default();
        loop {
            if let Ok(stored) = self.connection(job.name).await {
                return Some(stored.is_some_and(|stored| is_added(&stored.connection.link, job, connection)));
            }
            self.pause(job, &mut pauses, Duration::ZERO).await?;
        }
    }

    /// `Worker::joined`.
    pub(in crate::onboarding::simulation) async fn arrives(
        &self,
        job: &Job,
        arrived: Arrived,
    ) -> Option<(Outcome, Option<Arrived>)> {
        self.say_where(job).await?;
        Some((Outcome::Posted, Some(arrived)))
    }

    /// `Worker::say_where`.
    async fn say_where(&self, job: &Job) -> Option<()> {
        if is_part(&job.work) {
            return Some(());
        }
        let mut pauses = Posting::default();
        loop {
            self.permit().await;
            let said = self.whisper_to(job, |world| world.statistics.said_where += 1).await;
            let asked = match said {
                Err(PostFailure::Later { pause, .. }) => pause,
                Err(PostFailure::Throttled(pause)) => pause.unwrap_or_default(),
                Err(PostFailure::NotSent) => Duration::ZERO,
                _ => return Some(()),
            };
            if self.age(job) >= CREATE_DEADLINE {
                return Some(());
            }
            self.pause(job, &mut pauses, asked).await?;
        }
    }

    /// `Worker::pause`.
    async fn pause(&self, job: &Job, pauses: &mut Posting, asked: Duration) -> Option<()> {
        self.sleep(span(pauses.pause(asked))).await;
        if !self.is_held(job) {
            self.lost(job);
            return None;
        }
        Some(())
    }

    /// `Links::join`.
    pub(in crate::onboarding::simulation) async fn join(
        &self,
        job: &Job,
        source: &Source,
        record: &Record,
    ) -> bool {
        let mut pause = PAUSE;
        loop {
            match self.try_to_join(job, source, record).await {
                Ok(Written::Committed) => return true,
                Ok(Written::LeaseLost) => return false,
                Ok(Written::Conflict) => {}
                Err(StoreError) => {
                    self.sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 40);
                }
            }
        }
    }

    /// `Links::try_to_join`.
    async fn try_to_join(&self, job: &Job, source: &Source, record: &Record) -> Result<Written, StoreError> {
        let stored = self.connection(job.name).await?;
        match self.joined(job, &source.connection, &source.onboarding, stored.as_ref(), false) {
            Intention::Post(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                let progress = Some((&record.progress, record.then));
                self.write_for(job, &change, version, MessageWrite::None, progress).await
            }
            Intention::TakeBack(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                self.world().statistics.made_way += 1;
                let taken_back = self.write_for(job, &change, version, MessageWrite::None, None).await?;
                Ok(if taken_back == Written::Committed { Written::Conflict } else { taken_back })
            }
            // Of whoever has lost the command, others may have asked for it elsewhere since.
            instead => {
                let (command, name) = (job.command, job.name);
                if !self.record_progress(job, &record.progress, record.then).await {
                    return Ok(Written::LeaseLost);
                }
                self.world().violate(|| {
                    format!("source {command} of {name} is refused by its onboarding: {instead:?}")
                });
                Ok(Written::Committed)
            }
        }
    }

    /// `Links::show`.
    pub(in crate::onboarding::simulation) async fn show(
        &self,
        job: &Job,
        link: &str,
        posting: &link::Posting,
    ) -> Outcome {
        let Ok(stored) = self.connection(job.name).await else { return Outcome::Postponed };
        let is_there = |stored: &Stored| {
            let it = &stored.connection.link;
            it.id == link && it.onboarding.is_some()
        };
        if !stored.as_ref().is_some_and(is_there) {
            return Outcome::Superseded;
        }
        if !self.offer(job.name).await {
            return Outcome::Postponed;
        }
        if !self.holds_for(job.hand, CALL_TIMEOUT) {
            return Outcome::PostFailed(PostFailure::NotSent);
        }
        self.world().commands[job.command].posts += 1;
        let person = CHANNELS.len() + job.user;
        let sent = match self.post_link_alone(job, posting.card, link, Way::Url).await {
            Err(refused) if leaves_other_ways(&refused) => {
                if !self.holds_for(job.hand, CALL_TIMEOUT) {
                    return Outcome::PostFailed(PostFailure::NotSent);
                }
                self.post_link_alone(job, posting.card, link, Way::WebApi(person)).await.map_err(|error| {
                    match leaves_other_ways(&error) {
                        true => or(error, refused),
                        false => error,
                    }
                })
            }
            sent => sent,
        };
        match sent {
            Ok(()) => Outcome::Posted,
            Err(failure) => Outcome::PostFailed(failure),
        }
    }

    /// Where nobody else sees it, and where it stays.
    async fn post_link_alone(&self, job: &Job, card: usize, link: &str, way: Way) -> Result<(), PostFailure> {
        let (command, hand, link) = (job.command, job.hand, number(link));
        let place = CHANNELS.len() + job.user;
        let sent = self.slack(Some(job), None, move |world, sent| {
            world.reaches(way, command)?;
            let post = world.posted(command, Some(card), place, hand, sent);
            world.slack.messages.push(Message {
                place,
                content: Content::Link { card, link },
                since: world.now,
                settled_at: i64::MAX,
                editable: false,
                deleted: false,
                post,
                shown_by: post,
                late_by: None,
            });
            Ok(post)
        });
        let post = sent.await?;
        self.world().slack.posts[post].heard = true;
        Ok(())
    }

    /// `Store::offer`.
    async fn offer(&self, name: usize) -> bool {
        for _ in 0..OFFERS {
            let Ok(Some(Stored { connection, version, .. })) = self.connection(name).await else {
                return false;
            };
            let Some(change) = life::offer(&connection, self.now()) else { return true };
            let (held, progress, message) = (None, None, MessageWrite::None);
            let (reminders, now) = (false, self.clock());
            let write = Write { change: &change, version, held, progress, message, reminders, now };
            match self.write(write).await {
                Ok(Written::Committed) => return true,
                Ok(Written::Conflict | Written::LeaseLost) => {}
                Err(StoreError) => return false,
            }
        }
        false
    }
}

/// `source::instead`.
fn instead(refusal: Refusal, connection: &str) -> Outcome {
    match refusal {
        Refusal::Superseded => Outcome::Superseded,
        Refusal::Over => Outcome::Vanished,
        Refusal::Elsewhere { channel_id, user_id } => {
            let origin = Origin { channel_id, user_id };
            Outcome::Found(Found::Elsewhere { connection: connection.to_owned(), origin })
        }
    }
}

/// `source::is_added`.
fn is_added(link: &Link, job: &Job, connection: &str) -> bool {
    link.id == job.id() && link.connection_id == connection && link.onboarding.is_some()
}
