//! The lines that the audit channel is still to be told, and whose turn it is to tell it.
//!
//! Owns the rows and the one lease that goes with them: a channel is told by one process at a time, so
//! that its lines stay in order and Slack's limit for one channel is kept. A line is put into the
//! commit of what it tells by [`super::change`]. Must not know what a line says.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::Row as _;
use tokio::time::Instant;

use super::set_back::{LONGEST_PAUSE, latest};
use super::{Pool, Recorded, Store, StoreError, millis, on};
use crate::outbound::CALL_TIMEOUT;
use crate::trail::{Entry, Line};

/// How long a turn lasts: three times the longest call, since it is not prolonged.
pub(super) const TURN: Duration = CALL_TIMEOUT.saturating_mul(3);
/// Lines that are kept while Slack is out of reach; beyond that the oldest go. Some 5 MB, and what two
/// hundred people do in a week.
pub const MOST_LINES: i64 = 10_000;
/// For how long they are kept at the most.
pub const KEEP_LINES: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Lines that one statement deletes, so that nothing waits for it long.
const PORTION: i64 = 500;

/// A line as the statement reads it.
#[derive(Serialize)]
pub(super) struct LineRow<'a> {
    pub(super) id: &'a str,
    pub(super) seq: i64,
    pub(super) body: &'a str,
}

/// A line that goes into a commit.
pub(super) struct NewLine {
    pub(super) id: String,
    at_ms: i64,
    body: String,
}

impl NewLine {
    pub(super) fn of(id: String, entry: &Entry) -> Option<Self> {
        let body = serde_json::to_string(entry).ok()?;
        Some(Self { id, at_ms: entry.at.as_millisecond(), body })
    }

    /// As it is written. `last`: the place of the line before it, which this one goes behind.
    pub(super) fn row(&self, last: &mut i64) -> LineRow<'_> {
        *last = self.at_ms.saturating_mul(1000).max(last.saturating_add(1));
        LineRow { id: &self.id, seq: *last, body: &self.body }
    }
}

/// The turn to tell the channel, with what there is to tell.
#[derive(Debug)]
pub struct ChannelTurn {
    /// The next lines, in order.
    pub lines: Vec<Line>,
    /// How many were given up before them, and that is still to be told.
    pub dropped: i64,
    /// Posts that failed since one worked, or since Slack asked for a pause.
    pub tries: u32,
    fence: i64,
    until: Instant,
}

impl ChannelTurn {
    /// How long it is surely still ours.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Store {
    /// From now on, what happens is kept for the audit channel.
    pub fn keep_trail(&self) {
        self.0.keeps_trail.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    #[must_use]
    pub fn keeps_trail(&self) -> bool {
        self.0.keeps_trail.load(Ordering::Relaxed)
    }

    /// Until this process has kept a line.
    pub async fn line_kept(&self) {
        self.0.line_kept.notified().await;
    }

    /// A line for this, if lines are kept.
    pub(super) fn new_line(&self, id: impl FnOnce() -> String, entry: Option<&Entry>) -> Option<NewLine> {
        entry.filter(|_| self.keeps_trail()).and_then(|entry| NewLine::of(id(), entry))
    }

    /// Takes the turn to tell the channel, if nobody has it, it is due and there is something to tell;
    /// with up to `limit` lines. One that is put off for longer than anybody puts it off is due too:
    /// the clock has been set back since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_turn(&self, now: Timestamp, limit: i64) -> Result<Option<ChannelTurn>, StoreError> {
        let until = Instant::now() + TURN;
        let turn = on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.take_turn).bind(&self.0.owner).bind(millis(TURN));
            let query = query.bind(now.as_millisecond()).bind(latest(LONGEST_PAUSE, now));
            // To its end, since only there it is committed.
            let rows = query.fetch_all(db).await?;
            rows.first().map(|row| Ok(ChannelTurn {
                lines: Vec::new(),
                dropped: row.try_get("dropped")?,
                tries: u32::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u32::MAX),
                fence: row.try_get("fence")?,
                until,
            })).transpose()
        })?;
        let Some(mut turn) = turn else { return Ok(None) };
        // Read once the turn is ours: whoever had it has deleted what was told.
        turn.lines = on!(&self.0.pool, db => {
            let rows = sqlx::query(self.0.sql.lines).bind(limit).fetch_all(db).await?;
            rows.iter()
                .map(|row| {
                    let (id, body): (String, String) = (row.try_get("id")?, row.try_get("body")?);
                    Ok(Line { id, entry: serde_json::from_str(&body).ok() })
                })
                .collect()
        })?;
        Ok(Some(turn))
    }

    /// Forgets lines that were told. That they were is so whoever has the turn by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_lines(&self, lines: &[Line]) -> Result<(), StoreError> {
        let ids: Vec<_> = lines.iter().map(|line| &line.id).collect();
        let ids = serde_json::to_string(&ids).map_err(|_| StoreError::Refused("no JSON".to_owned()))?;
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.forget_lines).bind(ids).execute(db).await?;
            Ok(())
        })
    }

    /// Gives the turn back until `due`. `tries`: posts that failed by now; `told`: how many of those
    /// that were given up the channel knows of.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_turn(
        &self,
        turn: &ChannelTurn,
        due: Timestamp,
        tries: u32,
        told: i64,
    ) -> Result<Recorded, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.record_turn).bind(turn.fence).bind(due.as_millisecond());
            let done = query.bind(i64::from(tries)).bind(told).execute(db).await?;
            Ok(if done.rows_affected() == 1 { Recorded::Committed } else { Recorded::LeaseLost })
        })
    }

    /// Makes the turn due at once if posts have failed: whoever starts a process may have done what Slack
    /// refused for want of. A pause that Slack asks for is none, and goes on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hurry_turn(&self) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.hurry_turn).execute(db).await?;
            Ok(())
        })
    }

    /// Gives up the lines that are too many or too old, and deletes those that were given up.
    pub(super) async fn trim_lines(&self, now: Timestamp) -> Result<(), StoreError> {
        let old = now.saturating_sub(KEEP_LINES).unwrap_or(Timestamp::MIN).as_microsecond();
        let seq = |row: Option<sqlx::Result<Option<i64>>>| row.transpose().map(Option::flatten);
        let bounds = on!(&self.0.pool, db => {
            let many = sqlx::query(self.0.sql.line_behind).bind(MOST_LINES).fetch_optional(&mut *db).await?;
            let aged = sqlx::query(self.0.sql.line_before).bind(old).fetch_optional(&mut *db).await?;
            Ok((seq(many.map(|row| row.try_get("seq")))?, seq(aged.map(|row| row.try_get("seq")))?))
        })?;
        if let Some(bound) = bounds.0.max(bounds.1) {
            // Counted and made void in one statement: a crash on the way counts none twice.
            let given_up = on!(&self.0.pool, db => {
                Ok(sqlx::query(self.0.sql.void_lines).bind(bound).execute(db).await?.rows_affected())
            })?;
            if given_up > 0 {
                tracing::warn!("lines for the audit channel were given up: too many wait, or for too long");
            }
        }
        loop {
            let purged = on!(&self.0.pool, db => {
                Ok(sqlx::query(self.0.sql.purge_lines).bind(PORTION).execute(db).await?.rows_affected())
            })?;
            if purged < PORTION.unsigned_abs() {
                return Ok(());
            }
        }
    }
}
