//! Mirrors `worker::link`: a link on its way to Slack.

use super::deliver::edited;
use super::job::{Job, person};
use super::planted::Fault;
use super::process::{Bot, StoreError, Written};
use super::slack::is_out_of_reach;
use super::store::{Brought, ClaimedMessage, MessageWrite, Stored, Write};

use super::{CALL_TIMEOUT, Outcome, TEAM, stamp};
use crate::journal::{Found, Origin, PostFailure, Progress, Record, Then};
use crate::life::{self, Ask, At, Change, Event, Intention, Place, Refusal};
use crate::work::{Intent, Work};

/// As in `worker::link`.
const JUDGEMENTS: u32 = 16;
const PAUSE: i64 = 50;

pub(super) struct Posting {
    pub(super) connection: String,
    pub(super) existed: bool,
    pub(super) purpose: Option<life::Purpose>,
    pub(super) card: usize,
    /// `Tried`: whether a try was not answered, and how much has failed.
    pub(super) tried: (bool, u32),
}

pub(super) enum Delivered {
    Posted(Box<Landed>),
    Not(Outcome),
    LeaseLost,
}

pub(super) struct Landed {
    connection: life::Connection,
    version: i64,
    place: Option<Place>,
    held: Option<ClaimedMessage>,
    /// The post as Slack keeps it.
    post: usize,
}

struct Allowed {
    change: Change,
    version: i64,
    at: At,
    held: Option<ClaimedMessage>,
}

enum Asked {
    Allowed(Box<Allowed>),
    Not(Outcome),
    LeaseLost,
}

/// `deliver::not_posted`.
fn not_posted(job: &Job, change: &Change, failure: PostFailure) -> Outcome {
    let may_stand = change.connection.posting.as_ref().is_some_and(|posting| {
        posting.unclear || posting.before.as_ref().is_some_and(|before| before.id == job.id())
    });
    Outcome::PostFailed(match failure {
        PostFailure::Refused(_) if may_stand => PostFailure::Unconfirmed,
        failure => failure,
    })
}

impl Bot {
    /// `Links::post`.
    pub(super) async fn post_link(
        &self,
        job: &Job,
        posting: &Posting,
        mut record: Option<Record>,
    ) -> Delivered {
        loop {
            let allowed = match self.ask(job, posting, &mut record).await {
                Asked::Allowed(allowed) => allowed,
                Asked::LeaseLost => return Delivered::LeaseLost,
                Asked::Not(outcome) => {
                    if let Some(Record { progress, then }) = &record
                        && !self.record_progress(job, progress, *then).await
                    {
                        return Delivered::LeaseLost;
                    }
                    return Delivered::Not(outcome);
                }
            };
            let Allowed { change, version, at, held } = *allowed;
            let link = &change.connection.link;
            let began = self.moment();
            let sent = match (&at, &held) {
                (At::Place(place), Some(held)) => self.edit_in_link(job, place, held, posting.card).await,
                _ => {
                    let unclear = change.connection.posting.as_ref().is_some_and(|posting| posting.unclear);
                    let (unanswered, tries) = posting.tried;
                    self.deliver_link(job, posting.card, &link.id, (unclear || unanswered, tries)).await
                }
            };
            match sent {
                Ok((post, place)) => {
                    let place = match at {
                        At::New => place,
                        At::Place(place) => Some(place),
                    };
                    let landed =
                        Landed { connection: change.connection, version: version + 1, place, held, post };
                    return Delivered::Posted(Box::new(landed));
                }
                Err(PostFailure::Unclear) => {
                    if let Some(held) = &held {
                        self.release_message(held, self.moment() - began).await;
                    }
                    return Delivered::Not(Outcome::PostFailed(PostFailure::Unclear));
                }
                Err(error) => {
                    self.world().statistics.intents_taken_back += 1;
                    if !self.take_back_intent(job, &change, version + 1, held.as_ref()).await {
                        if let Some(held) = &held {
                            self.release_message(held, 0).await;
                        }
                        return Delivered::LeaseLost;
                    }
                    match (held, is_out_of_reach(&error)) {
                        (Some(held), true) => self.give_up_place(&held).await,
                        _ => return Delivered::Not(not_posted(job, &change, error)),
                    }
                }
            }
        }
    }

    /// `Links::ask`.
    async fn ask(&self, job: &Job, posting: &Posting, record: &mut Option<Record>) -> Asked {
        let (unclear, tries) = posting.tried;
        let mut is_new = !posting.existed && !unclear && tries == 0 && job.work.intent() == Intent::Connect;
        for _ in 0..JUDGEMENTS {
            if !self.holds_for(job.hand, CALL_TIMEOUT * 2) {
                return Asked::Not(Outcome::Postponed);
            }
            match self.judge(job, posting, record, is_new).await {
                Ok(Some(asked)) => return asked,
                Ok(None) => is_new = false,
                Err(StoreError) => return Asked::Not(Outcome::Postponed),
            }
        }
        Asked::Not(Outcome::Postponed)
    }

    /// `Links::judge`.
    async fn judge(
        &self,
        job: &Job,
        posting: &Posting,
        record: &mut Option<Record>,
        is_new: bool,
    ) -> Result<Option<Asked>, StoreError> {
        let now = self.now();
        let stored = if is_new { None } else { self.connection(job.name).await? };
        let waits = !self.world().store.has(Fault::NotTakenBack);
        let behind = stored.as_ref().is_some_and(|stored| stored.behind) && waits;
        let (expires_at, edits, web_api) = {
            let world = self.world();
            (stamp(world.fivetran.cards[posting.card].expires_at), world.slack.edits(), world.slack.web_api)
        };
        let (id, channel_id) = (job.id(), job.channel_id());
        let ask = Ask {
            command: &id,
            intent: job.work.intent(),
            renews: match &*job.work {
                Work::Renew { link, .. } => Some(link),
                _ => None,
            },
            connection_id: &posting.connection,
            purpose: posting.purpose,
            team_id: TEAM,
            channel_id: &channel_id,
            requester: person(job.user),
            request: job.work.request(),
            expires_at,
            edits,
            takes_back: web_api,
        };
        match life::intend(stored.as_ref().map(|stored| &stored.connection), behind, &ask, now) {
            Intention::Refused(Refusal::Superseded) => Ok(Some(Asked::Not(Outcome::Superseded))),
            Intention::Refused(Refusal::Over) => Ok(Some(Asked::Not(Outcome::Vanished))),
            Intention::Refused(Refusal::Elsewhere { channel_id, user_id }) => {
                let origin = Origin { channel_id, user_id };
                let connection = posting.connection.clone();
                Ok(Some(Asked::Not(Outcome::Found(Found::Elsewhere { connection, origin }))))
            }
            Intention::Wait { message_id } => {
                self.world().statistics.waited_for_a_take_back += 1;
                let shown = self.show_now(&message_id).await;
                Ok((!shown).then_some(Asked::Not(Outcome::Postponed)))
            }
            Intention::TakeBack(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                self.world().statistics.taken_back += 1;
                match self.write_for(job, &change, version, MessageWrite::None, None).await? {
                    Written::LeaseLost => Ok(Some(Asked::LeaseLost)),
                    Written::Committed | Written::Conflict => Ok(None),
                }
            }
            Intention::Post(post) => self.intend(job, stored, post, record).await,
        }
    }

    /// The last arm of `Links::judge`.
    async fn intend(
        &self,
        job: &Job,
        stored: Option<Stored>,
        post: life::Post,
        record: &mut Option<Record>,
    ) -> Result<Option<Asked>, StoreError> {
        let life::Post { change, at } = post;
        let held = match &at {
            At::New => None,
            At::Place(_) => match self.claim_message(&change.connection.link.message_id).await? {
                Some(held) => Some(held),
                None => return Ok(Some(Asked::Not(Outcome::Postponed))),
            },
        };
        let version = stored.map_or(0, |stored| stored.version);
        let message = if held.is_some() { MessageWrite::None } else { MessageWrite::New };
        let progress = record.as_ref().map(|record| (&record.progress, record.then));
        let written = self.write_for(job, &change, version, message, progress).await;
        if !matches!(written, Ok(Written::Committed))
            && let Some(held) = &held
        {
            self.release_message(held, 0).await;
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

    /// `Links::edit`.
    async fn edit_in_link(
        &self,
        job: &Job,
        place: &Place,
        held: &ClaimedMessage,
        card: usize,
    ) -> Result<(usize, Option<Place>), PostFailure> {
        if self.lease_left(held) < CALL_TIMEOUT * 2 || !self.holds_for(job.hand, CALL_TIMEOUT) {
            return Err(PostFailure::NotSent);
        }
        let post = self.put_link(job, edited(place), held, card).await?;
        let mut world = self.world();
        if job.work.intent() == Intent::Renew {
            world.statistics.renewed_in_place += 1;
        }
        Ok((post, None))
    }

    /// `Links::take_back_intent`.
    async fn take_back_intent(
        &self,
        job: &Job,
        change: &Change,
        version: i64,
        held: Option<&ClaimedMessage>,
    ) -> bool {
        let mut stands = (change.connection.clone(), version);
        let generation = stands.0.generation;
        let mut pause = PAUSE;
        loop {
            let next = life::next(&stands.0, Event::NotPosted, false, self.now());
            let message = held.map_or(MessageWrite::None, MessageWrite::Untouched);
            match self.write_for(job, &next, stands.1, message, None).await {
                Ok(Written::Committed) => return true,
                Ok(Written::LeaseLost) => return false,
                Ok(Written::Conflict) => {}
                Err(StoreError) => {
                    self.sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 40);
                }
            }
            match self.connection(job.name).await {
                Ok(Some(Stored { connection, version, .. })) if connection.generation == generation => {
                    stands = (connection, version);
                }
                Ok(_) => return true,
                Err(StoreError) => {}
            }
        }
    }

    /// `Links::settle`.
    pub(super) async fn settle(&self, job: &Job, landed: Landed, record: &Record) -> bool {
        let Landed { mut connection, mut version, place, held, post } = landed;
        let generation = connection.generation;
        let mut pause = PAUSE;
        loop {
            let change = life::next(&connection, Event::Posted, false, self.now());
            let message = match &held {
                Some(held) => MessageWrite::Shown(held),
                None => MessageWrite::Placed(place.as_ref()),
            };
            let progress = Some((&record.progress, record.then));
            match self.write_for(job, &change, version, message, progress).await {
                Ok(Written::Committed) => {
                    self.world().wrote_down(post, false);
                    return true;
                }
                Ok(Written::LeaseLost) => {
                    self.leave(&connection.link.message_id, place.as_ref(), post).await;
                    return false;
                }
                Ok(Written::Conflict) => {}
                Err(StoreError) => {
                    self.sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 40);
                }
            }
            match self.connection(job.name).await {
                Ok(Some(stored)) if stored.connection.generation == generation => {
                    (connection, version) = (stored.connection, stored.version);
                }
                Ok(_) => {
                    self.leave(&connection.link.message_id, place.as_ref(), post).await;
                    return self.record_progress(job, &record.progress, record.then).await;
                }
                Err(StoreError) => {}
            }
        }
    }

    /// `Links::give_up`.
    pub(super) async fn give_up(&self, job: &Job, progress: &Progress, then: Then) -> bool {
        let mut pause = PAUSE;
        loop {
            match self.try_to_give_up(job, progress, then).await {
                Ok(Some(ours)) => return ours,
                Ok(None) => {}
                Err(StoreError) => {
                    self.sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 40);
                }
            }
        }
    }

    /// `Links::try_to_give_up`.
    async fn try_to_give_up(
        &self,
        job: &Job,
        progress: &Progress,
        then: Then,
    ) -> Result<Option<bool>, StoreError> {
        let stored = self.connection(job.name).await?;
        let id = job.id();
        let ours = stored.filter(|stored| {
            let posting = stored.connection.posting.as_ref();
            posting.is_some_and(|posting| posting.command == id)
        });
        let Some(stored) = ours else {
            return Ok(Some(self.record_progress(job, progress, then).await));
        };
        self.world().statistics.maybe_posted += 1;
        let change = life::next(&stored.connection, Event::MaybePosted, false, self.now());
        let progress = Some((progress, then));
        Ok(match self.write_for(job, &change, stored.version, MessageWrite::None, progress).await? {
            Written::Committed => Some(true),
            Written::LeaseLost => Some(false),
            Written::Conflict => None,
        })
    }

    /// `Links::cancelled`.
    pub(super) async fn cancelled(&self, job: &Job, connection: &str) -> bool {
        for _ in 0..JUDGEMENTS {
            let stored = match self.connection(job.name).await {
                Ok(Some(stored)) => stored,
                Ok(None) => return true,
                Err(StoreError) => return false,
            };
            let event = Event::Cancelled(connection.to_owned());
            let change = life::next(&stored.connection, event, false, self.now());
            if change.connection == stored.connection {
                return true;
            }
            match self.write_for(job, &change, stored.version, MessageWrite::None, None).await {
                Ok(Written::Committed) => return true,
                Ok(Written::Conflict) => {}
                Ok(Written::LeaseLost) | Err(StoreError) => return false,
            }
        }
        false
    }

    /// `Links::leave`.
    async fn leave(&self, message: &str, place: Option<&Place>, post: usize) {
        let Some(place) = place else { return };
        self.world().statistics.left_messages += 1;
        self.trace(|| format!("leaves message {message} at {} to the outbox", place.ts));
        let mut pause = PAUSE;
        loop {
            let clock = self.clock();
            if self.db(|store, _| store.found_message(message, place, clock)).await.is_ok() {
                return self.world().wrote_down(post, true);
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(PAUSE * 40);
        }
    }

    /// `Links::give_up_place`.
    async fn give_up_place(&self, held: &ClaimedMessage) {
        if let Ok(Some(held)) = self.claim_message(&held.id).await {
            let clock = self.clock();
            let out_of_reach = Brought::OutOfReach;
            let _ = self.db(|store, now| store.record_message(&held, out_of_reach, clock, now)).await;
        }
    }

    /// `Links::release`.
    async fn release_message(&self, held: &ClaimedMessage, took: i64) {
        let clock = self.clock();
        let brought = Brought::unclear(took, clock);
        let _ = self.db(|store, now| store.record_message(held, brought, clock, now)).await;
    }

    /// `Links::write`.
    pub(super) async fn write_for(
        &self,
        job: &Job,
        change: &Change,
        version: i64,
        message: MessageWrite<'_>,
        progress: Option<(&Progress, Then)>,
    ) -> Result<Written, StoreError> {
        let (reminders, now, held) = (self.reminders(), self.clock(), job.held());
        self.write(Write { change, version, held, progress, message, reminders, now }).await
    }
}
