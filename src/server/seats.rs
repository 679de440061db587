//! The connections with a place, in the order in which they can be spared.
//!
//! Owns that order, kept as they turn from one thing to another, so that whoever needs a place looks at one of a
//! thousand and not at all of them. Must not know what becomes of the one that it names.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// That a connection can make room for another, and how much it has to lose: less comes first, and of two of
/// a kind the one that has taken longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spare {
    /// Nothing has come for so long.
    Fresh(Instant),
    /// It has had its answer since then.
    Idle(Instant),
    /// Its request is on its way for so long. Slack's are whole when they begin, or a moment later.
    Begun(Instant),
}

/// How a connection stands to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// By what right it can be spared, if it can.
    pub(super) spare: Option<Spare>,
    /// Whether it has not been asked to leave.
    pub(super) stays: bool,
}

/// Who has a place, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<Order>);

#[derive(Debug, Default)]
struct Order {
    begun: BTreeSet<(Instant, u64)>,
    /// Whoever else can be spared, which costs them less.
    idle: BTreeSet<(Spare, u64)>,
    staying: usize,
}

impl Order {
    fn add(&mut self, id: u64, Standing { spare, stays }: Standing) {
        match spare {
            Some(Spare::Begun(since)) => drop(self.begun.insert((since, id))),
            Some(spare) => drop(self.idle.insert((spare, id))),
            None => {}
        }
        self.staying += usize::from(stays);
    }

    fn remove(&mut self, id: u64, Standing { spare, stays }: Standing) {
        match spare {
            Some(Spare::Begun(since)) => drop(self.begun.remove(&(since, id))),
            Some(spare) => drop(self.idle.remove(&(spare, id))),
            None => {}
        }
        self.staying -= usize::from(stays);
    }
}

impl Seats {
    fn order(&self) -> MutexGuard<'_, Order> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that stood so takes a place (`was`: `None`), turns to something else, or leaves its place (`is`: `None`).
    pub(super) fn turn(&self, id: u64, was: Option<Standing>, is: Option<Standing>) {
        let mut order = self.order();
        if let Some(was) = was {
            order.remove(id, was);
        }
        if let Some(is) = is {
            order.add(id, is);
        }
    }

    /// How many have not been asked to leave.
    pub(super) fn staying(&self) -> usize {
        self.order().staying
    }

    /// The one that can be spared most; `None`: all are at something.
    pub(super) fn first(&self) -> Option<(Spare, u64)> {
        let order = self.order();
        let idle = order.idle.first().copied();
        idle.or_else(|| order.begun.first().map(|&(since, id)| (Spare::Begun(since), id)))
    }

    /// The one whose request has been on its way longest.
    pub(super) fn slowest(&self) -> Option<(Spare, u64)> {
        self.order().begun.first().map(|&(since, id)| (Spare::Begun(since), id))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_can_be_spared_most_is_first_and_whoever_turns_to_something_is_not_named() {
        let (seats, start) = (Seats::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let can = |spare| Some(Standing { spare: Some(spare), stays: true });
        let busy = Some(Standing { spare: None, stays: true });
        let leaving = Some(Standing { spare: None, stays: false });
        assert_eq!((seats.first(), seats.slowest(), seats.staying()), (None, None, 0));
        seats.turn(1, None, can(Spare::Begun(at(1))));
        seats.turn(2, None, can(Spare::Begun(at(0))));
        seats.turn(3, None, busy);
        assert_eq!(seats.first(), Some((Spare::Begun(at(0)), 2)));
        assert_eq!(seats.staying(), 3);
        seats.turn(3, busy, can(Spare::Idle(at(9))));
        assert_eq!(seats.first(), Some((Spare::Idle(at(9)), 3)), "it has least to lose");
        assert_eq!(seats.slowest(), Some((Spare::Begun(at(0)), 2)));
        seats.turn(3, can(Spare::Idle(at(9))), leaving);
        seats.turn(2, can(Spare::Begun(at(0))), busy);
        assert_eq!(seats.first(), Some((Spare::Begun(at(1)), 1)));
        assert_eq!(seats.slowest(), Some((Spare::Begun(at(1)), 1)));
        assert_eq!(seats.staying(), 2);
        // One that was asked to leave has said something all the same.
        seats.turn(3, leaving, can(Spare::Begun(at(10))));
        assert_eq!(seats.staying(), 3);
        for (id, was) in [(1, can(Spare::Begun(at(1)))), (2, busy), (3, can(Spare::Begun(at(10))))] {
            seats.turn(id, was, None);
        }
        assert_eq!((seats.first(), seats.slowest(), seats.staying()), (None, None, 0));
    }
}
