//! A source of an onboarding: how its connection comes into the message, and how a link for it is shown.
//!
//! Owns the order of both. Nothing is posted for the first, and nothing stands anywhere after the second:
//! so neither has an intent that would have to be on disk before Slack hears of it.

use super::{Links, PAUSE, Posting};
use crate::crash::crash_point;
use crate::journal::{Found, Origin, Record};
use crate::life::{self, Ask, Change, Refusal};
use crate::reply::Audience;
use crate::reply::live::{self, Note, Waiting};
use crate::store::{MessageWrite, Recorded, StoreError, Stored, Written};
use crate::trail::Entry;
use crate::worker::Outcome;
use crate::worker::deliver::{Job, failed};

/// A connection that is ready to become part of an onboarding; this is still to be put on disk, with the
/// end of its command.
pub(in crate::worker) struct Source {
    connection: String,
    onboarding: life::Onboarding,
}

impl Links {
    /// Asks whether a connection may become part of an onboarding.
    ///
    /// # Errors
    /// What it comes to instead.
    pub(in crate::worker) async fn may_join(
        &self,
        job: Job<'_>,
        connection: &str,
        onboarding: life::Onboarding,
    ) -> Result<Source, Outcome> {
        let stored = match self.store.connection(&job.work.request().key()).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(command = job.claimed.id, %error, "could not prepare a source");
                return Err(Outcome::Postponed);
            }
        };
        match self.joined(job, connection, &onboarding, stored.as_ref()) {
            Ok(_) => Ok(Source { connection: connection.to_owned(), onboarding }),
            Err(Refusal::Superseded) => Err(Outcome::Superseded),
            Err(Refusal::Over) => Err(Outcome::Vanished),
            Err(Refusal::Elsewhere { channel_id, user_id }) => {
                let origin = Origin { channel_id, user_id };
                Err(Outcome::Found(Found::Elsewhere { connection: connection.to_owned(), origin }))
            }
        }
    }

    fn joined(
        &self,
        job: Job<'_>,
        connection: &str,
        onboarding: &life::Onboarding,
        stored: Option<&Stored>,
    ) -> Result<Change, Refusal> {
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
        life::join(stored.map(|stored| &stored.connection), &ask, onboarding, now)
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
        match self.joined(job, &source.connection, &source.onboarding, stored.as_ref()) {
            Ok(change) => {
                let version = stored.map_or(0, |stored| stored.version);
                self.write(job, &change, version, MessageWrite::None, progress, entry).await
            }
            // No other command is at work on it while this one is open, so it is what it was a moment ago.
            Err(refusal) => {
                tracing::error!(command = job.claimed.id, ?refusal, "a source was refused by its onboarding");
                let recorded = self.store.record_with(job.claimed, &record.progress, record.then, entry);
                Ok(match recorded.await {
                    Recorded::Committed => Written::Committed,
                    Recorded::LeaseLost => Written::LeaseLost,
                })
            }
        }
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
