//! Fivetran as a model: connections by name, the cards made for them, and calls that go wrong, or
//! answer what is not so, in every known way.

use std::time::Duration;

use jiff::SignedDuration;

use super::dice::Dice;
use super::{CALL_TIMEOUT, CREATE_LIMIT, CREATE_TIMEOUT, Fate, HOUR, MINUTE, SECOND, Weather, group_of};
use crate::fivetran::model::{ApiMessage, SetupState};
use crate::fivetran::tasks::Cause;
use crate::journal::{Failure, Found, Problem};
use crate::life::{Seen, Trouble};
use crate::outbound::Obstacle;

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Incomplete,
    Connected,
    Broken,
    Deleted,
}

pub(super) struct Connection {
    pub(super) name: usize,
    pub(super) ours: bool,
    /// Since when it was how.
    pub(super) history: Vec<(i64, Is)>,
    /// The customer went through a card, at these times.
    pub(super) finished: Vec<i64>,
    /// Somebody had finished it before any command.
    pub(super) finished_before_all: bool,
    /// The command whose creation made it.
    pub(super) made_by: Option<usize>,
    made_at: i64,
    listed_at: i64,
    /// When it was synced at somebody's command.
    pub(super) syncs: Vec<i64>,
    /// When an answer said how it is.
    pub(super) seen: Vec<i64>,
    /// When those of them were given that have arrived.
    pub(super) heard: Vec<i64>,
    /// When an answer said that it is not there although it is.
    pub(super) denied: Vec<i64>,
}

impl Connection {
    pub(super) fn is(&self) -> Is {
        self.history.last().map_or(Is::Deleted, |(_, is)| *is)
    }

    /// What is at fault while it is broken.
    pub(super) fn cause(&self) -> Cause {
        self.cause_at(self.history.len().saturating_sub(1))
    }

    /// The same for an entry of its history: access, a sync, or what is not known, by turns.
    fn cause_at(&self, entry: usize) -> Cause {
        let breaks = self.history.iter().take(entry + 1).filter(|(_, is)| *is == Is::Broken).count();
        [Cause::Unknown, Cause::Access, Cause::Sync][(breaks + self.name) % 3]
    }

    /// Whether an answer has said since `since` that its access is lost.
    pub(super) fn was_said_to_lose_access(&self, since: i64) -> bool {
        self.seen.iter().filter(|&&at| at >= since).any(|&at| {
            let entry = self.history.iter().rposition(|(since, _)| *since <= at);
            entry.is_some_and(|it| self.history[it].1 == Is::Broken && self.cause_at(it) == Cause::Access)
        })
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.is() == Is::Deleted
    }

    /// How it was at a moment.
    fn at(&self, moment: i64) -> Option<Is> {
        self.history.iter().rev().find(|(since, _)| *since <= moment).map(|(_, is)| *is)
    }

    /// Whether an answer has said since `since` that it is so.
    pub(super) fn was_said(&self, is: Is, since: i64) -> bool {
        self.seen.iter().any(|&at| at >= since && self.at(at) == Some(is))
    }

    /// Whether it was so at any moment since `since`.
    pub(super) fn was(&self, is: Is, since: i64) -> bool {
        let ends = self.history.iter().skip(1).map(|(at, _)| *at).chain([i64::MAX]);
        self.history.iter().zip(ends).any(|((_, was), end)| *was == is && end >= since)
    }
}

/// A link's card.
pub(super) struct Card {
    /// The connection that it is for.
    pub(super) connection: usize,
    /// When its link stops working.
    pub(super) expires_at: i64,
}

/// From when to when answers deny connections: all of them, or the one of a name.
pub(super) struct Lie {
    pub(super) from: i64,
    pub(super) to: i64,
    name: Option<usize>,
    /// In lists too.
    lists: bool,
}

/// What a call asks for, as far as its fate goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Create,
    Other,
}

/// What a caller hears in the place of the truth.
#[derive(Clone, Debug)]
pub(super) enum Instead {
    Failed(Failure),
    Refused,
}

pub(super) struct Fivetran {
    pub(super) connections: Vec<Connection>,
    pub(super) cards: Vec<Card>,
    pub(super) weather: Weather,
    /// Fivetran's promise under `FIVETRAN_NAMING`. Where it is broken, lists do not lag: then looking
    /// until a creation is done or never will be must be enough.
    pub(super) names_are_unique: bool,
    /// A name that is taken is said to be so; otherwise it is refused like anything else.
    pub(super) conflict: bool,
    lag: i64,
    /// How long a card's link works.
    life: i64,
    pub(super) lies: Vec<Lie>,
    /// How long after a list of a group the next one is due, by the account's limit.
    pub(super) tick: i64,
}

impl Fivetran {
    /// Clocks that differ by minutes are no match for cards that live for minutes.
    pub(super) fn new(skewed: bool, dice: &mut Dice) -> Self {
        let names_are_unique = !dice.one_in(4);
        let life = dice.pick(&[24 * HOUR, 24 * HOUR, 5 * MINUTE, 12 * MINUTE, 90 * SECOND]);
        Self {
            connections: Vec::new(),
            cards: Vec::new(),
            weather: Weather::new(dice),
            names_are_unique,
            conflict: dice.one_in(2),
            lag: if names_are_unique && dice.one_in(4) { 1500 } else { 0 },
            life: if skewed { 24 * HOUR } else { life },
            lies: Vec::new(),
            tick: dice.pick(&[30 * SECOND, 2 * MINUTE, 4 * MINUTE, 6 * MINUTE, 8 * MINUTE, 8 * MINUTE]),
        }
    }

    pub(super) fn lists_lag(&self) -> bool {
        self.lag > 0
    }

    /// Adds one that somebody made before all this.
    pub(super) fn seed(&mut self, name: usize, ours: bool, is: Is) -> usize {
        self.connections.push(Connection {
            name,
            ours,
            history: vec![(-24 * HOUR, is)],
            finished: Vec::new(),
            finished_before_all: is != Is::Incomplete,
            made_by: None,
            made_at: -24 * HOUR,
            listed_at: 0,
            syncs: Vec::new(),
            seen: Vec::new(),
            heard: Vec::new(),
            denied: Vec::new(),
        });
        self.connections.len() - 1
    }

    /// Lets answers deny what is there for a while.
    pub(super) fn lie(&mut self, names: usize, dice: &mut Dice) {
        let from = dice.below(10 * MINUTE);
        let long = dice.pick(&[SECOND, 20 * SECOND, 4 * MINUTE, 12 * MINUTE]);
        let name =
            if dice.one_in(2) { None } else { Some(usize::try_from(dice.below(names as i64)).unwrap()) };
        self.lies.push(Lie { from, to: from + dice.below(long) + 1, name, lists: dice.one_in(2) });
    }

    /// Lets every answer deny everything for a while, as to a key of another account.
    pub(super) fn deny_all(&mut self) {
        self.lies.push(Lie { from: MINUTE, to: 25 * MINUTE, name: None, lists: true });
    }

    /// What will become of a call that is sent now.
    pub(super) fn fate(&self, call: Call, now: i64, dice: &mut Dice) -> Fate<Instead> {
        let answer_at = now + dice.between(20, 1500);
        let work_at = dice.between(now, answer_at);
        let instead = |work_at, answer_at, failure| Fate {
            work_at,
            answer_at,
            instead: Some(Instead::Failed(failure)),
        };
        let too_late = now + if call == Call::Create { CREATE_TIMEOUT } else { CALL_TIMEOUT };
        if self.weather.is_out(now) {
            return match self.weather.kind {
                0 => instead(None, answer_at, Failure::Throttled(Some(Duration::ZERO))),
                1 => instead(Some(work_at), answer_at, Failure::Unclear),
                _ => match dice.below(3) {
                    0 => instead(None, now + 5, Failure::NotSent),
                    1 => instead(None, answer_at, Failure::Unclear),
                    _ => instead(None, too_late, Failure::Unclear),
                },
            };
        }
        if !self.weather.troubles(now, dice) {
            return Fate { work_at: Some(work_at), answer_at, instead: None };
        }
        // When the work of a request may be done at the latest, even if its caller has gone.
        let latest = match call {
            Call::Create => now + CREATE_LIMIT,
            Call::Other if self.names_are_unique => now + 35_000,
            Call::Other => now + 2_500,
        };
        match dice.below(12) {
            0 | 1 => instead(None, now + 5, Failure::NotSent),
            2 | 3 => {
                let pause = dice.pick(&[None, Some(0), Some(1), Some(30), Some(60), Some(61), Some(600)]);
                instead(None, answer_at, Failure::Throttled(pause.map(Duration::from_secs)))
            }
            4 | 5 => instead(None, answer_at, Failure::Unclear),
            6 | 7 => instead(Some(work_at), answer_at, Failure::Unclear),
            8 => instead(Some(dice.between(now, latest)), too_late, Failure::Unclear),
            9 => instead(Some(dice.between(answer_at, latest)), answer_at, Failure::Unclear),
            10 if call == Call::Create => Fate { work_at: None, answer_at, instead: Some(Instead::Refused) },
            10 if dice.one_in(2) => {
                let foreign = Problem::Blocked(Obstacle::Foreign { status: 404 });
                instead(None, answer_at, Failure::Doubtful(foreign))
            }
            10 => instead(None, answer_at, Failure::Final(Problem::Forbidden(ApiMessage::default()))),
            _ => Fate { work_at: Some(work_at), answer_at: too_late - 1, instead: None },
        }
    }

    /// Makes a connection: its number, and its card if that comes along.
    pub(super) fn create(&mut self, name: usize, command: usize, now: i64) -> Option<(usize, Option<usize>)> {
        if self.names_are_unique && self.bearing(name).next().is_some() {
            return None;
        }
        self.connections.push(Connection {
            name,
            ours: true,
            history: vec![(now, Is::Incomplete)],
            finished: Vec::new(),
            finished_before_all: false,
            made_by: Some(command),
            made_at: now,
            listed_at: now + self.lag,
            syncs: Vec::new(),
            seen: Vec::new(),
            heard: Vec::new(),
            denied: Vec::new(),
        });
        let id = self.connections.len() - 1;
        // Now and then the card does not come along.
        Some((id, (now % 16 != 0).then(|| self.card(id, now))))
    }

    /// `provision::judge`: what bears the name.
    pub(super) fn look(&self, name: usize, now: i64) -> Found {
        match self.bearing(name).find(|(_, found)| found.listed_at <= now) {
            None => Found::Nothing,
            Some((_, found)) if !found.ours => Found::OtherService { service: "stripe".to_owned() },
            Some((id, found)) if found.is() == Is::Incomplete => {
                let age = SignedDuration::from_millis(now - found.made_at);
                Found::Unfinished { connection: id.to_string(), age: Some(age) }
            }
            Some((id, found)) => {
                let broken = found.is() == Is::Broken;
                Found::Finished { connection: id.to_string(), origin: None, broken }
            }
        }
    }

    pub(super) fn card(&mut self, connection: usize, now: i64) -> usize {
        self.cards.push(Card { connection, expires_at: now + self.life });
        self.cards.len() - 1
    }

    pub(super) fn mint(&mut self, connection: usize, now: i64) -> Option<usize> {
        self.exists(connection).then(|| self.card(connection, now))
    }

    /// What one look at one connection shows; `None`: it is not there.
    pub(super) fn see(&mut self, connection: usize, now: i64) -> Option<Seen> {
        self.shows(connection, now, false)
    }

    /// What a list of a group shows.
    pub(super) fn list(&mut self, group: usize, now: i64) -> Vec<(usize, Seen)> {
        let of_group = (0..self.connections.len()).filter(|&id| group_of(self.connections[id].name) == group);
        let (listed, hidden): (Vec<_>, Vec<_>) =
            of_group.partition(|&id| self.connections[id].listed_at <= now);
        for id in hidden.into_iter().filter(|&id| self.exists(id)).collect::<Vec<_>>() {
            self.connections[id].denied.push(now);
        }
        listed.into_iter().filter_map(|id| Some((id, self.shows(id, now, true)?))).collect()
    }

    /// What was answered at that moment has arrived.
    pub(super) fn was_heard(&mut self, at: i64) {
        for one in self.connections.iter_mut().filter(|one| one.seen.contains(&at)) {
            one.heard.push(at);
        }
    }

    fn shows(&mut self, id: usize, now: i64, listed: bool) -> Option<Seen> {
        let found = self.connections.get_mut(id)?;
        let state = match found.is() {
            Is::Deleted => return None,
            Is::Incomplete => SetupState::Incomplete,
            Is::Connected => SetupState::Connected,
            Is::Broken => SetupState::Broken,
        };
        let denies = |lie: &&Lie| {
            (lie.from..lie.to).contains(&now)
                && lie.name.is_none_or(|name| name == found.name)
                && (lie.lists || !listed)
        };
        if self.lies.iter().any(|lie| denies(&lie)) {
            found.denied.push(now);
            return None;
        }
        found.seen.push(now);
        let trouble = Trouble { cause: found.cause(), ..Trouble::default() };
        Some(Seen::Setup { state, trouble, first_sync: false })
    }

    pub(super) fn becomes(&mut self, connection: usize, is: Is, now: i64) {
        let found = &mut self.connections[connection];
        if !found.is_deleted() && found.is() != is {
            found.history.push((now, is));
        }
    }

    /// The customer goes through a card.
    pub(super) fn finish(&mut self, connection: usize, now: i64) {
        if self.exists(connection) {
            self.becomes(connection, Is::Connected, now);
            self.connections[connection].finished.push(now);
        }
    }

    /// Syncs a connection, which is all that it takes where a sync had failed; false if there is none.
    pub(super) fn sync(&mut self, connection: usize, now: i64) -> bool {
        if !self.exists(connection) {
            return false;
        }
        let found = &mut self.connections[connection];
        found.syncs.push(now);
        if found.is() == Is::Broken && found.cause() == Cause::Sync {
            self.becomes(connection, Is::Connected, now);
        }
        true
    }

    pub(super) fn exists(&self, connection: usize) -> bool {
        self.connections.get(connection).is_some_and(|found| !found.is_deleted())
    }

    /// The connections of a name that exist.
    pub(super) fn bearing(&self, name: usize) -> impl Iterator<Item = (usize, &Connection)> {
        self.connections
            .iter()
            .enumerate()
            .filter(move |(_, found)| found.name == name && !found.is_deleted())
    }
}
