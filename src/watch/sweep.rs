//! Sweeping: how all watched connections of a group stand, by its list.
//!
//! Owns what of a list is worth a thought, and when the group is due again. The cost goes by the
//! thousands of connections at Fivetran, whoever made them, and not by links.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::foreign::{SELDOM, is_paused};
use super::{Parts, Watcher, lock, pace};
use crate::fivetran::error::Error;
use crate::life::{Event, Seen};
use crate::store::{StoreError, Sweep, Watched};
use crate::telemetry::SweepOutcome;
use crate::work::Key;

/// Groups listed at a time.
pub(super) const GROUPS: usize = 4;
/// Rows of a group that are read at a time, so that nothing waits for them long.
const ROWS: usize = 500;
/// Connections that are thought about at a time. They share a commit, and an acknowledgement that comes meanwhile
/// waits for it: for 64 of them ten times as long as its own takes.
const THOUGHTS: usize = 8;
/// When a group is listed again whose list failed.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// When a group is listed again that this key cannot see.
const UNSEEN_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Why a group could not be swept.
enum Failed {
    Fivetran(Error),
    Store(StoreError),
}

/// What came of the list of a group.
enum Read {
    /// It was read to its end.
    Whole,
    /// Nothing in it is ours, and it was read not long ago.
    NotYet,
    /// Nothing in it is watched any more.
    Unwatched,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Fivetran(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Watcher {
    /// Takes up to so many of the groups whose list is due, as far as the pace allows.
    pub(super) async fn take_groups(&self, room: usize) -> Vec<Sweep> {
        let Parts { clock, store, .. } = &self.parts;
        let now = clock.now();
        self.assure_lists(now).await;
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        let allowed = lock(&self.pace).take(room, self.limit(), now);
        if allowed <= 0 {
            return Vec::new();
        }
        let claimed = match store.claim_sweeps(now, allowed).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "could not ask for due groups");
                Vec::new()
            }
        };
        lock(&self.pace).give_back(allowed - i64::try_from(claimed.len()).unwrap_or(allowed));
        claimed
    }

    /// Reads the list of a group, and says when it is due again.
    pub(super) async fn sweep(&self, mut group: Sweep) {
        let Parts { clock, store, .. } = &self.parts;
        let began = Instant::now();
        let listed = self.list(&mut group).await;
        self.count(&listed, began.elapsed().as_secs_f64());
        group.listed_at = match &listed {
            Ok(Read::Whole) => Some(clock.now()),
            Ok(Read::Unwatched) => None,
            // It was not listed.
            Ok(Read::NotYet) | Err(_) => group.listed_at,
        };
        let pause = match listed {
            Ok(Read::Whole | Read::NotYet) => {
                let pages = store.sweep_pages().await.unwrap_or(group.pages).max(group.pages);
                Some(pace::tick(pages, self.limit()))
            }
            Ok(Read::Unwatched) => None,
            Err(Failed::Fivetran(error)) => {
                self.rest_if_throttled(&error);
                Some(match &error {
                    Error::NotFound(_) | Error::Forbidden(_) | Error::KeyRejected(_) => {
                        tracing::warn!(group = group.group_id, %error, "this key can't list the destination's connections");
                        UNSEEN_AGAIN
                    }
                    error => {
                        tracing::info!(group = group.group_id, %error, "could not list a destination's connections");
                        AGAIN
                    }
                })
            }
            Err(Failed::Store(error)) => {
                tracing::warn!(group = group.group_id, %error, "could not read what is watched");
                Some(AGAIN)
            }
        };
        let next = pause.map(|pause| clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX));
        // One that somebody else lists by now is theirs; one that cannot be given back is when its lease ends.
        if let Err(error) = store.record_sweep(&group, next, clock.now()).await {
            tracing::warn!(group = group.group_id, %error, "could not record that a group was listed");
        }
    }

    /// Counts a list that was read; where nothing is watched, none was.
    fn count(&self, listed: &Result<Read, Failed>, seconds: f64) {
        let outcome = match listed {
            Ok(Read::Whole) => SweepOutcome::Ok,
            Ok(Read::Unwatched | Read::NotYet) => return,
            Err(Failed::Fivetran(Error::Throttled(_))) => SweepOutcome::Limited,
            Err(_) => SweepOutcome::Failed,
        };
        self.parts.metrics.swept(outcome, seconds);
    }

    /// Reads the list of a group, if it is time.
    async fn list(&self, group: &mut Sweep) -> Result<Read, Failed> {
        let now = self.parts.clock.now();
        // Read before Fivetran is asked: a row that changes meanwhile knows better than the list.
        let mut unlisted = self.watched_in(&group.group_id, now).await?;
        let watches_all = self.watches(&group.group_id);
        if unlisted.is_empty() {
            if !watches_all {
                return Ok(Read::Unwatched);
            }
            if group.listed_at.is_some_and(|at| now.duration_since(at).abs() < SELDOM) {
                lock(&self.pace).give_back(1);
                return Ok(Read::NotYet);
            }
        }
        let mut round = self.parts.foreign.as_ref().map(|foreign| foreign.begin(&group.group_id));
        let watched = unlisted.len();
        let mut list = self.parts.provision.list(&group.group_id);
        let (mut pages, mut whole) = (0_u64, true);
        while let Some(page) = list.next().await? {
            pages += 1;
            if pages > 1 {
                // The first one was paid for when the group was taken.
                lock(&self.pace).spend(1);
            }
            whole &= !page.hides();
            let (mut changed, mut strangers) = (Vec::new(), Vec::new());
            for item in page.items {
                if let Some(row) = unlisted.remove(&item.id) {
                    let seen = Seen::from(&item);
                    if is_worth_a_thought(&row, &seen, now) {
                        changed.push((row, seen));
                    }
                } else if watches_all && Seen::from(&item).asks_customer() && !is_paused(&item) {
                    strangers.push(item);
                }
            }
            for id in &page.unreadable {
                unlisted.remove(id);
            }
            self.think_about(group, changed).await;
            if let Some(round) = &mut round {
                self.bring_up(group, strangers, round).await;
            }
        }
        if let Some((foreign, round)) = self.parts.foreign.as_ref().zip(round) {
            foreign.end(&group.group_id, round);
        }
        group.pages = pages;
        if whole {
            let found = watched - unlisted.len();
            let absent = unlisted.keys().cloned();
            let vouched = lock(&self.vouched).note(&group.group_id, found, absent, self.parts.clock.now());
            if unlisted.is_empty() {
                return Ok(Read::Whole);
            }
            let others = self.missing(vouched).await?;
            let missing = |row: Watched| (row, Seen::Missing { others, asked_at: now });
            let new: Vec<_> = unlisted.into_values().map(missing).collect();
            let new = new.into_iter().filter(|(row, seen)| is_worth_a_thought(row, seen, now)).collect();
            self.think_about(group, new).await;
        }
        Ok(Read::Whole)
    }

    async fn watched_in(
        &self,
        group_id: &str,
        now: Timestamp,
    ) -> Result<HashMap<String, Watched>, StoreError> {
        let mut all = HashMap::new();
        let mut after = None;
        loop {
            let rows = self.parts.store.watched(group_id, now, after.as_ref(), ROWS).await?;
            let more = rows.len() == ROWS;
            after = rows.last().cloned();
            all.extend(rows.into_iter().map(|row| (row.connection_id.clone(), row)));
            if !more {
                return Ok(all);
            }
        }
    }

    async fn think_about(&self, group: &Sweep, changed: Vec<(Watched, Seen)>) {
        for portion in changed.chunks(THOUGHTS) {
            let thoughts = portion.iter().map(async |(row, seen)| {
                let key = Key { group_id: group.group_id.clone(), name: row.name.clone() };
                match self.parts.store.connection(&key).await {
                    // One that has changed since is thought about by the next list.
                    Ok(Some(stored)) if stored.version == row.version => {
                        self.happens(&stored, Event::Seen(seen.clone())).await;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "could not read a connection"),
                }
            });
            futures_util::future::join_all(thoughts).await;
        }
    }
}

/// Whether a list says something new of a connection, or a moment of its own has come.
fn is_worth_a_thought(row: &Watched, seen: &Seen, now: Timestamp) -> bool {
    row.seen.as_deref() != Some(seen.digest().as_str()) || row.tick_at.is_some_and(|at| at <= now)
}
