//! The messages in the database: what they show, what they should, and who is at work on one.
//!
//! Owns the rows and their leases. A message that is there is only edited by whoever holds its
//! lease; an edit that comes too late all the same is noticed by its fence, and made good.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use sqlx::Row as _;
use tokio::time::Instant;

use super::connections::{Stored, connection};
use super::row::{NOBODY, place_of};
use super::{Pool, Recorded, Store, StoreError, millis, on};
use crate::life::{News, Place};
use crate::outbound::CALL_TIMEOUT;
use crate::work::Key;

/// How long a message's lease lasts at the least: longer than an edit and what its thread is told,
/// since it is not prolonged.
const MESSAGE_LEASE: Duration = Duration::from_secs(90);
/// For how long an edit that was not answered in time may still come to be shown: what Slack has begun by then.
pub const LINGERS: Duration = Duration::from_secs(5);
/// For how long an edit may be on its way from when it is sent: a call's time, and that. Whoever edits before
/// that is over may find the older one on top.
pub const ON_ITS_WAY: Duration = CALL_TIMEOUT.saturating_add(LINGERS);

/// A message of which this process holds the lease.
#[derive(Clone, Debug)]
pub struct ClaimedMessage {
    /// Its id in the database.
    pub id: String,
    /// The connection that it was posted for.
    pub key: Key,
    /// The link that it was posted with, by its reference.
    pub link: String,
    /// Who asked for that, if anybody did.
    pub requester: Option<String>,
    /// The onboarding that it shows, by its reference, if it is of one: then it is posted for no connection.
    pub onboarding: Option<String>,
    /// Where it stands, if that is known and it can be edited.
    pub place: Option<Place>,
    /// The channel in which it is still to be posted.
    pub post_in: Option<String>,
    /// How often what it should show has changed.
    pub wanted: i64,
    /// Which of those it shows.
    pub shown: i64,
    /// Edits that failed since one worked; of one that is still to be posted, posts of which nobody knows whether
    /// they arrived.
    pub tries: u32,
    /// When it was posted, or was first to be.
    pub since: Timestamp,
    pub(super) fence: i64,
    /// Since when it was due when it was taken.
    due: Option<i64>,
    /// Since when it has not shown what it should, if that is known.
    behind_since: Option<i64>,
    until: Instant,
}

impl ClaimedMessage {
    /// How long it is surely still ours.
    #[must_use]
    pub fn lease_left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Since when it has not shown what it should, if it stands somewhere and does not.
    #[must_use]
    pub fn behind_since(&self) -> Option<Timestamp> {
        let since =
            self.behind_since.or(self.due).filter(|_| self.place.is_some() && self.wanted > self.shown)?;
        Timestamp::from_millisecond(since).ok()
    }
}

/// Something that a thread is still to be told.
#[derive(Clone, Debug)]
pub struct PendingNews {
    /// Its id in the database.
    pub id: String,
    /// The connection.
    pub key: Key,
    /// What happened.
    pub news: News,
}

/// What came of bringing a message to what it should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It shows what was wanted when it was taken.
    Shown,
    /// It cannot be edited any more.
    OutOfReach,
    /// It was tried in vain; again at that time.
    Again(Timestamp),
    /// Nobody has answered for as long as a call may take, so that it may still come to be shown; again at that
    /// time, and by nobody while it may.
    Unanswered(Timestamp),
    /// It can't be posted yet, and so that was no try; again at that time.
    Waits(Timestamp),
}

impl Brought {
    /// An edit without a clear answer after so long. What was only waited for may be done yet. Of what was refused,
    /// or whose connection was lost, it is taken that it was done by then if at all, though whoever stands between
    /// us and Slack may know no better.
    #[must_use]
    pub fn unclear(took: Duration, again: Timestamp) -> Self {
        if took >= CALL_TIMEOUT { Self::Unanswered(again) } else { Self::Again(again) }
    }

    /// Whether there is more to be done.
    #[must_use]
    pub fn is_not_yet(self) -> bool {
        matches!(self, Self::Again(_) | Self::Unanswered(_) | Self::Waits(_))
    }
}

macro_rules! message {
    ($row:expr, $until:expr) => {{
        let row = $row;
        let channel: Option<String> = row.try_get("place_channel")?;
        let ts: Option<String> = row.try_get("place_ts")?;
        Ok::<_, StoreError>(ClaimedMessage {
            id: row.try_get("id")?,
            key: Key { group_id: row.try_get("group_id")?, name: row.try_get("name")? },
            link: row.try_get("link")?,
            requester: Some(row.try_get::<String, _>("requester")?).filter(|it| it != NOBODY),
            onboarding: row.try_get("onboarding")?,
            post_in: channel.clone().filter(|_| ts.is_none()),
            place: channel.zip(ts).map(|(channel, ts)| Place { channel, ts }),
            wanted: row.try_get("wanted")?,
            shown: row.try_get("shown")?,
            tries: u32::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u32::MAX),
            since: Timestamp::from_millisecond(row.try_get("posted_at")?).unwrap_or(Timestamp::UNIX_EPOCH),
            fence: row.try_get("fence")?,
            due: row.try_get("due")?,
            behind_since: row.try_get("behind_since")?,
            until: $until,
        })
    }};
}

/// News as they are kept.
#[derive(Deserialize)]
struct Kept {
    connection: Key,
    news: News,
    #[serde(default)]
    private: bool,
}

impl Store {
    fn message_lease(&self) -> Duration {
        self.0.lease.max(MESSAGE_LEASE)
    }

    /// Takes up to `limit` messages that are due at `now` and that nobody is at work on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_messages(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<ClaimedMessage>, StoreError> {
        let until = Instant::now() + self.message_lease();
        on!(&self.0.pool, db => {
            let rows = sqlx::query(self.0.sql.connections.claim_messages)
                .bind(&self.0.owner)
                .bind(millis(self.message_lease()))
                .bind(now.as_millisecond())
                .bind(limit)
                .fetch_all(db)
                .await?;
            rows.iter().map(|row| message!(row, until)).collect()
        })
    }

    /// Takes one message, due or not; `None` if it is not there or somebody is at work on it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_message(&self, id: &str) -> Result<Option<ClaimedMessage>, StoreError> {
        let until = Instant::now() + self.message_lease();
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.claim_message);
            let query = query.bind(&self.0.owner).bind(millis(self.message_lease())).bind(id);
            // To its end, since only there it is committed.
            let rows = query.fetch_all(db).await?;
            rows.first().map(|row| message!(row, until)).transpose()
        })
    }

    /// The connections that a message is about: those whose link it shows, and the one that it was
    /// posted for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connections_of(&self, message: &ClaimedMessage) -> Result<Vec<Stored>, StoreError> {
        on!(&self.0.pool, db => {
            let Key { group_id, name } = &message.key;
            let query = sqlx::query(self.0.sql.connections.of_message).bind(&message.id).bind(group_id).bind(name);
            let rows = query.fetch_all(db).await?;
            rows.iter().map(|row| connection!(row)).collect()
        })
    }

    /// What the thread of a message is still to be told, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn news_of(&self, message: &str) -> Result<Vec<PendingNews>, StoreError> {
        on!(&self.0.pool, db => {
            let rows = sqlx::query(self.0.sql.connections.news).bind(message).fetch_all(db).await?;
            rows.iter()
                .map(|row| {
                    let (id, body): (String, String) = (row.try_get("id")?, row.try_get("body")?);
                    let Kept { connection, news, private } =
                        serde_json::from_str(&body).map_err(|_| StoreError::Unreadable(id.clone()))?;
                    Ok(PendingNews { id, key: connection, news: News::of_kept(news, private) })
                })
                .collect()
        })
    }

    /// Forgets news that were told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_news(&self, id: &str) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.connections.forget_news).bind(id).execute(db).await?;
            Ok(())
        })
    }

    /// Stores what a claimed message shows and gives it back, once no edit of it is on its way. It stays due if
    /// somebody was to be told anything since it was taken: whoever had it may have asked before that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_message(
        &self,
        message: &ClaimedMessage,
        brought: Brought,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let (shown, due, gone, tries) = match brought {
            Brought::Shown => (message.wanted, None, 0, 0),
            Brought::OutOfReach => (message.wanted, None, 1, 0),
            Brought::Again(at) | Brought::Unanswered(at) => {
                (message.shown, Some(at.as_millisecond()), 0, message.tries.saturating_add(1))
            }
            Brought::Waits(at) => (message.shown, Some(at.as_millisecond()), 0, message.tries),
        };
        let kept = if matches!(brought, Brought::Unanswered(_)) { LINGERS } else { Duration::ZERO };
        on!(&self.0.pool, db => {
            let done = sqlx::query(self.0.sql.connections.record_message)
                .bind(&message.id)
                .bind(message.fence)
                .bind(shown)
                .bind(due)
                .bind(gone)
                .bind(i64::from(tries))
                .bind(now.as_millisecond())
                .bind(message.due)
                .bind(millis(kept))
                .execute(db)
                .await?;
            Ok(if done.rows_affected() == 1 { Recorded::Committed } else { Recorded::LeaseLost })
        })
    }

    /// Makes a message due whatever it is thought to show: something else may have come to stand
    /// there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn disturb_message(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.disturb_message).bind(id).bind(now.as_millisecond());
            query.execute(db).await?;
            Ok(())
        })
    }

    /// Makes due what is still to be posted and was passed over by the release before, which has no word for
    /// it; at most a portion. Returns how many rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rearm_messages(&self, now: Timestamp) -> Result<u64, StoreError> {
        const PORTION: i64 = 200;
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.rearm_messages);
            Ok(query.bind(now.as_millisecond()).bind(PORTION).execute(db).await?.rows_affected())
        })
    }

    /// Notes that a message of which we had the lease was posted, and where, if Slack said: it is not posted
    /// again. Where it was found meanwhile it stays, which is false: a link may stand there by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn posted_message(
        &self,
        message: &ClaimedMessage,
        place: Option<&Place>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (channel, ts) = place_of(place);
        let row = serde_json::json!([{
            "id": message.id, "fence": null, "place_channel": channel, "place_ts": ts,
            "shown": message.wanted, "found": 0, "once": 1, "at": now.as_millisecond(),
        }]);
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.place_messages).bind(row.to_string());
            Ok(query.execute(db).await?.rows_affected() > 0)
        })
    }

    /// Notes where a message came to stand, or was edited, that nobody waits for any more, to be
    /// brought to what it should show. `held`: if we had its lease for that. Whoever has it now keeps
    /// it, and what they note down does not undo this.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn found_message(
        &self,
        id: &str,
        place: &Place,
        held: Option<&ClaimedMessage>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = serde_json::json!([{
            "id": id, "fence": held.map(|held| held.fence), "place_channel": place.channel,
            "place_ts": place.ts, "shown": null, "found": 1, "once": 0, "at": now.as_millisecond(),
        }]);
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.place_messages).bind(row.to_string());
            query.execute(db).await?;
            Ok(())
        })
    }

    /// The same of a message that was posted for all, or in which somebody has pressed, if nobody knew yet where it
    /// stands. Of several copies the first one stays it: a link may stand there by now, which nobody would take
    /// back, and whoever slept over its lease before it posted another is late.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn placed_message(&self, id: &str, place: &Place, now: Timestamp) -> Result<(), StoreError> {
        let row = serde_json::json!([{
            "id": id, "fence": null, "place_channel": place.channel, "place_ts": place.ts,
            "shown": null, "found": 1, "once": 1, "at": now.as_millisecond(),
        }]);
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.place_messages).bind(row.to_string());
            query.execute(db).await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn what_was_tried_in_vain_or_waits_is_not_yet_done() {
        for (brought, is_not_yet) in [
            (Brought::Shown, false),
            (Brought::OutOfReach, false),
            (Brought::Again(at(1)), true),
            (Brought::Unanswered(at(1)), true),
            (Brought::Waits(at(1)), true),
        ] {
            assert_eq!(brought.is_not_yet(), is_not_yet, "{brought:?}");
        }
    }

    #[test]
    fn an_edit_that_was_waited_for_in_vain_may_still_be_on_its_way() {
        let soon = CALL_TIMEOUT - Duration::from_millis(1);
        assert_eq!(Brought::unclear(soon, at(1)), Brought::Again(at(1)));
        assert_eq!(Brought::unclear(CALL_TIMEOUT, at(1)), Brought::Unanswered(at(1)));
    }

    /// Only what stands somewhere can be behind; since when is not always known, and then since it was due.
    #[test]
    fn a_message_is_behind_while_it_stands_and_shows_less_than_it_should() {
        let message = |place: Option<&str>, shown, behind_since| ClaimedMessage {
            id: "m".to_owned(),
            key: Key { group_id: "g".to_owned(), name: "n".to_owned() },
            link: "m".to_owned(),
            requester: None,
            onboarding: None,
            place: place.map(|ts| Place { channel: "C".to_owned(), ts: ts.to_owned() }),
            post_in: None,
            wanted: 2,
            shown,
            tries: 0,
            since: at(1),
            fence: 1,
            due: Some(3000),
            behind_since,
            until: Instant::now(),
        };
        for (message, since) in [
            (message(Some("1.1"), 1, Some(2000)), Some(at(2000))),
            (message(Some("1.1"), 1, None), Some(at(3000))),
            (message(Some("1.1"), 2, Some(2000)), None),
            (message(Some("1.1"), 3, Some(2000)), None),
            (message(None, 1, Some(2000)), None),
        ] {
            assert_eq!(message.behind_since(), since, "{message:?}");
        }
    }
}
