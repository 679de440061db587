//! Which absences the list of a group is believed about, however many they are.
//!
//! Owns how many of a group may be gone at once, for how long a list says so, and how much of it is
//! remembered. Pure. Must not know how a list is read, nor what follows from it.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

/// How long a whole list vouches for what was not in it: longer than until the next one, and than until
/// what is missing is looked at alone.
const LASTS: SignedDuration = SignedDuration::from_mins(15);
/// For each one that is absent, so many of the same group have to be there. A key of another account sees
/// none of them; but one that was restricted to some connections sees those, and Fivetran's answer does
/// not tell what it hides from what is gone. Nobody deletes a quarter of a destination in one go without
/// knowing of it, so more than that is left to whoever runs the bot.
const OTHERS: usize = 3;
/// Most absences of a group that are remembered: some 100 KB. Beyond that, somebody should look.
const MOST: usize = 2000;

/// What the last whole lists say is not there, by group.
#[derive(Debug, Default)]
pub(super) struct Vouched(HashMap<String, (Timestamp, HashSet<String>)>);

impl Vouched {
    /// Takes note of a whole list: how many of ours were on it, and which were not. Whether it is
    /// believed.
    pub(super) fn note(
        &mut self,
        group_id: &str,
        found: usize,
        absent: impl ExactSizeIterator<Item = String>,
        now: Timestamp,
    ) -> bool {
        self.0.retain(|_, (at, _)| lasts(*at, now));
        self.0.remove(group_id);
        let believed = absent.len().saturating_mul(OTHERS) <= found && absent.len() <= MOST;
        if believed && absent.len() > 0 {
            self.0.insert(group_id.to_owned(), (now, absent.collect()));
        }
        believed
    }

    /// Whether the last whole list of its group says that a connection is not there, and is believed.
    pub(super) fn say_gone(&self, group_id: &str, connection_id: &str, now: Timestamp) -> bool {
        let listed = self.0.get(group_id);
        listed.is_some_and(|(at, absent)| lasts(*at, now) && absent.contains(connection_id))
    }
}

fn lasts(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).abs() < LASTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> std::vec::IntoIter<String> {
        (0..count).map(|n| format!("gone_{n}")).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn many_are_believed_to_be_gone_only_beside_three_times_as_many_that_are_there() {
        for (found, absent, believed) in [
            (0, 0, true),
            (0, 1, false),
            (0, 50, false),
            (2, 1, false),
            (3, 1, true),
            (14, 5, false),
            (15, 5, true),
            (15, 6, false),
            // A key that sees half of them only.
            (50, 50, false),
            (900, 100, true),
            (6000, 2000, true),
            (60_000, 2001, false),
        ] {
            let mut vouched = Vouched::default();
            let now = Timestamp::UNIX_EPOCH;
            assert_eq!(vouched.note("g", found, names(absent), now), believed, "{found} {absent}");
            assert_eq!(vouched.say_gone("g", "gone_0", now), believed && absent > 0, "{found} {absent}");
            assert!(!vouched.say_gone("g", "there", now) && !vouched.say_gone("other", "gone_0", now));
        }
    }

    #[test]
    fn only_the_last_list_counts_and_not_for_long() {
        let mut vouched = Vouched::default();
        let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        vouched.note("g", 90, names(5), at(0));
        assert!(vouched.say_gone("g", "gone_4", at(899)));
        assert!(!vouched.say_gone("g", "gone_4", at(900)));
        assert!(vouched.say_gone("g", "gone_4", at(-899)) && !vouched.say_gone("g", "gone_4", at(-900)));
        vouched.note("g", 90, names(4), at(60));
        assert!(!vouched.say_gone("g", "gone_4", at(60)), "it has come back");
        vouched.note("g", 5, names(90), at(90));
        assert!(!vouched.say_gone("g", "gone_0", at(90)), "nobody believes that");
        vouched.note("g", 90, names(5), at(120));
        vouched.note("other", 90, names(5), at(2000));
        assert_eq!(vouched.0.len(), 1, "what is over is forgotten");
    }
}
