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

use super::writer::{self, NewRow, ProgressRow, Recorded};
use super::{ACCEPT_LIMIT, LeaseGuard, Pool, Store, StoreError, millis, on};
use crate::journal::{FIRST_FENCE, Notice, Progress, Stage, Then};

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
    /// Where to answer; sealed before it is written.
    pub response_url: SecretString,
    /// Where it begins.
    pub progress: Progress,
    /// Now.
    pub accepted_at: Timestamp,
}

/// What came of accepting.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Accepted {
    /// It is on disk, and this process has it in hand.
    Committed(Claimed),
    /// The same request, or another about the same thing that has not ended, is there already.
    Twin,
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
    /// Where to answer; `None` if the seal does not open any more.
    pub response_url: Option<SecretString>,
    /// How far it has come.
    pub progress: Progress,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

impl Store {
    /// Commits a command and takes its lease, or finds its twin. When this fails, nothing of the
    /// command happens later: what may have been committed all the same is voided.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accept(&self, new: NewCommand) -> Result<Accepted, StoreError> {
        let sealed = self.0.sealer.seal(new.response_url.expose_secret(), &new.id);
        let sealed = sealed.map_err(|error| StoreError::Refused(error.to_string()))?;
        let claimed = Claimed {
            lease: self.0.leases.guard(&new.id, FIRST_FENCE, self.0.leases.now_ms()),
            id: new.id.clone(),
            fence: FIRST_FENCE,
            team_id: new.team_id.clone(),
            channel_id: new.channel_id.clone(),
            user_id: new.user_id.clone(),
            request: new.request.clone(),
            response_url: Some(new.response_url.clone()),
            progress: new.progress.clone(),
            accepted_at: new.accepted_at,
        };
        let (reply, mut answer) = oneshot::channel();
        let row = new_row(new, sealed);
        let closed = || StoreError::Refused("closed".to_owned());
        self.0.accepts.send(writer::Accept { row, reply }).map_err(|_| closed())?;
        let committed = match tokio::time::timeout(ACCEPT_LIMIT, &mut answer).await {
            Ok(committed) => committed.map_err(|_| closed())?,
            Err(_) => {
                // From here on the writer sees that nobody waits; what it said before that counts.
                answer.close();
                answer.try_recv().map_err(|_| StoreError::Slow)?
            }
        };
        Ok(if committed? { Accepted::Committed(claimed) } else { Accepted::Twin })
    }

    /// Commits how a command stands. A failure of the database is tried again until it works or
    /// the lease is lost: what happened outside has happened.
    pub async fn record(&self, claimed: &Claimed, progress: &Progress, then: Then) -> Recorded {
        let row = progress_row(claimed, progress, then);
        let mut pause = Duration::from_millis(50);
        loop {
            let (reply, committed) = oneshot::channel();
            if self.0.records.send(writer::Record { row: row.clone(), reply }).is_err() {
                return Recorded::LeaseLost;
            }
            match committed.await {
                Ok(Ok(recorded)) => return recorded,
                Ok(Err(error)) => {
                    tracing::warn!(command = claimed.id, %error, "could not record, trying again")
                }
                Err(_) => return Recorded::LeaseLost,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
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
                        accepted_at: row.try_get("accepted_at")?,
                    })
                })
                .collect::<Result<_, StoreError>>()
        })?;
        // A row that this version cannot read is left, until its lease ends, to one that can.
        let read = rows.into_iter().map(|row| self.claimed(row, asked_ms));
        Ok(read
            .filter_map(|row| {
                row.inspect_err(|error| tracing::error!(%error, "left a command as it is")).ok()
            })
            .collect())
    }

    fn claimed(&self, row: Stored, asked_ms: u64) -> Result<Claimed, StoreError> {
        let unreadable = || StoreError::Unreadable(row.id.clone());
        let notice = row.problem.as_deref().map(|json| Notice::from_json(json).ok_or_else(unreadable));
        let stage = Stage::stored(&row.stage, row.connection_id, row.existed != 0, notice.transpose()?);
        let progress = Progress {
            stage: stage.ok_or_else(unreadable)?,
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
            posts: u32::try_from(row.posts).unwrap_or(u32::MAX),
        };
        Ok(Claimed {
            response_url: row.response_url.as_deref().and_then(|sealed| self.0.sealer.open(sealed, &row.id)),
            accepted_at: Timestamp::from_millisecond(row.accepted_at).map_err(|_| unreadable())?,
            lease: self.0.leases.guard(&row.id, row.fence, asked_ms),
            fence: row.fence,
            team_id: row.team_id,
            channel_id: row.channel_id,
            user_id: row.user_id,
            request: row.request,
            progress,
            id: row.id,
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
fn new_row(new: NewCommand, response_url: String) -> NewRow {
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

/// How a command stands, as the writer takes it.
fn progress_row(claimed: &Claimed, progress: &Progress, then: Then) -> ProgressRow {
    let (run_at, ended_at, keep) = match then {
        Then::GoOn => (claimed.accepted_at, None, 1),
        Then::WaitUntil(time) => (time, None, 0),
        Then::End(time) => (time, Some(time.as_millisecond()), 0),
    };
    ProgressRow {
        id: claimed.id.clone(),
        fence: claimed.fence,
        stage: progress.stage.name(),
        connection_id: progress.stage.connection().map(str::to_owned),
        existed: progress.stage.existed().into(),
        problem: progress.stage.notice().and_then(Notice::to_json),
        tries: progress.tries,
        posts: progress.posts,
        run_at: run_at.as_millisecond(),
        ended_at,
        keep,
    }
}

/// A command in hand, as the statement reads it.
#[derive(Serialize)]
struct Key<'a> {
    id: &'a str,
    fence: i64,
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
    accepted_at: i64,
}
