//! The time as one stand-in sees it.
//!
//! Owns how far that stand-in has been moved ahead. What time it really is, whoever starts the
//! stand-in tells it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub(crate) struct Clock {
    real: Box<dyn Fn() -> Timestamp + Send + Sync>,
    ahead_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new(real: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { real: Box::new(real), ahead_ms: AtomicI64::new(0) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead_ms.load(Ordering::Relaxed));
        (self.real)().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }
}
