//! When a digest is due: the moment of each week, and which week that is.
//!
//! Owns the days, what becomes of a time of day that a day lacks or has twice, and how late a digest may
//! come. Pure: must not know a clock, a database or what a digest says.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How late a digest may come. A bot that was away for longer leaves that week out.
pub const LATEST: SignedDuration = SignedDuration::from_hours(24);
/// The Monday from which weeks are counted.
const FIRST_MONDAY: Date = Date::constant(1970, 1, 5);
/// Days of a week.
const DAYS: i64 = 7;

/// The moment of each week, by the clock on the wall of some place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The day.
    pub day: Weekday,
    /// The time of day. On a day that lacks it, since clocks are put forward, it is the same time by the
    /// clock as it was before; on one that has it twice, the first.
    pub at: Time,
    /// The place.
    pub zone: TimeZone,
}

/// One of these moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When it is.
    pub at: Timestamp,
    /// Which week, from Monday to Sunday in that place, counted from the first of 1970. Another day or
    /// another time in it is of the same week.
    pub week: i64,
}

impl Schedule {
    /// The last moment until `now`; `None` outside of what a calendar has.
    #[must_use]
    pub fn last(&self, now: Timestamp) -> Option<Moment> {
        let today = now.to_zoned(self.zone.clone()).date();
        let since = i64::from(today.weekday().since(self.day));
        let of_this_week = self.on(today, -since)?;
        if of_this_week.at <= now { Some(of_this_week) } else { self.on(today, -since - DAYS) }
    }

    /// The first moment after `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Moment> {
        let today = now.to_zoned(self.zone.clone()).date();
        let until = i64::from(today.weekday().until(self.day));
        let of_this_week = self.on(today, until)?;
        if of_this_week.at > now { Some(of_this_week) } else { self.on(today, until + DAYS) }
    }

    /// The moment whose digest is to be posted at `now`, if there is one: it counts only from `since` on.
    #[must_use]
    pub fn due(&self, since: Timestamp, now: Timestamp) -> Option<Moment> {
        self.last(now).filter(|moment| moment.at >= since && now.duration_since(moment.at) < LATEST)
    }

    /// The same schedule has the same text, and every other one another.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:?} {} {}", self.day, self.at, self.zone_name())
    }

    /// What the place is called.
    #[must_use]
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    fn on(&self, today: Date, days: i64) -> Option<Moment> {
        let date = today.checked_add(SignedDuration::from_hours(days * 24)).ok()?;
        let at = date.to_datetime(self.at).to_zoned(self.zone.clone()).ok()?.timestamp();
        let week = (date.duration_since(FIRST_MONDAY).as_hours() / 24).div_euclid(DAYS);
        Some(Moment { at, week })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin(day: Weekday, at: Time) -> Schedule {
        Schedule { day, at, zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_is_the_last_one_until_now_and_the_next_comes_after() {
        let schedule = berlin(Weekday::Monday, Time::constant(9, 0, 0, 0));
        let (before, this, next) =
            (at("2026-11-16T08:00:00Z"), at("2026-11-23T08:00:00Z"), at("2026-11-30T08:00:00Z"));
        let last = |now: &str| schedule.last(at(now)).unwrap().at;
        assert_eq!(last("2026-11-23T07:59:59.999Z"), before);
        assert_eq!(last("2026-11-23T08:00:00Z"), this);
        assert_eq!(last("2026-11-29T23:00:00Z"), this);
        assert_eq!(last("2026-11-30T07:59:59Z"), this);
        for (now, expected) in [
            ("2026-11-23T07:59:59.999Z", this),
            ("2026-11-23T08:00:00Z", next),
            ("2026-11-30T07:59:59Z", next),
        ] {
            assert_eq!(schedule.next(at(now)).unwrap().at, expected, "{now}");
        }
    }

    #[test]
    fn a_day_is_the_one_of_the_place() {
        // Monday has begun in Berlin while it is still Sunday in UTC.
        let schedule = berlin(Weekday::Monday, Time::constant(0, 30, 0, 0));
        let moment = schedule.last(at("2026-11-22T23:30:00Z")).unwrap();
        assert_eq!(moment.at, at("2026-11-22T23:30:00Z"));
        assert_eq!(moment.week, schedule.last(at("2026-11-25T12:00:00Z")).unwrap().week);
    }

    #[test]
    fn a_week_has_the_same_number_from_monday_to_sunday() {
        let of = |day, now: &str| berlin(day, Time::constant(9, 0, 0, 0)).last(at(now)).unwrap().week;
        let week = of(Weekday::Monday, "2026-11-23T12:00:00Z");
        assert_eq!(of(Weekday::Wednesday, "2026-11-25T12:00:00Z"), week);
        assert_eq!(of(Weekday::Sunday, "2026-11-29T12:00:00Z"), week);
        assert_eq!(of(Weekday::Sunday, "2026-11-22T12:00:00Z"), week - 1);
        assert_eq!(of(Weekday::Monday, "2026-11-30T12:00:00Z"), week + 1);
        // Over a year's end, and before the count begins.
        assert_eq!(of(Weekday::Monday, "2027-01-04T12:00:00Z"), week + 6);
        assert_eq!(of(Weekday::Sunday, "1970-01-04T12:00:00Z"), -1);
    }

    #[test]
    fn a_time_that_a_day_lacks_comes_an_hour_later_by_the_clock() {
        let schedule = berlin(Weekday::Sunday, Time::constant(2, 30, 0, 0));
        // 29 March 2026: from 2:00 to 3:00.
        assert_eq!(schedule.last(at("2026-03-29T12:00:00Z")).unwrap().at, at("2026-03-29T01:30:00Z"));
        assert_eq!(schedule.next(at("2026-03-28T12:00:00Z")).unwrap().at, at("2026-03-29T01:30:00Z"));
    }

    #[test]
    fn a_time_that_a_day_has_twice_is_the_first_and_comes_once() {
        let schedule = berlin(Weekday::Sunday, Time::constant(2, 30, 0, 0));
        // 25 October 2026: from 3:00 back to 2:00.
        let first = at("2026-10-25T00:30:00Z");
        for now in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T12:00:00Z"] {
            assert_eq!(schedule.last(at(now)).unwrap().at, first, "{now}");
        }
        assert_eq!(schedule.next(at("2026-10-25T01:30:00Z")).unwrap().at, at("2026-11-01T01:30:00Z"));
    }

    #[test]
    fn the_time_on_the_wall_stays_when_clocks_are_changed() {
        let schedule = berlin(Weekday::Monday, Time::constant(9, 0, 0, 0));
        assert_eq!(schedule.last(at("2026-10-24T12:00:00Z")).unwrap().at, at("2026-10-19T07:00:00Z"));
        assert_eq!(schedule.next(at("2026-10-24T12:00:00Z")).unwrap().at, at("2026-10-26T08:00:00Z"));
    }

    #[test]
    fn a_moment_is_due_for_a_day_and_not_if_nobody_had_asked_for_it() {
        let schedule = berlin(Weekday::Monday, Time::constant(9, 0, 0, 0));
        let (asked, moment) = (at("2026-11-20T00:00:00Z"), at("2026-11-23T08:00:00Z"));
        let due = |since, now: &str| schedule.due(since, at(now)).map(|moment| moment.at);
        assert_eq!(due(asked, "2026-11-23T07:59:59Z"), None);
        assert_eq!(due(asked, "2026-11-23T08:00:00Z"), Some(moment));
        assert_eq!(due(asked, "2026-11-24T07:59:59Z"), Some(moment));
        assert_eq!(due(asked, "2026-11-24T08:00:00Z"), None, "it is too late");
        assert_eq!(due(moment, "2026-11-23T09:00:00Z"), Some(moment));
        assert_eq!(due(at("2026-11-23T08:00:01Z"), "2026-11-23T09:00:00Z"), None, "it was asked for since");
    }
}
