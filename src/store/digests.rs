//! Whose digest of which week has been posted, and what is unfinished.
//!
//! Owns that a channel's digest of a week is taken once, on disk, before anybody posts it. Must not know
//! which week this is, nor what a digest says.

use jiff::Timestamp;
use sqlx::Row as _;

use super::connections::connection;
use super::{Pool, Store, StoreError, Stored, on};
use crate::life::{Link, State};

/// In the place of a channel: each has had its turn.
const ALL: &str = "";
/// Weeks that are remembered, besides this one and the last. Counted, and not by how long ago they were: a
/// clock that was a year ahead for a day must not have it forgotten that this week's digests were posted.
const REMEMBERED: i64 = 8;

/// The first urgency at which nothing is unfinished.
fn finished() -> i64 {
    i64::try_from(State::Waiting.urgency() + 1).unwrap_or_default()
}

/// What is read of a list of connections. One that this version cannot read is left out, and so is a link
/// of which nobody knows yet whether it stands anywhere.
fn links(read: impl Iterator<Item = Result<Stored, StoreError>>) -> Vec<Link> {
    let known = read.filter_map(Result::ok).filter(|stored| stored.connection.posting.is_none());
    known.map(|stored| stored.connection.link).collect()
}

impl Store {
    /// Since when digests are posted by this plan: since `now`, unless it was in force before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_digests(&self, plan: &str, now: Timestamp) -> Result<Timestamp, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.plan_digests).bind(plan).bind(now.as_millisecond());
            query.execute(&mut *db).await?;
            let since = sqlx::query(self.0.sql.digests_since).fetch_one(&mut *db).await?.try_get("since")?;
            Ok(Timestamp::from_millisecond(since).unwrap_or(now))
        })
    }

    /// The same while the bot runs: `None` if another plan has come into force since, whose process posts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn digests_since(&self, plan: &str, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let known: Option<(String, i64)> = on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.digests_since).fetch_optional(db).await?;
            row.map(|row| Ok::<_, StoreError>((row.try_get("plan")?, row.try_get("since")?))).transpose()
        })?;
        match known {
            Some((other, _)) if other != plan => Ok(None),
            Some((_, since)) if since <= now.as_millisecond() => Ok(Timestamp::from_millisecond(since).ok()),
            // It was forgotten, or the clock has been set back since.
            _ => self.plan_digests(plan, now).await.map(Some),
        }
    }

    /// Forgets the plan: one that is made later counts from then on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unplan_digests(&self) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.unplan_digests).execute(db).await?;
            Ok(())
        })
    }

    /// Takes a channel's digest of a week; false if somebody has.
    ///
    /// # Errors
    /// [`StoreError`]; it may be taken all the same, and then nobody posts it.
    pub async fn take_digest(&self, week: i64, channel_id: &str, now: Timestamp) -> Result<bool, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.take_digest).bind(week).bind(channel_id);
            Ok(query.bind(now.as_millisecond()).execute(db).await?.rows_affected() == 1)
        })
    }

    /// Gives it back. Only whoever has taken it may, and only if it surely was not posted. Somebody else may
    /// have noted meanwhile that every channel has had its turn: that is not so any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_digest_back(&self, week: i64, channel_id: &str) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.give_digest_back).bind(week).bind(channel_id).execute(db).await?;
            Ok(())
        })
    }

    /// Whether every channel has had its turn in a week.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn are_digests_told(&self, week: i64) -> Result<bool, StoreError> {
        self.is_digest_taken(week, ALL).await
    }

    /// Whether a channel has had its turn in a week.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_digest_taken(&self, week: i64, channel_id: &str) -> Result<bool, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.digest_taken).bind(week).bind(channel_id);
            Ok(query.fetch_optional(db).await?.is_some())
        })
    }

    /// Notes that every channel has had its turn, and forgets weeks long before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn digests_told(&self, week: i64, now: Timestamp) -> Result<(), StoreError> {
        self.take_digest(week, ALL, now).await?;
        on!(&self.0.pool, db => {
            let behind = sqlx::query(self.0.sql.digests_behind).bind(REMEMBERED).fetch_optional(&mut *db).await?;
            if let Some(row) = behind {
                let behind: i64 = row.try_get("week")?;
                sqlx::query(self.0.sql.forget_digests).bind(behind).bind(week - 1).execute(&mut *db).await?;
            }
            Ok(())
        })
    }

    /// The first channel after this one that connections belong to, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn channel_after(&self, channel_id: &str) -> Result<Option<String>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.next_channel).bind(channel_id);
            Ok(query.fetch_one(db).await?.try_get("channel_id")?)
        })
    }

    /// Links of a channel, or of all, whose customer has not finished or that need to be fixed, the most
    /// urgent first: `limit` of them at the most, and whether there are others. Those that nobody watches
    /// any more are none of them: whether they are finished is not known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unfinished(
        &self,
        channel_id: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<Link>, bool), StoreError> {
        let sql = &self.0.sql.connections;
        let (most, now) = (i64::try_from(limit).unwrap_or(i64::MAX), now.as_millisecond());
        on!(&self.0.pool, db => {
            let query = match channel_id {
                Some(channel) => sqlx::query(sql.unfinished_here).bind(channel),
                None => sqlx::query(sql.unfinished),
            };
            let query = query.bind(finished()).bind(now).bind(most.saturating_add(1));
            let rows = query.fetch_all(db).await?;
            let read = rows.iter().take(limit).map(|row| -> Result<Stored, StoreError> { connection!(row) });
            Ok((links(read), rows.len() > limit))
        })
    }
}
