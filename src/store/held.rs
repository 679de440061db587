//! Which commands this process is at work on: those whose lease it prolongs, and no others.
//!
//! Owns the list. A command is on it for exactly as long as somebody has its [`Hold`] in hand, so
//! that whatever loses it (an answer that never came, a panic) lets its lease end, and another
//! process, or this one, takes it up again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The commands in hand, by id and fence.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<(String, i64), Weak<Hold>>>);

/// One command in hand.
pub struct Hold {
    id: String,
    fence: i64,
    /// Set when the database said that somebody else has it.
    lost: AtomicBool,
    held: Weak<Held>,
}

impl Held {
    /// Puts a command on the list.
    pub(super) fn hold(self: &Arc<Self>, id: &str, fence: i64) -> Arc<Hold> {
        let hold = Arc::new(Hold {
            id: id.to_owned(),
            fence,
            lost: AtomicBool::new(false),
            held: Arc::downgrade(self),
        });
        self.list().insert((id.to_owned(), fence), Arc::downgrade(&hold));
        hold
    }

    /// Everything in hand now.
    pub(super) fn all(&self) -> Vec<Arc<Hold>> {
        self.list().values().filter_map(Weak::upgrade).collect()
    }

    fn list(&self) -> MutexGuard<'_, HashMap<(String, i64), Weak<Hold>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// The command and its fence.
    pub(super) fn key(&self) -> (&str, i64) {
        (&self.id, self.fence)
    }

    /// Whether, as far as is known, nobody else has it.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
    }

    /// Notes that somebody else has it.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(held) = self.held.upgrade() {
            held.list().remove(&(std::mem::take(&mut self.id), self.fence));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_in_hand_for_as_long_as_somebody_has_it() {
        let held = Arc::new(Held::default());
        let first = held.hold("a", 1);
        let second = held.hold("a", 2);
        assert_eq!(held.all().len(), 2);
        let copy = Arc::clone(&first);
        drop(first);
        assert_eq!(held.all().len(), 2);
        drop(copy);
        assert_eq!(held.all().iter().map(|hold| hold.key().1).collect::<Vec<_>>(), [2]);
        second.lose();
        assert!(!second.holds());
    }
}
