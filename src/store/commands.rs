//! The commands in the database: accepting them, taking them, and recording how they stand.
//!
//! Owns the rows and what a lease means for them. What a stage means is [`crate::journal`]'s.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use sqlx::Row as _;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::accept::{self, Turn};
use super::row::NewRow;
use super::{LeaseGuard, Pool, Store, StoreError, millis, on};
use crate::journal::{FIRST_FENCE, Notice, Progress, Stage};
use crate::work::Work;

/// Leases that one statement prolongs. It takes a few milliseconds for so many.
const RENEWED_AT_A_TIME: usize = 128;

/// A command to accept.
pub struct NewCommand {
    /// Its reference; unique.
    pub id: String,
    /// What names the request: a replay has the same.
    pub dedup: String,
    /// What it is about: no two open commands have the same.
    pub subject: String,
    /// The workspace.
    pub team_id: String,
    /// The channel.
    pub channel_id: String,
    /// The person.
    pub user_id: String,
    /// What was asked for, as JSON.
    pub request: String,
    /// Where to answer, if Slack told; sealed before it is written.
    pub response_url: Option<SecretString>,
    /// Where it begins.
    pub progress: Progress,
    /// Now.
    pub accepted_at: Timestamp,
}

/// What came of accepting.
pub enum Accepted {
    /// It is on disk, and this process has it in hand.
    Committed(Claimed),
    /// The same request was there already, and is carried out, or has been.
    Before(Before),
    /// The same request, or another about the same thing that has not ended, was there already; the
    /// open one, unless it has ended meanwhile or cannot be told in time.
    Twin(Option<Twin>),
}

/// A command that was made of the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Its reference.
    pub id: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Whether it has ended.
    pub has_ended: bool,
}

/// An open command about the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// What was asked for, as JSON.
    pub request: String,
    /// The workspace.
    pub team_id: String,
    /// The channel.
    pub channel_id: String,
}

/// A command of which this process holds the lease.
#[derive(Clone)]
pub struct Claimed {
    /// Its reference.
    pub id: String,
    /// How often it was taken; goes with every write.
    pub fence: i64,
    /// Keeps the lease.
    pub lease: Arc<LeaseGuard>,
    /// The workspace.
    pub team_id: String,
    /// The channel.
    pub channel_id: String,
    /// The person.
    pub user_id: String,
    /// What was asked for, as JSON.
    pub request: String,
    /// Where to answer; `None` if Slack told no such place, or the seal does not open any more.
    pub response_url: Option<SecretString>,
    /// How far it has come.
    pub progress: Progress,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// What is kept of a command for those who refer to it later.
#[derive(Clone, Debug)]
pub struct CommandRow {
    /// The workspace.
    pub team_id: String,
    /// The channel.
    pub channel_id: String,
    /// The person.
    pub user_id: String,
    /// What was asked for, as JSON.
    pub request: String,
    /// The connection, once known.
    pub connection_id: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

impl Store {
    /// Commits a command and takes its lease, or finds its twin, until the deadline. When this fails,
    /// nothing of the command happens later, as far as that can be made sure: what may have been
    /// committed all the same is voided. Whether that is certain already, the error tells.
    ///
    /// # Errors
    /// [`StoreError`]; see [`StoreError::proves_nothing_done`].
    pub async fn accept(&self, new: NewCommand, until: Instant) -> Result<Accepted, StoreError> {
        let url = new.response_url.as_ref();
        let sealed = url.map(|url| self.0.sealer.seal(url.expose_secret(), &new.id)).transpose();
        let sealed = sealed.map_err(|error| StoreError::Refused(error.to_string()))?;
        let lease = self.0.leases.guard(&new.id, FIRST_FENCE, self.0.leases.now_ms());
        let claimed = Claimed {
            lease: Arc::clone(&lease),
            id: new.id.clone(),
            fence: FIRST_FENCE,
            team_id: new.team_id.clone(),
            channel_id: new.channel_id.clone(),
            user_id: new.user_id.clone(),
            request: new.request.clone(),
            response_url: new.response_url.clone(),
            progress: new.progress.clone(),
            accepted_at: new.accepted_at,
        };
        let (subject, request) = (new.subject.clone(), new.dedup.clone());
        if self.committed(new_row(new, sealed), lease, until).await? {
            return Ok(Accepted::Committed(claimed));
        }
        // A task of its own: a statement that is dropped half-way leaves its session in disorder.
        let store = self.clone();
        let twin = tokio::spawn(async move { store.twin(&subject, &request).await });
        match tokio::time::timeout_at(until, twin).await {
            Ok(Ok(Ok(met))) => Ok(met),
            Ok(Ok(Err(StoreError::Voided))) => Err(StoreError::Voided),
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "could not look a twin up");
                Ok(Accepted::Twin(None))
            }
            Ok(Err(_)) | Err(_) => Ok(Accepted::Twin(None)),
        }
    }

    /// Commits a row; false if it has a twin.
    async fn committed(
        &self,
        row: NewRow,
        lease: Arc<LeaseGuard>,
        until: Instant,
    ) -> Result<bool, StoreError> {
        if until <= Instant::now() {
            return Err(StoreError::Withdrawn);
        }
        let (turn, (reply, mut answer)) = (Turn::default(), oneshot::channel());
        let accept = accept::Accept { row, turn: turn.clone(), lease, reply };
        if self.0.accepts.send(accept).is_err() {
            return Err(StoreError::Withdrawn);
        }
        match tokio::time::timeout_at(until, &mut answer).await {
            Ok(Ok(committed)) => committed,
            // The writer ends before its time by a panic alone.
            Ok(Err(_)) if !turn.take() => Err(StoreError::Database("the writer has ended".to_owned())),
            Ok(Err(_)) => Err(StoreError::Withdrawn),
            Err(_) if turn.take() => Err(StoreError::Withdrawn),
            Err(_) => {
                // From here on the writer sees that nobody waits; what it said before that counts.
                answer.close();
                answer.try_recv().unwrap_or(Err(StoreError::Slow))
            }
        }
    }

    /// What a command has met that did not go in. A request that was made void is so for good.
    async fn twin(&self, subject: &str, request: &str) -> Result<Accepted, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.twin).bind(subject).bind(request).bind(&self.0.owner);
            let mut twin = None;
            for row in query.fetch_all(db).await? {
                let (dedup, sure): (String, i64) = (row.try_get("dedup")?, row.try_get("sure")?);
                if dedup == request && sure == 1 {
                    if row.try_get::<String, _>("stage")? == "void" {
                        return Err(StoreError::Voided);
                    }
                    let ended_at: Option<i64> = row.try_get("ended_at")?;
                    let accepted_at = Timestamp::from_millisecond(row.try_get("accepted_at")?);
                    return Ok(Accepted::Before(Before {
                        id: row.try_get("id")?,
                        accepted_at: accepted_at.unwrap_or_default(),
                        has_ended: ended_at.is_some(),
                    }));
                }
                twin = Some(Twin {
                    request: row.try_get("request")?,
                    team_id: row.try_get("team_id")?,
                    channel_id: row.try_get("channel_id")?,
                });
            }
            Ok(Accepted::Twin(twin))
        })
    }

    /// The command that a request has become, if it has and that was not made void.
    ///
    /// # Errors
    /// [`StoreError`]; also while it is not certain yet whether it becomes void.
    pub async fn before(&self, request: &str) -> Result<Option<Before>, StoreError> {
        // Nothing is about nothing, so only the request itself can be met.
        match self.twin("", request).await {
            // What this process makes void is still to be seen there until it is.
            Ok(Accepted::Before(before)) if !before.has_ended && self.0.graveyard.is_at_work() => {
                Err(StoreError::Unanswered)
            }
            Ok(Accepted::Before(before)) => Ok(Some(before)),
            Ok(Accepted::Twin(Some(_))) => Err(StoreError::Unanswered),
            Ok(Accepted::Twin(None) | Accepted::Committed(_)) | Err(StoreError::Voided) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes up to `limit` commands that are due at `now` and that nobody is at work on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, now: Timestamp, limit: i64) -> Result<Vec<Claimed>, StoreError> {
        let asked_ms = self.0.leases.now_ms();
        let in_hand: Vec<_> = self.0.leases.all();
        let in_hand: Vec<_> = in_hand.iter().map(|guard| guard.key().0).collect();
        let in_hand =
            serde_json::to_string(&in_hand).map_err(|_| StoreError::Refused("no JSON".to_owned()))?;
        let rows: Vec<Stored> = on!(&self.0.pool, db => {
            let rows = sqlx::query(self.0.sql.claim)
                .bind(&self.0.owner)
                .bind(millis(self.0.lease))
                .bind(now.as_millisecond())
                .bind(limit)
                .bind(in_hand)
                .fetch_all(db)
                .await?;
            rows.into_iter()
                .map(|row| {
                    Ok(Stored {
                        id: row.try_get("id")?,
                        fence: row.try_get("fence")?,
                        team_id: row.try_get("team_id")?,
                        channel_id: row.try_get("channel_id")?,
                        user_id: row.try_get("user_id")?,
                        request: row.try_get("request")?,
                        response_url: row.try_get("response_url")?,
                        stage: row.try_get("stage")?,
                        connection_id: row.try_get("connection_id")?,
                        existed: row.try_get("existed")?,
                        problem: row.try_get("problem")?,
                        tries: row.try_get("tries")?,
                        posts: row.try_get("posts")?,
                        noted: row.try_get("noted")?,
                        accepted_at: row.try_get("accepted_at")?,
                    })
                })
                .collect::<Result<_, StoreError>>()
        })?;
        Ok(rows.into_iter().map(|row| self.claimed(row, asked_ms)).collect())
    }

    /// A command in hand. Of a row that this version cannot read, nothing is known of what was asked for,
    /// by which the worker leaves it to a version that can, for as long as one may come.
    fn claimed(&self, mut row: Stored, asked_ms: u64) -> Claimed {
        let stage = row.stage().unwrap_or_else(|| {
            row.request.clear();
            Stage::default()
        });
        let progress = Progress {
            stage,
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
            posts: u32::try_from(row.posts).unwrap_or(u32::MAX),
            noted: row.noted != 0,
        };
        Claimed {
            response_url: row.response_url.as_deref().and_then(|sealed| self.0.sealer.open(sealed, &row.id)),
            accepted_at: Timestamp::from_millisecond(row.accepted_at).unwrap_or_default(),
            lease: self.0.leases.guard(&row.id, row.fence, asked_ms),
            fence: row.fence,
            team_id: row.team_id,
            channel_id: row.channel_id,
            user_id: row.user_id,
            request: row.request,
            progress,
            id: row.id,
        }
    }

    /// What is kept of a command.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn command(&self, id: &str) -> Result<Option<CommandRow>, StoreError> {
        on!(&self.0.pool, db => {
            let Some(row) = sqlx::query(self.0.sql.command).bind(id).fetch_optional(db).await? else {
                return Ok(None);
            };
            let accepted_at: i64 = row.try_get("accepted_at")?;
            Ok(Some(CommandRow {
                team_id: row.try_get("team_id")?,
                channel_id: row.try_get("channel_id")?,
                user_id: row.try_get("user_id")?,
                request: row.try_get("request")?,
                connection_id: row.try_get("connection_id")?,
                accepted_at: Timestamp::from_millisecond(accepted_at)
                    .map_err(|_| StoreError::Unreadable(id.to_owned()))?,
            }))
        })
    }

    /// Prolongs those leases of commands in hand that have not been prolonged for `age`, and tells the
    /// guards of those that somebody else has taken. A portion at a time, so that an acknowledgement
    /// waits for no more than one of them.
    ///
    /// # Errors
    /// [`StoreError`]; those that come after the failed portion are left as they are.
    pub async fn renew(&self, age: Duration) -> Result<(), StoreError> {
        for portion in self.0.leases.older_than(age).chunks(RENEWED_AT_A_TIME) {
            let asked_ms = self.0.leases.now_ms();
            let keys: Vec<_> =
                portion.iter().map(|guard| guard.key()).map(|(id, fence)| Key { id, fence }).collect();
            let json = serde_json::to_string(&keys).map_err(|_| StoreError::Refused("no JSON".to_owned()))?;
            let ours: HashSet<String> = on!(&self.0.pool, db => {
                let query =
                    sqlx::query(self.0.sql.renew).bind(&self.0.owner).bind(millis(self.0.lease)).bind(json);
                let rows = query.fetch_all(db).await?;
                rows.iter().map(|row| Ok(row.try_get("id")?)).collect::<Result<_, StoreError>>()
            })?;
            for guard in portion {
                if ours.contains(guard.key().0) {
                    guard.prolonged(asked_ms);
                } else {
                    // One that has ended or was put down meanwhile is not ours either, and nobody minds.
                    guard.lose();
                }
            }
        }
        Ok(())
    }
}

/// A new command as the writer takes it.
fn new_row(new: NewCommand, response_url: Option<String>) -> NewRow {
    let Progress { stage, .. } = new.progress;
    NewRow {
        id: new.id,
        dedup: new.dedup,
        subject: new.subject,
        team_id: new.team_id,
        channel_id: new.channel_id,
        user_id: new.user_id,
        request: new.request,
        response_url,
        stage: stage.name(),
        connection_id: stage.connection().map(str::to_owned),
        existed: stage.existed().into(),
        accepted_at: new.accepted_at.as_millisecond(),
    }
}

/// A command in hand, as the statement reads it.
#[derive(Serialize)]
struct Key<'a> {
    id: &'a str,
    fence: i64,
}

impl Stored {
    /// The stage that it stands in; `None` if this version cannot tell.
    fn stage(&self) -> Option<Stage> {
        let notice = match &self.problem {
            Some(json) => Some(Notice::from_json(json)?),
            None => None,
        };
        let intent = serde_json::from_str(&self.request).ok().map(|work: Work| work.intent());
        Stage::stored(&self.stage, intent, self.connection_id.clone(), self.existed != 0, notice)
    }
}

/// A row as it is read.
struct Stored {
    id: String,
    fence: i64,
    team_id: String,
    channel_id: String,
    user_id: String,
    request: String,
    response_url: Option<String>,
    stage: String,
    connection_id: Option<String>,
    existed: i64,
    problem: Option<String>,
    tries: i64,
    posts: i64,
    noted: i64,
    accepted_at: i64,
}
