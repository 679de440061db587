//! The leases of the commands that this process is at work on: it prolongs those, and no others.
//!
//! Owns the list. A command is on it for exactly as long as somebody holds its [`LeaseGuard`], so
//! that whatever loses it (an answer that never came, a panic) lets its lease end, and another
//! process, or this one, takes it up again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The commands in hand, by id and fence.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<(String, i64), Weak<LeaseGuard>>>);

/// One command in hand.
pub struct LeaseGuard {
    id: String,
    fence: i64,
    /// Set when the database said that somebody else has it.
    lost: AtomicBool,
    leases: Weak<Leases>,
}

impl Leases {
    /// Puts a command on the list.
    pub(super) fn guard(self: &Arc<Self>, id: &str, fence: i64) -> Arc<LeaseGuard> {
        let guard = Arc::new(LeaseGuard {
            id: id.to_owned(),
            fence,
            lost: AtomicBool::new(false),
            leases: Arc::downgrade(self),
        });
        self.list().insert((id.to_owned(), fence), Arc::downgrade(&guard));
        guard
    }

    /// Everything in hand now.
    pub(super) fn all(&self) -> Vec<Arc<LeaseGuard>> {
        self.list().values().filter_map(Weak::upgrade).collect()
    }

    fn list(&self) -> MutexGuard<'_, HashMap<(String, i64), Weak<LeaseGuard>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn a_command_is_in_hand_for_as_long_as_somebody_has_it() {
        let leases = Arc::new(Leases::default());
        let first = leases.guard("a", 1);
        let second = leases.guard("a", 2);
        assert_eq!(leases.all().len(), 2);
        let copy = Arc::clone(&first);
        drop(first);
        assert_eq!(leases.all().len(), 2);
        drop(copy);
        assert_eq!(leases.all().iter().map(|guard| guard.key().1).collect::<Vec<_>>(), [2]);
        second.lose();
        assert!(!second.is_held());
    }
}
