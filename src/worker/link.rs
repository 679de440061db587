//! A link on its way to Slack.
//!
//! Owns the order of things from there on: what is intended is on disk before Slack hears of it, and that a
//! link was posted and that its command has ended are one commit. Whether it may be posted at all is
//! `allowed`'s to find out.

mod allowed;
mod source;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use slack_morphism::prelude::SlackMessageContent;
use tokio::time::Instant;

use super::Outcome;
use super::deliver::{Delivery, Job, Sent, Tried, failed, not_posted};
use super::ended;
use crate::command::places::Channels;
use crate::crash::crash_point;
use crate::fivetran::model::ConnectCard;
use crate::journal::{Progress, Record, Then};
use crate::life::{self, At, Change, Event, Place};
use crate::outbound::CALL_TIMEOUT;
use crate::outbox::Outbox;
use crate::reply::ask;
use crate::reply::live::{self, Note, Waiting};
use crate::slack::respond::PostError;
use crate::store::{
    Brought, ClaimedMessage, MessageWrite, Recorded, Store, StoreError, Stored, Write, Written,
};
use crate::telemetry::Party;
use crate::trail::Entry;
use allowed::{Allowed, Asked};
pub(super) use source::{Arrived, Joining};

/// First pause before something that must be on disk is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// How often what was judged is judged anew before the command waits a second: others that are at
/// work on the connection have their own say in between.
const JUDGEMENTS: u32 = 16;

/// A link that is to be posted.
pub(super) struct Posting<'a> {
    pub(super) connection: &'a str,
    /// Whether the connection was there before this command.
    pub(super) existed: bool,
    /// What the link is for, if the connection had been set up.
    pub(super) purpose: Option<life::Purpose>,
    pub(super) card: &'a ConnectCard,
    pub(super) tried: Tried,
}

/// What became of it.
pub(super) enum Delivered {
    /// It is there; this is still to be put on disk, with the end of the command.
    Posted(Box<Landed>),
    /// Something else, and the command goes on by it.
    Not(Outcome),
    /// Somebody else has the command.
    LeaseLost,
}

/// A link that has come to stand somewhere.
pub(super) struct Landed {
    /// How its connection stands by what was intended.
    connection: life::Connection,
    version: i64,
    place: Option<Place>,
    /// Whether the bot would have to be invited to edit it.
    uninvited: bool,
    /// The message that it was put into.
    held: Option<ClaimedMessage>,
}

/// The ways of a link. No `Debug`: it holds the token.
pub struct Links {
    /// The ways to Slack.
    pub delivery: Delivery,
    /// The connections.
    pub store: Store,
    /// Who brings other messages to what they should show.
    pub outbox: Arc<Outbox>,
    /// What holds in which channel.
    pub channels: Arc<Channels>,
}

impl Links {
    /// Posts a link. `record` is how the command stands by now, and is on disk before anything is
    /// sent; `again`: it repeats a post that failed.
    pub(super) async fn post(
        &self,
        job: Job<'_>,
        posting: &Posting<'_>,
        mut record: Option<Record>,
        again: bool,
    ) -> Delivered {
        loop {
            let allowed = match self.ask(job, posting, &mut record).await {
                Asked::Allowed(allowed) => allowed,
                Asked::LeaseLost => return Delivered::LeaseLost,
                Asked::Not(outcome) => {
                    // The journal takes it that what it said is on disk.
                    if let Some(Record { progress, then }) = &record
                        && self.store.record(job.claimed, progress, *then).await == Recorded::LeaseLost
                    {
                        return Delivered::LeaseLost;
                    }
                    return Delivered::Not(outcome);
                }
            };
            crash_point("deliver: recorded");
            crash_point("post: before the call");
            if again {
                self.delivery.metrics.retried(Party::Slack);
            }
            let Allowed { change, version, at, held } = *allowed;
            let content = self.content(job, posting, &change.connection);
            let began = Instant::now();
            let sent = match (&at, &held) {
                (At::Place(place), Some(held)) => self.edit(job, place, held, &content).await,
                _ => {
                    let unclear = change.connection.posting.as_ref().is_some_and(|posting| posting.unclear);
                    let tried = Tried { unclear: unclear || posting.tried.unclear, ..posting.tried };
                    self.delivery.post(job.claimed, content, tried).await
                }
            };
            crash_point("post: answered");
            match sent {
                Ok(Sent { place, uninvited }) => {
                    let place = match at {
                        At::New => place,
                        At::Place(place) => Some(place),
                    };
                    return Delivered::Posted(Box::new(Landed {
                        connection: change.connection,
                        version: version + 1,
                        place,
                        uninvited,
                        held,
                    }));
                }
                // It may be there: that stays on disk until it is known.
                Err(error @ (PostError::Unclear(_) | PostError::Unconfirmed(_))) => {
                    if let Some(held) = &held {
                        self.release(held, began.elapsed()).await;
                    }
                    return Delivered::Not(failed(job.claimed, error));
                }
                Err(error) => {
                    if !self.take_back_intent(job, &change, version + 1, held.as_ref()).await {
                        if let Some(held) = &held {
                            self.release(held, Duration::ZERO).await;
                        }
                        return Delivered::LeaseLost;
                    }
                    match (held, error.message_is_out_of_reach()) {
                        // Then it gets a message of its own.
                        (Some(held), true) => self.give_up_place(&held).await,
                        _ => return Delivered::Not(not_posted(job, &change, error)),
                    }
                }
            }
        }
    }

    fn content(
        &self,
        job: Job<'_>,
        posting: &Posting<'_>,
        connection: &life::Connection,
    ) -> SlackMessageContent {
        let link = &connection.link;
        // Nobody can take back what stands in a message that cannot be edited.
        let before = connection.posting.as_ref().and_then(|posting| posting.before.as_ref());
        let stays = before.is_some_and(|before| before.message.is_none()) && link.message.is_none();
        let waiting = Waiting {
            request: &link.request,
            requester: link.requester.as_deref(),
            card: posting.card,
            note: Note::of(job.work, posting.existed, stays, link.requester.is_some()),
            audience: self.delivery.audience,
            reference: &link.id,
        };
        live::waiting(&waiting, self.delivery.clock.now())
    }

    /// Puts the link into the message that stands there.
    async fn edit(
        &self,
        job: Job<'_>,
        place: &Place,
        held: &ClaimedMessage,
        content: &SlackMessageContent,
    ) -> Result<Sent, PostError> {
        if held.lease_left() < CALL_TIMEOUT * 2 || !self.store.holds_for(job.claimed, CALL_TIMEOUT) {
            return Err(PostError::NotSent("not ours any more"));
        }
        self.delivery.update(place, content).await.map(|()| Sent::nowhere())
    }

    /// What is said beside the link, once it is on disk; without it, it is as true.
    async fn after(&self, job: Job<'_>, held: bool, place: Option<&Place>, uninvited: bool) {
        match place {
            Some(place) if held => self.delivery.say_who_renewed(job.claimed, place).await,
            None if uninvited => {
                self.delivery.hint_to_invite(job.claimed, &ask::not_a_member(job.work.request())).await;
            }
            _ => {}
        }
    }

    /// A post that surely did not arrive: the connection stands as before. False if the command is
    /// somebody else's by now.
    async fn take_back_intent(
        &self,
        job: Job<'_>,
        change: &Change,
        version: i64,
        held: Option<&ClaimedMessage>,
    ) -> bool {
        let mut stands = (change.connection.clone(), version);
        let generation = stands.0.generation;
        let mut pause = PAUSE;
        loop {
            let now = self.delivery.clock.now();
            let next = life::next(&stands.0, Event::NotPosted, false, now);
            let message = held.map_or(MessageWrite::None, MessageWrite::Untouched);
            // An edit holds its message under the name that the link had then.
            let entry = Entry::of_change(&stands.0.link, &next.connection.link, now);
            match self.write(job, &next, stands.1, message, None, entry.as_ref()).await {
                Ok(Written::Committed) => return true,
                Ok(Written::LeaseLost) => return false,
                Ok(Written::Conflict) => {}
                Err(error) => {
                    tracing::warn!(command = job.claimed.id, %error, "could not record a link, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 40);
                }
            }
            match self.store.connection(&stands.0.key).await {
                Ok(Some(Stored { connection, version, .. })) if connection.generation == generation => {
                    stands = (connection, version);
                }
                Ok(_) => return true,
                Err(_) => {}
            }
        }
    }

    /// Puts on disk that a link was posted and that its command has ended. False if the command is
    /// somebody else's by now; the message is brought to what it should show all the same.
    pub(super) async fn settle(&self, job: Job<'_>, landed: Landed, record: &Record) -> bool {
        let Landed { mut connection, mut version, place, uninvited, held } = landed;
        let generation = connection.generation;
        let entry = ended::entry(job, &record.progress, record.then, Some(&connection));
        let mut pause = PAUSE;
        loop {
            let now = self.delivery.clock.now();
            let change = life::next(&connection, Event::Posted, false, now);
            let message = match &held {
                Some(held) => MessageWrite::Shown(held),
                None => MessageWrite::Placed(place.as_ref()),
            };
            let progress = Some((&record.progress, record.then));
            match self.write(job, &change, version, message, progress, entry.as_ref()).await {
                Ok(Written::Committed) => {
                    self.after(job, held.is_some(), place.as_ref(), uninvited).await;
                    return true;
                }
                Ok(Written::LeaseLost) => {
                    self.leave(&connection.link.message_id, place.as_ref(), held.as_ref()).await;
                    return false;
                }
                Ok(Written::Conflict) => {}
                Err(error) => {
                    tracing::warn!(command = job.claimed.id, %error, "could not record a link, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 40);
                }
            }
            match self.store.connection(&connection.key).await {
                Ok(Some(stored)) if stored.connection.generation == generation => {
                    (connection, version) = (stored.connection, stored.version);
                }
                // Another link has taken its place while Slack was slow.
                Ok(_) => {
                    self.leave(&connection.link.message_id, place.as_ref(), held.as_ref()).await;
                    let Record { progress, then } = record;
                    let recorded = self.store.record_with(job.claimed, progress, *then, entry.as_ref());
                    return recorded.await == Recorded::Committed;
                }
                Err(_) => {}
            }
        }
    }

    /// Ends a command whose link may stand somewhere or not. False if it is somebody else's by now.
    pub(super) async fn give_up(&self, job: Job<'_>, progress: &Progress, then: Then) -> bool {
        let mut pause = PAUSE;
        loop {
            match self.try_to_give_up(job, progress, then).await {
                Ok(Some(ours)) => return ours,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(command = job.claimed.id, %error, "could not record a link, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 40);
                }
            }
        }
    }

    async fn try_to_give_up(
        &self,
        job: Job<'_>,
        progress: &Progress,
        then: Then,
    ) -> Result<Option<bool>, StoreError> {
        let entry = ended::entry(job, progress, then, None);
        let stored = self.store.connection(&job.work.request().key()).await?;
        let ours = stored.filter(|stored| {
            let posting = stored.connection.posting.as_ref();
            posting.is_some_and(|posting| posting.command == job.claimed.id)
        });
        let Some(stored) = ours else {
            let recorded = self.store.record_with(job.claimed, progress, then, entry.as_ref()).await;
            return Ok(Some(recorded == Recorded::Committed));
        };
        let change = life::next(&stored.connection, Event::MaybePosted, false, self.delivery.clock.now());
        let progress = Some((progress, then));
        let message = MessageWrite::None;
        Ok(match self.write(job, &change, stored.version, message, progress, entry.as_ref()).await? {
            Written::Committed => Some(true),
            Written::LeaseLost => Some(false),
            Written::Conflict => None,
        })
    }

    /// Notes that this connection was deleted. False if that is not on disk yet.
    pub(super) async fn cancelled(&self, job: Job<'_>, connection: &str) -> bool {
        for _ in 0..JUDGEMENTS {
            let stored = match self.store.connection(&job.work.request().key()).await {
                Ok(Some(stored)) => stored,
                Ok(None) => return true,
                Err(_) => return false,
            };
            let event = Event::Cancelled(connection.to_owned());
            let change = life::next(&stored.connection, event, false, self.delivery.clock.now());
            if change.connection == stored.connection {
                return true;
            }
            match self.write(job, &change, stored.version, MessageWrite::None, None, None).await {
                Ok(Written::Committed) => return true,
                Ok(Written::Conflict) => {}
                Ok(Written::LeaseLost) | Err(_) => return false,
            }
        }
        false
    }

    /// A message that was posted or edited although its link is not the newest any more.
    async fn leave(&self, message: &str, place: Option<&Place>, held: Option<&ClaimedMessage>) {
        let Some(place) = place else { return };
        let mut pause = PAUSE;
        while let Err(error) = self.store.found_message(message, place, held, self.delivery.clock.now()).await
        {
            tracing::warn!(message, %error, "could not record a message, trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE * 40);
        }
    }

    async fn give_up_place(&self, held: &ClaimedMessage) {
        // Not again for the lease that was given back with the intent: whoever claims it next sees it too.
        if let Ok(Some(held)) = self.store.claim_message(&held.id).await {
            let now = self.delivery.clock.now();
            if let Err(error) = self.store.record_message(&held, Brought::OutOfReach, now).await {
                tracing::warn!(message = held.id, %error, "could not record that a message is out of reach");
            }
        }
    }

    /// Gives a message back after an edit that took so long.
    async fn release(&self, held: &ClaimedMessage, took: Duration) {
        let now = self.delivery.clock.now();
        if let Err(error) = self.store.record_message(held, Brought::unclear(took, now), now).await {
            tracing::warn!(message = held.id, %error, "could not give a message back");
        }
    }

    async fn write(
        &self,
        job: Job<'_>,
        change: &Change,
        version: i64,
        message: MessageWrite<'_>,
        progress: Option<(&Progress, Then)>,
        trail: Option<&Entry>,
    ) -> Result<Written, StoreError> {
        let reminders = self.channels.of(&change.connection.link.channel_id).reminders;
        let now: Timestamp = self.delivery.clock.now();
        let held = Some(job.claimed);
        self.store.write(Write { change, version, held, progress, message, trail, reminders, now }).await
    }
}
