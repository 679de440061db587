//! The retry budget: how much may be repeated while an outside party is in trouble.
//!
//! Pure. A party that fails everything must not be hammered by everything being repeated: each
//! call that works earns a repetition, and one a second is always free.

use jiff::Timestamp;

use crate::bucket::Bucket;

/// Repetitions earned by a call that worked.
const PER_SUCCESS: f64 = 1.0;
/// Repetitions that are free each second.
const PER_SECOND: f64 = 1.0;
/// Most repetitions that can be saved up.
const SAVED: u32 = 20;

/// A bucket of repetitions.
#[derive(Debug)]
pub(super) struct RetryBudget(Bucket);

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self(Bucket::full(SAVED))
    }

    /// Counts a call that worked.
    pub(super) fn succeeded(&mut self) {
        self.0.put(PER_SUCCESS);
    }

    /// Takes one repetition, if there is one.
    pub(super) fn try_retry(&mut self, now: Timestamp) -> bool {
        self.0.take(1, PER_SECOND, now) == 1
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
    fn calls_that_work_earn_repetitions_up_to_a_limit() {
        let mut budget = RetryBudget::new();
        while budget.try_retry(at(0)) {}
        for (worked, earned) in [(7, 7), (500, 20)] {
            for _ in 0..worked {
                budget.succeeded();
            }
            assert_eq!((0..100).filter(|_| budget.try_retry(at(0))).count(), earned);
        }
    }
}
