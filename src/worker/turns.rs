//! Whose turn it is to call an outside party: commands that may not call it yet wait here, in
//! memory and in order, and cost the database nothing but their leases.
//!
//! Owns the line and how a wait ends. How many may call at a time is [`super::flow`]'s decision.
//! Must not know what is called, nor what a command does with its turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::flow::{Answer, Flow};
use crate::clock::Clock;
use crate::journal::THROTTLE_LIMIT;
use crate::store::LeaseGuard;

/// How often the line is looked through for whoever need not wait any longer, and how late a call is
/// that only time lets through.
const GLANCE: Duration = Duration::from_millis(200);

/// The line of one party.
pub(super) struct Turns {
    clock: Clock,
    line: Mutex<Line>,
    /// A call has ended, or somebody new waits.
    moved: Notify,
    waiting: Gauge,
}

struct Line {
    flow: Flow,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    lease: Arc<LeaseGuard>,
    until: Timestamp,
    called: oneshot::Sender<Result<Turn, Missed>>,
}

/// The right to make one call, or the calls of one step. Given back when it is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    answer: Option<Answer>,
}

/// Why a command did not get its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// The bot shuts down.
    Stopping,
    /// Somebody else has the command.
    Lost,
    /// It has waited as long as it may.
    Late,
    /// The party asks for a pause that is too long to be waited out: so much is left of it.
    Paused(Duration),
}

impl Turns {
    /// Up to so many turns at a time. `waiting` shows how many wait.
    pub(super) fn new(most: u32, clock: Clock, waiting: Gauge) -> Arc<Self> {
        let line = Line { flow: Flow::wide(most), waiting: VecDeque::new() };
        Arc::new(Self { clock, line: Mutex::new(line), moved: Notify::new(), waiting })
    }

    /// Waits for a turn, behind all who came before. Whoever has waited must ask everything again
    /// that it knew before.
    pub(super) async fn wait(
        self: &Arc<Self>,
        lease: &Arc<LeaseGuard>,
        until: Timestamp,
        stopping: &CancellationToken,
    ) -> Result<Turn, Missed> {
        let called = {
            let now = self.clock.now();
            let mut line = self.line();
            if line.waiting.is_empty() && line.flow.begin(now) {
                return Ok(self.turn());
            }
            if let Some(pause) = line.long_pause(now) {
                return Err(Missed::Paused(pause));
            }
            let (called, answer) = oneshot::channel();
            line.waiting.push_back(Waiter { lease: Arc::clone(lease), until, called });
            self.waiting.inc();
            answer
        };
        self.moved.notify_one();
        tokio::select! {
            biased;
            () = stopping.cancelled() => Err(Missed::Stopping),
            called = called => called.unwrap_or(Err(Missed::Stopping)),
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.line().waiting.len()
    }

    /// Whether everybody waits because the party asks for a pause.
    pub(super) fn is_paused(&self) -> bool {
        !self.line().flow.pause_left(self.clock.now()).is_zero()
    }

    /// Calls whoever's turn it is, for as long as the bot runs.
    pub(super) async fn keep_order(self: Arc<Self>) {
        let mut glance = tokio::time::interval(GLANCE);
        loop {
            tokio::select! {
                () = self.moved.notified() => {}
                _ = glance.tick() => self.dismiss(),
            }
            self.call();
        }
    }

    /// Calls as many as may call now.
    fn call(self: &Arc<Self>) {
        // Dropped where the line is not locked any more.
        let mut unheard = Vec::new();
        let now = self.clock.now();
        let mut line = self.line();
        while let Some(first) = line.waiting.front() {
            if !first.called.is_closed() && !line.flow.begin(now) {
                break;
            }
            if let Some(Waiter { called, .. }) = line.waiting.pop_front()
                && !called.is_closed()
            {
                unheard.extend(called.send(Ok(self.turn())).err());
            }
        }
        self.show(&line);
        drop(line);
    }

    /// Sends those away who have nothing to wait for any more.
    fn dismiss(&self) {
        let now = self.clock.now();
        let mut line = self.line();
        let pause = line.long_pause(now);
        let (gone, waiting) = std::mem::take(&mut line.waiting)
            .into_iter()
            .map(|waiter| (waiter.missed(pause, now), waiter))
            .partition::<Vec<_>, _>(|(missed, waiter)| missed.is_some() || waiter.called.is_closed());
        line.waiting = waiting.into_iter().map(|(_, waiter)| waiter).collect();
        for (missed, Waiter { called, .. }) in gone {
            // Whoever does not listen any more has gone by itself.
            let _ = missed.map(|missed| called.send(Err(missed)));
        }
        self.show(&line);
    }

    fn ended(&self, answer: Option<Answer>) {
        self.line().flow.ended(answer, self.clock.now());
        self.moved.notify_one();
    }

    fn turn(self: &Arc<Self>) -> Turn {
        Turn { turns: Arc::clone(self), answer: None }
    }

    fn show(&self, line: &Line) {
        self.waiting.set(i64::try_from(line.waiting.len()).unwrap_or(i64::MAX));
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// What is left of a pause that nobody waits out in silence.
    fn long_pause(&self, now: Timestamp) -> Option<Duration> {
        Some(self.flow.pause_left(now)).filter(|&left| left > THROTTLE_LIMIT)
    }
}

impl Waiter {
    fn missed(&self, pause: Option<Duration>, now: Timestamp) -> Option<Missed> {
        if !self.lease.is_held() {
            return Some(Missed::Lost);
        }
        if now >= self.until {
            return Some(Missed::Late);
        }
        pause.map(Missed::Paused)
    }
}

impl Turn {
    /// Gives the turn back, with what the party made of it.
    pub(super) fn came_to(mut self, answer: Answer) {
        self.answer = Some(answer);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.ended(self.answer.take());
    }
}
