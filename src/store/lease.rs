//! The leases of the commands that this process is at work on: it prolongs those, and no others.
//!
//! Owns the list, and how long each lease holds at the least. A command is on it for exactly as long as somebody holds its [`LeaseGuard`], so
//! that whatever loses it (an answer that never came, a panic) lets its lease end, and another
//! process, or this one, takes it up again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// The commands in hand, by id and fence.
pub(super) struct Leases {
    list: Mutex<HashMap<(String, i64), Weak<LeaseGuard>>>,
    /// How long a lease lasts when it is not prolonged.
    lasts: Duration,
    started: Instant,
}

/// One command in hand.
pub struct LeaseGuard {
    id: String,
    fence: i64,
    /// Set when the database said that somebody else has it.
    lost: AtomicBool,
    /// When the database was last asked for the lease and gave it, in ms since [`Leases::started`]: it
    /// has been counting since a moment after that.
    asked_ms: AtomicU64,
    leases: Weak<Leases>,
}

impl Leases {
    /// None yet, and each lasts so long.
    pub(super) fn new(lasts: Duration) -> Arc<Self> {
        Arc::new(Self { list: Mutex::default(), lasts, started: Instant::now() })
    }

    /// The moment at which the database is about to be asked.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Puts a command on the list whose lease was asked for at `asked_ms`.
    pub(super) fn guard(self: &Arc<Self>, id: &str, fence: i64, asked_ms: u64) -> Arc<LeaseGuard> {
        let guard = Arc::new(LeaseGuard {
            id: id.to_owned(),
            fence,
            lost: AtomicBool::new(false),
            asked_ms: asked_ms.into(),
            leases: Arc::downgrade(self),
        });
        self.list().insert((id.to_owned(), fence), Arc::downgrade(&guard));
        guard
    }

    /// Everything in hand now.
    pub(super) fn all(&self) -> Vec<Arc<LeaseGuard>> {
        self.list().values().filter_map(Weak::upgrade).collect()
    }

    /// Those whose leases were last asked for so long ago, the oldest first.
    pub(super) fn older_than(&self, age: Duration) -> Vec<Arc<LeaseGuard>> {
        let now = self.now_ms();
        let mut old: Vec<_> = self.all().into_iter().filter(|guard| guard.age(now) >= age).collect();
        old.sort_by_key(|guard| guard.asked_ms.load(Ordering::Relaxed));
        old
    }

    fn list(&self) -> MutexGuard<'_, HashMap<(String, i64), Weak<LeaseGuard>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaseGuard {
    /// The command and its fence.
    pub(super) fn key(&self) -> (&str, i64) {
        (&self.id, self.fence)
    }

    /// Whether, as far as is known, nobody else has it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
    }

    /// For how long the lease holds at the least: nothing once somebody else has it.
    #[must_use]
    pub fn left(&self) -> Duration {
        match self.leases.upgrade() {
            Some(leases) if self.is_held() => leases.lasts.saturating_sub(self.age(leases.now_ms())),
            _ => Duration::ZERO,
        }
    }

    fn age(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.asked_ms.load(Ordering::Relaxed)))
    }

    /// Notes that the database, asked at `asked_ms`, has prolonged it.
    pub(super) fn prolonged(&self, asked_ms: u64) {
        self.asked_ms.fetch_max(asked_ms, Ordering::Relaxed);
    }

    /// Notes that somebody else has it.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        if let Some(leases) = self.leases.upgrade() {
            leases.list().remove(&(std::mem::take(&mut self.id), self.fence));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(30);

    #[test]
    fn a_command_is_in_hand_for_as_long_as_somebody_has_it() {
        let leases = Leases::new(LASTS);
        let first = leases.guard("a", 1, 0);
        let second = leases.guard("a", 2, 0);
        assert_eq!(leases.all().len(), 2);
        let copy = Arc::clone(&first);
        drop(first);
        assert_eq!(leases.all().len(), 2);
        drop(copy);
        assert_eq!(leases.all().iter().map(|guard| guard.key().1).collect::<Vec<_>>(), [2]);
        second.lose();
        assert!(!second.is_held());
        drop(second);
        assert!(leases.list().is_empty(), "nothing is kept of what nobody has");
    }

    #[tokio::test(start_paused = true)]
    async fn each_lease_counts_from_when_it_was_asked_for_itself() {
        let leases = Leases::new(LASTS);
        let seconds = Duration::from_secs;
        let early = leases.guard("early", 1, leases.now_ms());
        tokio::time::advance(seconds(8)).await;
        let late = leases.guard("late", 1, leases.now_ms());
        tokio::time::advance(seconds(4)).await;
        assert_eq!((early.left(), late.left()), (seconds(18), seconds(26)));
        let old =
            |age| leases.older_than(seconds(age)).iter().map(|it| it.key().0.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (old(4), old(10)),
            (vec!["early".to_owned(), "late".to_owned()], vec!["early".to_owned()])
        );

        // The answer came later than that; an older one says nothing new.
        early.prolonged(leases.now_ms());
        tokio::time::advance(seconds(1)).await;
        early.prolonged(0);
        assert_eq!((early.left(), late.left()), (seconds(29), seconds(25)));
        tokio::time::advance(seconds(100)).await;
        assert_eq!(early.left(), Duration::ZERO);

        late.prolonged(leases.now_ms());
        late.lose();
        assert_eq!(late.left(), Duration::ZERO, "somebody else has it");
    }
}
