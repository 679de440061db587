//! What the release before this one kept as `link`, taken over as connections and messages.
//!
//! Owns what such a row means now. The table stays, since a release that is rolled back reads it; a
//! row that such a release has touched since is taken over again.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row as _;

use super::change::{MessageWrite, Write, Written};
use super::row::reminded;
use super::{Pool, Store, StoreError, on};
use crate::life::{Change, Connection, Link, Place, Purpose, State};
use crate::work::Request;

/// Rows taken over at a time.
const PORTION: i64 = 200;

/// A row of `link`.
struct Old {
    link: Link,
    stale: bool,
}

#[derive(Serialize)]
struct Taken<'a> {
    id: &'a str,
    fence: i64,
}

impl Store {
    /// Takes over what the release before has kept, the oldest first. Returns how many rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_links_over(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut taken = 0;
        loop {
            let links = self.links_left().await?;
            if links.is_empty() {
                return Ok(taken);
            }
            let olds: Vec<_> = links.iter().filter_map(|(_, old, _)| old.as_ref()).collect();
            self.keep_messages(&olds).await?;
            // Side by side, so that they share their commits.
            let all = futures_util::future::join_all(olds.iter().map(|old| self.take_over(old, now)));
            all.await.into_iter().collect::<Result<(), _>>()?;
            let marks: Vec<_> = links.iter().map(|(id, _, fence)| Taken { id, fence: *fence }).collect();
            let marks =
                serde_json::to_string(&marks).map_err(|_| StoreError::Refused("no JSON".to_owned()))?;
            on!(&self.0.pool, db => {
                sqlx::query(self.0.sql.connections.links_taken).bind(&marks).execute(db).await?;
                Ok(())
            })?;
            taken += u64::try_from(links.len()).unwrap_or_default();
        }
    }

    async fn links_left(&self) -> Result<Vec<(String, Option<Old>, i64)>, StoreError> {
        on!(&self.0.pool, db => {
            let rows = sqlx::query(self.0.sql.connections.links_left).bind(PORTION).fetch_all(db).await?;
            rows.iter()
                .map(|row| {
                    let id: String = row.try_get("id")?;
                    let fence: i64 = row.try_get("fence")?;
                    let unreadable = || StoreError::Unreadable(id.clone());
                    let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(|_| unreadable());
                    let (request, state): (String, String) = (row.try_get("request")?, row.try_get("state")?);
                    let (channel, ts): (Option<String>, Option<String>) =
                        (row.try_get("message_channel")?, row.try_get("message_ts")?);
                    let purpose: Option<String> = row.try_get("made_over")?;
                    let known = serde_json::from_str::<Request>(&request).ok().zip(State::named(&state));
                    let Some((request, state)) = known else {
                        tracing::error!(link = id, "a link of the release before cannot be read");
                        return Ok((id, None, fence));
                    };
                    let link = Link {
                        onboarding: None,
                        id: id.clone(),
                        connection_id: row.try_get("connection_id")?,
                        team_id: row.try_get("team_id")?,
                        channel_id: row.try_get("channel_id")?,
                        requester: Some(row.try_get("requester")?),
                        request,
                        message_id: id.clone(),
                        message: channel.zip(ts).map(|(channel, ts)| Place { channel, ts }),
                        state,
                        detail: row.try_get("detail")?,
                        trouble: None,
                        posted_at: time(row.try_get("posted_at")?)?,
                        expires_at: time(row.try_get("expires_at")?)?,
                        changed_at: time(row.try_get("changed_at")?)?,
                        reminded: reminded(row.try_get("reminded")?),
                        purpose: purpose.as_deref().and_then(Purpose::named),
                        landed_at: None,
                    };
                    let stale = row.try_get::<i64, _>("stale")? != 0;
                    Ok((id, Some(Old { link, stale }), fence))
                })
                .collect()
        })
    }

    async fn take_over(&self, old: &Old, now: Timestamp) -> Result<(), StoreError> {
        let key = old.link.request.key();
        loop {
            let stands = self.connection(&key).await?;
            if !stands.as_ref().is_none_or(|stored| old.goes_before(&stored.connection.link)) {
                // It may still show its link, or, from a release that was rolled back, what is not so.
                if old.stale || !old.link.state.is_over() {
                    self.disturb_message(&old.link.id, now).await?;
                }
                return Ok(());
            }
            let generation = stands.as_ref().map_or(0, |stored| stored.connection.generation) + 1;
            let connection = Connection {
                key: key.clone(),
                link: old.link.clone(),
                generation,
                posting: None,
                look_at: None,
                looks: 0,
                missing_since: None,
                seen: None,
            };
            let mut show = if old.stale { vec![old.link.id.clone()] } else { Vec::new() };
            // The link that was taken for it may still be on show.
            let left = stands.as_ref().map(|stored| &stored.connection.link);
            let left = left.filter(|left| left.message_id != old.link.id && left.state != State::Replaced);
            show.extend(left.map(|left| left.message_id.clone()));
            let change = Change { connection, show, news: None };
            let written = self
                .write(Write {
                    change: &change,
                    version: stands.map_or(0, |stored| stored.version),
                    held: None,
                    progress: None,
                    message: MessageWrite::None,
                    trail: None,
                    reminders: false,
                    now,
                })
                .await?;
            if written == Written::Committed {
                return Ok(());
            }
        }
    }

    /// Keeps where the messages of links stand.
    async fn keep_messages(&self, olds: &[&Old]) -> Result<(), StoreError> {
        let rows: Vec<_> = olds.iter().filter_map(|old| old.message()).collect();
        let rows = serde_json::Value::Array(rows).to_string();
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.connections.new_messages).bind(&rows).execute(db).await?;
            Ok(())
        })
    }
}

impl Old {
    /// Whether it is the connection's link rather than the one that is taken for it, in whatever order
    /// the two are come by: it stands while the other was replaced, or it was posted later.
    fn goes_before(&self, taken: &Link) -> bool {
        let replaced = |link: &Link| link.state == State::Replaced;
        // The same link again: a release that was rolled back has gone on with it.
        taken.id == self.link.id
            || match (replaced(&self.link), replaced(taken)) {
                (true, false) => false,
                (false, true) => true,
                _ => taken.posted_at < self.link.posted_at,
            }
    }

    /// The row of the link's message, if that can be edited.
    fn message(&self) -> Option<serde_json::Value> {
        let (place, key) = (self.link.message.as_ref()?, self.link.request.key());
        Some(serde_json::json!({
            "id": self.link.id, "group_id": key.group_id, "name": key.name,
            "link": self.link.id, "requester": self.link.requester,
            "wanted": if self.stale { 2 } else { 1 },
            "due": self.stale.then_some(0),
            "posted_at": self.link.posted_at.as_millisecond(),
            "left_at": (self.link.state == State::Replaced).then_some(self.link.changed_at.as_millisecond()),
            "place_channel": place.channel, "place_ts": place.ts,
        }))
    }
}

#[cfg(test)]
mod tests;
