//! What a clock that was set back has put off.
//!
//! Owns how far ahead of the clock a row can be due by anybody's doing. What is due later was put off
//! while the clock was ahead, and would wait for as long as it was set back by. Must not know why anything
//! is put off. Moments of a link's own, such as its expiry, are no pauses, and come when the clock says so.

use jiff::{SignedDuration, Timestamp};

use super::{Pool, Store, StoreError, on};

/// How far the clocks of two replicas may be apart: Slack's signatures allow no more.
const APART: SignedDuration = SignedDuration::from_mins(5);
/// Longest that a command rests, that a look is put off, or that the audit channel is left alone: as long
/// as Slack is after posts without an answer.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// Longest that an edit is put off: Slack refuses it, and somebody has to do something first.
pub const LONGEST_PAUSE_OF_AN_EDIT: SignedDuration = SignedDuration::from_hours(1);

/// Until when something that is paused so long at the most can be put off, in ms since 1970.
pub(super) fn latest(pause: SignedDuration, now: Timestamp) -> i64 {
    now.saturating_add(pause + APART).unwrap_or(Timestamp::MAX).as_millisecond()
}

impl Store {
    /// Makes due now what is put off for longer than anything ever is. Returns how many rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hasten(&self, now: Timestamp) -> Result<u64, StoreError> {
        let sql = self.0.sql;
        // A list can be put off for a day, but none was read in the time to come, where clocks agree.
        let statements = [
            (sql.hasten_commands, LONGEST_PAUSE),
            (sql.connections.hasten_looks, LONGEST_PAUSE),
            (sql.connections.hasten_sweeps, SignedDuration::ZERO),
            (sql.connections.hasten_messages, LONGEST_PAUSE_OF_AN_EDIT),
        ];
        on!(&self.0.pool, db => {
            let mut rows = 0;
            for (statement, pause) in statements {
                let query = sqlx::query(statement).bind(now.as_millisecond()).bind(latest(pause, now));
                rows += query.execute(&mut *db).await?.rows_affected();
            }
            Ok(rows)
        })
    }
}
