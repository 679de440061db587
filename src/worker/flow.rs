//! The flow of calls to an outside party: whether one more may begin now.
//!
//! Pure: time is handed in. It is steered by what the calls come to. While the party answers, as many
//! run at a time as there is room for; each that fails narrows that, down to one call a second, which
//! only finds out whether the party is back; each that works widens it by one, and so, since it has
//! made room for itself too, doubles the flow with every round trip. Must not know who calls.

use std::time::Duration;

use jiff::Timestamp;

/// How often a call is let through however narrow the flow is.
const PROBE: Duration = Duration::from_secs(1);
/// The pause that is kept where none is named, and the shortest.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a call is let through in a long pause: it may be a proxy's word, or over early.
const PAUSE_PROBE: Duration = Duration::from_secs(60);
/// The longest pause: Fivetran's limits are hourly, and a longer one is an error or a proxy's.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The party said something, be it no.
    Answered,
    /// It could not be reached, or was at a loss.
    Failed,
    /// It asks for a pause, perhaps for how long.
    Throttled(Option<Duration>),
}

/// The calls to one party.
#[derive(Debug)]
pub(super) struct Flow {
    /// Calls at a time when all is well.
    most: f64,
    /// Calls at a time now.
    width: f64,
    under_way: u32,
    last_begun: Option<Timestamp>,
    pause: Option<Pause>,
}

/// A pause that the party asked for.
#[derive(Clone, Copy, Debug)]
struct Pause {
    since: Timestamp,
    lasts: Duration,
    /// Whether a call was let through since.
    probed: bool,
}

impl Flow {
    /// As wide as it gets: so many at a time.
    pub(super) fn wide(most: u32) -> Self {
        Self { most: most.into(), width: most.into(), under_way: 0, last_begun: None, pause: None }
    }

    /// Begins a call, if one may begin now. Each that was begun is to be [`Self::ended`].
    pub(super) fn begin(&mut self, now: Timestamp) -> bool {
        let under_way = f64::from(self.under_way);
        let idle_for = |wait| self.last_begun.is_none_or(|last| is_past(last, wait, now));
        let may = under_way < self.most
            && match self.pause.filter(|pause| !pause.is_over(now)) {
                Some(pause) => is_past(pause.since, PAUSE_PROBE, now) && idle_for(PAUSE_PROBE),
                None => under_way + 1.0 <= self.width || idle_for(PROBE),
            };
        if may {
            self.under_way += 1;
            self.last_begun = Some(now);
            if let Some(pause) = &mut self.pause {
                pause.probed = true;
            }
        }
        may
    }

    /// A call has ended; without an answer if it was never made.
    pub(super) fn ended(&mut self, answer: Option<Answer>, now: Timestamp) {
        self.under_way = self.under_way.saturating_sub(1);
        match answer {
            // What was begun before a pause says nothing of the time after it.
            Some(Answer::Answered) if self.pause.is_none_or(|pause| pause.is_over(now) || pause.probed) => {
                self.pause = None;
                self.width = (self.width.max(1.0) + 1.0).min(self.most);
            }
            Some(Answer::Answered) | None => {}
            // By a quarter: a party that fails one call in four still gets a dozen at a time, one that
            // fails every second call is nearly down.
            Some(Answer::Failed) => self.width = (self.width - (self.width / 4.0).max(2.0)).max(0.0),
            Some(Answer::Throttled(pause)) => {
                let pause = pause.unwrap_or(PAUSE).clamp(PAUSE, LONGEST_PAUSE);
                if pause > self.pause_left(now) {
                    self.pause = Some(Pause { since: now, lasts: pause, probed: false });
                }
                // Whoever has waited must not arrive all at once.
                self.width = self.width.min(1.0);
            }
        }
    }

    /// How long the party has asked to be left alone from now on.
    pub(super) fn pause_left(&self, now: Timestamp) -> Duration {
        let Some(pause) = self.pause.filter(|pause| !pause.is_over(now)) else { return Duration::ZERO };
        let gone = Duration::try_from(now.duration_since(pause.since)).unwrap_or_default();
        pause.lasts.saturating_sub(gone)
    }
}

impl Pause {
    fn is_over(&self, now: Timestamp) -> bool {
        is_past(self.since, self.lasts, now)
    }
}

/// Whether so long has passed. A clock that was set back ends every wait: nobody knows how long it was.
fn is_past(since: Timestamp, wait: Duration, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(since)).is_ok_and(|gone| gone >= wait) || now < since
}

#[cfg(test)]
mod tests {
    use super::Answer::{Answered, Failed, Throttled};
    use super::*;

    const MOST: u32 = 256;

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        at_ms(second * 1000)
    }

    /// Begins as many as may begin.
    fn begin_all(flow: &mut Flow, now: Timestamp) -> u32 {
        (0..10_000).take_while(|_| flow.begin(now)).count().try_into().unwrap()
    }

    fn end_all(flow: &mut Flow, calls: u32, answer: Answer, now: Timestamp) {
        (0..calls).for_each(|_| flow.ended(Some(answer), now));
    }

    /// One to a party that is down.
    fn narrow() -> Flow {
        let mut flow = Flow::wide(MOST);
        let calls = begin_all(&mut flow, at(0));
        end_all(&mut flow, calls, Failed, at(0));
        flow
    }

    #[test]
    fn a_party_that_is_down_gets_one_call_a_second() {
        let mut flow = Flow::wide(MOST);
        let mut calls = 0;
        while flow.width >= 1.0 {
            assert!(flow.begin(at(0)));
            flow.ended(Some(Failed), at(0));
            calls += 1;
        }
        assert!(calls < 30, "it is known to be down after {calls} calls");
        let mut probes = 0;
        for ms in 1..=60_000 {
            if flow.begin(at_ms(ms)) {
                flow.ended(Some(Failed), at_ms(ms));
                probes += 1;
            }
        }
        assert_eq!(probes, 60);
    }

    #[test]
    fn a_call_that_hangs_holds_up_no_other_for_longer_than_a_second() {
        let mut flow = narrow();
        let begun: u32 = (1..=10).map(|second| u32::from(flow.begin(at(second)))).sum();
        assert_eq!((begun, flow.under_way), (10, 10));
        let mut flow = Flow::wide(MOST);
        assert_eq!(begin_all(&mut flow, at(0)), MOST);
        assert!(!flow.begin(at(1000)), "never more than there is room for");
    }

    #[test]
    fn after_an_outage_the_flow_doubles_with_each_round_trip() {
        let mut flow = narrow();
        assert!(flow.begin(at(1)));
        let mut trips = vec![];
        let mut calls = 1;
        for trip in 0..9 {
            let now = at_ms(1000 + trip * 100);
            end_all(&mut flow, calls, Answered, now);
            calls = begin_all(&mut flow, now);
            trips.push(calls);
        }
        assert_eq!(trips, [2, 4, 8, 16, 32, 64, 128, 256, 256]);
    }

    #[test]
    fn a_party_that_fails_now_and_then_is_not_treated_as_down() {
        for (one_in, least, most) in [(100, 100, 256), (10, 20, 60), (4, 8, 20)] {
            let mut flow = Flow::wide(MOST);
            let mut widths = 0.0;
            for call in 0..10_000 {
                assert!(flow.begin(at(call)));
                flow.ended(Some(if call % one_in == 0 { Failed } else { Answered }), at(call));
                widths += flow.width;
            }
            let mean = (widths / 10_000.0) as i64;
            assert!((least..=most).contains(&mean), "one in {one_in}: {mean}");
        }
        let mut flow = Flow::wide(MOST);
        (0..1000).for_each(|call| flow.ended(Some(if call % 2 == 0 { Failed } else { Answered }), at(0)));
        assert!(flow.width <= 2.0, "{}", flow.width);
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_by_all_and_ends_slowly() {
        let mut flow = Flow::wide(MOST);
        assert_eq!(begin_all(&mut flow, at(0)), MOST);
        flow.ended(Some(Throttled(Some(Duration::from_secs(30)))), at(0));
        flow.ended(Some(Throttled(Some(Duration::from_secs(5)))), at(0));
        end_all(&mut flow, MOST - 2, Answered, at(1));
        assert_eq!((begin_all(&mut flow, at(29)), flow.pause_left(at(29))), (0, Duration::from_secs(1)));
        assert_eq!(begin_all(&mut flow, at(30)), 1);
        flow.ended(Some(Answered), at(30));
        assert_eq!(begin_all(&mut flow, at(30)), 2);
    }

    #[test]
    fn a_pause_is_never_shorter_than_a_second_nor_longer_than_an_hour() {
        for (asked, kept_s) in
            [(None, 1), (Some(Duration::ZERO), 1), (Some(Duration::MAX), 3600), (Some(PROBE * 9), 9)]
        {
            let mut flow = narrow();
            assert!(flow.begin(at(1)));
            flow.ended(Some(Throttled(asked)), at(1));
            assert_eq!(flow.pause_left(at(1)), Duration::from_secs(kept_s), "{asked:?}");
            let kept_s = i64::try_from(kept_s).unwrap();
            // In a long one, one a minute finds out whether it is over already.
            let begun = (1000..1000 + kept_s * 1000).step_by(100).filter(|&ms| {
                let may = flow.begin(at_ms(ms));
                if may {
                    flow.ended(None, at_ms(ms));
                }
                may
            });
            assert_eq!(begun.count(), usize::try_from(kept_s.max(1) - 1).unwrap() / 60, "{asked:?}");
            assert!(flow.begin(at(1 + kept_s)), "{asked:?}");
        }
    }

    #[test]
    fn a_long_pause_ends_when_the_party_answers_all_the_same() {
        let mut flow = Flow::wide(MOST);
        assert!(flow.begin(at(0)) && flow.begin(at(0)));
        flow.ended(Some(Throttled(Some(Duration::from_secs(900)))), at(0));
        flow.ended(Some(Answered), at(1));
        assert!(!flow.begin(at(59)), "what was begun before it says nothing");
        assert!(flow.begin(at(60)) && !flow.begin(at(60)));
        flow.ended(Some(Answered), at(61));
        assert_eq!((begin_all(&mut flow, at(61)), flow.pause_left(at(61))), (2, Duration::ZERO));
    }

    #[test]
    fn a_call_that_was_not_made_says_nothing_and_makes_room() {
        let mut flow = narrow();
        assert!(flow.begin(at(1)));
        flow.ended(None, at(1));
        assert_eq!((flow.under_way, flow.width), (0, 0.0));
    }

    #[test]
    fn a_clock_set_back_holds_nobody_up() {
        let mut flow = narrow();
        assert!(flow.begin(at(1000)));
        flow.ended(Some(Throttled(Some(Duration::from_secs(60)))), at(1000));
        assert!(!flow.begin(at(1001)));
        assert!(flow.begin(at(0)));
    }
}
