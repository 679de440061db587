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

/// How long after its rest a command is still taken for this process's, which looks for what is due twice a second.
/// Later, another one has it.
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

    /// Puts a command down for so long.
    pub(super) fn put_down(&self, claimed: &Claimed, journal: Journal<ConnectCard>, pause: Duration) {
        let until = self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.with(|resting| resting.put_down(&claimed.id, claimed.fence, journal, until));
    }

    /// The journal to go on with, and its first outcome.
    pub(super) fn take_up(&self, claimed: &Claimed, terms: Terms) -> (Journal<ConnectCard>, Outcome) {
        self.with(|resting| resting.take_up(&claimed.id, claimed.fence, terms, claimed.progress.clone()))
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

    /// How many have been put down, and counts anew those that are still this process's.
    pub(super) fn count(&self) -> usize {
        self.with(|resting| resting.count())
    }

    /// Does something with them, and counts them.
    fn with<T>(&self, act: impl FnOnce(&mut Resting<ConnectCard>) -> T) -> T {
        let mut resting = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        let done = act(&mut resting);
        let lately = self.clock.now().saturating_sub(OVERDUE).unwrap_or(Timestamp::MIN);
        self.gauge.set(i64::try_from(resting.until_after(lately)).unwrap_or(i64::MAX));
        done
    }
}
