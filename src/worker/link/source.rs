//! A source of an onboarding: how its connection comes into the message, and how a link for it is shown.
//!
//! Owns the order of both. Nothing is posted for the first, and nothing stands anywhere after the second: so
//! neither has an intent that would have to be on disk before Slack hears of it, but for taking back a link of
//! the connection's own, which comes before the first. One that was asked for by itself is in the message for
//! good before its person hears of that; one of several, whose command keeps the onboarding open, with the end
//! of that.

use super::{JUDGEMENTS, Landed, Links, PAUSE, Posting};
use crate::crash::crash_point;
use crate::journal::{Found, Origin, PostFailure, Record};
use crate::life::{self, Ask, Change, Intention, Link, Refusal};
use crate::outbox::Shown;
use crate::reply::Audience;
use crate::reply::live::{self, Note, Waiting};
use crate::store::{MessageWrite, Recorded, StoreError, Stored, Write, Written};
use crate::trail::Entry;
use crate::worker::Outcome;
use crate::worker::deliver::{Job, failed};

/// A connection that is ready to become part of an onboarding; this is still to be put on disk, with the
/// end of its command.
pub(in crate::worker) struct Source {
    connection: String,
    onboarding: life::Onboarding,
}

/// What has come of a link.
pub(in crate::worker) enum Arrived {
    /// It was posted.
    Link(Box<Landed>),
    /// With the end of its command, its connection becomes part of an onboarding's message, which shows none.
    Part(Source),
    /// Its connection is part of one.
    Added,
}

/// Whether a connection that is ready gets a message of its own.
pub(in crate::worker) enum Joining {
    /// It does.
    Alone,
    /// An onboarding's message shows it.
    InMessage(Arrived),
    /// It comes to something else.
    Not(Outcome),
    /// Somebody else has the command.
    LeaseLost,
}

/// How far a connection is on its way into an onboarding's message.
enum Prepared {
    /// It may go there.
    Ready(Box<Change>),
    /// Something has changed: judge again.
    Again,
    /// It comes to something else.
    Not(Joining),
}

impl Links {
    /// Asks whether a connection may become part of an onboarding that its own command keeps open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(in crate::worker) async fn may_join(
        &self,
        job: Job<'_>,
        connection: &str,
        onboarding: life::Onboarding,
    ) -> Result<Joining, StoreError> {
        for _ in 0..JUDGEMENTS {
            let stored = self.store.connection(&job.work.request().key()).await?;
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

    /// Puts a connection that was asked for by itself into the onboarding that is open for its customer. That it
    /// is part of it is on disk before its command ends, and by a commit that the end of the onboarding can't
    /// pass: whoever finds it done looks for another, or has none.
    ///
    /// # Errors
    /// [`StoreError`]; it may have been done all the same.
    pub(in crate::worker) async fn add(
        &self,
        job: Job<'_>,
        connection: &str,
        customer: &str,
        record: &mut Option<Record>,
    ) -> Result<Joining, StoreError> {
        for _ in 0..JUDGEMENTS {
            let stored = self.store.connection(&job.work.request().key()).await?;
            if stored.as_ref().is_some_and(|stored| is_added(&stored.connection.link, job, connection)) {
                return Ok(Joining::InMessage(Arrived::Added));
            }
            let open = self.store.open_onboarding(&job.claimed.channel_id, customer).await?;
            let Some(onboarding) = open else { return Ok(Joining::Alone) };
            let change = match self.prepared(job, connection, &onboarding, stored.as_ref()).await? {
                Prepared::Ready(change) => change,
                Prepared::Not(instead) => return Ok(instead),
                Prepared::Again => continue,
            };
            crash_point("add: before the commit");
            let write = Write {
                change: &change,
                version: stored.map_or(0, |stored| stored.version),
                held: Some(job.claimed),
                progress: record.as_ref().map(|record| (&record.progress, record.then)),
                message: MessageWrite::None,
                trail: None,
                reminders: self.channels.of(&change.connection.link.channel_id).reminders,
                now: self.delivery.clock.now(),
            };
            match self.store.join(&onboarding.id, write).await? {
                Some(Written::Committed) => {
                    *record = None;
                    crash_point("add: recorded");
                    return Ok(Joining::InMessage(Arrived::Added));
                }
                Some(Written::LeaseLost) => return Ok(Joining::LeaseLost),
                Some(Written::Conflict) | None => {}
            }
        }
        Ok(Joining::Not(Outcome::Postponed))
    }

    /// One step towards an onboarding's message: a link of the connection's own is taken back first.
    async fn prepared(
        &self,
        job: Job<'_>,
        connection: &str,
        onboarding: &life::Onboarding,
        stored: Option<&Stored>,
    ) -> Result<Prepared, StoreError> {
        let behind = stored.is_some_and(|stored| stored.behind);
        Ok(match self.joined(job, connection, onboarding, stored, behind) {
            Intention::Post(change) => Prepared::Ready(Box::new(change)),
            Intention::Refused(refusal) => Prepared::Not(Joining::Not(instead(refusal, connection))),
            Intention::Wait { message_id } => match Box::pin(self.outbox.show_now(&message_id)).await {
                Shown::Yes => Prepared::Again,
                Shown::NotYet => Prepared::Not(Joining::Not(Outcome::Postponed)),
                Shown::Refused(word) => {
                    Prepared::Not(Joining::Not(Outcome::PostFailed(PostFailure::Refused(word))))
                }
            },
            Intention::TakeBack(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                match self.write(job, &change, version, MessageWrite::None, None, None).await? {
                    Written::LeaseLost => Prepared::Not(Joining::LeaseLost),
                    Written::Committed | Written::Conflict => Prepared::Again,
                }
            }
        })
    }

    fn joined(
        &self,
        job: Job<'_>,
        connection: &str,
        onboarding: &life::Onboarding,
        stored: Option<&Stored>,
        behind: bool,
    ) -> Intention<Change> {
        let (claimed, now) = (job.claimed, self.delivery.clock.now());
        let ask = Ask {
            command: &claimed.id,
            intent: job.work.intent(),
            renews: None,
            connection_id: connection,
            purpose: None,
            team_id: &claimed.team_id,
            channel_id: &claimed.channel_id,
            requester: &claimed.user_id,
            request: job.work.request(),
            expires_at: now,
            edits: true,
            takes_back: true,
        };
        life::join(stored.map(|stored| &stored.connection), behind, &ask, onboarding, now)
    }

    /// Puts on disk that a connection is part of an onboarding and that its command has ended. False if the
    /// command is somebody else's by now.
    pub(in crate::worker) async fn join(&self, job: Job<'_>, source: &Source, record: &Record) -> bool {
        let entry = crate::worker::ended::entry(job, &record.progress, record.then, None).map(Entry::added);
        let mut pause = PAUSE;
        loop {
            crash_point("join: before the commit");
            match self.try_to_join(job, source, record, entry.as_ref()).await {
                Ok(Written::Committed) => return true,
                Ok(Written::LeaseLost) => return false,
                Ok(Written::Conflict) => {}
                Err(error) => {
                    tracing::warn!(command = job.claimed.id, %error, "could not record a source, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 40);
                }
            }
        }
    }

    async fn try_to_join(
        &self,
        job: Job<'_>,
        source: &Source,
        record: &Record,
        entry: Option<&Entry>,
    ) -> Result<Written, StoreError> {
        let stored = self.store.connection(&job.work.request().key()).await?;
        let progress = Some((&record.progress, record.then));
        // What it showed by itself was seen to before, or is about to be: the command has ended, and keeps nobody
        // waiting for an edit.
        match self.joined(job, &source.connection, &source.onboarding, stored.as_ref(), false) {
            Intention::Post(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                self.write(job, &change, version, MessageWrite::None, progress, entry).await
            }
            // Somebody has asked for it by itself just now.
            Intention::TakeBack(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                let taken_back = self.write(job, &change, version, MessageWrite::None, None, None).await?;
                Ok(if taken_back == Written::Committed { Written::Conflict } else { taken_back })
            }
            instead @ (Intention::Refused(_) | Intention::Wait { .. }) => {
                tracing::error!(command = job.claimed.id, ?instead, "a source was refused by its onboarding");
                let recorded = self.store.record_with(job.claimed, &record.progress, record.then, entry);
                Ok(match recorded.await {
                    Recorded::Committed => Written::Committed,
                    Recorded::LeaseLost => Written::LeaseLost,
                })
            }
        }
    }

    /// Whether a command has put its connection into an onboarding, which may be done by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(in crate::worker) async fn has_added(
        &self,
        job: Job<'_>,
        connection: &str,
    ) -> Result<bool, StoreError> {
        let stored = self.store.connection(&job.work.request().key()).await?;
        Ok(stored.is_some_and(|stored| is_added(&stored.connection.link, job, connection)))
    }

    /// Puts on disk that a command has ended whose connection is part of an onboarding. False if it is
    /// somebody else's by now.
    pub(in crate::worker) async fn added(&self, job: Job<'_>, record: &Record) -> bool {
        let entry = crate::worker::ended::entry(job, &record.progress, record.then, None).map(Entry::added);
        let recorded = self.store.record_with(job.claimed, &record.progress, record.then, entry.as_ref());
        recorded.await == Recorded::Committed
    }

    /// Shows a link for a source to whoever asked for it, alone.
    pub(in crate::worker) async fn show(&self, job: Job<'_>, link: &str, posting: &Posting<'_>) -> Outcome {
        let stored = match self.store.connection(&job.work.request().key()).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(command = job.claimed.id, %error, "could not look a source up");
                return Outcome::Postponed;
            }
        };
        // What has moved on meanwhile has a link elsewhere, or none.
        let is_there = |stored: &&Stored| {
            let it = &stored.connection.link;
            it.id == link && it.onboarding.is_some()
        };
        let Some(stored) = stored.as_ref().filter(is_there) else { return Outcome::Superseded };
        if !self.store.offer(&stored.connection.key, self.delivery.clock.now()).await {
            return Outcome::Postponed;
        }
        let source = &stored.connection.link;
        let note = match posting.purpose {
            Some(_) => Note::Reauthorise,
            None => Note::None,
        };
        let waiting = Waiting {
            request: &source.request,
            requester: source.requester.as_deref(),
            card: posting.card,
            note,
            audience: Audience::Requester,
            reference: &source.id,
        };
        let content = live::waiting(&waiting, self.delivery.clock.now());
        crash_point("post: before the call");
        let sent = match self.delivery.is_ours(job.claimed) {
            Ok(()) => self.delivery.post_privately(job.claimed, content).await,
            Err(error) => Err(error),
        };
        crash_point("post: answered");
        match sent {
            Ok(_) => Outcome::Posted,
            Err(error) => failed(job.claimed, error),
        }
    }
}

/// What a connection comes to that may not become part of an onboarding.
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

/// Whether this very command has put its connection into an onboarding, be it done by now.
fn is_added(link: &Link, job: Job<'_>, connection: &str) -> bool {
    link.id == job.claimed.id && link.connection_id == connection && link.onboarding.is_some()
}
