//! Reading what App Home shows: connections of one person, or of everybody, over all channels.
//!
//! Owns that no more of them are read than fit. Which states are wanted, which of them are one entry, and what
//! is shown of that, others say.

use std::ops::Range;

use jiff::Timestamp;
use sqlx::Row as _;

use super::connections::connection;
use super::{Pool, Store, StoreError, Stored, on};
use crate::life::{InShort, Link, Purpose, State};
use crate::work::Key;

/// Which links are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The workspace or organisation.
    pub team_id: String,
    /// Those that this person asked for; `None`: everybody's.
    pub requester: Option<String>,
    /// Those in these states, by [`crate::life::State::urgency`].
    pub urgencies: Range<usize>,
}

fn number(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

impl Store {
    /// Links that are wanted, the most urgent first: `limit` of them after the first `skip`. One that this
    /// version cannot read is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn links_of_home(
        &self,
        wanted: &Wanted,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Link>, StoreError> {
        let Wanted { team_id, requester, urgencies } = wanted;
        let sql = &self.0.sql.connections;
        on!(&self.0.pool, db => {
            let query = match requester {
                Some(requester) => sqlx::query(sql.of_requester).bind(team_id).bind(requester),
                None => sqlx::query(sql.of_house).bind(team_id),
            };
            let query = query.bind(number(urgencies.start)).bind(number(urgencies.end));
            let rows = query.bind(number(skip)).bind(number(limit)).fetch_all(db).await?;
            let read = rows.iter().map(|row| -> Result<Stored, StoreError> { connection!(row) });
            Ok(read.filter_map(Result::ok).map(|stored| stored.connection.link).collect())
        })
    }

    /// The first `limit` of them in short. One that this version cannot read is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn links_in_short(&self, wanted: &Wanted, limit: usize) -> Result<Vec<InShort>, StoreError> {
        let Wanted { team_id, requester, urgencies } = wanted;
        let sql = &self.0.sql.connections;
        on!(&self.0.pool, db => {
            let query = match requester {
                Some(requester) => sqlx::query(sql.short_of_requester).bind(team_id).bind(requester),
                None => sqlx::query(sql.short_of_house).bind(team_id),
            };
            let query = query.bind(number(urgencies.start)).bind(number(urgencies.end)).bind(number(limit));
            let mut read = Vec::new();
            for row in query.fetch_all(db).await? {
                let (state, purpose): (String, Option<String>) = (row.try_get("state")?, row.try_get("purpose")?);
                let expires_at = Timestamp::from_millisecond(row.try_get("expires_at")?).ok();
                let Some((state, expires_at)) = State::named(&state).zip(expires_at) else { continue };
                read.push(InShort {
                    key: Key { group_id: row.try_get("group_id")?, name: row.try_get("name")? },
                    onboarding: row.try_get("onboarding")?,
                    purpose: purpose.as_deref().and_then(Purpose::named),
                    state,
                    expires_at,
                });
            }
            Ok(read)
        })
    }
}
