//! The end of a key's life, told in time.
//!
//! Owns how long before the end it is told and how often it is looked at. Must not know how the end
//! is found out, nor what else is done with it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// How long before its end a key is spoken of: whoever has to make another one may be away for a
/// while, and a system key that lives for a week is spoken of all its life.
pub const NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long after a start Fivetran is asked: there is no hurry, and a start has more urgent calls.
pub const FIRST: Duration = Duration::from_secs(60);
/// How often is looked, and so how often the log says it.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// How a key's end stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Nobody knows one, and a user's key has none.
    Unknown,
    /// Not within [`NOTICE`].
    Far(Timestamp),
    /// So many whole days are left.
    Soon(Timestamp, i64),
    /// It is the day on which it ends, and nobody has said at what hour.
    Today(Timestamp),
    /// It has passed.
    Past(Timestamp),
}

/// A day, in which an end lies that was said to the day.
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Expiry {
    /// How the end `at` stands now.
    #[must_use]
    pub fn of(at: Option<Timestamp>, now: Timestamp) -> Self {
        let Some(at) = at else { return Self::Unknown };
        let left = at.duration_since(now);
        // Midnight stands for the day that begins then, as the configuration says it.
        let is_day = at.as_nanosecond() % DAY.as_nanos() == 0;
        if is_day && left <= SignedDuration::ZERO && left > -DAY {
            Self::Today(at)
        } else if left <= SignedDuration::ZERO {
            Self::Past(at)
        } else if left <= NOTICE {
            Self::Soon(at, left.as_hours() / 24)
        } else {
            Self::Far(at)
        }
    }

    /// Whole days until then.
    #[must_use]
    pub fn days_left(self) -> Option<i64> {
        match self {
            Self::Unknown | Self::Far(_) => None,
            Self::Soon(_, days) => Some(days),
            Self::Today(_) | Self::Past(_) => Some(0),
        }
    }

    /// How long that is, for people.
    #[must_use]
    pub fn left_in_words(self) -> Option<String> {
        Some(match self {
            Self::Soon(_, 0) => "less than a day left".to_owned(),
            Self::Soon(_, 1) => "1 day left".to_owned(),
            Self::Soon(_, days) => format!("{days} days left"),
            Self::Unknown | Self::Far(_) | Self::Today(_) | Self::Past(_) => return None,
        })
    }
}

/// Looks after `first` and then every day until `stop`. The log has a line each day from [`NOTICE`] on;
/// `seen` is told each time. `look` gives the variable of the key in use, that of the other one if there
/// are two, and the end of the one in use.
pub async fn keep_watch<F>(
    clock: &Clock,
    stop: &CancellationToken,
    first: Duration,
    look: impl Fn() -> F,
    seen: impl Fn(&'static str, Expiry),
) where
    F: Future<Output = (&'static str, Option<&'static str>, Option<Timestamp>)>,
{
    let mut pause = first;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = PAUSE;
        let (key, other, at) = look().await;
        let expiry = Expiry::of(at, clock.now());
        match (expiry, other) {
            (Expiry::Unknown | Expiry::Far(_), _) => {}
            (Expiry::Soon(at, _) | Expiry::Today(at), Some(other)) => tracing::warn!(
                key,
                expires_at = %at,
                days_left = expiry.days_left(),
                other,
                "the Fivetran key expires soon; the other one is used then, if it is valid"
            ),
            (Expiry::Soon(at, _) | Expiry::Today(at), None) => tracing::warn!(
                key,
                expires_at = %at,
                days_left = expiry.days_left(),
                "the Fivetran key expires soon: create another one and set it as FIVETRAN_API_KEY_2"
            ),
            (Expiry::Past(at), _) => tracing::error!(
                key,
                expires_at = %at,
                "the Fivetran key has expired, by what is known of it: create another one and set it"
            ),
        }
        seen(key, expiry);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn an_end_is_far_then_soon_then_past() {
        let now = Timestamp::UNIX_EPOCH;
        let end = |left: SignedDuration| Some(now.checked_add(left).unwrap());
        let of = |left| Expiry::of(end(left), now);
        let second = SignedDuration::from_secs(1);
        assert_eq!(Expiry::of(None, now), Expiry::Unknown);
        assert!(matches!(of(NOTICE + second), Expiry::Far(_)));
        assert!(matches!(of(NOTICE), Expiry::Soon(_, 14)));
        assert!(matches!(of(DAY - second), Expiry::Soon(_, 0)));
        assert!(matches!(of(-second), Expiry::Past(_)));
        assert_eq!(of(DAY * 2).left_in_words().as_deref(), Some("2 days left"));
        assert_eq!(of(DAY).left_in_words().as_deref(), Some("1 day left"));
        assert_eq!(of(DAY - second).left_in_words().as_deref(), Some("less than a day left"));
    }

    #[test]
    fn a_key_that_ends_on_a_day_has_not_ended_before_that_day_is_over() {
        let day = Timestamp::UNIX_EPOCH;
        let at = |hours: i64| Expiry::of(Some(day), day + SignedDuration::from_hours(hours));
        assert!(matches!(at(-1), Expiry::Soon(_, 0)));
        assert!(matches!(at(0), Expiry::Today(_)));
        assert!(matches!(at(23), Expiry::Today(_)));
        assert!(matches!(at(24), Expiry::Past(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_looked_at_every_day_until_the_end() {
        let (clock, stop, seen) = (Clock::default(), CancellationToken::new(), RefCell::new(Vec::new()));
        let end = clock.now().checked_add(NOTICE + DAY + SignedDuration::from_hours(1)).unwrap();
        let begun = tokio::time::Instant::now();
        let look = || {
            let elapsed = begun.elapsed();
            async move { ("FIVETRAN_API_KEY", None, Some(end.checked_sub(elapsed).unwrap())) }
        };
        // Time passes by the paused clock alone, so the end comes nearer in its stead.
        keep_watch(&clock, &stop, Duration::ZERO, look, |_, expiry| {
            seen.borrow_mut().push(match expiry {
                Expiry::Unknown => "unknown".to_owned(),
                Expiry::Far(_) => "far".to_owned(),
                Expiry::Soon(_, days) => days.to_string(),
                Expiry::Today(_) | Expiry::Past(_) => {
                    stop.cancel();
                    "past".to_owned()
                }
            });
        })
        .await;
        // An hour over fourteen days is still far.
        let mut expected = vec!["far".to_owned(), "far".to_owned()];
        expected.extend((0..14).rev().map(|days| days.to_string()));
        expected.push("past".to_owned());
        assert_eq!(seen.into_inner(), expected);
    }
}
