//! How fast links may be looked at.
//!
//! Owns the share of Fivetran's hourly limit that each kind of look may use, and the pause that
//! Fivetran asks for. Pure: must not know which link is looked at.

use std::sync::Mutex;

use jiff::Timestamp;

use crate::bucket::Bucket;

/// Looks that may be made at once after a rest; after that they go by the hourly share.
const BURST: u32 = 60;
/// Share of the hourly share that customers' browsers may use for looks ahead of time.
const HASTY_SHARE: f64 = 0.1;

/// How many looks may be made now: a bucket that fills with time.
#[derive(Debug)]
pub(super) struct Pace {
    looks: Bucket,
    share: f64,
    /// Fivetran asked for a pause until then.
    paused_until: Option<Timestamp>,
}

impl Pace {
    /// For the looks that the rows say are due.
    pub(super) fn steady() -> Mutex<Self> {
        Mutex::new(Self { looks: Bucket::full(BURST), share: 1.0, paused_until: None })
    }

    /// For the looks that customers' browsers ask for.
    pub(super) fn hasty() -> Mutex<Self> {
        Mutex::new(Self { looks: Bucket::full(BURST / 2), share: HASTY_SHARE, paused_until: None })
    }

    /// Takes up to `wanted` looks of those that `per_hour` allows; returns how many there were.
    pub(super) fn take(&mut self, wanted: i64, per_hour: u64, now: Timestamp) -> i64 {
        if self.paused_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.looks.take(wanted, self.share * per_hour as f64 / 3600.0, now)
    }

    /// Looks that were taken and not made.
    pub(super) fn give_back(&mut self, unused: i64) {
        self.looks.put(unused as f64);
    }

    /// Makes no looks until then.
    pub(super) fn pause(&mut self, until: Timestamp) {
        self.paused_until = Some(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn after_a_burst_looks_go_by_the_hourly_share() {
        for (pace, burst, an_hour) in [(Pace::steady(), 60, 1800), (Pace::hasty(), 30, 180)] {
            let mut pace = pace.into_inner().unwrap();
            assert_eq!(pace.take(1000, 1800, at(0)), burst);
            let looks: i64 = (1..=3600).map(|second| pace.take(1000, 1800, at(second))).sum();
            assert!((an_hour - 1..=an_hour).contains(&looks), "{looks}");
        }
    }

    #[test]
    fn nothing_is_looked_at_before_a_pause_is_over() {
        let mut pace = Pace::steady().into_inner().unwrap();
        pace.pause(at(60));
        assert_eq!(pace.take(5, 1800, at(59)), 0);
        assert_eq!(pace.take(5, 1800, at(60)), 5);
    }

    #[test]
    fn looks_that_were_not_made_are_there_again() {
        let mut pace = Pace::steady().into_inner().unwrap();
        assert_eq!(pace.take(60, 0, at(0)), 60);
        pace.give_back(16);
        assert_eq!(pace.take(60, 0, at(0)), 16);
    }
}
