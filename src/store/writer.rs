//! The writers: they put all rows that are waiting into one statement, and so into one commit.
//!
//! Owns batching and what becomes of a row whose caller has gone. Two run side by side, one for
//! each kind of write.

use serde::Serialize;
use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot};

use super::statements::Statements;
use super::{Accepted, Claimed, NewCommand, Pool, Recorded, StageName, StoreError, Then, millis, on};
use crate::journal::Progress;

/// Most rows of one statement. A statement of this size takes a few milliseconds; a larger one
/// would keep the acknowledgements behind it waiting.
const BATCH: usize = 256;

pub(super) struct Accept {
    pub(super) row: NewRow,
    pub(super) reply: oneshot::Sender<Result<Accepted, StoreError>>,
}

pub(super) struct Record {
    pub(super) row: ProgressRow,
    pub(super) reply: oneshot::Sender<Result<Recorded, StoreError>>,
}

/// A new row, as the statement reads it.
#[derive(Clone, Serialize)]
pub(super) struct NewRow {
    id: String,
    dedup: String,
    subject: String,
    team_id: String,
    channel_id: String,
    user_id: String,
    request: String,
    response_url: String,
    stage: &'static str,
    connection_id: Option<String>,
    existed: u8,
    accepted_at: i64,
}

impl NewRow {
    pub(super) fn new(new: NewCommand, response_url: String) -> Self {
        let Progress { stage, connection, existed, .. } = new.progress;
        Self {
            id: new.id,
            dedup: new.dedup,
            subject: new.subject,
            team_id: new.team_id,
            channel_id: new.channel_id,
            user_id: new.user_id,
            request: new.request,
            response_url,
            stage: StageName::from(stage).0,
            connection_id: connection,
            existed: existed.into(),
            accepted_at: new.accepted_at.as_millisecond(),
        }
    }
}

/// How a command stands, as the statement reads it.
#[derive(Clone, Serialize)]
pub(super) struct ProgressRow {
    id: String,
    fence: i64,
    stage: &'static str,
    connection_id: Option<String>,
    existed: u8,
    problem: Option<String>,
    tries: u32,
    posts: u32,
    run_at: i64,
    ended_at: Option<i64>,
    /// 1 while this process goes on.
    keep: u8,
}

impl ProgressRow {
    pub(super) fn new(claimed: &Claimed, progress: &Progress, then: Then) -> Self {
        let (run_at, ended_at, keep) = match then {
            Then::GoOn => (claimed.accepted_at, None, 1),
            Then::WaitUntil(time) => (time, None, 0),
            Then::End(time) => (time, Some(time.as_millisecond()), 0),
        };
        Self {
            id: claimed.id.clone(),
            fence: claimed.fence,
            stage: StageName::from(progress.stage).0,
            connection_id: progress.connection.clone(),
            existed: progress.existed.into(),
            // A type of ours, made of strings and numbers: this cannot fail.
            problem: progress.problem.as_ref().and_then(|problem| serde_json::to_string(problem).ok()),
            tries: progress.tries,
            posts: progress.posts,
            run_at: run_at.as_millisecond(),
            ended_at,
            keep,
        }
    }

    /// Ends a command whose acceptance nobody waited for: its person was told that nothing would
    /// happen.
    fn void(id: String, fence: i64, at: i64) -> Self {
        Self {
            id,
            fence,
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

/// Accepts until the last [`super::Store`] is gone.
pub(super) async fn accept(
    mut waiting: mpsc::UnboundedReceiver<Accept>,
    pool: Pool,
    sql: &'static Statements,
    owner: String,
    lease: std::time::Duration,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        // Whoever has stopped waiting has told the person that nothing was accepted.
        batch.retain(|accept: &Accept| !accept.reply.is_closed());
        // Two replicas that insert the same rows must lock them in the same order.
        batch.sort_by(|a, b| a.row.dedup.cmp(&b.row.dedup));
        let rows: Vec<_> = batch.iter().map(|accept| &accept.row).collect();
        let result = insert(&rows, &pool, sql, &owner, lease).await;
        let mut late = Vec::new();
        for accept in batch.drain(..) {
            let outcome = match &result {
                Ok(ids) if ids.contains(&accept.row.id) => Ok(Accepted::Committed),
                Ok(_) => Ok(Accepted::Twin),
                Err(error) => Err(error.clone()),
            };
            let committed = matches!(outcome, Ok(Accepted::Committed));
            if accept.reply.send(outcome).is_err() && committed {
                late.push(ProgressRow::void(
                    accept.row.id,
                    super::Store::first_fence(),
                    accept.row.accepted_at,
                ));
            }
        }
        if !late.is_empty() {
            tracing::warn!(count = late.len(), "voided commands whose commit came too late");
            void(late, pool.clone(), sql);
        }
    }
}

/// Voids rows beside the writer, again and again until the database takes it.
fn void(rows: Vec<ProgressRow>, pool: Pool, sql: &'static Statements) {
    tokio::spawn(async move {
        while let Err(error) = update(&rows.iter().collect::<Vec<_>>(), &pool, sql).await {
            if matches!(pool, Pool::Sqlite(ref pool) if pool.is_closed()) {
                return;
            }
            tracing::warn!(%error, "could not void late commands, trying again");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
}

/// Records until the last [`super::Store`] is gone.
pub(super) async fn record(
    mut waiting: mpsc::UnboundedReceiver<Record>,
    pool: Pool,
    sql: &'static Statements,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        batch.sort_by(|a: &Record, b| a.row.id.cmp(&b.row.id));
        let rows: Vec<_> = batch.iter().map(|record| &record.row).collect();
        let result = update(&rows, &pool, sql).await;
        for Record { row, reply } in batch.drain(..) {
            // A caller that is gone has been shut down; what is stored is stored.
            let _ = reply.send(match &result {
                Ok(ids) if ids.contains(&row.id) => Ok(Recorded::Committed),
                Ok(_) => Ok(Recorded::LeaseLost),
                Err(error) => Err(error.clone()),
            });
        }
    }
}

pub(super) struct Keep {
    pub(super) row: LinkRow,
    pub(super) reply: oneshot::Sender<Result<(), StoreError>>,
}

/// A posted link, as the statement reads it.
#[derive(Clone, Serialize)]
pub(super) struct LinkRow {
    pub(super) id: String,
    pub(super) connection_id: String,
    pub(super) team_id: String,
    pub(super) channel_id: String,
    pub(super) requester: String,
    pub(super) request: String,
    pub(super) schema_name: String,
    pub(super) message_channel: Option<String>,
    pub(super) message_ts: Option<String>,
    pub(super) posted_at: i64,
    pub(super) expires_at: i64,
    pub(super) check_at: i64,
}

/// Keeps posted links until the last [`super::Store`] is gone.
pub(super) async fn keep(mut waiting: mpsc::UnboundedReceiver<Keep>, pool: Pool, sql: &'static Statements) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        batch.sort_by(|a: &Keep, b| a.row.id.cmp(&b.row.id));
        let rows: Vec<_> = batch.iter().map(|keep| &keep.row).collect();
        let result = insert_links(&rows, &pool, sql).await;
        for keep in batch.drain(..) {
            let _ = keep.reply.send(result.clone());
        }
    }
}

async fn insert_links(rows: &[&LinkRow], pool: &Pool, sql: &'static Statements) -> Result<(), StoreError> {
    let json = json(rows)?;
    on!(pool, pool => sqlx::query(sql.keep_links).bind(json).execute(pool).await.map(drop))?;
    Ok(())
}

type Ids = std::collections::HashSet<String>;

async fn insert(
    rows: &[&NewRow],
    pool: &Pool,
    sql: &'static Statements,
    owner: &str,
    lease: std::time::Duration,
) -> Result<Ids, StoreError> {
    if rows.is_empty() {
        return Ok(Ids::new());
    }
    let json = json(rows)?;
    on!(pool, pool => {
        let rows = sqlx::query(sql.accept).bind(json).bind(owner).bind(millis(lease)).fetch_all(pool).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    })
}

async fn update(rows: &[&ProgressRow], pool: &Pool, sql: &'static Statements) -> Result<Ids, StoreError> {
    let json = json(rows)?;
    on!(pool, pool => {
        let rows = sqlx::query(sql.record).bind(json).fetch_all(pool).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    })
}

fn json<T: Serialize>(rows: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|_| StoreError::Database("a row that is no JSON".to_owned()))
}
