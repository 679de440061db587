//! Mirrors `worker::link::source` and what of `worker::onboard` is about one source: how it comes into the
//! message, and how a link for it is shown.

use crate::journal::{Found, Origin, PostFailure, Record};
use crate::life::{self, Ask, Change, Refusal};
use crate::onboarding::simulation::deliver::{Way, leaves_other_ways, or};
use crate::onboarding::simulation::job::{Job, person};
use crate::onboarding::simulation::link::{Landed, Posting};
use crate::onboarding::simulation::process::{Bot, StoreError, Written};
use crate::onboarding::simulation::slack::{Content, Message};
use crate::onboarding::simulation::sources::is_part;
use crate::onboarding::simulation::store::{MessageWrite, Stored, Write};
use crate::onboarding::simulation::{CALL_TIMEOUT, CHANNELS, Outcome, TEAM, number};
use crate::work::{Intent, Work};

/// As in `worker::link` and `store::onboardings`.
const PAUSE: i64 = 50;
const OFFERS: u32 = 16;

/// `onboard::Arrived`.
pub(in crate::onboarding::simulation) enum Arrived {
    Link(Box<Landed>),
    InMessage(Joining),
}

/// `source::Source`.
pub(in crate::onboarding::simulation) struct Joining {
    connection: String,
    onboarding: life::Onboarding,
}

impl Bot {
    /// `Worker::joining`.
    pub(in crate::onboarding::simulation) async fn joining(
        &self,
        job: &Job,
        connection: &str,
    ) -> Option<Result<Joining, Outcome>> {
        match self.onboarding_of(job).await {
            Ok(onboarding) => Some(self.may_join(job, connection, onboarding?).await),
            Err(StoreError) => Some(Err(Outcome::Postponed)),
        }
    }

    /// `Worker::onboarding_of`.
    async fn onboarding_of(&self, job: &Job) -> Result<Option<life::Onboarding>, StoreError> {
        let Work::Connect(request) = &*job.work else { return Ok(None) };
        match (&request.onboarding, &request.customer) {
            (Some(id), _) => {
                let seen = self.db(|store, _| store.onboarding(id)).await?;
                Ok(seen.map(|it| life::Onboarding { id: it.id, message_id: it.message_id }))
            }
            (None, Some(customer)) if job.work.intent() == Intent::Connect && self.world().slack.edits() => {
                self.db(|store, _| store.open_onboarding(job.channel, customer)).await
            }
            _ => Ok(None),
        }
    }

    /// `Links::may_join`.
    async fn may_join(
        &self,
        job: &Job,
        connection: &str,
        onboarding: life::Onboarding,
    ) -> Result<Joining, Outcome> {
        let stored = self.connection(job.name).await.map_err(|StoreError| Outcome::Postponed)?;
        match self.joined(job, connection, &onboarding, stored.as_ref()) {
            Ok(_) => Ok(Joining { connection: connection.to_owned(), onboarding }),
            Err(Refusal::Superseded) => Err(Outcome::Superseded),
            Err(Refusal::Over) => Err(Outcome::Vanished),
            Err(Refusal::Elsewhere { channel_id, user_id }) => {
                let origin = Origin { channel_id, user_id };
                Err(Outcome::Found(Found::Elsewhere { connection: connection.to_owned(), origin }))
            }
        }
    }

    /// `Links::joined`.
    fn joined(
        &self,
        job: &Job,
        connection: &str,
        onboarding: &life::Onboarding,
        stored: Option<&Stored>,
    ) -> Result<Change, Refusal> {
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
        life::join(stored.map(|stored| &stored.connection), &ask, onboarding, now)
    }

    /// `Worker::joined`.
    pub(in crate::onboarding::simulation) async fn arrives(
        &self,
        job: &Job,
        joining: Result<Joining, Outcome>,
    ) -> (Outcome, Option<Arrived>) {
        match joining {
            Err(instead) => (instead, None),
            Ok(joining) => match self.say_where(job).await {
                Some(later) => (Outcome::PostFailed(later), None),
                None => (Outcome::Posted, Some(Arrived::InMessage(joining))),
            },
        }
    }

    /// `Worker::say_where`.
    async fn say_where(&self, job: &Job) -> Option<PostFailure> {
        if is_part(&job.work) {
            return None;
        }
        self.permit().await;
        let said = self.whisper_to(job, |world| world.statistics.said_where += 1).await;
        let failure = said.err()?;
        let later =
            matches!(failure, PostFailure::Throttled(_) | PostFailure::NotSent | PostFailure::Later { .. });
        later.then_some(failure)
    }

    /// `Links::join`.
    pub(in crate::onboarding::simulation) async fn join(
        &self,
        job: &Job,
        joining: &Joining,
        record: &Record,
    ) -> bool {
        let mut pause = PAUSE;
        loop {
            match self.try_to_join(job, joining, record).await {
                Ok(Written::Committed) => {
                    self.world().commands[job.command].joined = true;
                    return true;
                }
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
    async fn try_to_join(
        &self,
        job: &Job,
        joining: &Joining,
        record: &Record,
    ) -> Result<Written, StoreError> {
        let stored = self.connection(job.name).await?;
        match self.joined(job, &joining.connection, &joining.onboarding, stored.as_ref()) {
            Ok(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                let progress = Some((&record.progress, record.then));
                self.write_for(job, &change, version, MessageWrite::None, progress).await
            }
            Err(refusal) => {
                let command = job.command;
                self.world()
                    .violate(|| format!("source {command} is refused by its onboarding: {refusal:?}"));
                Ok(Written::LeaseLost)
            }
        }
    }

    /// `Links::show`.
    pub(in crate::onboarding::simulation) async fn show(
        &self,
        job: &Job,
        link: &str,
        posting: &Posting,
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
