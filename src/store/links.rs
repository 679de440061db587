//! The posted links in the database: which there are, which are due, and who is at work on one.
//!
//! Owns the rows and their leases. A link's message is only ever edited by whoever holds its
//! lease, so that no late edit can undo a newer one. What a link's state means is
//! [`crate::life`]'s.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;
use tokio::sync::oneshot;

use super::{Pool, Recorded, Store, StoreError, millis, on, writer};
use crate::life::{Link, Place, Purpose, Reminded, State};
use crate::work::Request;

/// How long a link's lease lasts at the least: longer than a look with all its calls, since it is
/// not prolonged.
const LINK_LEASE: Duration = Duration::from_secs(90);

/// A link that was just posted.
pub struct NewLink<'a> {
    /// The reference of the command that posted it.
    pub id: &'a str,
    /// Its connection.
    pub connection_id: &'a str,
    /// The workspace.
    pub team_id: &'a str,
    /// The channel in which it was asked for.
    pub channel_id: &'a str,
    /// Who asked.
    pub requester: &'a str,
    /// What was asked for.
    pub request: &'a Request,
    /// Where its message stands, if that can be edited.
    pub message: Option<Place>,
    /// What it was made for, if its connection had been set up before.
    pub purpose: Option<Purpose>,
    /// Now.
    pub posted_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When to look for the first time.
    pub check_at: Timestamp,
}

/// A link of which this process holds the lease.
#[derive(Clone)]
pub struct ClaimedLink {
    /// How it stands.
    pub link: Link,
    fence: i64,
}

impl ClaimedLink {
    /// The same claim for a link that stands otherwise than its row says.
    #[must_use]
    pub fn showing(self, link: Link) -> Self {
        Self { link, ..self }
    }
}

/// What is kept of a command for those who refer to it later.
#[derive(Clone, Debug)]
pub struct CommandRow {
    /// The workspace.
    pub team_id: String,
    /// The channel.
    pub channel_id: String,
    /// The person.
    pub user_id: String,
    /// What was asked for, as JSON.
    pub request: String,
    /// The connection, once known.
    pub connection_id: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// Reads a link from a row of either engine.
macro_rules! link {
    ($row:expr) => {{
        let row = $row;
        let id: String = row.try_get("id")?;
        let unreadable = || StoreError::Unreadable(id.clone());
        let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(|_| unreadable());
        let request: String = row.try_get("request")?;
        let state: String = row.try_get("state")?;
        let channel: Option<String> = row.try_get("message_channel")?;
        let ts: Option<String> = row.try_get("message_ts")?;
        let purpose: Option<String> = row.try_get("made_over")?;
        let (reminded, stale): (i64, i64) = (row.try_get("reminded")?, row.try_get("stale")?);
        let link = Link {
            connection_id: row.try_get("connection_id")?,
            team_id: row.try_get("team_id")?,
            channel_id: row.try_get("channel_id")?,
            requester: row.try_get("requester")?,
            request: serde_json::from_str(&request).map_err(|_| unreadable())?,
            message: channel.zip(ts).map(|(channel, ts)| Place { channel, ts }),
            state: State::named(&state).ok_or_else(unreadable)?,
            detail: row.try_get("detail")?,
            posted_at: time(row.try_get("posted_at")?)?,
            expires_at: time(row.try_get("expires_at")?)?,
            changed_at: time(row.try_get("changed_at")?)?,
            reminded: Reminded { before: reminded & 1 != 0, after: reminded & 2 != 0 },
            stale: stale != 0,
            purpose: purpose.as_deref().and_then(Purpose::named),
            id,
        };
        Ok::<_, StoreError>((link, row.try_get::<i64, _>("fence")?))
    }};
}

impl Store {
    /// Keeps a link that was just posted; keeping it again moves it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_link(&self, new: NewLink<'_>) -> Result<(), StoreError> {
        let (channel, ts) = new.message.map(|place| (place.channel, place.ts)).unzip();
        let row = writer::LinkRow {
            id: new.id.to_owned(),
            connection_id: new.connection_id.to_owned(),
            team_id: new.team_id.to_owned(),
            channel_id: new.channel_id.to_owned(),
            requester: new.requester.to_owned(),
            request: serde_json::to_string(new.request)
                .map_err(|_| StoreError::Unreadable(new.id.to_owned()))?,
            schema_name: new.request.target.connection_name(),
            message_channel: channel,
            message_ts: ts,
            made_over: new.purpose.map(Purpose::name),
            posted_at: new.posted_at.as_millisecond(),
            expires_at: new.expires_at.as_millisecond(),
            check_at: new.check_at.as_millisecond(),
        };
        let (reply, kept) = oneshot::channel();
        let closed = || StoreError::Database("closed".to_owned());
        self.0.kept.send(writer::Keep { row, reply }).map_err(|_| closed())?;
        kept.await.map_err(|_| closed())?
    }

    /// Marks every other link of a connection as replaced by `newest`; their messages are edited
    /// by whoever watches them next.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replace_links(
        &self,
        connection: &str,
        newest: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            let done = sqlx::query(self.0.sql.replace_links).bind(connection).bind(newest).bind(now.as_millisecond());
            done.execute(db).await?;
            Ok(())
        })?;
        Ok(())
    }

    /// Takes up to `limit` links that are due at `now` and that nobody is at work on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_links(&self, now: Timestamp, limit: i64) -> Result<Vec<ClaimedLink>, StoreError> {
        on!(&self.0.pool, db => {
            let rows = sqlx::query(self.0.sql.claim_links)
                .bind(&self.0.owner)
                .bind(millis(self.0.lease.max(LINK_LEASE)))
                .bind(now.as_millisecond())
                .bind(limit)
                .fetch_all(db)
                .await?;
            // One that this version cannot read is left to one that can; its neighbours are not.
            let read = rows.iter().map(|row| -> Result<ClaimedLink, StoreError> {
                link!(row).map(|(link, fence)| ClaimedLink { link, fence })
            });
            Ok(read.filter_map(|row| row.inspect_err(|error| tracing::error!(%error, "left a link as it is")).ok()).collect())
        })
    }

    /// Takes one link, due or not; `None` if it is not there or somebody is at work on it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_link(&self, id: &str) -> Result<Option<ClaimedLink>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.claim_link).bind(&self.0.owner).bind(millis(self.0.lease.max(LINK_LEASE))).bind(id);
            let row = query.fetch_optional(db).await?;
            row.map(|row| link!(&row).map(|(link, fence)| ClaimedLink { link, fence })).transpose()
        })
    }

    /// Stores how a claimed link stands and gives it back. `check_at`: when to look next.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_link(
        &self,
        claimed: &ClaimedLink,
        check_at: Option<Timestamp>,
    ) -> Result<Recorded, StoreError> {
        let link = &claimed.link;
        let (channel, ts) = link.message.as_ref().map(|place| (&place.channel, &place.ts)).unzip();
        let reminded = i64::from(link.reminded.before) | i64::from(link.reminded.after) << 1;
        on!(&self.0.pool, db => {
            let done = sqlx::query(self.0.sql.record_link)
                .bind(&link.id)
                .bind(claimed.fence)
                .bind(channel)
                .bind(ts)
                .bind(link.state.name())
                .bind(&link.detail)
                .bind(link.posted_at.as_millisecond())
                .bind(link.expires_at.as_millisecond())
                .bind(link.changed_at.as_millisecond())
                .bind(reminded)
                .bind(i64::from(link.stale))
                .bind(check_at.map(|time| time.as_millisecond()))
                .bind(link.purpose.map(Purpose::name))
                .execute(db)
                .await?;
            Ok(if done.rows_affected() == 1 { Recorded::Committed } else { Recorded::LeaseLost })
        })
    }

    /// Makes a link due now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn make_link_due(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.make_link_due).bind(id).bind(now.as_millisecond()).execute(db).await?;
            Ok(())
        })?;
        Ok(())
    }

    /// How many links are watched.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn watched_links(&self) -> Result<u64, StoreError> {
        on!(&self.0.pool, db => {
            let count: i64 = sqlx::query(self.0.sql.count_links).fetch_one(db).await?.try_get("n")?;
            Ok(u64::try_from(count).unwrap_or_default())
        })
    }

    /// One link.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link(&self, id: &str) -> Result<Option<Link>, StoreError> {
        on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.link).bind(id).fetch_optional(db).await?;
            row.map(|row| link!(&row).map(|(link, _)| link)).transpose()
        })
    }

    /// The latest link of a connection that is not over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link_of_connection(&self, connection: &str) -> Result<Option<Link>, StoreError> {
        on!(&self.0.pool, db => {
            let row = sqlx::query(self.0.sql.link_of_connection).bind(connection).fetch_optional(db).await?;
            row.map(|row| link!(&row).map(|(link, _)| link)).transpose()
        })
    }

    /// The latest link of a schema in a channel.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link_of_schema(
        &self,
        team: &str,
        channel: &str,
        schema: &str,
    ) -> Result<Option<Link>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.link_of_schema).bind(team).bind(channel).bind(schema);
            let row = query.fetch_optional(db).await?;
            row.map(|row| link!(&row).map(|(link, _)| link)).transpose()
        })
    }

    /// The links of a channel that are not over, the newest first, at most 500.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn links_of_channel(&self, team: &str, channel: &str) -> Result<Vec<Link>, StoreError> {
        on!(&self.0.pool, db => {
            let rows = sqlx::query(self.0.sql.links_of_channel).bind(team).bind(channel).fetch_all(db).await?;
            let read = rows.iter().map(|row| -> Result<Link, StoreError> { link!(row).map(|(link, _)| link) });
            Ok(read.filter_map(Result::ok).collect())
        })
    }

    /// Where else, and by whom, a connection was asked for, be its link posted yet or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn elsewhere(
        &self,
        connection: &str,
        team: &str,
        channel: &str,
    ) -> Result<Option<(String, String)>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.elsewhere).bind(connection).bind(team).bind(channel);
            let row = query.fetch_optional(db).await?;
            row.map(|row| Ok((row.try_get("channel_id")?, row.try_get("user_id")?))).transpose()
        })
    }

    /// What is kept of a command.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn command(&self, id: &str) -> Result<Option<CommandRow>, StoreError> {
        on!(&self.0.pool, db => {
            let Some(row) = sqlx::query(self.0.sql.command).bind(id).fetch_optional(db).await? else {
                return Ok(None);
            };
            let accepted_at: i64 = row.try_get("accepted_at")?;
            Ok(Some(CommandRow {
                team_id: row.try_get("team_id")?,
                channel_id: row.try_get("channel_id")?,
                user_id: row.try_get("user_id")?,
                request: row.try_get("request")?,
                connection_id: row.try_get("connection_id")?,
                accepted_at: Timestamp::from_millisecond(accepted_at)
                    .map_err(|_| StoreError::Unreadable(id.to_owned()))?,
            }))
        })
    }
}
