//! The connections that there are at a time, and which of them makes room for another.
//!
//! Owns how many may do what. Where nothing has come yet a connection costs a descriptor, and there may be many
//! thousands; one that speaks costs buffers, and there are places for a thousand of those. Whoever needs
//! one that is taken gets it from somebody who can be spared, so that a crowd of strangers keeps nobody out. Must
//! not know what a request is about.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::line::{Dated, Line, Noted};
use super::seats::Seats;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// In all.
    pub(super) all: usize,
    /// That have said something; each takes some 20 KiB.
    pub(super) heard: usize,
    /// Bytes that may be kept of requests that are not whole yet.
    pub(super) unfinished: usize,
}

/// With as many descriptors as anybody could wish for. A body takes up to 64 KiB, so the bytes are those of sixty
/// large ones on their way at the same moment; Slack's come within milliseconds.
const BOUNDS: Bounds = Bounds { all: 16 * 1024, heard: 1024, unfinished: 4 * 1024 * 1024 };
/// Descriptors that are kept free where there are few: for the database, and for calls to Slack and Fivetran.
const OWN_DESCRIPTORS: usize = 256;
/// How often a newcomer who found no room looks again, in case nothing wakes them.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Bounds {
    /// What this process has the descriptors for. Where the system does not say, they are taken for plenty: when
    /// they run out, [`Crowd::make_room`] is asked.
    fn of_this_process() -> Self {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        match descriptors(&limits) {
            Some(limit) => Self { all: BOUNDS.all.min(limit - OWN_DESCRIPTORS.min(limit / 2)), ..BOUNDS },
            None => BOUNDS,
        }
    }
}

/// The soft limit in Linux's table of them; `None` also where there is none.
fn descriptors(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The connections that there are, and the places for them. One for all that a process listens on.
pub struct Crowd {
    bounds: Bounds,
    lines: Mutex<Lines>,
    next: AtomicU64,
    /// Who of those with a place can be spared.
    seats: Arc<Seats>,
    /// Bytes of requests that are not whole yet.
    unfinished: Arc<AtomicUsize>,
    /// Somebody has left or can be spared.
    room: Arc<Notify>,
}

/// By the order in which they came.
#[derive(Default)]
struct Lines {
    /// On which nothing has come yet.
    fresh: BTreeMap<u64, Arc<Line>>,
    /// That have said something and wait for a place.
    waiting: BTreeMap<u64, Arc<Line>>,
    /// That have a place.
    heard: BTreeMap<u64, Arc<Line>>,
}

impl Lines {
    fn count(&self) -> usize {
        self.fresh.len() + self.waiting.len() + self.heard.len()
    }

    /// Asks the one with a place to leave that can be spared most. False: all are at something.
    fn spare_one(&self, seats: &Seats) -> bool {
        while let Some((spare, id)) = seats.first() {
            match self.heard.get(&id) {
                Some(line) if line.leaves(spare) => return true,
                // It has come to be used just now, and is not the first any more.
                Some(_) => {}
                None => return false,
            }
        }
        false
    }

    /// Asks one to leave, whichever: first those who have said nothing, who have least to lose.
    fn spare_anyone(&mut self, seats: &Seats) -> bool {
        while let Some((_, line)) = self.fresh.pop_first() {
            if line.spare().is_some_and(|spare| line.leaves(spare)) {
                return true;
            }
        }
        self.spare_one(seats)
    }

    /// Gives a place to one that waits for it; false: there is none, and nobody can be spared.
    fn seat(&mut self, id: u64, places: usize, seats: &Seats) -> bool {
        if seats.staying() >= places && !self.spare_one(seats) {
            return false;
        }
        if let Some(line) = self.waiting.remove(&id) {
            line.sits(id);
            self.heard.insert(id, line);
        }
        true
    }
}

impl Crowd {
    /// As large as this process can have it.
    #[must_use]
    pub fn of_this_process() -> Arc<Self> {
        Self::new(Bounds::of_this_process())
    }

    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            lines: Mutex::default(),
            next: AtomicU64::new(0),
            seats: Arc::default(),
            unfinished: Arc::default(),
            room: Arc::default(),
        })
    }

    /// Lets one more in, who has said nothing yet. Waits only where all there are have a place, and are at
    /// something. For one newcomer at a time.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        let line = Line::new(Arc::clone(&self.unfinished), Arc::clone(&self.room), Arc::clone(&self.seats));
        let line = Arc::new(line);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        while !self.takes_in(id, &line) {
            self.until_there_is_room().await;
        }
        Place { crowd: Arc::clone(self), id, line }
    }

    fn takes_in(&self, id: u64, line: &Arc<Line>) -> bool {
        let mut lines = self.lines();
        let has_room = lines.count() < self.bounds.all || lines.spare_anyone(&self.seats);
        if has_room {
            lines.fresh.insert(id, Arc::clone(line));
        }
        has_room
    }

    /// Asks one to leave: there is no descriptor left.
    pub(super) fn make_room(&self) {
        self.lines().spare_anyone(&self.seats);
    }

    /// Waits for a place for one that has said something.
    async fn seat(&self, id: u64, line: &Arc<Line>) {
        {
            let mut lines = self.lines();
            lines.fresh.remove(&id);
            lines.waiting.insert(id, Arc::clone(line));
        }
        while !self.lines().seat(id, self.bounds.heard, &self.seats) {
            self.until_there_is_room().await;
        }
        // Two may have left before the first of those who wait was awake.
        self.room.notify_one();
    }

    async fn until_there_is_room(&self) {
        tokio::select! {
            () = self.room.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }

    /// So much of requests that are not whole is kept. If it is too much, the one that has taken longest goes.
    fn relieve(&self) {
        while self.unfinished.load(Ordering::Relaxed) > self.bounds.unfinished {
            let lines = self.lines();
            let Some((spare, id)) = self.seats.slowest() else { return };
            let Some(line) = lines.heard.get(&id) else { return };
            line.leaves(spare);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in a [`Crowd`], until it is dropped.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    id: u64,
    line: Arc<Line>,
}

impl Place {
    /// The connection, whose bytes are noted, and the service that tells each request when it began.
    pub(super) fn noted<I, S>(&self, io: I, service: S) -> (Noted<I>, Dated<S>) {
        let crowd = Arc::clone(&self.crowd);
        let noted = Noted::new(io, Arc::clone(&self.line), move || crowd.relieve());
        (noted, Dated::new(service, Arc::clone(&self.line)))
    }

    /// Waits for the first byte and for a place, and carries the connection until it ends, is silent for too long,
    /// or has to leave. Before the first byte, nothing of it is made but this.
    pub(super) async fn hold<I, C: Future>(
        self,
        first: impl Future<Output = Option<I>>,
        connect: impl FnOnce(&Self, I) -> C,
    ) {
        let io = tokio::select! {
            // What comes at the last moment is still heard.
            biased;
            io = first => io,
            () = self.line.is_over() => None,
        };
        let Some(io) = io else { return };
        self.line.hears(0);
        tokio::select! {
            biased;
            () = self.crowd.seat(self.id, &self.line) => {}
            () = self.line.is_over() => return,
        }
        // A large thing, for which those who wait have no room.
        let connection = Box::pin(connect(&self, io));
        tokio::select! {
            biased;
            // A connection that breaks off is the peer's business; the request was logged.
            _ = connection => {}
            () = self.line.is_over() => {}
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.ends();
        let mut lines = self.crowd.lines();
        lines.fresh.remove(&self.id);
        lines.waiting.remove(&self.id);
        lines.heard.remove(&self.id);
        drop(lines);
        self.crowd.room.notify_one();
    }
}

#[cfg(test)]
mod tests;
