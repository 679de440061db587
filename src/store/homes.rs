//! Reading what App Home shows: connections of one person, or of everybody, over all channels.
//!
//! Owns that no more of them are read than fit. Which states are wanted, and what is shown of them, others
//! say.

use std::ops::Range;

use sqlx::Row as _;

use super::connections::connection;
use super::{Pool, Store, StoreError, Stored, on};
use crate::life::Link;

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

    /// How many there are; counts up to `most`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_links_of_home(&self, wanted: &Wanted, most: usize) -> Result<usize, StoreError> {
        let Wanted { team_id, requester, urgencies } = wanted;
        let sql = &self.0.sql.connections;
        on!(&self.0.pool, db => {
            let query = match requester {
                Some(requester) => sqlx::query(sql.count_of_requester).bind(team_id).bind(requester),
                None => sqlx::query(sql.count_of_house).bind(team_id),
            };
            let query = query.bind(number(urgencies.start)).bind(number(urgencies.end)).bind(number(most));
            let count: i64 = query.fetch_one(db).await?.try_get("n")?;
            Ok(usize::try_from(count).unwrap_or_default())
        })
    }
}
