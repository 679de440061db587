//! Recording: how commands and connections stand, many of them in one commit.
//!
//! Owns what goes into one commit together, and whose word still counts: a command's by its fence, a
//! connection's by its version. What is posted and that the command has ended are one commit, so
//! that no crash can come between them.

mod rows;

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::batch;
use super::messages::ClaimedMessage;
use super::row::{ProgressRow, json};
use super::statements::Statements;
use super::together::{Step, Together};
use super::trail::NewLine;
use super::{Claimed, Pool, Recorded, Store, StoreError, on};
use crate::journal::{Progress, Then};
use crate::life::{Change, Place};
use crate::telemetry::{Metrics, Writer};
use crate::trail::Entry;
use rows::{Rows, Stands};

/// First pause before a record that failed is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// What came of recording how a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is on disk.
    Committed,
    /// Somebody else has taken the command, or the message, since, or the onboarding is done that it was to
    /// become part of.
    LeaseLost,
    /// The connection does not stand any more as it did: read it and judge again.
    Conflict,
}

/// What becomes of a connection, and what goes with it into one commit.
pub struct Write<'a> {
    /// What becomes of it.
    pub change: &'a Change,
    /// The version that this was judged by; 0: there was no row.
    pub version: i64,
    /// The command that must still be ours.
    pub held: Option<&'a Claimed>,
    /// How that command stands from now on.
    pub progress: Option<(&'a Progress, Then)>,
    /// What becomes known of the link's message.
    pub message: MessageWrite<'a>,
    /// What the audit channel is told of it, if there is one.
    pub trail: Option<&'a Entry>,
    /// Whether the channel wants reminders.
    pub reminders: bool,
    /// Now.
    pub now: Timestamp,
}

/// What becomes known of a link's message.
pub enum MessageWrite<'a> {
    /// Nothing.
    None,
    /// It may come to stand somewhere.
    New,
    /// It is still to be posted in the channel of its connection.
    Due,
    /// It stands there, or nowhere where it could be edited.
    Placed(Option<&'a Place>),
    /// The message of which we hold the lease shows the link.
    Shown(&'a ClaimedMessage),
    /// The message of which we hold the lease shows what it showed before.
    Untouched(&'a ClaimedMessage),
}

impl Store {
    /// Commits what becomes of a connection.
    ///
    /// # Errors
    /// [`StoreError`]; unless it is [`StoreError::Refused`], it may have been done all the same.
    pub async fn write(&self, write: Write<'_>) -> Result<Written, StoreError> {
        self.write_into(None, write).await
    }

    /// The same, only if the onboarding that the connection becomes part of is open; it stays so until this is
    /// committed. Whoever finds it done hears of a lost lease.
    pub(super) async fn write_into(
        &self,
        onboarding: Option<&str>,
        write: Write<'_>,
    ) -> Result<Written, StoreError> {
        let rows = Rows::of(&write, onboarding).ok_or_else(|| StoreError::Refused("no JSON".to_owned()))?;
        let progress = match (write.held, write.progress) {
            (Some(held), Some((progress, then))) => {
                Some(ProgressRow::of((&held.id, held.fence), held.accepted_at, progress, then))
            }
            _ => None,
        };
        let (key, version) = (&write.change.connection.key, write.version + 1);
        let id = || match &progress {
            Some(ends) => ends.id.clone(),
            None => format!("{} {} {version}", key.group_id, key.name),
        };
        let line = self.new_line(id, write.trail);
        let kept = line.is_some();
        let (reply, written) = oneshot::channel();
        let closed = || StoreError::Refused("closed".to_owned());
        let job = Job { change: Some(rows), progress, line, reply };
        self.0.records.send(job).map_err(|_| closed())?;
        match written.await.map_err(|_| closed())?? {
            Done { changed: true, recorded: true } => {
                if !write.change.show.is_empty() || write.change.news.is_some() {
                    self.0.behind.notify_one();
                }
                if kept {
                    self.0.line_kept.notify_one();
                }
                Ok(Written::Committed)
            }
            Done { changed: true, recorded: false } => Ok(Written::LeaseLost),
            Done { changed: false, .. } => {
                let stands = self.connection(&write.change.connection.key).await?;
                let version = stands.map_or(0, |stored| stored.version);
                // It stands as it did: then it was the command that is not ours any more, or the onboarding.
                Ok(if version == write.version { Written::LeaseLost } else { Written::Conflict })
            }
        }
    }

    /// Commits how a command stands. A failure of the database is tried again until it works or
    /// the lease is lost: what happened outside has happened.
    pub async fn record(&self, claimed: &Claimed, progress: &Progress, then: Then) -> Recorded {
        self.record_with(claimed, progress, then, None).await
    }

    /// The same, with what the audit channel is told of it, if there is one.
    pub async fn record_with(
        &self,
        claimed: &Claimed,
        progress: &Progress,
        then: Then,
        trail: Option<&Entry>,
    ) -> Recorded {
        let row = ProgressRow::of((&claimed.id, claimed.fence), claimed.accepted_at, progress, then);
        let mut pause = PAUSE;
        loop {
            let (reply, committed) = oneshot::channel();
            let line = self.new_line(|| row.id.clone(), trail);
            let kept = line.is_some();
            let job = Job { change: None, progress: Some(row.clone()), line, reply };
            if self.0.records.send(job).is_err() {
                return Recorded::LeaseLost;
            }
            match committed.await {
                Ok(Ok(Done { recorded: true, .. })) => {
                    if kept {
                        self.0.line_kept.notify_one();
                    }
                    return Recorded::Committed;
                }
                Ok(Ok(_)) => return Recorded::LeaseLost,
                // Once: a database that is down is down for every command.
                Ok(Err(error)) if pause == PAUSE => {
                    tracing::warn!(command = claimed.id, %error, "could not record, trying again")
                }
                Ok(Err(_)) => {}
                Err(_) => return Recorded::LeaseLost,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}

/// Something to commit.
pub(super) struct Job {
    change: Option<Rows>,
    progress: Option<ProgressRow>,
    line: Option<NewLine>,
    pub(super) reply: oneshot::Sender<Result<Done, StoreError>>,
}

/// What of a job was done. Without its change, its progress is not recorded either.
#[derive(Clone, Copy)]
pub(super) struct Done {
    pub(super) changed: bool,
    pub(super) recorded: bool,
}

/// Records until the last [`Store`] is gone.
pub(super) async fn run(
    mut waiting: mpsc::UnboundedReceiver<Job>,
    pool: Pool,
    sql: &'static Statements,
    metrics: Metrics,
) {
    let mut jobs = Vec::with_capacity(batch::MOST);
    // Those about a connection that the batch before was about too.
    let mut later = Vec::new();
    // The place of the newest line for the audit channel: one writer gives them all, in the order of commits.
    let mut last = 0;
    loop {
        jobs.append(&mut later);
        if !batch::fill(&mut jobs, &mut waiting).await {
            return;
        }
        // One statement cannot change a row twice, and who comes second has to know what the first did.
        let mut keys = HashSet::new();
        let (batch, second): (Vec<_>, Vec<_>) =
            std::mem::take(&mut jobs).into_iter().partition(|job: &Job| {
                job.change.as_ref().is_none_or(|change| {
                    let (group_id, name) = change.key();
                    keys.insert((group_id.to_owned(), name.to_owned()))
                })
            });
        later = second;
        let began = Instant::now();
        let committed = commit(&batch, &mut last, &pool, sql).await;
        metrics.committed(Writer::Change, began.elapsed().as_secs_f64());
        let results = match committed {
            // One must not suffer for another that the database does not take.
            Err(error) if batch.len() > 1 && error.may_be_one_rows_fault() => {
                let mut results = Vec::with_capacity(batch.len());
                for job in &batch {
                    let one = commit(std::slice::from_ref(job), &mut last, &pool, sql).await;
                    results.push(one.map(|mut done| done.remove(0)));
                }
                results
            }
            Ok(done) => done.into_iter().map(Ok).collect(),
            Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
        };
        for (Job { reply, .. }, result) in batch.into_iter().zip(results) {
            // A caller that is gone has been shut down; what is stored is stored.
            let _ = reply.send(result);
        }
    }
}

async fn commit(
    jobs: &[Job],
    last: &mut i64,
    pool: &Pool,
    sql: &'static Statements,
) -> Result<Vec<Done>, StoreError> {
    let mut changes: Vec<_> = jobs.iter().filter_map(|job| job.change.as_ref()).collect();
    changes.sort_by_key(|change| change.key());
    if changes.is_empty() && jobs.iter().all(|job| job.line.is_none()) {
        let rows: Vec<_> = jobs.iter().filter_map(|job| job.progress.as_ref()).collect();
        let recorded = record(&rows, pool, sql).await?;
        let done = |job: &Job| Done {
            changed: true,
            recorded: job.progress.as_ref().is_none_or(|row| recorded.contains(&row.id)),
        };
        return Ok(jobs.iter().map(done).collect());
    }
    let (changed, recorded) = on!(pool, db => {
        let mut done = at_once(&mut *db, jobs, &changes, last, sql).await;
        // Something does not stand as it did. What does is done all the same.
        if done.as_ref().map_or_else(StoreError::proves_nothing_done, Option::is_none) {
            if done.is_err() {
                undo(&mut *db).await;
            }
            done = one_by_one(&mut *db, jobs, &changes, last, sql).await.map(Some);
        }
        if done.is_err() {
            undo(&mut *db).await;
        }
        done.map(Option::unwrap_or_default)
    })?;
    let done = |job: &Job| Done {
        changed: job.change.as_ref().is_none_or(|rows| {
            let (group_id, name) = rows.key();
            changed.contains(&(group_id.to_owned(), name.to_owned()))
        }),
        recorded: job.progress.as_ref().is_none_or(|row| recorded.contains(&row.id)),
    };
    Ok(jobs.iter().map(done).collect())
}

/// The names of the connections that a commit has changed, and the commands whose progress it has recorded.
type Committed = (HashSet<(String, String)>, HashSet<String>);

/// Ends a transaction that has failed. By hand, as it is begun: after a full disk SQLite has ended it itself,
/// which the driver would not notice, and everything after it would go into one that nobody ever commits.
async fn undo(db: &mut impl Together) {
    // Where there is nothing left to undo, it is refused.
    let _ = db.together(vec![Step::bare("ROLLBACK")]).await;
}

/// Commits all that was asked for, or nothing, as if everything still stood as it did when that was judged: it
/// nearly always does, and then the database is asked once. None where this engine can't tell in time.
async fn at_once<Db: Together>(
    db: &mut Db,
    jobs: &[Job],
    changes: &[&Rows],
    last: &mut i64,
    sql: &'static Statements,
) -> Result<Option<Committed>, StoreError> {
    let progress: Vec<_> = jobs.iter().filter_map(|job| job.progress.as_ref()).collect();
    let (Some(all_changed), Some(all_recorded)) =
        (Db::if_changed(changes.len()), Db::if_changed(progress.len()))
    else {
        return Ok(None);
    };
    let mut steps = vec![Step::bare("BEGIN")];
    if !changes.is_empty() {
        steps.extend([change(changes, sql)?, all_changed]);
        what_follows(changes, &mut steps, sql)?;
    }
    if !progress.is_empty() {
        steps.extend([Step::of(sql.record, json(&progress)?), all_recorded]);
    }
    let lines: Vec<_> = jobs.iter().filter_map(|job| job.line.as_ref()).collect();
    if !lines.is_empty() {
        let rows: Vec<_> = lines.into_iter().map(|line| line.row(last)).collect();
        steps.push(Step::of(sql.keep_lines, json(&rows)?));
    }
    steps.push(Step::bare("COMMIT"));
    db.together(steps).await?;
    let key = |rows: &&Rows| {
        let (group_id, name) = rows.key();
        (group_id.to_owned(), name.to_owned())
    };
    let recorded = progress.into_iter().map(|row| row.id.clone()).collect();
    Ok(Some((changes.iter().map(key).collect(), recorded)))
}

/// Commits of what was asked for whatever still may be, on one connection. After an error it may be left within
/// a transaction.
async fn one_by_one(
    db: &mut impl Together,
    jobs: &[Job],
    changes: &[&Rows],
    last: &mut i64,
    sql: &'static Statements,
) -> Result<Committed, StoreError> {
    let mut changed = HashSet::new();
    let mut steps = vec![Step::bare("BEGIN")];
    if !changes.is_empty() {
        steps.push(change(changes, sql)?);
        // What follows is only of those that it changes.
        for row in db.together(std::mem::take(&mut steps)).await? {
            if let Ok([group_id, name]) = <[String; 2]>::try_from(row) {
                changed.insert((group_id, name));
            }
        }
    }
    let is_changed = |rows: &Rows| {
        let (group_id, name) = rows.key();
        changed.contains(&(group_id.to_owned(), name.to_owned()))
    };
    let done: Vec<_> = changes.iter().copied().filter(|rows| is_changed(rows)).collect();
    what_follows(&done, &mut steps, sql)?;
    let progress: Vec<_> = jobs
        .iter()
        .filter(|job| job.change.as_ref().is_none_or(&is_changed))
        .filter_map(|job| job.progress.as_ref())
        .collect();
    if !progress.is_empty() {
        steps.push(Step::of(sql.record, json(&progress)?));
    }
    let mut recorded = HashSet::new();
    if jobs.iter().any(|job| job.line.is_some()) {
        recorded.extend(db.together(std::mem::take(&mut steps)).await?.into_iter().flatten());
        // Of what is so by this commit, and of nothing else.
        let is_so = |job: &&Job| {
            job.change.as_ref().is_none_or(&is_changed)
                && job.progress.as_ref().is_none_or(|row| recorded.contains(&row.id))
        };
        let lines: Vec<_> = jobs.iter().filter(is_so).filter_map(|job| job.line.as_ref()).collect();
        if !lines.is_empty() {
            let rows: Vec<_> = lines.into_iter().map(|line| line.row(last)).collect();
            steps.push(Step::of(sql.keep_lines, json(&rows)?));
        }
    }
    steps.push(Step::bare("COMMIT"));
    recorded.extend(db.together(steps).await?.into_iter().flatten());
    Ok((changed, recorded))
}

/// What becomes of connections.
fn change(changes: &[&Rows], sql: &'static Statements) -> Result<Step, StoreError> {
    let rows = json(&changes.iter().map(|change| &change.connection).collect::<Vec<_>>())?;
    Ok(Step::of(sql.connections.change, rows))
}

/// What goes with that into one commit.
fn what_follows(done: &[&Rows], steps: &mut Vec<Step>, sql: &'static Statements) -> Result<(), StoreError> {
    let statements = &sql.connections;
    let now = done.iter().map(|rows| rows.now).max().unwrap_or_default();
    let new: Vec<_> = done.iter().filter_map(|rows| rows.new.as_ref()).collect();
    if !new.is_empty() {
        steps.push(Step::of(statements.new_messages, json(&new)?));
    }
    let placed: Vec<_> = done.iter().filter_map(|rows| rows.placed.as_ref()).collect();
    if !placed.is_empty() {
        steps.push(Step::of(statements.place_messages, json(&placed)?));
    }
    let shown: Vec<_> = done.iter().flat_map(|rows| &rows.shown).collect();
    if !shown.is_empty() {
        steps.push(Step::at(statements.show_messages, json(&shown)?, now));
    }
    if !done.is_empty() {
        let stands = json(&done.iter().map(|rows| Stands::of(&rows.connection)).collect::<Vec<_>>())?;
        steps.push(Step::at(statements.leave_messages, stands, now));
    }
    let news: Vec<_> = done.iter().filter_map(|rows| rows.news.as_ref()).collect();
    if !news.is_empty() {
        steps.push(Step::at(statements.tell, json(&news)?, now));
    }
    let mut groups: Vec<_> = done.iter().filter_map(|rows| rows.group.as_ref()).collect();
    groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    groups.dedup_by(|a, b| a.group_id == b.group_id);
    if !groups.is_empty() {
        steps.push(Step::of(statements.sweep_groups, json(&groups)?));
    }
    Ok(())
}

async fn record(
    rows: &[&ProgressRow],
    pool: &Pool,
    sql: &'static Statements,
) -> Result<HashSet<String>, StoreError> {
    let json = json(rows)?;
    on!(pool, db => {
        let rows = sqlx::query(sql.record).bind(json).fetch_all(db).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    })
}

#[cfg(test)]
mod tests;
