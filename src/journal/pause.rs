//! When: how long a command rests before it tries again, and from when on it does not.
//!
//! Owns the backoff, its jitter and the deadlines. What is tried is [`super`]'s decision.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Due, Journal, Next, Stage};

/// No connection is made or looked for so long after the command was accepted, and no failed card
/// tried again: what is left of the response_url's half hour is for telling the person. A link
/// that only Slack holds up may still be posted.
pub const CREATE_DEADLINE: SignedDuration = SignedDuration::from_mins(25);
/// How long before [`CREATE_DEADLINE`] the last creation is begun, so that one without an answer can be
/// looked for until it is certain what became of it: its call and then [`super::GRACE`].
pub(super) const CREATE_MARGIN: SignedDuration = SignedDuration::from_secs(150);
/// The response_url dies at 30 minutes; the last post must arrive before.
pub const RESPONSE_URL_DEADLINE: SignedDuration = SignedDuration::from_secs(29 * 60 + 30);
/// With a bot token messages can be posted for ever; after this, nobody waits any more.
pub const WEB_API_DEADLINE: SignedDuration = SignedDuration::from_hours(2);
/// How much longer a process tries that finds a command so late, and has not just tried in vain: it may be the first
/// bot that runs for hours. Longer than any pause between two tries.
pub const LATE: SignedDuration = SignedDuration::from_mins(15);
/// What is left of that for telling the person, if a link could not be posted.
const TELLING: SignedDuration = SignedDuration::from_mins(5);
/// From when on no process does so any more, however often others have died at it. Long enough for a bot that stood
/// still over holidays.
pub const LATEST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Longest `Retry-After` that is waited out in silence. Fivetran's can be an hour.
pub const THROTTLE_LIMIT: Duration = Duration::from_secs(60);
/// How long a step at Fivetran waits for its turn even after [`CREATE_DEADLINE`].
const TURN_PATIENCE: SignedDuration = SignedDuration::from_mins(1);
/// First and longest delay of the exponential backoff.
pub(super) const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// How soon a command that must not be worked on now is looked at again.
pub(super) const POSTPONED_PAUSE: Duration = Duration::from_secs(1);
/// Delays after an unclear post: together they outlast an outage of Slack's of a quarter of an
/// hour, with no more posts than a response_url takes.
pub(super) const UNCLEAR_DELAYS: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(30), Duration::from_secs(300), Duration::from_secs(600)];
/// With a bot token there may be more; each may show the link once more, so they are rare.
const UNCLEAR_PAUSE: Duration = Duration::from_secs(600);

impl<C> Journal<C> {
    /// Until when anything may still be tried, by the wall clock, unless nobody was there to try it.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.by_wall_clock(self.ends_at())
    }

    fn ends_at(&self) -> Timestamp {
        let life = if self.terms.web_api { WEB_API_DEADLINE } else { RESPONSE_URL_DEADLINE };
        after(self.terms.accepted_at, life)
    }

    /// Whether a link or a sentence is brought to Slack all the same, though the time for that is over.
    pub(super) fn goes_on_late(&mut self, now: Timestamp) -> bool {
        let may = match self.progress.stage {
            // What this process could not post in all the time that it had, it says now.
            Stage::Deliver { .. } => self.found_late,
            Stage::Tell { .. } => true,
            _ => false,
        };
        let goes_on = may && self.late_until.is_none() && self.may_be_late(now);
        if goes_on {
            self.late_until = Some(after(now, LATE));
        }
        goes_on
    }

    /// Until when what surely was not done is tried again, so that there is time to tell the person.
    pub(super) fn hopes_until(&self) -> Timestamp {
        let late = self.late_until.map(|until| after(until, -TELLING));
        late.unwrap_or(after(self.terms.accepted_at, CREATE_DEADLINE))
    }

    /// Whether there is still a way to Slack, which a response_url of such an age is not, and this process has not
    /// just tried it in vain.
    pub(super) fn may_be_late(&self, now: Timestamp) -> bool {
        let tried = self.post_failed_at.is_some_and(|at| now < after(at, LATE));
        self.terms.web_api && !tried && now < after(self.terms.accepted_at, LATEST)
    }

    /// Rests for the backoff's next delay; then `due` is due.
    pub(super) fn again(&mut self, due: Due, now: Timestamp) -> Next {
        self.due = due;
        let delay = self.backoff_until_settled(now);
        self.rest(delay, now)
    }

    /// The next delay of the backoff, but if a look is due, none beyond the moment at which what was sent
    /// without an answer has appeared or never will: no failure before it puts off the look that shows this.
    fn backoff_until_settled(&mut self, now: Timestamp) -> Duration {
        let looks = self.progress.stage == Stage::Create && self.due == Due::Look;
        let sent = self.maybe_sent.filter(|_| looks);
        let left = sent.map(|sent| after(sent, self.terms.grace).duration_since(now));
        let left = left.and_then(|left| Duration::try_from(left).ok()).filter(|left| !left.is_zero());
        self.backoff().min(left.unwrap_or(Duration::MAX))
    }

    /// Rests after a post that may or may not be there: longer than after a failure, since each
    /// further one may show the link once more.
    pub(super) fn again_unclear(&mut self, now: Timestamp) -> Next {
        let made = if self.terms.web_api { self.progress.tries } else { self.progress.posts.max(1) - 1 };
        let base = UNCLEAR_DELAYS.get(made as usize).copied().unwrap_or(UNCLEAR_PAUSE);
        self.progress.tries += 1;
        let delay = self.jittered(base);
        self.rest(delay, now)
    }

    /// Rests as long as was asked for, within reason, but no shorter than the backoff: a party that
    /// goes on asking for nothing must not be asked for ever without a rest.
    pub(super) fn throttled(&mut self, pause: Option<Duration>, now: Timestamp) -> Next {
        let asked = pause.unwrap_or_default().min(THROTTLE_LIMIT) + self.jittered(Duration::from_secs(1));
        let delay = self.backoff_until_settled(now).max(asked);
        self.rest(delay, now)
    }

    /// The next delay of the backoff.
    pub(super) fn backoff(&mut self) -> Duration {
        let doubled = BACKOFF.0.saturating_mul(1 << self.progress.tries.min(16));
        self.progress.tries += 1;
        self.jittered(doubled.min(BACKOFF.1))
    }

    /// Rests, but not beyond the moment at which what is due would be over.
    pub(super) fn rest(&mut self, delay: Duration, now: Timestamp) -> Next {
        let left = Duration::try_from(self.limit().duration_since(now)).unwrap_or_default();
        self.rest_aloud(delay.min(left), now)
    }

    /// Until when, by the wall clock, a step at Fivetran may wait for its turn. Whoever has waited so long in
    /// vain has had a call that could not be sent. What is begun late, as by a link that Slack held up for an
    /// hour, has `TURN_PATIENCE` all the same: to wait behind others is no failure yet.
    #[must_use]
    pub fn turn_limit(&self, now: Timestamp) -> Timestamp {
        let usual = self.by_wall_clock(after(self.terms.accepted_at, CREATE_DEADLINE));
        usual.max(after(now, TURN_PATIENCE)).min(self.by_wall_clock(self.limit()))
    }

    /// From when on what is due in this stage is not begun any more.
    pub(super) fn limit(&self) -> Timestamp {
        match self.progress.stage {
            Stage::Create if self.due == Due::Create => {
                after(self.terms.accepted_at, CREATE_DEADLINE - CREATE_MARGIN)
            }
            Stage::Create | Stage::Cancel { .. } | Stage::Sync { .. } => {
                after(self.terms.accepted_at, CREATE_DEADLINE)
            }
            _ => self.late_until.map_or(self.ends_at(), |late| late.max(self.ends_at())),
        }
    }

    /// Between half of `delay` and all of it, spread over commands and tries.
    fn jittered(&self, delay: Duration) -> Duration {
        let roll = mix(self.terms.spread ^ u64::from(self.progress.tries).rotate_left(32));
        let thousandths = 500 + u32::try_from(roll % 501).unwrap_or(0);
        delay * thousandths / 1000
    }
}

/// The finaliser of SplitMix64: spreads close numbers far apart.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

pub(super) fn after(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(moment)
}
