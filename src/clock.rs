//! The time, as the rest of the crate sees it: the wall clock, which somebody may set, and one that nobody can.
//!
//! Owns the one place where the real time is read, so that a test can move a whole bot a day
//! ahead. Leases do not use it: they go by the database's own clock.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A handle on the time; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Shifts>);

/// How far it is from the real time. Not at all but in tests and in the sandbox.
#[derive(Debug, Default)]
struct Shifts {
    /// Milliseconds that have passed in no time, for both clocks.
    passed_ms: AtomicU64,
    /// Milliseconds by which the wall clock was set.
    set_ms: AtomicI64,
}

/// A moment by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock, by which people and other replicas go. NTP or a person may set it.
    pub at: Timestamp,
    /// By a clock of this process that nobody sets: only the time between two of them means anything. It may stand
    /// still while the machine sleeps.
    pub steady: Duration,
}

impl Moment {
    /// A moment by a wall clock that nobody sets.
    #[must_use]
    pub fn by_one_clock(at: Timestamp) -> Self {
        Self { at, steady: Duration::try_from(at.duration_since(Timestamp::MIN)).unwrap_or_default() }
    }
}

impl Clock {
    /// The present moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond().saturating_add(self.ahead_ms())).unwrap_or(now)
    }

    /// The present moment by both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let passed = Duration::from_millis(self.0.passed_ms.load(Ordering::Relaxed));
        Moment { at: self.now(), steady: BEGAN.elapsed().saturating_add(passed) }
    }

    /// How far it is ahead of the real time.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.ahead_ms()).unwrap_or_default())
    }

    fn ahead_ms(&self) -> i64 {
        let passed = i64::try_from(self.0.passed_ms.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        passed.saturating_add(self.0.set_ms.load(Ordering::Relaxed))
    }

    /// Lets time pass at once, for every holder of a clone.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.passed_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Sets the wall clock ahead, as NTP or a person may do it, for every holder of a clone.
    pub fn set_ahead(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.set_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// The same, back.
    pub fn set_back(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.set_ms.fetch_sub(ms, Ordering::Relaxed);
    }
}
