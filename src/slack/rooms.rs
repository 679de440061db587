//! In which channels the bot is, by what came of posting there.
//!
//! Owns what is remembered of that, and of how many channels. Must not know what is posted.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// Channels of which something is remembered; what is forgotten is learnt again.
const MOST: usize = 10_000;

/// What posting in a channel came to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether the bot could post there.
    pub is_in: bool,
    /// When that was.
    pub at: Timestamp,
}

/// The channels by their ids.
#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<HashMap<String, Seen>>);

impl Rooms {
    /// Remembers what came of posting in a channel.
    pub(super) fn note(&self, channel: &str, seen: Seen) {
        let mut rooms = self.rooms();
        if rooms.len() >= MOST && !rooms.contains_key(channel) {
            rooms.clear();
        }
        rooms.insert(channel.to_owned(), seen);
    }

    /// What is remembered of a channel.
    pub(super) fn of(&self, channel: &str) -> Option<Seen> {
        self.rooms().get(channel).copied()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_remembered_of_so_many() {
        let rooms = Rooms::default();
        let seen = |is_in, second| Seen { is_in, at: Timestamp::from_second(second).unwrap() };
        rooms.note("C1", seen(false, 1));
        rooms.note("C1", seen(true, 2));
        assert_eq!((rooms.of("C1"), rooms.of("C2")), (Some(seen(true, 2)), None));
        for number in 0..2 * MOST {
            rooms.note(&format!("D{number}"), seen(true, 3));
            assert!(rooms.rooms().len() <= MOST);
        }
    }
}
