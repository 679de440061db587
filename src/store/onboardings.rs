//! Onboardings in the database: what was asked for in one message, and how all of it stands.
//!
//! Owns how a command of several sources becomes one command for each, in one transaction and once. What
//! its message shows is [`crate::onboarding`]'s.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row as _;

use super::connections::{Stored, connection};
use super::row::{NewRow, json};
use super::{Claimed, LeaseGuard, MessageWrite, Pool, Store, StoreError, Write, Written, millis, on};
use crate::journal::{FIRST_FENCE, Notice, Progress, Stage};
use crate::life::{self, Place};
use crate::onboarding::{Asked, Onboarding, together};
use crate::work::{Key, Onboard, Work};

/// What a command of several sources was made of.
pub struct Expanded {
    /// The onboarding that its sources belong to: its own, or the one that was open.
    pub onboarding: life::Onboarding,
    /// The commands of its sources that this process has in hand since their commit.
    pub commands: Vec<Claimed>,
}

/// A source, as the statement reads it.
#[derive(Serialize)]
struct NewSource<'a> {
    command: &'a str,
    onboarding: &'a str,
    parent: &'a str,
    at: i64,
    place: usize,
    service_name: &'a str,
    group_id: &'a str,
    name: String,
}

/// How often a source is offered anew when something else happens to its connection meanwhile.
const OFFERS: u32 = 16;

/// What begins the key of an onboarding whose customer nobody named. No customer is called so.
const NOBODY: char = '#';

/// By what an onboarding is found while it is open: nothing is added to one without a customer.
fn key_of(customer: Option<&str>, id: &str) -> String {
    customer.map_or_else(|| format!("{NOBODY}{id}"), str::to_owned)
}

/// The message of an onboarding.
fn message_of(id: &str) -> String {
    format!("{id}-0")
}

impl Store {
    /// Makes of a command of several sources one command for each, in the onboarding that is open for their
    /// customer in the channel, or in a new one. Once: whoever comes later finds it done. `None`: the
    /// command is somebody else's by now.
    ///
    /// # Errors
    /// [`StoreError`]; it may have been done all the same.
    pub async fn expand(
        &self,
        claimed: &Claimed,
        onboard: &Onboard,
        now: Timestamp,
    ) -> Result<Option<Expanded>, StoreError> {
        let (store, claimed, onboard) = (self.clone(), claimed.clone(), onboard.clone());
        // A task of its own: a transaction that is dropped half-way leaves its session in disorder.
        let expanding = tokio::spawn(async move { store.expand_all(&claimed, &onboard, now).await });
        expanding.await.unwrap_or_else(|_| Err(StoreError::Database("the expansion has ended".to_owned())))
    }

    /// Whether a command of several sources has become one for each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_expanded(&self, id: &str) -> Result<bool, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.onboardings.expanded).bind(id);
            Ok(query.fetch_optional(db).await?.is_some())
        })
    }

    async fn expand_all(
        &self,
        claimed: &Claimed,
        onboard: &Onboard,
        now: Timestamp,
    ) -> Result<Option<Expanded>, StoreError> {
        let (sql, accept) = (&self.0.sql.connections.onboardings, self.0.sql.accept);
        let customer = key_of(onboard.customer.as_deref(), &claimed.id);
        let mut guards = Vec::new();
        let expanded = on!(&self.0.pool, db => {
            sqlx::query("BEGIN").execute(&mut *db).await?;
            let done = async {
                let hold = sqlx::query(sql.hold).bind(&claimed.id).bind(claimed.fence);
                if hold.execute(&mut *db).await?.rows_affected() != 1 {
                    sqlx::query("ROLLBACK").execute(&mut *db).await?;
                    return Ok(None);
                }
                let before = sqlx::query(sql.expanded).bind(&claimed.id).fetch_optional(&mut *db).await?;
                if let Some(row) = before {
                    sqlx::query("ROLLBACK").execute(&mut *db).await?;
                    return Ok(Some((row.try_get::<String, _>("onboarding")?, Vec::new())));
                }
                let begin = sqlx::query(sql.begin).bind(&claimed.id).bind(&claimed.team_id).bind(&claimed.channel_id);
                let begin = begin.bind(&customer).bind(&claimed.user_id).bind(now.as_millisecond());
                begin.execute(&mut *db).await?;
                let open = sqlx::query(sql.open).bind(&claimed.channel_id).bind(&customer);
                let id: String = open.fetch_one(&mut *db).await?.try_get("id")?;
                let message = sqlx::query(sql.begin_message).bind(message_of(&id)).bind(&id);
                message.bind(&claimed.user_id).bind(now.as_millisecond()).execute(&mut *db).await?;
                let rows = rows_of(claimed, onboard, &id, now)?;
                let sources = json(&sources_of(claimed, onboard, &id, &rows, now))?;
                sqlx::query(sql.new_sources).bind(sources).execute(&mut *db).await?;
                // Before they can be there: until they are handed on, nobody of this process takes them.
                let began = self.0.leases.now_ms();
                guards.extend(rows.iter().map(|row| self.0.leases.guard(&row.id, FIRST_FENCE, began)));
                let query = sqlx::query(accept).bind(json(&rows)?).bind(&self.0.owner).bind(millis(self.0.lease));
                let accepted = query.fetch_all(&mut *db).await?;
                let accepted: Result<HashSet<String>, StoreError> =
                    accepted.iter().map(|row| Ok(row.try_get("id")?)).collect();
                let accepted = accepted?;
                // Its message has lines to come.
                let disturb = sqlx::query(self.0.sql.connections.disturb_message).bind(message_of(&id));
                disturb.bind(now.as_millisecond()).execute(&mut *db).await?;
                sqlx::query("COMMIT").execute(&mut *db).await?;
                Ok(Some((id, rows.into_iter().filter(|row| accepted.contains(&row.id)).collect())))
            };
            let done: Result<Option<(String, Vec<NewRow>)>, StoreError> = done.await;
            if done.is_err() {
                // Where there is nothing left to undo, it is refused.
                let _ = sqlx::query("ROLLBACK").execute(&mut *db).await;
            }
            done
        })?;
        let Some((id, rows)) = expanded else { return Ok(None) };
        self.0.behind.notify_one();
        let commands = rows.into_iter().map(|row| self.fresh(row, &guards, now)).collect();
        Ok(Some(Expanded { onboarding: life::Onboarding { message_id: message_of(&id), id }, commands }))
    }

    /// A command that was made in this process, and is in its hands.
    fn fresh(&self, row: NewRow, guards: &[Arc<LeaseGuard>], accepted_at: Timestamp) -> Claimed {
        let guard = guards.iter().find(|guard| guard.key().0 == row.id).cloned();
        Claimed {
            lease: guard.unwrap_or_else(|| self.0.leases.guard(&row.id, FIRST_FENCE, self.0.leases.now_ms())),
            id: row.id,
            fence: FIRST_FENCE,
            team_id: row.team_id,
            channel_id: row.channel_id,
            user_id: row.user_id,
            request: row.request,
            response_url: None,
            progress: Progress::default(),
            accepted_at,
        }
    }

    /// An onboarding as it stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn onboarding(&self, id: &str) -> Result<Option<Onboarding>, StoreError> {
        let sql = &self.0.sql.connections;
        on!(&self.0.pool, db => {
            let Some(row) = sqlx::query(sql.onboardings.onboarding).bind(id).fetch_optional(&mut *db).await? else {
                return Ok(None);
            };
            // Before the connections: what ends meanwhile is there, and does not seem to be neither.
            let mut asked = Vec::new();
            for row in sqlx::query(sql.onboardings.sources).bind(id).fetch_all(&mut *db).await? {
                let request: Option<String> = row.try_get("request")?;
                let problem: Option<String> = row.try_get("problem")?;
                let work = request.and_then(|json| serde_json::from_str(&json).ok());
                asked.push(Asked {
                    parent: row.try_get("parent")?,
                    service_name: row.try_get("service_name")?,
                    key: Key { group_id: row.try_get("group_id")?, name: row.try_get("name")? },
                    refused: problem.as_deref().and_then(Notice::from_json).zip(work),
                    under_way: row.try_get::<i64, _>("open")? == 1,
                });
            }
            let message_id = row.try_get::<Option<String>, _>("message")?.unwrap_or_else(|| message_of(id));
            let query = sqlx::query(sql.of_message).bind(&message_id).bind("").bind("");
            let rows = query.fetch_all(&mut *db).await?;
            let connections: Result<Vec<Stored>, StoreError> = rows.iter().map(|row| connection!(row)).collect();
            let connections = connections?.into_iter().map(|stored| stored.connection).collect();
            let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(|_| StoreError::Unreadable(id.to_owned()));
            let customer: String = row.try_get("customer")?;
            let (channel, ts): (Option<String>, Option<String>) =
                (row.try_get("place_channel")?, row.try_get("place_ts")?);
            Ok(Some(Onboarding {
                id: row.try_get("id")?,
                channel_id: row.try_get("channel_id")?,
                customer: Some(customer).filter(|customer| !customer.starts_with(NOBODY)),
                requester: row.try_get("requester")?,
                opened_at: time(row.try_get("opened_at")?)?,
                is_told: row.try_get::<i64, _>("told")? == 1,
                done_at: row.try_get::<Option<i64>, _>("done_at")?.map(time).transpose()?,
                message_id,
                message: channel.zip(ts).map(|(channel, ts)| Place { channel, ts }),
                sources: together(asked, connections),
            }))
        })
    }

    /// The onboarding that is open for a customer in a channel and whose message stands there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_onboarding(
        &self,
        channel_id: &str,
        customer: &str,
    ) -> Result<Option<life::Onboarding>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.onboardings.open_shown).bind(channel_id).bind(customer);
            let row = query.fetch_optional(db).await?;
            row.map(|row| {
                let id: String = row.try_get("id")?;
                Ok(life::Onboarding { message_id: message_of(&id), id })
            })
            .transpose()
        })
    }

    /// Where the message of that one stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_message(&self, channel_id: &str, customer: &str) -> Result<Option<Place>, StoreError> {
        on!(&self.0.pool, db => {
            let query = sqlx::query(self.0.sql.connections.onboardings.open_shown).bind(channel_id).bind(customer);
            let row = query.fetch_optional(db).await?;
            row.map(|row| Ok(Place { channel: row.try_get("place_channel")?, ts: row.try_get("place_ts")? }))
                .transpose()
        })
    }

    /// Commits that a connection becomes part of an onboarding, if that is still open. `None`: it is done, and
    /// stays so.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn join(&self, onboarding: &str, write: Write<'_>) -> Result<Option<Written>, StoreError> {
        let written = self.write_into(Some(onboarding), write).await?;
        if written == Written::LeaseLost && !self.is_open(onboarding).await? {
            return Ok(None);
        }
        Ok(Some(written))
    }

    /// Whether something in an onboarding is left to do.
    async fn is_open(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.onboarding(id).await?.is_some_and(|it| it.done_at.is_none()))
    }

    /// Sees to it that whoever gets a link for a source now is looked after for as long as it takes. False if
    /// that is not on disk.
    pub async fn offer(&self, key: &Key, now: Timestamp) -> bool {
        for _ in 0..OFFERS {
            let Ok(Some(Stored { connection, version, .. })) = self.connection(key).await else {
                return false;
            };
            let Some(change) = life::offer(&connection, now) else { return true };
            let (held, progress, message) = (None, None, MessageWrite::None);
            let (trail, reminders) = (None, false);
            let write = Write { change: &change, version, held, progress, message, trail, reminders, now };
            match self.write(write).await {
                Ok(Written::Committed) => return true,
                Ok(Written::Conflict | Written::LeaseLost) => {}
                Err(_) => return false,
            }
        }
        false
    }

    /// Notes that nothing in an onboarding is left to do, if that is so. True if it was not done before, and
    /// is.
    ///
    /// # Errors
    /// [`StoreError`]; it may have been done all the same.
    pub async fn finish_onboarding(
        &self,
        onboarding: &Onboarding,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (store, id, message) = (self.clone(), onboarding.id.clone(), onboarding.message_id.clone());
        // A task of its own: a transaction that is dropped half-way leaves its session in disorder.
        let finishing = tokio::spawn(async move { store.finish(&id, &message, now).await });
        finishing.await.unwrap_or_else(|_| Err(StoreError::Database("the end has ended".to_owned())))
    }

    async fn finish(&self, id: &str, message: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sql = &self.0.sql.connections.onboardings;
        on!(&self.0.pool, db => {
            sqlx::query("BEGIN").execute(&mut *db).await?;
            let done = async {
                // What is added from here on waits, and what was added before is seen by the next statement.
                sqlx::query(sql.hold_onboarding).bind(id).execute(&mut *db).await?;
                let finish = sqlx::query(sql.finish).bind(id).bind(message).bind(now.as_millisecond());
                let finished = finish.execute(&mut *db).await?.rows_affected() == 1;
                sqlx::query("COMMIT").execute(&mut *db).await?;
                Ok::<_, StoreError>(finished)
            };
            let done = done.await;
            if done.is_err() {
                let _ = sqlx::query("ROLLBACK").execute(&mut *db).await;
            }
            done
        })
    }

    /// Notes that the thread of an onboarding's message has heard that nothing is left to do.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn told_onboarding(&self, id: &str) -> Result<(), StoreError> {
        on!(&self.0.pool, db => {
            sqlx::query(self.0.sql.connections.onboardings.told).bind(id).execute(db).await?;
            Ok(())
        })
    }
}

/// The command of a source.
fn command_of(parent: &str, place: usize) -> String {
    format!("{parent}-{}", place + 1)
}

fn rows_of(
    claimed: &Claimed,
    onboard: &Onboard,
    onboarding: &str,
    now: Timestamp,
) -> Result<Vec<NewRow>, StoreError> {
    let rows = onboard.sources.iter().enumerate().map(|(place, source)| {
        let mut request = source.clone();
        request.onboarding = Some(onboarding.to_owned());
        let work = Work::Connect(request);
        let stage = Stage::default();
        Ok(NewRow {
            id: command_of(&claimed.id, place),
            // No request has such a key, so this one is asked for once.
            dedup: command_of(&claimed.id, place),
            subject: work.subject(),
            team_id: claimed.team_id.clone(),
            channel_id: claimed.channel_id.clone(),
            user_id: claimed.user_id.clone(),
            request: serde_json::to_string(&work).map_err(|_| StoreError::Refused("no JSON".to_owned()))?,
            response_url: None,
            stage: stage.name(),
            connection_id: None,
            existed: 0,
            accepted_at: now.as_millisecond(),
        })
    });
    rows.collect()
}

fn sources_of<'a>(
    claimed: &'a Claimed,
    onboard: &'a Onboard,
    onboarding: &'a str,
    rows: &'a [NewRow],
    now: Timestamp,
) -> Vec<NewSource<'a>> {
    let sources = onboard.sources.iter().zip(rows).enumerate();
    let source = |(place, (source, row)): (usize, (&'a crate::work::Request, &'a NewRow))| NewSource {
        command: &row.id,
        onboarding,
        parent: &claimed.id,
        at: now.as_millisecond(),
        place,
        service_name: &source.service_name,
        group_id: &source.group_id,
        name: source.target.connection_name(),
    };
    sources.map(source).collect()
}
