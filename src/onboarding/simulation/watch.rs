//! Mirrors `watch` and `watch::sweep`: single looks, lists of groups, and what time brings.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::fivetran::{Call, Instead};
use super::process::{Bot, StoreError, Written};
use super::store::{MessageWrite, Stored, Watched, Write};
use super::world::Chore;
use super::{MINUTE, SECOND, UNLISTED, span, stamp};
use crate::journal::Failure;
use crate::life::{self, Event, FEW, Link, Seen, State};

/// As in `watch`, in ms.
const LOOK_AGAIN: i64 = 40 * SECOND;
const THROTTLED_PAUSE: Duration = Duration::from_secs(60);
/// As in `watch::sweep`, in ms.
const AGAIN: i64 = MINUTE;
const UNSEEN_AGAIN: i64 = 10 * MINUTE;

impl Bot {
    /// `Watcher::look_at_due`.
    pub(super) async fn look_at_due(self) {
        let clock = self.clock();
        let names =
            self.db(|store, _| store.claim_looks(clock, clock + LOOK_AGAIN)).await.unwrap_or_default();
        self.side_by_side(Chore::Looks, names, |bot, name| async move { bot.look(name).await });
    }

    /// Does it for each, side by side, and rests when all are done.
    fn side_by_side<T, F: Future<Output = ()> + 'static>(
        &self,
        chore: Chore,
        what: Vec<T>,
        does: impl Fn(Self, T) -> F,
    ) {
        let left = Rc::new(Cell::new(what.len()));
        if what.is_empty() {
            self.world().rest(self.replica, self.life, chore);
        }
        for one in what {
            let (left, doing) = (Rc::clone(&left), does(self.clone(), one));
            self.spawn(|bot| async move {
                doing.await;
                left.set(left.get() - 1);
                if left.get() == 0 {
                    bot.world().rest(bot.replica, bot.life, chore);
                }
            });
        }
    }

    /// `Watcher::let_time_pass`.
    pub(super) async fn let_time_pass(self) {
        let before = self.clock() - UNLISTED;
        for name in self.db(|store, _| store.ticked(before)).await.unwrap_or_default() {
            self.world().statistics.ticks += 1;
            if let Ok(Some(stored)) = self.connection(name).await {
                let seen = if self.may_look() { self.see(&stored).await } else { Err(()) };
                let event = seen.map_or(Event::Passed, Event::Seen);
                self.happens(&stored, event).await;
            }
        }
        self.world().rest(self.replica, self.life, Chore::Ticks);
    }

    /// `Watcher::look`.
    async fn look(&self, name: usize) {
        let Ok(Some(before)) = self.connection(name).await else { return };
        if self.consider(&before).await.is_some() {
            return;
        }
        let Ok(Some(now)) = self.connection(name).await else { return };
        let looks = |it: &Stored| (it.connection.generation, it.connection.looks);
        let is_new = now.version != before.version && looks(&now) == looks(&before);
        if is_new && now.connection.link.state.is_open() && self.may_look() {
            self.consider(&now).await;
        }
    }

    /// `Watcher::may_look`, but for a pace that is used up.
    fn may_look(&self) -> bool {
        self.clock() >= self.world().replicas[self.replica].paused_until
    }

    /// `Watcher::consider`.
    async fn consider(&self, stored: &Stored) -> Option<Link> {
        let event = self.see(stored).await.map_or(Event::NotSeen, Event::Seen);
        self.happens(stored, event).await
    }

    /// `Watcher::happens`.
    async fn happens(&self, stored: &Stored, event: Event) -> Option<Link> {
        let (before, reminders) = (&stored.connection, self.reminders());
        self.trace(|| format!("connection {}: {event:?}", super::name_of(&before.key)));
        let change = life::next(before, event, reminders, self.now());
        if change.connection == *before && change.show.is_empty() {
            return Some(before.link.clone());
        }
        let (from, to) = (before.link.state, change.connection.link.state);
        let write = Write {
            change: &change,
            version: stored.version,
            held: None,
            progress: None,
            message: MessageWrite::None,
            reminders,
            now: self.clock(),
        };
        match self.write(write).await {
            Ok(Written::Committed) => {
                self.trace(|| format!("connection {}: {from:?} -> {to:?}", super::name_of(&before.key)));
                let mut world = self.world();
                world.statistics.seen_gone += u64::from(to == State::Gone && from != to);
                world.statistics.came_back += u64::from(from == State::Gone && from != to);
                drop(world);
                Some(change.connection.link)
            }
            Ok(Written::Conflict | Written::LeaseLost) | Err(StoreError) => None,
        }
    }

    /// `Watcher::look_for_browser`.
    pub(super) async fn landed(self, connection: usize, link: String) {
        let Ok(Some(mut stored)) = self.db(|store, _| store.connection_of_link(&link)).await else { return };
        let name = super::name_of(&stored.connection.key);
        {
            let mut world = self.world();
            let now = world.now;
            world.statistics.landings += 1;
            // Once that is on disk anybody may know of it, whatever becomes of this process.
            world.visits.push((connection, now));
        }
        while self.happens(&stored, Event::Landed).await.is_none() {
            let Ok(Some(again)) = self.connection(name).await else { return };
            stored = again;
        }
        let paced = {
            let mut world = self.world();
            let now = world.now;
            world.landings.push((connection, now));
            world.dice.one_in(4)
        };
        if !paced {
            self.look(name).await;
        }
    }

    /// Somebody asks for the status of a connection.
    pub(super) async fn asked(self, name: usize) {
        let Ok(Some(stored)) = self.connection(name).await else { return };
        self.world().statistics.questions += 1;
        self.happens(&stored, Event::Asked).await;
    }

    /// `Watcher::see`.
    async fn see(&self, stored: &Stored) -> Result<Seen, ()> {
        let connection = &stored.connection;
        let (id, asked_at) = (connection.link.connection_id.parse::<usize>().unwrap(), self.now());
        self.world().statistics.looks += 1;
        match self.fivetran(Call::Other, move |world| world.fivetran.see(id, world.now)).await {
            Ok(Some(seen)) => Ok(seen),
            Ok(None) => {
                let missing = self.db(|store, _| store.missing(FEW + 2)).await.map_err(|StoreError| ())?;
                Ok(Seen::Missing {
                    others: missing - u64::from(connection.missing_since.is_some()).min(missing),
                    asked_at,
                })
            }
            Err(instead) => {
                self.rest_if_throttled(&instead);
                Err(())
            }
        }
    }

    /// `Watcher::rest_if_throttled`.
    fn rest_if_throttled(&self, instead: &Instead) {
        if let Instead::Failed(Failure::Throttled(pause)) = instead {
            let until = self.clock() + span(pause.unwrap_or(THROTTLED_PAUSE));
            self.trace(|| format!("the watcher rests until {until}"));
            let mut world = self.world();
            let until = until.max(world.replicas[self.replica].paused_until);
            world.replicas[self.replica].paused_until = until;
            let ahead = world.replicas[self.replica].ahead;
            world.is_troubled(until - ahead);
        }
    }

    /// `Watcher::sweep`.
    pub(super) async fn sweep(self) {
        let clock = self.clock();
        let claimed = self.db(|store, now| store.claim_sweeps(clock, now)).await.unwrap_or_default();
        self.side_by_side(Chore::Sweeps, claimed, |bot, (group, fence)| async move {
            bot.sweep_group(group, fence).await;
        });
    }

    /// `Watcher::sweep_group`.
    async fn sweep_group(&self, group: usize, fence: i64) {
        self.world().statistics.sweeps += 1;
        let pause = match self.list(group).await {
            Ok(true) => Some(self.world().fivetran.tick),
            Ok(false) => None,
            Err(pause) => {
                let mut world = self.world();
                let until = world.now + pause;
                world.is_troubled(until);
                Some(pause)
            }
        };
        let next = pause.map(|pause| self.clock() + pause);
        self.trace(|| format!("group {group} is listed again at {next:?}"));
        let clock = self.clock();
        let _ = self.db(|store, _| store.record_sweep(group, fence, next, clock)).await;
    }

    /// `Watcher::list`; fails with when it is tried again.
    async fn list(&self, group: usize) -> Result<bool, i64> {
        let clock = self.clock();
        let watched = self.db(|store, _| store.watched(group, clock)).await.map_err(|StoreError| AGAIN)?;
        if watched.is_empty() {
            return Ok(false);
        }
        let listed = self.fivetran(Call::Other, move |world| world.fivetran.list(group, world.now)).await;
        let listed = listed.map_err(|instead| {
            self.rest_if_throttled(&instead);
            if matches!(instead, Instead::Failed(Failure::Final(_))) { UNSEEN_AGAIN } else { AGAIN }
        })?;
        let (mut changed, mut unlisted) = (Vec::new(), Vec::new());
        for row in watched {
            match listed.iter().find(|(id, _)| *id == row.connection) {
                Some((_, seen)) => changed.push((row, seen.clone())),
                None => unlisted.push(row),
            }
        }
        changed.retain(|(row, seen)| is_worth_a_thought(row, seen, clock));
        Box::pin(self.think_about(changed)).await;
        if !unlisted.is_empty() {
            let others = self.db(|store, _| store.missing(FEW + 2)).await.map_err(|StoreError| AGAIN)?;
            let missing =
                unlisted.into_iter().map(|row| (row, Seen::Missing { others, asked_at: stamp(clock) }));
            let missing = missing.filter(|(row, seen)| is_worth_a_thought(row, seen, clock)).collect();
            Box::pin(self.think_about(missing)).await;
        }
        Ok(true)
    }

    /// `Watcher::think_about`.
    async fn think_about(&self, rows: Vec<(Watched, Seen)>) {
        for (row, seen) in rows {
            match self.connection(row.name).await {
                Ok(Some(stored)) if stored.version == row.version => {
                    Box::pin(self.happens(&stored, Event::Seen(seen))).await;
                }
                Ok(_) | Err(StoreError) => {}
            }
        }
    }
}

/// `sweep::is_worth_a_thought`.
fn is_worth_a_thought(row: &Watched, seen: &Seen, clock: i64) -> bool {
    row.seen.as_deref() != Some(seen.digest().as_str()) || row.tick_at.is_some_and(|at| at <= clock)
}
