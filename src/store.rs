//! The database: the one place where an accepted command is kept until it has ended.
//!
//! Owns what is stored of a command, who is at work on it, and that an answer of "accepted" means
//! "on disk". Must not know Slack or Fivetran, nor what a stage means: that is
//! [`crate::journal`]'s.
//!
//! The two writes that commands wait for, accepting a command and recording what became of it and of
//! its connection, each go through a writer of their own, which puts all rows that are waiting into
//! one commit, so that many commands share one sync of the disk. Every other statement commits by
//! itself.

mod change;
mod commands;
mod connections;
mod lease;
mod messages;
mod migrations;
mod open;
mod statements;
mod takeover;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::seal::Sealer;
pub use change::{MessageWrite, Recorded, Write, Written};
pub use commands::{Accepted, Claimed, CommandRow, NewCommand};
pub use connections::{Stored, Sweep, Watched};
pub use lease::LeaseGuard;
use lease::Leases;
pub use messages::{Brought, ClaimedMessage, PendingNews};
pub use open::{DatabaseUrl, OpenError, Options, undeliverable_beside};
use statements::Statements;

/// Longest wait for a commit before the person is told that nothing was accepted: Slack gives the
/// whole acknowledgement 3 s.
pub const ACCEPT_LIMIT: Duration = Duration::from_secs(2);
/// Longest wait for the database to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);
/// How long ended commands are kept.
pub const KEEP: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// The two engines. SQLite's pool has one connection.
#[derive(Clone)]
enum Pool {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

impl Pool {
    fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite(pool) => pool.is_closed(),
            Self::Postgres(pool) => pool.is_closed(),
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

/// Runs the same expression on a connection of either engine, within [`STATEMENT_LIMIT`].
macro_rules! on {
    ($pool:expr, $connection:ident => $body:expr) => {
        match $pool {
            Pool::Sqlite(pool) => on!(@bounded pool, $connection => $body),
            Pool::Postgres(pool) => on!(@bounded pool, $connection => $body),
        }
    };
    (@bounded $pool:ident, $connection:ident => $body:expr) => {{
        let mut held = $pool.acquire().await.map_err(StoreError::from)?;
        let answer = {
            let $connection = &mut *held;
            let answer = async { $body };
            tokio::time::timeout(crate::store::STATEMENT_LIMIT, crate::store::failing(answer)).await
        };
        match answer {
            Ok(answer) => answer,
            Err(_) => {
                held.close_on_drop();
                Err(StoreError::Unanswered)
            }
        }
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
    accepts: mpsc::UnboundedSender<writer::Accept>,
    records: mpsc::UnboundedSender<change::Job>,
    leases: Arc<Leases>,
    /// A message may be behind.
    behind: tokio::sync::Notify,
    progress: Arc<writer::Progressing>,
    /// Commands whose acceptance was not promised, and that are still to be voided.
    voiding: Arc<AtomicUsize>,
    /// The last answer of the readiness probe.
    probed: tokio::sync::Mutex<Option<(Instant, bool)>>,
    /// Keeps a second process off an SQLite file until this one closes it or dies.
    lock: Option<std::fs::File>,
}

/// A database operation failed. Carries no text of the database's, which can repeat values.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused; nothing was done.
    #[error("the database refused ({0})")]
    Refused(String),
    /// The connection broke off; what was asked for may have been done.
    #[error("the database failed ({0})")]
    Database(String),
    /// The database did not answer; what was asked for may have been done.
    #[error("the database does not answer")]
    Unanswered,
    /// No commit within [`ACCEPT_LIMIT`].
    #[error("the database did not commit in time")]
    Slow,
    /// Something in a row cannot be read.
    #[error("the row of {0} cannot be read")]
    Unreadable(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(match error {
            sqlx::Error::Database(error) => {
                let code = error.code().map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
                return Self::Refused(code);
            }
            sqlx::Error::PoolTimedOut => "no connection free".to_owned(),
            sqlx::Error::Io(error) => error.kind().to_string(),
            sqlx::Error::PoolClosed => "closed".to_owned(),
            _ => "unexpected answer".to_owned(),
        })
    }
}

/// The open commands and the lost ones, as the metrics show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Commands of the last day that nobody could be told about.
    pub undeliverable: i64,
    /// When the oldest open command was accepted.
    pub oldest_open: Option<Timestamp>,
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

    /// Gives up every lease of this process, so that the next one need not wait for them to end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.release).bind(&self.0.owner).execute(&mut *db).await?;
            let sql = &self.0.sql.connections;
            for statement in [sql.release_messages, sql.release_sweeps] {
                sqlx::query(statement).bind(&self.0.owner).execute(&mut *db).await?;
            }
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
        Ok(purged + self.purge_connections(now).await?)
    }

    /// Counts for the metrics.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn census(&self, now: Timestamp) -> Result<Census, StoreError> {
        let day_ago =
            now.saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(now).as_millisecond();
        on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.census).bind(day_ago).fetch_one(db).await?;
            let oldest: Option<i64> = row.try_get("oldest")?;
            Ok(Census {
                undeliverable: row.try_get("undeliverable")?,
                oldest_open: oldest.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
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
        const FRESH: Duration = Duration::from_secs(1);
        let mut probed = self.0.probed.lock().await;
        if let Some((at, answer)) = *probed
            && at.elapsed() < FRESH
        {
            return answer;
        }
        let write = async {
            on!(&self.0.pool, db => {
                let query = sqlx::query(self.0.sql.probe).bind(now.as_millisecond());
                query.execute(db).await?;
                Ok(())
            })
        };
        let writes = matches!(tokio::time::timeout(FRESH, write).await, Ok(Ok(())));
        let answer = writes && self.0.progress.moves();
        *probed = Some((Instant::now(), answer));
        answer
    }

    /// Closes the database; an SQLite file is left without its write-ahead log, and free for others.
    /// Waits a little for what is still to be voided, and no longer for a server that has gone.
    pub async fn close(&self) {
        let settle = async {
            while self.0.voiding.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            match &self.0.pool {
                Pool::Sqlite(pool) => pool.close().await,
                Pool::Postgres(pool) => pool.close().await,
            }
        };
        if tokio::time::timeout(CLOSE_LIMIT, settle).await.is_err() {
            tracing::warn!("the database did not close in time");
        }
        if let Some(lock) = &self.0.lock {
            // What cannot be released now is when the last clone is dropped.
            let _ = lock.unlock();
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
