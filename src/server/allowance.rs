//! How much people may ask for: what one person may in ten minutes, what a workspace may, and what may
//! be open in this process.
//!
//! Owns the counting, which is in memory: each replica has its own. Must not know what is asked for, nor
//! how it is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::bucket::Bucket;
use crate::crash;
use crate::reply::{Share, TooMuch};
use crate::telemetry::Metrics;

/// The time that the limits are about, in seconds; sentences and documents say ten minutes.
const SPAN_S: f64 = 600.0;
/// Open commands in this process beyond which no other is accepted. Each takes some 6 kB, and so many of them
/// leave the process below 100 MB. At Fivetran's pace it is more than can be done while a response_url lives.
const OPEN: i64 = 8192;
/// How often the log is told that there is too much.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// People beyond which those are forgotten who have not asked for anything lately.
const PEOPLE: usize = 4096;

/// What may be asked for in ten minutes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `COMMANDS_PER_PERSON`.
    pub person: u32,
    /// `COMMANDS_PER_WORKSPACE`.
    pub workspace: u32,
}

impl Default for Limits {
    /// A person who asks for a customer's twenty sources one by one, five customers in a row, stays within the
    /// first. No workspace of people gets near the second, a hundred commands a second: what does is a program
    /// that has gone wrong.
    fn default() -> Self {
        Self { person: 100, workspace: 60_000 }
    }
}

/// What is left of the limits. Clones share it.
#[derive(Clone)]
pub struct Allowance {
    limits: Limits,
    metrics: Metrics,
    spent: Arc<Mutex<Spent>>,
}

struct Spent {
    workspace: Purse,
    people: HashMap<String, Purse>,
    /// When the log was last told that too much is open.
    told: Option<Timestamp>,
    /// How many people there may be before some are forgotten.
    most: usize,
}

struct Purse {
    bucket: Bucket,
    told: Option<Timestamp>,
}

impl Purse {
    fn full(limit: u32) -> Self {
        Self { bucket: Bucket::full(limit), told: None }
    }

    /// Takes what so many commands cost. Says whether there was so much, and if not, whether the log is to be
    /// told.
    fn take(&mut self, cost: usize, limit: u32, now: Timestamp) -> Result<(), bool> {
        let cost = i64::try_from(cost).unwrap_or(i64::MAX).min(limit.into());
        let taken = self.bucket.take(cost, per_second(limit), now);
        if taken == cost {
            return Ok(());
        }
        self.bucket.put(taken as f64);
        Err(is_news(&mut self.told, now))
    }
}

/// Whether the log has not been told of something for a while. From now on it has.
fn is_news(told: &mut Option<Timestamp>, now: Timestamp) -> bool {
    // A clock that was set back makes it old, too.
    let is_news = told.is_none_or(|told| now.duration_since(told).unsigned_abs() >= SAY_EVERY);
    if is_news {
        *told = Some(now);
    }
    is_news
}

fn per_second(limit: u32) -> f64 {
    f64::from(limit) / SPAN_S
}

impl Allowance {
    /// All of it. `metrics` know how much is open.
    #[must_use]
    pub fn new(limits: Limits, metrics: Metrics) -> Self {
        let spent = Spent {
            workspace: Purse::full(limits.workspace),
            people: HashMap::new(),
            told: None,
            most: PEOPLE,
        };
        Self { limits, metrics, spent: Arc::new(Mutex::new(spent)) }
    }

    /// Takes what one look costs, be it at the database or at Fivetran.
    ///
    /// # Errors
    /// Which limit it would exceed.
    pub(super) fn look(&self, user_id: &str, now: Timestamp) -> Result<(), TooMuch> {
        self.take(user_id, 1, now)
    }

    /// The same for what becomes so many commands.
    ///
    /// # Errors
    /// Which limit it would exceed.
    pub(super) fn act(&self, user_id: &str, commands: usize, now: Timestamp) -> Result<(), TooMuch> {
        let open = self.metrics.in_hand.get() + self.metrics.at_rest.get();
        if open >= crash::open_commands().unwrap_or(OPEN) {
            if is_news(&mut self.spent().told, now) {
                tracing::warn!(open, "too many commands are open; no other is accepted");
            }
            return Err(TooMuch::Waiting);
        }
        self.take(user_id, commands, now)
    }

    fn take(&self, user_id: &str, cost: usize, now: Timestamp) -> Result<(), TooMuch> {
        let asked = u32::try_from(cost).unwrap_or(u32::MAX);
        let mut spent = self.spent();
        spent.make_room(self.limits.person, now);
        let Spent { workspace, people, .. } = &mut *spent;
        let person = people.entry(user_id.to_owned()).or_insert_with(|| Purse::full(self.limits.person));
        person.take(cost, self.limits.person, now).map_err(|is_news| {
            if is_news {
                tracing::warn!(
                    user = user_id,
                    limit = self.limits.person,
                    "somebody asks for more than one person may"
                );
            }
            TooMuch::FromPerson(Share { limit: self.limits.person, asked })
        })?;
        workspace.take(cost, self.limits.workspace, now).map_err(|is_news| {
            person.bucket.put(cost as f64);
            if is_news {
                tracing::warn!(limit = self.limits.workspace, "more is asked for than the workspace may");
            }
            TooMuch::FromWorkspace(Share { limit: self.limits.workspace, asked })
        })
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spent {
    /// Forgets who has all of their allowance again, when there are many. Those who are left may be as many
    /// again before that is looked at anew, so it costs little per person.
    fn make_room(&mut self, limit: u32, now: Timestamp) {
        if self.people.len() >= self.most {
            self.people.retain(|_, purse| !purse.bucket.is_full(per_second(limit), now));
            self.most = PEOPLE.max(2 * self.people.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { person: 3, workspace: 5 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn allowance() -> Allowance {
        Allowance::new(LIMITS, Metrics::default())
    }

    #[test]
    fn one_person_may_so_much_and_again_as_time_passes() {
        let allowance = allowance();
        for _ in 0..LIMITS.person {
            allowance.look("U1", at(0)).unwrap();
        }
        assert_eq!(allowance.look("U1", at(0)), Err(TooMuch::FromPerson(Share { limit: 3, asked: 1 })));
        assert_eq!(allowance.look("U1", at(199)), Err(TooMuch::FromPerson(Share { limit: 3, asked: 1 })));
        allowance.look("U1", at(200)).unwrap();
        assert_eq!(allowance.look("U1", at(200)), Err(TooMuch::FromPerson(Share { limit: 3, asked: 1 })));
    }

    #[test]
    fn what_one_person_has_used_up_is_nobody_elses() {
        let allowance = allowance();
        while allowance.look("U1", at(0)).is_ok() {}
        allowance.look("U2", at(0)).unwrap();
    }

    #[test]
    fn all_of_them_together_may_so_much_and_a_refusal_costs_nobody_anything() {
        let allowance = allowance();
        for user in ["U1", "U2", "U3", "U4", "U5"] {
            allowance.look(user, at(0)).unwrap();
        }
        for _ in 0..10 {
            assert_eq!(
                allowance.look("U6", at(0)),
                Err(TooMuch::FromWorkspace(Share { limit: 5, asked: 1 }))
            );
        }
        // Two fifths of ten minutes.
        allowance.look("U6", at(240)).unwrap();
        allowance.look("U6", at(240)).unwrap();
        assert_eq!(allowance.look("U6", at(240)), Err(TooMuch::FromWorkspace(Share { limit: 5, asked: 1 })));
    }

    #[test]
    fn nothing_is_accepted_on_top_of_too_much_but_looking_is_free() {
        let allowance = allowance();
        allowance.metrics.in_hand.set(OPEN - 2);
        allowance.metrics.at_rest.set(1);
        allowance.act("U1", 1, at(0)).unwrap();
        allowance.metrics.at_rest.set(2);
        assert_eq!(allowance.act("U2", 1, at(0)), Err(TooMuch::Waiting));
        allowance.look("U3", at(0)).unwrap();
    }

    #[test]
    fn several_sources_cost_as_many_commands_or_nothing() {
        let allowance = allowance();
        allowance.act("U1", 2, at(0)).unwrap();
        assert_eq!(allowance.act("U1", 2, at(0)), Err(TooMuch::FromPerson(Share { limit: 3, asked: 2 })));
        allowance.act("U1", 1, at(0)).unwrap();
        // More than may ever be asked for is asked for by whoever has asked for nothing else.
        allowance.act("U2", 20, at(600)).unwrap();
        assert_eq!(allowance.act("U2", 1, at(600)), Err(TooMuch::FromPerson(Share { limit: 3, asked: 1 })));
    }

    #[test]
    fn the_log_is_told_once_a_minute() {
        let mut told = None;
        let news: Vec<_> = [0, 1, 59, 60, 61, 119, 120, 3].map(|s| is_news(&mut told, at(s))).into();
        assert_eq!(news, [true, false, false, true, false, false, true, true]);
    }

    #[test]
    fn who_asked_long_ago_is_forgotten_and_who_has_used_all_up_is_not() {
        let allowance = Allowance::new(Limits { person: 1, workspace: u32::MAX }, Metrics::default());
        for n in 1..PEOPLE {
            allowance.look(&format!("U{n}"), at(0)).unwrap();
        }
        allowance.look("busy", at(300)).unwrap();
        allowance.look("late", at(601)).unwrap();
        assert_eq!(allowance.spent().people.len(), 2);
        assert_eq!(allowance.look("busy", at(602)), Err(TooMuch::FromPerson(Share { limit: 1, asked: 1 })));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let allowance = allowance();
        while allowance.look("U1", at(100_000)).is_ok() {}
        assert!(allowance.look("U1", at(0)).is_err());
        allowance.look("U1", at(201)).unwrap();
    }
}
