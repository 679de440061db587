//! Tombstones: they make sure that a command that nobody was promised never happens.
//!
//! Owns that this holds in whatever order the command's insert and its tombstone reach the database.
//! Whether the insert was done is not known; it may even be under way still, or waiting, uncommitted,
//! for a standby. So a tombstone is not an update that finds nothing and calls that done, but three
//! statements on one session, each of which commits by itself:
//!
//! 1. [`Statements::bury`] inserts a row with the same id and the same request that has ended, and
//!    that has no subject. Where one of the two keys is taken it inserts nothing; if it is by a row
//!    that is not committed yet, it waits for that, or fails and is tried again. Afterwards a
//!    committed row holds one of the keys, for as long as ended rows are kept, so that an insert
//!    that comes later inserts nothing.
//! 2. [`Statements::void`] ends the row with this id if it was the insert's after all and nobody has
//!    taken it since. If it was there before step 1 it is seen, since this is a later statement; and
//!    after step 1 it cannot come.
//! 3. [`Statements::alive`] asks for rows with these ids that are not void. Where the request's key
//!    was taken by another row (a replay meets the original) there is no row of this id, and none
//!    can come. What is left was taken by somebody else before step 2, and is theirs.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot, watch};

use super::batch;
use super::row::{NewRow, json};
use super::statements::Statements;
use super::{LeaseGuard, Pool, StoreError, on};

/// Pause after a failure. The statements have time limits of their own.
const PAUSE: Duration = Duration::from_millis(200);

/// A row that may be there, or come, and must not happen.
pub(super) struct Doomed {
    pub(super) row: NewRow,
    /// Keeps this process from taking the row.
    pub(super) lease: Arc<LeaseGuard>,
    /// Who wants to know when it is void.
    pub(super) reply: Option<oneshot::Sender<Result<bool, StoreError>>>,
}

/// Where doomed rows go. Clones share it.
#[derive(Clone)]
pub(super) struct Graveyard {
    doomed: mpsc::UnboundedSender<Doomed>,
    awaited: Arc<Awaited>,
}

/// What is still to be made void.
#[derive(Default)]
struct Awaited {
    /// The subjects: who meets one has no twin. One that is there twice is awaited twice.
    subjects: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

impl Awaited {
    fn subjects(&self) -> MutexGuard<'_, Vec<String>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Graveyard {
    /// Opens it, with a task of its own that ends with the last clone.
    pub(super) fn open(pool: Pool, sql: &'static Statements) -> Self {
        let (doomed, waiting) = mpsc::unbounded_channel();
        let awaited = Arc::<Awaited>::default();
        tokio::spawn(Digger { pool, sql, awaited: Arc::clone(&awaited) }.run(waiting));
        Self { doomed, awaited }
    }

    /// Makes sure that a row never happens.
    pub(super) fn bury(&self, doomed: Doomed) {
        self.awaited.subjects().push(doomed.row.subject.clone());
        self.awaited.count.send_modify(|count| *count += 1);
        // It has gone only after a panic, which ends the process: see `Store::a_writer_ended`.
        let _ = self.doomed.send(doomed);
    }

    /// Whether a row about this is still to be made void.
    pub(super) fn awaits(&self, subject: &str) -> bool {
        self.awaited.subjects().iter().any(|awaited| awaited == subject)
    }

    /// Whether something is still to be made void.
    pub(super) fn is_at_work(&self) -> bool {
        *self.awaited.count.borrow() > 0
    }

    /// Waits until nothing is to be made void any more.
    pub(super) async fn at_rest(&self) {
        // It owns the sender itself.
        let _ = self.awaited.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Whether its task has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.doomed.is_closed()
    }

    /// Waits until its task has ended, which it does by a panic alone while there is a clone.
    pub(super) async fn closed(&self) {
        self.doomed.closed().await;
    }
}

struct Digger {
    pool: Pool,
    sql: &'static Statements,
    awaited: Arc<Awaited>,
}

impl Digger {
    async fn run(self, mut waiting: mpsc::UnboundedReceiver<Doomed>) {
        let mut rows = Vec::with_capacity(batch::MOST);
        while batch::fill(&mut rows, &mut waiting).await {
            rows = self.bury(rows).await;
            if rows.is_empty() {
                continue;
            }
            if self.pool.is_closed() {
                tracing::error!(
                    count = rows.len(),
                    "commands that were not promised could not be made void and may happen yet"
                );
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Buries rows together or, where that fails, each by itself. Returns those that are left.
    async fn bury(&self, rows: Vec<Doomed>) -> Vec<Doomed> {
        let together = self.lay(&rows.iter().map(|doomed| &doomed.row).collect::<Vec<_>>()).await;
        match together {
            Ok(alive) => {
                rows.into_iter().for_each(|doomed| self.conclude(doomed, &alive));
                Vec::new()
            }
            // One must not wait for another one's insert.
            Err(error) if rows.len() > 1 && error.may_be_one_rows_fault() => {
                let mut left = Vec::new();
                for doomed in rows {
                    match self.lay(&[&doomed.row]).await {
                        Ok(alive) => self.conclude(doomed, &alive),
                        Err(_) => left.push(doomed),
                    }
                }
                left
            }
            Err(error) => {
                tracing::debug!(count = rows.len(), %error, "commands cannot be made void yet");
                rows
            }
        }
    }

    /// The three statements. Returns the ids that somebody else has taken.
    async fn lay(&self, rows: &[&NewRow]) -> Result<HashSet<String>, StoreError> {
        let json = json(rows)?;
        on!(&self.pool, db => {
            sqlx::query(self.sql.bury).bind(&json).execute(&mut *db).await?;
            sqlx::query(self.sql.void).bind(&json).execute(&mut *db).await?;
            let alive = sqlx::query(self.sql.alive).bind(&json).fetch_all(&mut *db).await?;
            alive.iter().map(|row| Ok(row.try_get("id")?)).collect()
        })
    }

    fn conclude(&self, doomed: Doomed, alive: &HashSet<String>) {
        let Doomed { row, lease, reply } = doomed;
        let happens = alive.contains(&row.id);
        if happens {
            tracing::warn!(
                command = row.id,
                "a command that was not promised was taken up and happens all the same"
            );
        } else {
            tracing::info!(command = row.id, "a command that was not promised is void");
        }
        {
            let mut subjects = self.awaited.subjects();
            if let Some(at) = subjects.iter().position(|awaited| *awaited == row.subject) {
                subjects.swap_remove(at);
            }
        }
        if let Some(reply) = reply {
            let _ = reply.send(Err(if happens { StoreError::Slow } else { StoreError::Voided }));
        }
        drop(lease);
        self.awaited.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests;
