//! The connections in the database: reading them, and taking those that are due.
//!
//! Owns how a row is read. Every write of one goes through [`super::change`] and names the version
//! that it was judged by. What a state means is [`crate::life`]'s.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;

use super::row::{NOBODY, reminded};
use super::{KEEP, Pool, Recorded, Store, StoreError, millis, on};
use crate::life::{Connection, Link, Place, Posting, Purpose, State, Trouble};
use crate::work::{Key, Work};

/// How long the lease of a group lasts at the least: longer than a list of many pages.
const SWEEP_LEASE: Duration = Duration::from_secs(120);

/// A group in which a link was posted since then goes on being listed, whatever its list was read for:
/// longer than a list takes, and than the clocks of two replicas differ.
const RECENTLY: SignedDuration = SignedDuration::from_mins(10);
/// When such a group is listed again.
const SOON: SignedDuration = SignedDuration::from_secs(30);

/// A connection as it stands in the database.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The connection.
    pub connection: Connection,
    /// Which of its versions this is; what was judged by it holds only while it is the last.
    pub version: i64,
    /// Whether its message does not show yet how its link stands.
    pub behind: bool,
}

/// A watched connection in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// Fivetran's id.
    pub connection_id: String,
    /// Which of its versions this is.
    pub version: i64,
    /// What was seen last, in short.
    pub seen: Option<String>,
    /// The next moment that matters without Fivetran's doing.
    pub tick_at: Option<Timestamp>,
    /// Until when it is watched, in ms since 1970.
    watch_until: i64,
}

fn moment(ms: Option<i64>) -> Option<Timestamp> {
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok())
}

/// A group whose connections are to be listed, by this process.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The group's id.
    pub group_id: String,
    /// How many pages its list had the last time.
    pub pages: u64,
    /// When it was listed last. Kept with the rest.
    pub listed_at: Option<Timestamp>,
    fence: i64,
}

/// When a group was listed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastList {
    /// Never, though it has been wanted since then.
    Never {
        /// When a link was posted in it.
        wanted: Option<Timestamp>,
    },
    /// Then.
    At(Timestamp),
}

/// Reads a connection from a row of either engine.
macro_rules! connection {
    ($row:expr) => {{
        let row = $row;
        let id: String = row.try_get("link")?;
        let unreadable = || StoreError::Unreadable(id.clone());
        let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).map_err(|_| unreadable());
        let when = |ms: Option<i64>| ms.map(time).transpose();
        let (channel, ts): (Option<String>, Option<String>) =
            (row.try_get("place_channel")?, row.try_get("place_ts")?);
        $crate::store::connections::Columns {
            key: $crate::work::Key { group_id: row.try_get("group_id")?, name: row.try_get("name")? },
            connection_id: row.try_get("connection_id")?,
            team_id: row.try_get("team_id")?,
            channel_id: row.try_get("channel_id")?,
            requester: row.try_get("requester")?,
            request: row.try_get("request")?,
            generation: row.try_get("generation")?,
            message_id: row.try_get("message")?,
            message: channel.zip(ts).map(|(channel, ts)| $crate::life::Place { channel, ts }),
            posting: row.try_get("posting")?,
            state: row.try_get("state")?,
            purpose: row.try_get("purpose")?,
            detail: row.try_get("detail")?,
            trouble: row.try_get("trouble")?,
            posted_at: time(row.try_get("posted_at")?)?,
            expires_at: time(row.try_get("expires_at")?)?,
            changed_at: time(row.try_get("changed_at")?)?,
            reminded: row.try_get("reminded")?,
            landed_at: when(row.try_get("landed_at")?)?,
            looks: row.try_get("looks")?,
            look_at: when(row.try_get("look_at")?)?,
            missing_since: when(row.try_get("missing_since")?)?,
            seen: row.try_get("seen")?,
            onboarding: row.try_get("onboarding")?,
            version: row.try_get("version")?,
            behind: row.try_get::<$crate::store::connections::Flag, _>("behind")?,
            id: id.clone(),
        }
        .read()
    }};
}
pub(super) use connection;

/// A yes or no that a statement computes.
pub(super) type Flag = i32;

/// The columns of a row.
pub(super) struct Columns {
    pub(super) key: Key,
    pub(super) id: String,
    pub(super) connection_id: String,
    pub(super) team_id: String,
    pub(super) channel_id: String,
    pub(super) requester: String,
    pub(super) request: String,
    pub(super) generation: i64,
    pub(super) message_id: String,
    pub(super) message: Option<Place>,
    pub(super) posting: Option<String>,
    pub(super) state: String,
    pub(super) purpose: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) trouble: Option<String>,
    pub(super) posted_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) changed_at: Timestamp,
    pub(super) reminded: i64,
    pub(super) landed_at: Option<Timestamp>,
    pub(super) looks: i64,
    pub(super) look_at: Option<Timestamp>,
    pub(super) missing_since: Option<Timestamp>,
    pub(super) seen: Option<String>,
    pub(super) onboarding: Option<String>,
    pub(super) version: i64,
    pub(super) behind: Flag,
}

impl Columns {
    pub(super) fn read(self) -> Result<Stored, StoreError> {
        let unreadable = || StoreError::Unreadable(self.id.clone());
        let posting = self.posting.as_deref().map(serde_json::from_str::<Posting>);
        let state = State::named(&self.state).ok_or_else(unreadable)?;
        // The release before leaves it behind. What cannot be read asks nobody for anything.
        let trouble = self.trouble.filter(|_| state == State::Broken);
        let trouble = trouble.map(|json| serde_json::from_str::<Trouble>(&json).unwrap_or_default());
        let link = Link {
            request: serde_json::from_str(&self.request).map_err(|_| unreadable())?,
            state,
            trouble,
            connection_id: self.connection_id,
            team_id: self.team_id,
            channel_id: self.channel_id,
            requester: Some(self.requester).filter(|it| it != NOBODY),
            message_id: self.message_id,
            message: self.message,
            detail: self.detail,
            posted_at: self.posted_at,
            expires_at: self.expires_at,
            changed_at: self.changed_at,
            reminded: reminded(self.reminded),
            purpose: self.purpose.as_deref().and_then(Purpose::named),
            landed_at: self.landed_at,
            onboarding: self.onboarding,
            id: self.id.clone(),
        };
        let connection = Connection {
            posting: posting.transpose().map_err(|_| StoreError::Unreadable(self.id.clone()))?,
            key: self.key,
            link,
            generation: self.generation,
            look_at: self.look_at,
            looks: u32::try_from(self.looks).unwrap_or(u32::MAX),
            missing_since: self.missing_since,
            seen: self.seen,
        };
        Ok(Stored { connection, version: self.version, behind: self.behind != 0 })
    }
}

impl Store {
    /// One connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connection(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.by_key).bind(&key.group_id).bind(&key.name);
            let row = query.fetch_optional(db).await?;
            row.map(|row| connection!(&row)).transpose()
        })
    }

    /// The connection whose newest link has this reference.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connection_of_link(&self, link: &str) -> Result<Option<Stored>, StoreError> {
        on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.connections.by_link).bind(link).fetch_optional(db).await?;
            row.map(|row| connection!(&row)).transpose()
        })
    }

    /// The connection of a link, be it the newest or one before it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connection_of_any_link(&self, link: &str) -> Result<Option<Stored>, StoreError> {
        if let Some(stored) = self.connection_of_link(link).await? {
            return Ok(Some(stored));
        }
        // A link has the reference of the command that posted it first.
        let command = self.command(link).await?;
        let work = command.and_then(|command| serde_json::from_str::<Work>(&command.request).ok());
        match work {
            Some(work) => self.connection(&work.request().key()).await,
            None => Ok(None),
        }
    }

    /// The connection of that name whose home is this channel; of several, the one with the latest link.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connection_of_schema(
        &self,
        team: &str,
        channel: &str,
        name: &str,
    ) -> Result<Option<Stored>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.by_schema).bind(team).bind(channel).bind(name);
            let row = query.fetch_optional(db).await?;
            row.map(|row| connection!(&row)).transpose()
        })
    }

    /// Links of a channel that are not over, the most urgent first: `limit` of them after the first
    /// `skip`. One that this version cannot read is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn links_of_channel(
        &self,
        team: &str,
        channel: &str,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Link>, StoreError> {
        let (skip, limit) =
            (i64::try_from(skip).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.of_channel).bind(team).bind(channel).bind(skip).bind(limit);
            let rows = query.fetch_all(db).await?;
            let read = rows.iter().map(|row| -> Result<Stored, StoreError> { connection!(row) });
            Ok(read.filter_map(Result::ok).map(|stored| stored.connection.link).collect())
        })
    }

    /// How many links of a channel are not over; counts up to `most`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_links_of_channel(
        &self,
        team: &str,
        channel: &str,
        most: usize,
    ) -> Result<usize, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.count_of_channel).bind(team).bind(channel).bind(most);
            let count: i64 = query.fetch_one(db).await?.try_get("n")?;
            Ok(usize::try_from(count).unwrap_or_default())
        })
    }

    /// The watched connections of a group, those first whose watching ends first: `limit` of them after
    /// `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn watched(
        &self,
        group_id: &str,
        now: Timestamp,
        after: Option<&Watched>,
        limit: usize,
    ) -> Result<Vec<Watched>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (until, name) = match after {
            Some(watched) => (watched.watch_until, watched.name.as_str()),
            None => (now.as_millisecond(), ""),
        };
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.watched);
            let rows = query.bind(group_id).bind(until).bind(name).bind(limit).fetch_all(db).await?;
            rows.iter()
                .map(|row| {
                    Ok(Watched {
                        name: row.try_get("name")?,
                        connection_id: row.try_get("connection_id")?,
                        version: row.try_get("version")?,
                        seen: row.try_get("seen")?,
                        tick_at: moment(row.try_get("tick_at")?),
                        watch_until: row.try_get("watch_until")?,
                    })
                })
                .collect()
        })
    }

    /// Takes connections whose own look is due at `now`, by putting it off until `again`: whoever
    /// takes them and dies is followed by the next.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_looks(
        &self,
        now: Timestamp,
        again: Timestamp,
        limit: i64,
    ) -> Result<Vec<Key>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.claim_looks);
            let query = query.bind(now.as_millisecond()).bind(again.as_millisecond()).bind(limit);
            let rows = query.fetch_all(db).await?;
            rows.iter()
                .map(|row| Ok(Key { group_id: row.try_get("group_id")?, name: row.try_get("name")? }))
                .collect()
        })
    }

    /// Connections whose moment came before `before`, and which no list has shown since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ticked(&self, before: Timestamp, limit: i64) -> Result<Vec<Key>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.ticked).bind(before.as_millisecond()).bind(limit);
            let rows = query.fetch_all(db).await?;
            rows.iter()
                .map(|row| Ok(Key { group_id: row.try_get("group_id")?, name: row.try_get("name")? }))
                .collect()
        })
    }

    /// How many connections Fivetran says are not there and are not believed to be gone; counts up to
    /// `most`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn missing(&self, most: u64) -> Result<u64, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.connections.missing).bind(most).fetch_one(db).await?;
            let count: i64 = row.try_get("n")?;
            Ok(u64::try_from(count).unwrap_or_default())
        })
    }

    /// Makes sure that groups are listed, whether or not anything in them is watched. When one is due that is
    /// listed anyhow stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn want_lists(&self, groups: &BTreeSet<String>, now: Timestamp) -> Result<(), StoreError> {
        let now = now.as_millisecond();
        let rows: Vec<_> =
            groups.iter().map(|id| serde_json::json!({ "group_id": id, "next_at": now })).collect();
        let rows = serde_json::Value::Array(rows).to_string();
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.connections.want_sweeps).bind(&rows).execute(db).await?;
            Ok(())
        })
    }

    /// Takes groups that are to be listed by `now` and that nobody is at work on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_sweeps(&self, now: Timestamp, limit: i64) -> Result<Vec<Sweep>, StoreError> {
        on!(&self.0.pool, db => {
            let rows = sqlx::query(self.0.sql.connections.claim_sweeps)
                .bind(&self.0.owner)
                .bind(millis(self.0.lease.max(SWEEP_LEASE)))
                .bind(now.as_millisecond())
                .bind(limit)
                .fetch_all(db)
                .await?;
            rows.iter()
                .map(|row| {
                    let pages: i64 = row.try_get("pages")?;
                    Ok(Sweep {
                        group_id: row.try_get("group_id")?,
                        pages: u64::try_from(pages).unwrap_or(1),
                        listed_at: moment(row.try_get("listed_at")?),
                        fence: row.try_get("fence")?,
                    })
                })
                .collect()
        })
    }

    /// How many pages the lists of all watched groups have.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep_pages(&self) -> Result<u64, StoreError> {
        on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.connections.sweep_pages).fetch_one(db).await?;
            Ok(u64::try_from(row.try_get::<i64, _>("n")?).unwrap_or_default())
        })
    }

    /// When a group was listed last, if anything in it is watched.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn listed(&self, group_id: &str) -> Result<Option<LastList>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.listed).bind(group_id);
            let row = query.fetch_optional(db).await?;
            row.map(|row| {
                Ok(match (moment(row.try_get("listed_at")?), moment(row.try_get("posted_at")?)) {
                    (Some(at), _) => LastList::At(at),
                    (None, wanted) => LastList::Never { wanted },
                })
            })
            .transpose()
        })
    }

    /// Stores when a group is to be listed next, and gives it back; `None`: when a link is posted in it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_sweep(
        &self,
        sweep: &Sweep,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let (recently, soon) = (now.saturating_sub(RECENTLY), now.saturating_add(SOON));
        let (recently, soon) =
            (recently.unwrap_or(now).as_millisecond(), soon.unwrap_or(now).as_millisecond());
        let pages = i64::try_from(sweep.pages).unwrap_or(i64::MAX);
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.record_sweep).bind(&sweep.group_id).bind(sweep.fence);
            let query = query.bind(next.map(|at| at.as_millisecond())).bind(pages).bind(recently).bind(soon);
            let query = query.bind(sweep.listed_at.map(|at| at.as_millisecond()));
            let done = query.execute(db).await?;
            Ok(if done.rows_affected() == 1 { Recorded::Committed } else { Recorded::LeaseLost })
        })
    }

    /// Deletes what is left of connections that are deleted, and of messages that show none of ours,
    /// for [`KEEP`]; at most a portion of each. Returns how many rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn purge_connections(&self, now: Timestamp) -> Result<u64, StoreError> {
        const PORTION: i64 = 500;
        let before = now.saturating_sub(KEEP).unwrap_or(now).as_millisecond();
        let sql = &self.0.sql.connections;
        on!(&self.0.pool, db => {
            let mut rows = 0;
            let (sources, onboardings) = (sql.onboardings.purge_sources, sql.onboardings.purge_onboardings);
            for statement in [sql.purge_connections, sql.purge_messages, sql.purge_news, sources, onboardings] {
                rows += sqlx::query(statement).bind(before).bind(PORTION).execute(&mut *db).await?.rows_affected();
            }
            Ok(rows)
        })
    }
}
