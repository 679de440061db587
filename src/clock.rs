//! The time, as the rest of the crate sees it: the wall clock, which somebody may set, and one that nobody can.
//!
//! Owns the one place where the real time is read, so that a test can move a whole bot a day
//! ahead. Leases do not use it: they go by the database's own clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A handle on the time; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds ahead of the real time. Zero but in tests and in the sandbox.
    ahead_ms: Arc<AtomicI64>,
}

/// A moment by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock, by which people and other replicas go. NTP or a person may set it.
    pub at: Timestamp,
    /// By a clock of this process that is never set, since some moment before: what matters is the time between
    /// two of them. It may stand still while the machine sleeps, and is never ahead of what has passed.
    pub steady: Duration,
}

/// By a wall clock that nobody sets.
impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        let steady = Duration::try_from(at.duration_since(Timestamp::MIN)).unwrap_or_default();
        Self { at, steady }
    }
}

impl Clock {
    /// The present moment by both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        Moment { at: self.now(), steady: BEGAN.elapsed() + self.ahead() }
    }

    /// The present moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
    pub fn now(&self) -> Timestamp {
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond().saturating_add(ahead)).unwrap_or(now)
    }

    /// How far it is ahead of the real time.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.ahead_ms.load(Ordering::Relaxed)).unwrap_or_default())
    }

    /// Moves the time ahead, for every holder of a clone.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Sets the time back, as NTP or a person may do it, for every holder of a clone.
    pub fn set_back(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms.fetch_sub(ms, Ordering::Relaxed);
    }
}
