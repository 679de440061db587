//! The accepting writer: it puts all new commands that are waiting into one statement, and so into
//! one commit.
//!
//! Owns the batching, and that each caller learns the truth: a row that was not promised is either
//! certain never to happen, or goes to [`super::tombstone`] until it is. Must not know what a row
//! means.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::batch;
use super::row::{NewRow, json};
use super::statements::Statements;
use super::tombstone::{Doomed, Graveyard};
use super::{LeaseGuard, Pool, StoreError, millis, on};
use crate::telemetry::{Metrics, Writer};

/// A row to insert, and who waits for it.
pub(super) struct Accept {
    pub(super) row: NewRow,
    pub(super) turn: Turn,
    /// While the row may be there and is not void, this process is not to claim it.
    pub(super) lease: Arc<LeaseGuard>,
    /// Whether it was committed; otherwise it has a twin.
    pub(super) reply: oneshot::Sender<Result<bool, StoreError>>,
}

/// Whose turn it is with a row that waits: the writer's to insert it, or the caller's to withdraw it.
/// Whoever takes it first has it, so that a caller whose time is over knows whether the database was
/// asked.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<AtomicBool>);

impl Turn {
    /// Whether it is ours: nobody took it before.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// Longest wait, before the next batch, for what is to be made void after one: who types the same
/// again meets it otherwise.
const BURIAL: Duration = if cfg!(test) { Duration::from_secs(60) } else { Duration::from_millis(300) };
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
    pub(super) graveyard: Graveyard,
    pub(super) progress: Arc<Progressing>,
    pub(super) metrics: Metrics,
}

/// What became of a row that was to be inserted.
enum Inserted {
    Committed,
    /// Not there: the same request is, or another about the same.
    Twin,
    /// Not there, by this error.
    Refused(StoreError),
    /// It may be there, or may come yet.
    Unclear(StoreError),
}

impl Accepting {
    /// Accepts until the last [`super::Store`] is gone.
    pub(super) async fn run(self, mut waiting: mpsc::UnboundedReceiver<Accept>) {
        let mut batch = Vec::with_capacity(batch::MOST);
        while batch::fill(&mut batch, &mut waiting).await {
            // Whoever has taken the turn back knows that nothing was done.
            batch.retain(|accept: &Accept| accept.turn.take());
            if batch.is_empty() {
                continue;
            }
            self.progress.since.store(self.progress.now(), Ordering::Relaxed);
            let began = Instant::now();
            let outcomes = self.insert(&batch).await;
            self.metrics.committed(Writer::Accept, began.elapsed().as_secs_f64());
            self.progress.since.store(0, Ordering::Relaxed);
            let mut buried = false;
            for (accept, outcome) in batch.drain(..).zip(outcomes) {
                buried |= self.answer(accept, outcome);
            }
            if buried {
                let _ = tokio::time::timeout(BURIAL, self.graveyard.at_rest()).await;
            }
        }
    }

    /// Tells the caller. What may be there though nobody was promised it is void from now on, or as
    /// soon as the database lets us. Returns whether that had to be begun.
    fn answer(&self, accept: Accept, outcome: Inserted) -> bool {
        let Accept { row, lease, reply, .. } = accept;
        match outcome {
            Inserted::Committed => {
                let unheard = reply.send(Ok(true)).is_err();
                if unheard {
                    self.graveyard.bury(Doomed { row, lease, reply: None });
                }
                unheard
            }
            Inserted::Twin => {
                // What it met is about to be void: it has no twin, and is not there itself.
                let doomed = self.graveyard.awaits(&row.subject);
                let met =
                    if doomed { Err(StoreError::Refused("a doomed twin".to_owned())) } else { Ok(false) };
                let _ = reply.send(met);
                false
            }
            Inserted::Refused(error) => {
                let _ = reply.send(Err(error));
                false
            }
            Inserted::Unclear(error) => {
                tracing::warn!(command = row.id, %error, "a command may have been committed; it is made void");
                // Whoever still waits learns it if that works in time.
                self.graveyard.bury(Doomed { row, lease, reply: Some(reply) });
                true
            }
        }
    }

    /// Inserts a batch. Where the database says no to it as a whole, each row is tried by itself:
    /// one must not suffer for another.
    async fn insert(&self, batch: &[Accept]) -> Vec<Inserted> {
        let rows: Vec<_> = batch.iter().map(|accept| &accept.row).collect();
        let mut result = self.insert_rows(&rows).await;
        if result.as_ref().is_err_and(StoreError::is_read_only) {
            // That was an old session; a new one is looked at before it is used.
            result = self.insert_rows(&rows).await;
        }
        match result {
            Err(error) if rows.len() > 1 && error.may_be_one_rows_fault() => {
                let mut outcomes = Vec::with_capacity(rows.len());
                for accept in batch {
                    // One that nobody waits for any more is not there either.
                    outcomes.push(if accept.reply.is_closed() {
                        Inserted::Refused(error.clone())
                    } else {
                        judge(&accept.row, &self.insert_rows(&[&accept.row]).await)
                    });
                }
                outcomes
            }
            result => rows.iter().map(|row| judge(row, &result)).collect(),
        }
    }

    async fn insert_rows(&self, rows: &[&NewRow]) -> Result<HashSet<String>, StoreError> {
        let json = json(rows)?;
        on!(&self.pool, db => {
            let query = sqlx::query(self.sql.accept).bind(json).bind(&self.owner).bind(millis(self.lease));
            let rows = query.fetch_all(db).await?;
            rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
        })
    }
}

fn judge(row: &NewRow, result: &Result<HashSet<String>, StoreError>) -> Inserted {
    match result {
        Ok(ids) if ids.contains(&row.id) => Inserted::Committed,
        Ok(_) => Inserted::Twin,
        Err(error) if error.proves_nothing_done() => Inserted::Refused(error.clone()),
        Err(error) => Inserted::Unclear(error.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_waits_for_three_seconds_is_stuck() {
        let progress = Progressing::default();
        tokio::time::advance(STUCK * 2).await;
        assert!(progress.moves(), "it does not wait");
        progress.since.store(progress.now(), Ordering::Relaxed);
        assert!(progress.moves());
        tokio::time::advance(STUCK - Duration::from_millis(1)).await;
        assert!(progress.moves());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!progress.moves());
        progress.since.store(0, Ordering::Relaxed);
        assert!(progress.moves());
    }

    #[test]
    fn whoever_takes_the_turn_first_has_it() {
        let (writer, caller) = (Turn::default(), Turn::default());
        assert!(writer.clone().take(), "nobody took it before");
        assert!(!writer.take() && !writer.take());
        assert!(caller.take(), "it is another row's");
    }

    #[test]
    fn what_became_of_a_row_is_what_the_database_proves() {
        let row = NewRow::of_request("x", "x");
        let ids = |ids: &[&str]| Ok(ids.iter().map(|&id| id.to_owned()).collect());
        let refused = || StoreError::Refused("code 2067".to_owned());
        assert!(matches!(judge(&row, &ids(&["w", "x"])), Inserted::Committed));
        assert!(matches!(judge(&row, &ids(&["w"])), Inserted::Twin));
        assert!(matches!(judge(&row, &Err(refused())), Inserted::Refused(_)));
        assert!(matches!(judge(&row, &Err(StoreError::Unanswered)), Inserted::Unclear(_)));
    }
}
