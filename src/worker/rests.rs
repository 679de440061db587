//! The commands that this process has put down until they are due: their journals, and how many there are.
//!
//! Owns that the number is right, whoever has taken them up meanwhile. What a rest is for is [`crate::journal`]'s
//! to know.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::gauge::Gauge;

use super::Outcome;
use crate::clock::Clock;
use crate::fivetran::model::ConnectCard;
use crate::journal::{Journal, Resting, Terms};
use crate::store::Claimed;

/// How long after its rest a command is still taken for this process's, which looks for what is due twice a second
/// unless it has its hands full. Later, another one has it, or it lies in the database with what nobody has taken.
const OVERDUE: SignedDuration = SignedDuration::from_secs(10);

/// The journals at rest.
pub(super) struct Rests {
    journals: Mutex<Resting<ConnectCard>>,
    clock: Clock,
    gauge: Gauge,
}

impl Rests {
    /// None yet. `gauge` shows how many there are.
    pub(super) fn new(clock: Clock, gauge: Gauge) -> Self {
        Self { journals: Mutex::default(), clock, gauge }
    }

    /// Puts a command down, which was carried under this fence, for so long.
    pub(super) fn put_down(&self, id: &str, fence: i64, journal: Journal<ConnectCard>, pause: Duration) {
        let until = self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.with(|resting| resting.put_down(id, fence, journal, until));
    }

    /// The journal to go on with, and its first outcome.
    pub(super) fn take_up(&self, claimed: &Claimed, terms: Terms) -> (Journal<ConnectCard>, Outcome) {
        self.with(|resting| resting.take_up(&claimed.id, claimed.fence, terms, claimed.progress.clone())).0
    }

    /// Forgets a command that somebody else has taken.
    pub(super) fn forget(&self, id: &str) {
        self.with(|resting| resting.forget(id));
    }

    /// Forgets those whose time is over.
    pub(super) fn forget_old(&self) {
        let now = self.clock.now();
        self.with(|resting| resting.forget_old(now));
    }

    /// How many there are, as the gauge shows from now on. Others take some up without a word, so this is to be
    /// asked now and then.
    pub(super) fn count(&self) -> usize {
        self.with(|_| ()).1
    }

    /// Does something with them. How many there are then, which the gauge shows.
    fn with<T>(&self, act: impl FnOnce(&mut Resting<ConnectCard>) -> T) -> (T, usize) {
        let mut resting = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut resting);
        let lately = self.clock.now().saturating_sub(OVERDUE).unwrap_or(Timestamp::MIN);
        let count = resting.until_after(lately);
        self.gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        (done, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Progress;
    use crate::work::Intent;

    fn terms(clock: &Clock) -> Terms {
        let (accepted_at, grace) = (clock.now(), SignedDuration::from_secs(1));
        Terms {
            accepted_at,
            web_api: true,
            intent: Intent::Connect,
            for_few: false,
            joins: false,
            grace,
            spread: 0,
        }
    }

    #[test]
    fn what_others_have_taken_up_is_counted_no_more() {
        let (clock, gauge) = (Clock::default(), Gauge::default());
        let rests = Rests::new(clock.clone(), gauge.clone());
        let rest = Duration::from_secs(60);
        for id in ["1", "2"] {
            rests.put_down(id, 1, Journal::new(terms(&clock), Progress::default()), rest);
        }
        assert_eq!(gauge.get(), 2);
        rests.forget("1");
        assert_eq!(gauge.get(), 1);
        // Somebody else has the other one, of whom nothing is heard here.
        clock.advance(rest);
        assert_eq!((rests.count(), gauge.get()), (1, 1), "it may be taken up here yet");
        clock.advance(OVERDUE.unsigned_abs());
        assert_eq!((rests.count(), gauge.get()), (0, 0));
    }
}
