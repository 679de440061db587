//! The writers: they put all rows that are waiting into one statement, and so into one commit.
//!
//! Owns batching and what becomes of a row whose caller has gone. Three run side by side, one for
//! each kind of write: accepting a command, recording its progress, keeping its link.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::change::ProgressRow;
use super::statements::Statements;
use super::{Pool, StoreError, millis, on};
use crate::journal::FIRST_FENCE;

/// Most rows of one statement. A statement of this size takes a few milliseconds; a larger one
/// would keep the acknowledgements behind it waiting.
const BATCH: usize = 256;

pub(super) struct Accept {
    pub(super) row: NewRow,
    /// Whether it was committed; otherwise it has a twin.
    pub(super) reply: oneshot::Sender<Result<bool, StoreError>>,
}

/// A new row, as the statement reads it.
#[derive(Clone, Serialize)]
pub(super) struct NewRow {
    pub(super) id: String,
    pub(super) dedup: String,
    pub(super) subject: String,
    pub(super) team_id: String,
    pub(super) channel_id: String,
    pub(super) user_id: String,
    pub(super) request: String,
    pub(super) response_url: String,
    pub(super) stage: &'static str,
    pub(super) connection_id: Option<String>,
    pub(super) existed: u8,
    pub(super) accepted_at: i64,
}

impl ProgressRow {
    /// Ends a command whose acceptance nobody waited for: its person was told that nothing would
    /// happen.
    fn void(id: String, at: i64) -> Self {
        Self {
            id,
            fence: FIRST_FENCE,
            stage: "void",
            connection_id: None,
            existed: 0,
            problem: None,
            tries: 0,
            posts: 0,
            run_at: at,
            ended_at: Some(at),
            keep: 0,
        }
    }
}

/// Longest that a statement of the accepting writer may take before the bot is not ready.
const STUCK: Duration = Duration::from_secs(3);

/// Since when the accepting writer waits for the database.
pub(super) struct Progressing {
    started: Instant,
    /// In ms since `started`, plus one; 0: it does not wait.
    since: AtomicU64,
}

impl Default for Progressing {
    fn default() -> Self {
        Self { started: Instant::now(), since: AtomicU64::new(0) }
    }
}

impl Progressing {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Whether it does not wait, or not for long.
    pub(super) fn moves(&self) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since == 0 || Duration::from_millis(self.now().saturating_sub(since)) < STUCK
    }
}

/// What the accepting writer works with.
pub(super) struct Accepting {
    pub(super) pool: Pool,
    pub(super) sql: &'static Statements,
    pub(super) owner: String,
    pub(super) lease: Duration,
    pub(super) voiding: Arc<AtomicUsize>,
    pub(super) progress: Arc<Progressing>,
}

/// What became of a row that was to be inserted.
#[derive(Clone)]
enum Inserted {
    Committed,
    Twin,
    /// The database said no to this row.
    Refused(StoreError),
    /// It may be there.
    Unclear(StoreError),
}

impl Accepting {
    /// Accepts until the last [`super::Store`] is gone.
    pub(super) async fn run(self, mut waiting: mpsc::UnboundedReceiver<Accept>) {
        let mut batch = Vec::with_capacity(BATCH);
        // The subjects of rows that are still to be voided: who meets one has no twin.
        let doomed: Arc<Mutex<HashSet<String>>> = Arc::default();
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            // Whoever has stopped waiting has told the person that nothing was accepted.
            batch.retain(|accept: &Accept| !accept.reply.is_closed());
            self.progress.since.store(self.progress.now(), Ordering::Relaxed);
            let outcomes = self.insert(&batch).await;
            self.progress.since.store(0, Ordering::Relaxed);
            let mut void = Vec::new();
            for (Accept { row, reply }, outcome) in batch.drain(..).zip(outcomes) {
                let answer = match &outcome {
                    Inserted::Committed => Ok(true),
                    Inserted::Twin if lock(&doomed).contains(&row.subject) => Err(StoreError::Slow),
                    Inserted::Twin => Ok(false),
                    Inserted::Refused(error) | Inserted::Unclear(error) => Err(error.clone()),
                };
                let unheard = reply.send(answer).is_err();
                if matches!(outcome, Inserted::Unclear(_))
                    || (unheard && matches!(outcome, Inserted::Committed))
                {
                    void.push(row);
                }
            }
            if !void.is_empty() {
                tracing::warn!(count = void.len(), "voiding commands that were not promised in time");
                self.void(void, &doomed).await;
            }
        }
    }

    /// Inserts a batch. Where the database says no to it as a whole, each row is tried by itself:
    /// one must not suffer for another.
    async fn insert(&self, batch: &[Accept]) -> Vec<Inserted> {
        let rows: Vec<_> = batch.iter().map(|accept| &accept.row).collect();
        match self.insert_rows(&rows).await {
            Err(StoreError::Refused(_)) if rows.len() > 1 => {
                let mut outcomes = Vec::with_capacity(rows.len());
                for row in rows {
                    outcomes.push(judge(row, &self.insert_rows(&[row]).await));
                }
                outcomes
            }
            result => rows.iter().map(|row| judge(row, &result)).collect(),
        }
    }

    async fn insert_rows(&self, rows: &[&NewRow]) -> Result<Ids, StoreError> {
        if rows.is_empty() {
            return Ok(Ids::new());
        }
        let json = json(rows)?;
        on!(&self.pool, db => {
            let query = sqlx::query(self.sql.accept).bind(json).bind(&self.owner).bind(millis(self.lease));
            let rows = query.fetch_all(db).await?;
            rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
        })
    }

    /// Voids rows, at once if the database lets us, else beside the writer until it does.
    async fn void(&self, rows: Vec<NewRow>, doomed: &Arc<Mutex<HashSet<String>>>) {
        let subjects: Vec<_> = rows.iter().map(|row| row.subject.clone()).collect();
        let void: Vec<_> = rows.into_iter().map(|row| ProgressRow::void(row.id, row.accepted_at)).collect();
        if update(&void.iter().collect::<Vec<_>>(), &self.pool, self.sql).await.is_ok() {
            return;
        }
        lock(doomed).extend(subjects.iter().cloned());
        self.voiding.fetch_add(1, Ordering::Relaxed);
        let (pool, sql, voiding, doomed) =
            (self.pool.clone(), self.sql, Arc::clone(&self.voiding), Arc::clone(doomed));
        tokio::spawn(async move {
            while let Err(error) = update(&void.iter().collect::<Vec<_>>(), &pool, sql).await {
                if pool.is_closed() {
                    tracing::error!(%error, "commands that were not promised could not be voided and may happen yet");
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            lock(&doomed).retain(|subject| !subjects.contains(subject));
            voiding.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn judge(row: &NewRow, result: &Result<Ids, StoreError>) -> Inserted {
    match result {
        Ok(ids) if ids.contains(&row.id) => Inserted::Committed,
        Ok(_) => Inserted::Twin,
        Err(error @ StoreError::Refused(_)) => Inserted::Refused(error.clone()),
        Err(error) => Inserted::Unclear(error.clone()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Ids = HashSet<String>;

async fn update(rows: &[&ProgressRow], pool: &Pool, sql: &'static Statements) -> Result<Ids, StoreError> {
    let json = json(rows)?;
    on!(pool, db => {
        let rows = sqlx::query(sql.record).bind(json).fetch_all(db).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    })
}

fn json<T: Serialize>(rows: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|_| StoreError::Database("a row that is no JSON".to_owned()))
}
