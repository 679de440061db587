//! The retry budget: how much may be repeated while an outside party is in trouble.
//!
//! Pure. A party that fails everything must not be hammered by everything being repeated: each
//! first try earns a fifth of a repetition, and one a second is always free.

use jiff::Timestamp;

/// Repetitions earned by a first try.
const PER_FIRST_TRY: f64 = 0.2;
/// Repetitions that are free each second.
const PER_SECOND: f64 = 1.0;
/// Most repetitions that can be saved up.
const SAVED: f64 = 20.0;

/// A bucket of repetitions.
#[derive(Debug)]
pub(super) struct RetryBudget {
    left: f64,
    filled_at: Option<Timestamp>,
}

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self { left: SAVED, filled_at: None }
    }

    /// Counts a first try.
    pub(super) fn first_try(&mut self) {
        self.left = (self.left + PER_FIRST_TRY).min(SAVED);
    }

    /// Takes one repetition, if there is one.
    pub(super) fn try_retry(&mut self, now: Timestamp) -> bool {
        let since = self.filled_at.map_or(0.0, |then| now.duration_since(then).as_secs_f64().max(0.0));
        self.filled_at = Some(now);
        self.left = (self.left + since * PER_SECOND).min(SAVED);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_outage_is_not_hammered_and_one_a_second_is_always_free() {
        let mut budget = RetryBudget::new();
        let at_once = (0..1000).filter(|_| budget.try_retry(at(0))).count();
        assert_eq!(at_once, 20);
        let a_minute = (1..=60).flat_map(|s| [s; 50]).filter(|&s| budget.try_retry(at(s))).count();
        assert_eq!(a_minute, 60);
    }

    #[test]
    fn traffic_that_succeeds_earns_repetitions() {
        let mut budget = RetryBudget::new();
        while budget.try_retry(at(0)) {}
        for _ in 0..50 {
            budget.first_try();
        }
        let earned = (0..100).filter(|_| budget.try_retry(at(0))).count();
        assert!((9..=10).contains(&earned), "{earned}");
    }
}
