//! The database: the one place where an accepted command is kept until it has ended.
//!
//! Owns what is stored of a command, who is at work on it, and that an answer of "accepted" means
//! "on disk". Must not know Slack or Fivetran, nor what a stage means: that is
//! [`crate::journal`]'s.
//!
//! The two writes that commands wait for, accepting a command and recording what became of it and of
//! its connection, each go through a writer of their own, which puts all rows that are waiting into
//! one commit, so that many commands share one sync of the disk. Every other statement commits by
//! itself, but for the transactions around an onboarding's beginning and end; what needs two statements to be
//! right without one is `store/tombstone.rs`.

mod accept;
mod batch;
#[cfg(test)]
mod batches;
mod change;
mod commands;
#[cfg(test)]
mod conditions;
mod connections;
mod digests;
mod failure;
mod file;
mod homes;
mod lease;
mod lock;
mod messages;
mod migrations;
mod onboardings;
mod open;
mod question;
mod row;
mod sessions;
mod set_back;
mod statements;
mod takeover;
mod together;
mod tombstone;
mod trail;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;
use tokio::sync::mpsc;

use crate::seal::Sealer;
use crate::telemetry::OpenStage;
pub use change::{MessageWrite, Write, Written};
pub use commands::{Accepted, Before, Claimed, CommandRow, NewCommand, Twin};
pub use connections::{LastList, Stored, Sweep, Watched};
pub use failure::{OpenError, StoreError};
use file::SqliteFile;
pub use homes::Wanted;
pub use lease::LeaseGuard;
use lease::Leases;
pub use messages::{Brought, ClaimedMessage, LINGERS, ON_ITS_WAY, PendingNews};
pub use onboardings::Expanded;
pub use open::{DatabaseUrl, Options, Strangers, rehearse, strangers, undeliverable_beside};
use question::Question;
use sessions::Sessions;
pub use set_back::{LONGEST_PAUSE, LONGEST_PAUSE_OF_AN_EDIT};
use statements::Statements;
use tombstone::Graveyard;
pub use trail::{ChannelTurn, KEEP_LINES, MOST_LINES};

/// Longest wait for the database to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);
/// How long ended commands are kept.
pub const KEEP: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// The two engines.
#[derive(Clone)]
enum Pool {
    Sqlite(SqliteFile),
    Postgres(Sessions),
}

impl Pool {
    fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.is_closed(),
            Self::Postgres(sessions) => sessions.is_closed(),
        }
    }
}

/// Longest wait for one statement. Beyond it the connection is given up: a peer that has silently
/// gone would never answer, and the server's own limits are shorter.
const STATEMENT_LIMIT: Duration = Duration::from_secs(6);

/// Says what the blocks of [`on`] fail with.
async fn failing<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    answer.await
}

/// Runs the same expression on a connection of either engine, within [`STATEMENT_LIMIT`]. A connection
/// that is of no use after it is given up.
macro_rules! on {
    ($pool:expr, $connection:ident => $body:expr) => {
        match $pool {
            Pool::Sqlite(file) => {
                let mut held = file.acquire().await.map_err(StoreError::without_session)?;
                let answer = on!(@bounded held, $connection => $body);
                if !answer.as_ref().is_err_and(StoreError::spoils_its_session) {
                    held.keep();
                }
                answer
            }
            Pool::Postgres(sessions) => {
                // By itself: it is seven times as large as the rest, and would be in every command's task.
                let mut held = Box::pin(sessions.acquire()).await?;
                let answer = on!(@bounded held, $connection => $body);
                if !answer.as_ref().is_err_and(|error| sessions.gives_up(error)) {
                    held.keep();
                }
                answer
            }
        }
    };
    (@bounded $held:ident, $connection:ident => $body:expr) => {{
        let $connection = &mut *$held;
        let answer = async { $body };
        let answer = tokio::time::timeout(crate::store::STATEMENT_LIMIT, crate::store::failing(answer)).await;
        answer.unwrap_or(Err(StoreError::Unanswered))
    }};
}
use on;

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    pool: Pool,
    sql: &'static Statements,
    sealer: Sealer,
    /// This process, for its lifetime; random, so that no other one is ever mistaken for it.
    owner: String,
    lease: Duration,
    accepts: mpsc::UnboundedSender<accept::Accept>,
    records: mpsc::UnboundedSender<change::Job>,
    leases: Arc<Leases>,
    /// A message may be behind.
    behind: tokio::sync::Notify,
    /// Whether lines are kept for the audit channel.
    keeps_trail: AtomicBool,
    /// One was.
    line_kept: tokio::sync::Notify,
    progress: Arc<accept::Progressing>,
    /// Where commands go whose acceptance was not promised.
    graveyard: Graveyard,
    /// Whether it can be written to.
    probe: Question<bool>,
    counted: Question<Option<Census>>,
    /// Keeps a second process off an SQLite file.
    lock: Option<lock::Lock>,
}

/// What came of recording how a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is on disk.
    Committed,
    /// Somebody else has taken the command since; drop everything about it.
    LeaseLost,
}

/// What is still to be done and what was lost, as the metrics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Commands of the last day that nobody could be told about.
    pub undeliverable: i64,
    /// When the oldest open command was accepted.
    pub oldest_open: Option<Timestamp>,
    /// How many are open, by how far they have come.
    pub open: Vec<(OpenStage, i64)>,
    /// Messages that do not show yet what they should.
    pub behind: i64,
    /// Since when one of them does not.
    pub behind_since: Option<Timestamp>,
    /// When the destination that was listed longest ago was, of those with something to watch; of one
    /// that never was, when it is to be.
    pub listed_before: Option<Timestamp>,
    /// Since when the oldest line that the audit channel is to be told waits.
    pub line_since: Option<Timestamp>,
}

/// A command that nobody could be told about.
#[derive(Clone, Debug)]
pub struct Undeliverable {
    /// Its reference.
    pub id: String,
    /// The channel.
    pub channel_id: String,
    /// The person.
    pub user_id: String,
    /// The connection, if one was made.
    pub connection_id: Option<String>,
}

impl Store {
    /// How long a lease lasts when it is not prolonged.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.0.lease
    }

    /// Every statement with its name, for whoever looks at how the database carries it out.
    #[must_use]
    pub fn statements(&self) -> Vec<(&'static str, &'static str)> {
        self.0.sql.by_name()
    }

    /// Until this process has written something that makes a message behind.
    pub async fn behind(&self) {
        self.0.behind.notified().await;
    }

    /// Whether a command is surely ours for so long from now on.
    #[must_use]
    pub fn holds_for(&self, claimed: &Claimed, time: Duration) -> bool {
        // A lease that is set shorter than that can at best be fresh.
        claimed.lease.left() >= time.min(self.lease() * 3 / 5)
    }

    /// Gives up every lease of this process, so that the next one need not wait for them to end; but a message
    /// that it may have left an edit of on its way, only once that has arrived.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            let sql = &self.0.sql.connections;
            for statement in [self.0.sql.release, sql.release_sweeps, self.0.sql.release_turn] {
                sqlx::query(statement).bind(&self.0.owner).execute(&mut *db).await?;
            }
            let messages = sqlx::query(sql.release_messages).bind(&self.0.owner);
            messages.bind(millis(messages::ON_ITS_WAY)).execute(&mut *db).await?;
            Ok(())
        })
    }

    /// Deletes what ended [`KEEP`] ago, a portion at a time, so that nothing waits for it long.
    /// Returns how many rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        const PORTION: i64 = 500;
        let before = now.saturating_sub(KEEP).unwrap_or(now).as_millisecond();
        let mut purged = 0;
        loop {
            let portion = on!(&self.0.pool, db => {
                let query = sqlx::query(self.0.sql.purge).bind(before).bind(PORTION);
                Ok(query.execute(db).await?.rows_affected())
            })?;
            purged += portion;
            if portion < PORTION.unsigned_abs() {
                break;
            }
        }
        self.trim_lines(now).await?;
        Ok(purged + self.purge_connections(now).await?)
    }

    /// Keeps Fivetran's catalogue in the place of the one before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_catalogue(&self, body: &str, now: Timestamp) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.keep_catalogue).bind(body).bind(now.as_millisecond());
            query.execute(db).await?;
            Ok(())
        })
    }

    /// The catalogue that was kept last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept_catalogue(&self) -> Result<Option<String>, StoreError> {
        on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.kept_catalogue).fetch_optional(db).await?;
            row.map(|row| Ok(row.try_get("body")?)).transpose()
        })
    }

    /// What seals response_urls.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        self.0.sealer.clone()
    }

    /// Keeps whose the bot's token is, sealed by whoever knows the token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_identity(&self, sealed: &str, now: Timestamp) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.keep_identity).bind(sealed).bind(now.as_millisecond());
            query.execute(db).await?;
            Ok(())
        })
    }

    /// What was kept of that last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept_identity(&self) -> Result<Option<String>, StoreError> {
        on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.kept_identity).fetch_optional(db).await?;
            row.map(|row| Ok(row.try_get("body")?)).transpose()
        })
    }

    /// Counts for the metrics.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn census(&self, now: Timestamp) -> Result<Census, StoreError> {
        let day_ago =
            now.saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(now).as_millisecond();
        on!(&self.0.pool, db => {
            let sql = self.0.sql;
            let time = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            let commands = sqlx::query(sql.census).bind(day_ago).fetch_one(&mut *db).await?;
            let stages = sqlx::query(sql.open_stages).fetch_all(&mut *db).await?;
            let mut open = Vec::new();
            for row in &stages {
                open.push((OpenStage::named(row.try_get("stage")?), row.try_get("n")?));
            }
            let messages = sqlx::query(sql.connections.backlog).fetch_one(&mut *db).await?;
            let sweeps = sqlx::query(sql.connections.oldest_sweep).fetch_one(&mut *db).await?;
            // What was kept while a channel was named waits for nobody once none is.
            let seq: Option<i64> = match self.keeps_trail() {
                true => sqlx::query(sql.oldest_line).fetch_one(&mut *db).await?.try_get("seq")?,
                false => None,
            };
            Ok(Census {
                undeliverable: commands.try_get("undeliverable")?,
                oldest_open: time(commands.try_get("oldest")?),
                open,
                behind: messages.try_get("n")?,
                behind_since: time(messages.try_get("since")?),
                listed_before: time(sweeps.try_get("at")?),
                line_since: time(seq.map(|seq| seq / 1000)),
            })
        })
    }

    /// The latest commands that nobody could be told about.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn undeliverable(&self, limit: i64) -> Result<Vec<Undeliverable>, StoreError> {
        undeliverable(&self.0.pool, self.0.sql, limit).await
    }

    /// Whether a row can be written now. Asks the database once a second at the most, however
    /// often it is called.
    pub async fn is_writable(&self, now: Timestamp) -> bool {
        let Inner { accepts, records, graveyard, progress, probe, .. } = &*self.0;
        if accepts.is_closed() || records.is_closed() || graveyard.is_closed() {
            return false;
        }
        let store = self.clone();
        let writes = probe.answer(|| async move { store.write_probe(now).await.is_ok() }).await;
        writes == Some(true) && progress.moves()
    }

    /// What only the database can count; `None`: it did not say for a second. However many ask and hang up, it is
    /// counted for one at a time.
    pub async fn counted(&self, now: Timestamp) -> Option<Census> {
        let store = self.clone();
        self.0.counted.answer(|| async move { store.census(now).await.ok() }).await.flatten()
    }

    async fn write_probe(&self, now: Timestamp) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.probe).bind(now.as_millisecond()).execute(db).await?;
            Ok(())
        })
    }

    /// Waits until one of the writers has ended. While there is a store that happens by a panic alone;
    /// nothing that is accepted afterwards could come to its end.
    pub async fn a_writer_ended(&self) {
        let Inner { accepts, records, graveyard, .. } = &*self.0;
        tokio::select! {
            () = accepts.closed() => {}
            () = records.closed() => {}
            () = graveyard.closed() => {}
        }
    }

    /// Closes the database. An SQLite file is left free for others, and without its write-ahead log, unless somebody
    /// reads it just then.
    /// Waits a little for what is still to be voided, and no longer for a server that has gone.
    pub async fn close(&self) {
        let settle = async {
            self.0.graveyard.at_rest().await;
            match &self.0.pool {
                Pool::Sqlite(file) => file.close().await,
                Pool::Postgres(sessions) => sessions.close().await,
            }
        };
        let closed = tokio::time::timeout(CLOSE_LIMIT, settle).await.is_ok();
        if !closed {
            tracing::warn!("the database did not close in time");
        }
        if let (Some(lock), Pool::Sqlite(file)) = (&self.0.lock, &self.0.pool) {
            lock.leave(closed, !file.was_spoilt());
        }
    }
}

async fn undeliverable(pool: &Pool, sql: &Statements, limit: i64) -> Result<Vec<Undeliverable>, StoreError> {
    on!(pool, db => {
        let rows = sqlx::query(sql.undeliverable).bind(limit).fetch_all(db).await?;
        rows.iter().map(|row| Ok(Undeliverable {
            id: row.try_get("id")?,
            channel_id: row.try_get("channel_id")?,
            user_id: row.try_get("user_id")?,
            connection_id: row.try_get("connection_id")?,
        })).collect()
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
