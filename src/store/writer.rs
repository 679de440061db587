//! The writers: they put all rows that are waiting into one statement, and so into one commit.
//!
//! Owns the batching of two of the three that run side by side, one for each kind of write:
//! recording a command's progress and keeping its link. Accepting is [`super::accept`]'s.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot};

use super::statements::Statements;
use super::{Pool, StoreError, on};

/// Most rows of one statement. A statement of this size takes a few milliseconds; a larger one
/// would keep the acknowledgements behind it waiting.
const BATCH: usize = 256;

/// What came of recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is on disk.
    Committed,
    /// Somebody else has taken the command since; drop everything about it.
    LeaseLost,
}

pub(super) struct Record {
    pub(super) row: ProgressRow,
    pub(super) reply: oneshot::Sender<Result<Recorded, StoreError>>,
}

/// How a command stands, as the statement reads it.
#[derive(Clone, Serialize)]
pub(super) struct ProgressRow {
    pub(super) id: String,
    pub(super) fence: i64,
    pub(super) stage: &'static str,
    pub(super) connection_id: Option<String>,
    pub(super) existed: u8,
    pub(super) problem: Option<String>,
    pub(super) tries: u32,
    pub(super) posts: u32,
    pub(super) run_at: i64,
    pub(super) ended_at: Option<i64>,
    /// 1 while this process goes on.
    pub(super) keep: u8,
}

/// Records until the last [`super::Store`] is gone.
pub(super) async fn record(
    mut waiting: mpsc::UnboundedReceiver<Record>,
    pool: Pool,
    sql: &'static Statements,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let rows: Vec<_> = batch.iter().map(|record| &record.row).collect();
        let mut results = Vec::with_capacity(rows.len());
        match update(&rows, &pool, sql).await {
            // One row must not suffer for another that the database does not take.
            Err(StoreError::Refused(_)) if rows.len() > 1 => {
                for row in rows {
                    results.push(update(&[row], &pool, sql).await.map(|ids| ids.contains(&row.id)));
                }
            }
            result => {
                results.extend(
                    rows.iter()
                        .map(|row| result.as_ref().map(|ids| ids.contains(&row.id)).map_err(Clone::clone)),
                );
            }
        }
        for (Record { reply, .. }, result) in batch.drain(..).zip(results) {
            // A caller that is gone has been shut down; what is stored is stored.
            let _ =
                reply.send(result.map(|ours| if ours { Recorded::Committed } else { Recorded::LeaseLost }));
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
    pub(super) made_over: Option<&'static str>,
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
    on!(pool, db => {
        sqlx::query(sql.keep_links).bind(json).execute(db).await?;
            Ok(())
    })
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
