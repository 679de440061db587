//! How fast Fivetran may be asked how connections stand.
//!
//! Owns the share of Fivetran's hourly limit that lists and single looks may use, and the pause that
//! Fivetran asks for. Pure: must not know what is asked about.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use crate::bucket::Bucket;

/// Fivetran's hourly limit where it has not said its own yet.
/// <https://fivetran.com/docs/rest-api/rate-limiting>
pub const USUAL_LIMIT: u64 = 20_000;
/// Share of the hourly limit that lists may use. A paying account's 20,000 calls list 100,000
/// connections in 50 groups every 36 s by 10,000 of them, and every 54 s where each group has a few
/// more than fit on its two pages.
const LIST_SHARE: f64 = 0.5;
/// Share of the hourly limit that single looks may use. What is left is for commands.
const LOOK_SHARE: f64 = 0.1;
/// Lists that may be read at once after a rest.
const LIST_BURST: u32 = 60;
/// Single looks that may be made at once after a rest.
const LOOK_BURST: u32 = 30;
/// Looks for customers whose browsers wait that may be made when none are left: those who only look
/// again wait for them.
const LOOKS_OWED: u32 = 30;
/// Shortest time between two lists of a group. A customer who finishes without coming back is seen
/// within that, and one list every so often costs a trial account a quarter of its 500 calls.
const SHORTEST_TICK: SignedDuration = SignedDuration::from_secs(30);

/// How many calls may be made now: a bucket that fills with time.
#[derive(Debug)]
pub(super) struct Pace {
    calls: Bucket,
    share: f64,
    /// Fivetran asked for a pause until then.
    paused_until: Option<Timestamp>,
}

impl Pace {
    /// For lists.
    pub(super) fn steady() -> Mutex<Self> {
        Mutex::new(Self { calls: Bucket::full(LIST_BURST), share: LIST_SHARE, paused_until: None })
    }

    /// For single looks.
    pub(super) fn hasty() -> Mutex<Self> {
        Mutex::new(Self { calls: Bucket::full(LOOK_BURST), share: LOOK_SHARE, paused_until: None })
    }

    /// Takes up to `wanted` calls of those that a limit of `per_hour` allows; returns how many there
    /// were.
    pub(super) fn take(&mut self, wanted: i64, per_hour: u64, now: Timestamp) -> i64 {
        if self.paused_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.calls.take(wanted, self.share * per_hour as f64 / 3600.0, now)
    }

    /// Takes one call for a customer whose browser waits, even if none is left. Returns whether it may
    /// be made.
    pub(super) fn urge(&mut self, per_hour: u64, now: Timestamp) -> bool {
        if self.paused_until.is_some_and(|until| now < until) {
            return false;
        }
        self.take(1, per_hour, now) == 1 || self.calls.owe(LOOKS_OWED)
    }

    /// Calls that were taken and not made.
    pub(super) fn give_back(&mut self, unused: i64) {
        self.calls.put(unused as f64);
    }

    /// Calls that had to be made, allowed or not: those after them wait the longer.
    pub(super) fn spend(&mut self, made: u64) {
        self.calls.put(-(made as f64));
    }

    /// Makes no calls until then.
    pub(super) fn pause(&mut self, until: Timestamp) {
        self.paused_until = Some(self.paused_until.map_or(until, |paused| paused.max(until)));
    }
}

/// How long after a list of a group the next one is due, where the lists of all groups have so many
/// pages: all of them together keep to their share of the limit.
#[must_use]
pub(super) fn tick(pages: u64, per_hour: u64) -> SignedDuration {
    let allowed = (per_hour as f64 * LIST_SHARE).max(1.0);
    let seconds = (pages as f64 * 3600.0 / allowed).ceil();
    // Far less than what an i64 holds; a limit of nothing is listed once a day.
    SignedDuration::from_secs(seconds.min(86_400.0) as i64).max(SHORTEST_TICK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::FEW_CALLS;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn after_a_burst_calls_go_by_their_share_of_the_limit() {
        for (pace, burst, an_hour) in [(Pace::steady(), 60, 1000), (Pace::hasty(), 30, 200)] {
            let mut pace = pace.into_inner().unwrap();
            assert_eq!(pace.take(1000, 2000, at(0)), burst);
            let calls: i64 = (1..=3600).map(|second| pace.take(1000, 2000, at(second))).sum();
            assert!((an_hour - 1..=an_hour).contains(&calls), "{calls}");
        }
    }

    #[test]
    fn what_lists_and_looks_leave_is_not_few_on_a_trial_account_either() {
        for per_hour in [500, USUAL_LIMIT] {
            let (lists, looks) = (Pace::steady(), Pace::hasty());
            let (mut lists, mut looks) = (lists.into_inner().unwrap(), looks.into_inner().unwrap());
            let made: i64 = (0..3600)
                .map(|second| {
                    let taken =
                        lists.take(1000, per_hour, at(second)) + looks.take(1000, per_hour, at(second));
                    taken + (0..100).map(|_| i64::from(looks.urge(per_hour, at(second)))).sum::<i64>()
                })
                .sum();
            let left = per_hour as f64 - made as f64;
            assert!(left > per_hour as f64 * FEW_CALLS, "{left} of {per_hour}");
        }
    }

    #[test]
    fn nothing_is_asked_before_a_pause_is_over_and_a_shorter_one_does_not_end_it() {
        let mut pace = Pace::steady().into_inner().unwrap();
        pace.pause(at(60));
        pace.pause(at(30));
        assert_eq!(pace.take(5, 1800, at(59)), 0);
        assert!(!pace.urge(1800, at(59)));
        assert_eq!(pace.take(5, 1800, at(60)), 5);
    }

    #[test]
    fn a_browser_does_not_wait_for_those_who_only_look_again() {
        let mut pace = Pace::hasty().into_inner().unwrap();
        assert_eq!(pace.take(99, 0, at(0)), 30);
        let urgent = (0..100).filter(|_| pace.urge(0, at(0))).count();
        assert_eq!(urgent, 30);
        assert_eq!(pace.take(99, 0, at(0)), 0);
    }

    #[test]
    fn calls_that_were_not_made_are_there_again_and_those_made_unasked_are_owed() {
        let mut pace = Pace::steady().into_inner().unwrap();
        assert_eq!(pace.take(60, 0, at(0)), 60);
        pace.give_back(16);
        assert_eq!(pace.take(60, 0, at(0)), 16);
        pace.give_back(10);
        pace.spend(12);
        assert_eq!(pace.take(60, 0, at(0)), 0);
        pace.give_back(3);
        assert_eq!(pace.take(60, 0, at(0)), 1);
    }

    #[test]
    fn all_lists_together_keep_to_their_share() {
        for (pages, limit, seconds) in [
            (1, 20_000, 30),
            (100, 20_000, 36),
            (150, 20_000, 54),
            (1, 500, 30),
            (10, 500, 144),
            (1, 0, 3600),
        ] {
            assert_eq!(tick(pages, limit), SignedDuration::from_secs(seconds), "{pages} of {limit}");
        }
    }
}
