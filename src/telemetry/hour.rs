//! How many calls a party says are left in the hour.
//!
//! Owns for how long that is believed. Must not know who says it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When it was said longer ago, another hour has begun.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What was said last. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct CallsLeft(Arc<Mutex<Option<(u32, Instant)>>>);

impl CallsLeft {
    /// So many are left now.
    pub(super) fn told(&self, left: u32) {
        *self.lock() = Some((left, Instant::now()));
    }

    /// How many there are, if that is known of this hour.
    pub(super) fn known(&self) -> Option<u32> {
        self.lock().filter(|(_, told)| told.elapsed() < HOUR).map(|(left, _)| left)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u32, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_left_of_an_hour_is_forgotten_with_it() {
        let left = CallsLeft::default();
        assert_eq!(left.known(), None);
        left.told(7);
        tokio::time::advance(HOUR - Duration::from_secs(1)).await;
        assert_eq!(left.known(), Some(7));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(left.known(), None);
    }
}
