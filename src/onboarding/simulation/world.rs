//! The virtual time, what is to happen in it, and who is there: processes as tasks that are polled one
//! at a time, and outside parties that work by themselves.

mod faults;
mod people;
mod scene;
mod several;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};

use super::dice::Dice;
use super::fivetran::Fivetran;
use super::planted::Fault;
use super::slack::Slack;
use super::statistics::{Ended, Statistics};
use super::store::{NewCommand, Store};
use super::{MINUTE, stamp};
use crate::journal::Resting;
use people::Action;

/// What a process does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Chore {
    /// `worker::take_due`.
    Commands,
    /// `outbox::run`.
    Messages,
    /// `watch::look_at_due`.
    Looks,
    /// `watch::sweep`.
    Sweeps,
    /// `watch::let_time_pass`.
    Ticks,
}

pub(super) const CHORES: [Chore; 5] =
    [Chore::Commands, Chore::Messages, Chore::Looks, Chore::Sweeps, Chore::Ticks];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A task goes on.
    Wake { task: usize },
    /// A process looks for what is due.
    Poll { replica: usize, chore: Chore },
    /// The outside party does the work of a call.
    Work { call: usize },
    /// Somebody does something.
    Action { action: usize },
    /// A process dies.
    Crash { replica: usize },
    /// A process starts.
    Start { replica: usize },
    /// A process that stood still prolongs its leases again.
    GoOn { replica: usize },
    /// A clock is set.
    SetClock { replica: usize, ahead: i64 },
}

type Work = Box<dyn FnOnce(&mut World)>;
type Flow = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    replica: usize,
    life: usize,
    /// `None` while it is polled, and once it has ended.
    flow: Option<Flow>,
}

/// A chore of a process.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// What is due next, as the store says.
    due: i64,
    /// When it is looked for.
    at: i64,
    pub(super) busy: bool,
    /// Not before.
    pub(super) earliest: i64,
}

const NO_PLAN: Plan = Plan { due: i64::MAX, at: i64::MAX, busy: false, earliest: 0 };

pub(super) struct Replica {
    /// Which process this is: an owner of leases. `None`: it is down.
    pub(super) life: Option<usize>,
    pub(super) ahead: i64,
    /// Until when it stands still, its renewals too.
    pub(super) still_until: i64,
    /// When it began to.
    pub(super) stood_at: i64,
    /// When it prolonged its leases last, if it is not doing so all the time.
    pub(super) renewed_at: Option<i64>,
    pub(super) resting: Resting<usize>,
    /// How often its process has told a person and heard nothing, by the news.
    pub(super) unheard: HashMap<usize, usize>,
    pub(super) plans: [Plan; CHORES.len()],
    /// Fivetran asked the watcher for a pause until then, by its clock.
    pub(super) paused_until: i64,
}

/// A process at work on a command, from a claim to its end, a wait or its death.
pub(super) struct Hand {
    pub(super) command: usize,
    pub(super) life: usize,
    pub(super) fence: i64,
    pub(super) at_work: bool,
    /// Its process died, or lost the lease: it has told nobody what it did.
    pub(super) cut_off: bool,
    /// The database said that somebody else has the command.
    pub(super) lost: bool,
    /// When it made sure last that it has enough of the lease.
    pub(super) checked_at: i64,
}

/// What the run knows of a command besides the store.
pub(super) struct Command {
    pub(super) new: NewCommand,
    pub(super) accepted_at: i64,
    /// The first hand that had it.
    pub(super) began: usize,
    /// The person was told that it was accepted; otherwise that nothing will happen.
    pub(super) promised: bool,
    /// Whoever met its twin, or the silence, was told so.
    pub(super) refused: bool,
    /// How each fence of it saw its end.
    pub(super) ends: Vec<(i64, Ended)>,
    pub(super) fivetran_calls: u32,
    pub(super) posts: u32,
    /// Posts to the response_url, for a link and for a problem, that it may have counted.
    pub(super) url_links: u32,
    pub(super) url_problems: u32,
    /// The same that told the person that it waits.
    pub(super) url_notes: u32,
    /// How often the person has come to read that it waits.
    pub(super) notes: u32,
    /// Hands that died or lost the lease.
    pub(super) cut_offs: u32,
    /// How often Slack did not say who else is in its channel.
    pub(super) unseen: u32,
    pub(super) idle_waits: u32,
    /// From before the run: its link was there already.
    pub(super) prior: bool,
    /// The sources of it that its person was told are not in the message.
    pub(super) reported: Vec<usize>,
    /// How often a thread has surely heard of the end of the onboarding that it began.
    pub(super) ends_told: u32,
}

pub(super) struct World {
    me: Weak<RefCell<World>>,
    pub(super) now: i64,
    pub(super) dice: Dice,
    queue: BinaryHeap<Reverse<(i64, usize, Event)>>,
    scheduled: usize,
    tasks: Vec<Task>,
    current: usize,
    works: Vec<Option<Work>>,
    actions: Vec<Action>,
    actions_left: usize,
    pub(super) replicas: Vec<Replica>,
    lives: usize,
    /// One call in so many meets a crash.
    crash_rate: i64,
    /// Until when processes die and stand still.
    faults_until: i64,
    crashes_left: u32,
    stills_left: u32,
    /// One answer of the database in so many is lost.
    pub(super) database_trouble: i64,
    pub(super) database_until: i64,
    pub(super) store: Store,
    pub(super) fivetran: Fivetran,
    pub(super) slack: Slack,
    pub(super) hands: Vec<Hand>,
    pub(super) commands: Vec<Command>,
    pub(super) reminders: bool,
    /// Whether people ask for several sources at once.
    pub(super) several: bool,
    /// Customers who came to a process, by the connection; and those of whom a process has done what is to be done.
    pub(super) visits: Vec<(usize, i64)>,
    pub(super) landings: Vec<(usize, i64)>,
    pub(super) statistics: Statistics,
    /// For how long processes were down or stood still.
    pub(super) lost_time: i64,
    /// When the last fault has ended, as far as is known.
    pub(super) calm_from: i64,
    /// The largest difference between two clocks.
    pub(super) skew: i64,
    pub(super) violation: Option<String>,
    pub(super) traced: bool,
}

/// Events after which a world is taken not to end.
const EVENTS: usize = 60_000;

impl World {
    /// Lives through one seed; `several`: people ask for several sources at once whatever the seed says.
    pub(super) fn live(
        seed: u64,
        several: bool,
        planted: Option<Fault>,
        traced: bool,
    ) -> Result<Statistics, String> {
        let world = Self::new(seed, several, planted, traced);
        let ended = Self::run(&world);
        let mut world = world.borrow_mut();
        // They hold the world.
        let tasks = std::mem::take(&mut world.tasks);
        let works = std::mem::take(&mut world.works);
        let judged = ended.and_then(|()| world.judge());
        drop(world);
        drop((tasks, works));
        judged
    }

    fn run(world: &Rc<RefCell<Self>>) -> Result<(), String> {
        loop {
            let event = {
                let mut this = world.borrow_mut();
                if let Some(violation) = this.violation.take() {
                    return Err(violation);
                }
                if this.scheduled > EVENTS {
                    return Err("it does not end".to_owned());
                }
                this.plan();
                if this.is_over() {
                    return Ok(());
                }
                let Some(Reverse((now, _, event))) = this.queue.pop() else { return Ok(()) };
                this.now = now;
                event
            };
            match event {
                Event::Wake { task } => Self::go_on(world, task),
                event => world.borrow_mut().happen(event),
            }
        }
    }

    fn go_on(world: &Rc<RefCell<Self>>, id: usize) {
        let flow = {
            let mut this = world.borrow_mut();
            let Task { replica, life, .. } = this.tasks[id];
            let still_until = this.replicas[replica].still_until;
            if this.replicas[replica].life == Some(life) && this.now < still_until {
                return this.at(still_until, Event::Wake { task: id });
            }
            this.current = id;
            let flow = this.tasks[id].flow.take();
            if this.replicas[replica].life == Some(life) { flow } else { None }
        };
        let Some(mut flow) = flow else { return };
        let ended = flow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let mut this = world.borrow_mut();
        let Task { replica, life, .. } = this.tasks[id];
        if !ended && this.replicas[replica].life == Some(life) {
            this.tasks[id].flow = Some(flow);
        } else {
            drop(this);
            drop(flow);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { .. } => {}
            Event::Poll { replica, chore } => self.poll(replica, chore),
            Event::Work { call } => {
                if let Some(work) = self.works[call].take() {
                    work(self);
                }
            }
            Event::Action { action } => {
                self.actions_left -= 1;
                self.act(action);
            }
            Event::Crash { replica } => self.crash(replica),
            Event::Start { replica } => self.start(replica),
            Event::GoOn { replica } => self.prolong(replica),
            Event::SetClock { replica, ahead } => {
                self.statistics.clock_steps += 1;
                self.trace(|| format!("the clock of replica {replica} is set to {ahead} ms ahead"));
                self.replicas[replica].ahead = ahead;
                self.store.changed = true;
            }
        }
    }

    fn poll(&mut self, replica: usize, chore: Chore) {
        let Some(life) = self.replicas[replica].life else { return };
        let still_until = self.replicas[replica].still_until;
        let plan = &mut self.replicas[replica].plans[chore as usize];
        if plan.busy || plan.at != self.now {
            return;
        }
        if self.now < still_until {
            plan.at = still_until;
            return self.at(still_until, Event::Poll { replica, chore });
        }
        *plan = Plan { busy: true, ..NO_PLAN };
        let me = self.me();
        self.attend(me, replica, life, chore);
    }

    pub(super) fn me(&self) -> Rc<RefCell<Self>> {
        self.me.upgrade().expect("the world is there while it runs")
    }

    /// A chore is over for now.
    pub(super) fn rest(&mut self, replica: usize, life: usize, chore: Chore) {
        if self.replicas[replica].life == Some(life) {
            let earliest = self.now + chore.pause();
            self.replicas[replica].plans[chore as usize] = Plan { earliest, ..NO_PLAN };
            self.store.changed = true;
        }
    }

    /// Plans when each process looks for what is due.
    fn plan(&mut self) {
        if !std::mem::take(&mut self.store.changed) {
            return;
        }
        for replica in 0..self.replicas.len() {
            if self.replicas[replica].life.is_none() {
                continue;
            }
            for chore in CHORES {
                let due = self.due(replica, chore);
                let plan = self.replicas[replica].plans[chore as usize];
                if plan.busy || (plan.due == due && plan.at < i64::MAX) || due == i64::MAX {
                    continue;
                }
                let jitter = self.dice.below(chore.pause());
                let at = due.max(plan.earliest).max(self.now).saturating_add(jitter);
                self.replicas[replica].plans[chore as usize] = Plan { due, at, ..plan };
                self.at(at, Event::Poll { replica, chore });
            }
        }
    }

    fn due(&self, replica: usize, chore: Chore) -> i64 {
        let Replica { ahead, paused_until, life, .. } = self.replicas[replica];
        let paused = |due: i64| if due == i64::MAX { due } else { due.max(paused_until - ahead) };
        match chore {
            Chore::Commands => {
                let in_hand = self.in_hand(life);
                self.store.command_due(ahead, &in_hand)
            }
            Chore::Messages => self.store.message_due(ahead),
            Chore::Looks => paused(self.store.look_due(ahead)),
            Chore::Sweeps => paused(self.store.sweep_due(ahead)),
            Chore::Ticks => self.store.tick_due(ahead).saturating_add(super::UNLISTED),
        }
    }

    /// The commands that a process has in hand.
    pub(super) fn in_hand(&self, life: Option<usize>) -> Vec<usize> {
        let theirs = self.hands.iter().filter(|hand| hand.at_work && Some(hand.life) == life);
        theirs.map(|hand| hand.command).collect()
    }

    /// Starts a task of a process.
    pub(super) fn spawn(&mut self, replica: usize, life: usize, flow: Flow) {
        self.tasks.push(Task { replica, life, flow: Some(flow) });
        self.at(self.now, Event::Wake { task: self.tasks.len() - 1 });
    }

    /// The task that is being polled goes on at `time`.
    pub(super) fn wake_at(&mut self, time: i64) {
        let task = self.current;
        self.at(time, Event::Wake { task });
    }

    /// Work that an outside party does at `time`, whatever becomes of its caller.
    pub(super) fn work_at(&mut self, time: i64, work: Work) {
        self.works.push(Some(work));
        self.at(time, Event::Work { call: self.works.len() - 1 });
    }

    /// A process's time.
    pub(super) fn clock(&self, replica: usize) -> i64 {
        self.now + self.replicas[replica].ahead
    }

    pub(super) fn at(&mut self, time: i64, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse((time.max(self.now), self.scheduled, event)));
    }

    /// Notes that something is wrong until then.
    pub(super) fn is_troubled(&mut self, until: i64) {
        self.calm_from = self.calm_from.max(until);
    }

    /// Whether everything has happened, and all the time has passed within which all must be well.
    fn is_over(&self) -> bool {
        self.actions_left == 0
            && self.now >= self.calm_from + self.bound()
            && self.store.is_done()
            && self.replicas.iter().all(|replica| replica.life.is_some() && replica.still_until <= self.now)
    }

    /// Within what time after the last fault all must be well: an edit that is not tried again for
    /// 5 min and a lease of 2; lists at their slowest, twice, and an absence that has to be confirmed;
    /// and what a clock that is ahead has put off for those that are not.
    pub(super) fn bound(&self) -> i64 {
        10 * MINUTE + 3 * self.fivetran.tick + self.skew
    }

    pub(super) fn events(&self) -> usize {
        self.scheduled
    }

    pub(super) fn violate(&mut self, violation: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let violation = violation();
            self.trace(|| violation.clone());
            self.violation = Some(violation);
        }
    }

    pub(super) fn trace(&self, line: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>9} {}", self.now, line());
        }
    }
}

impl Command {
    pub(super) fn new(new: NewCommand, accepted_at: i64) -> Self {
        Self {
            new,
            accepted_at,
            began: usize::MAX,
            promised: false,
            refused: false,
            ends: Vec::new(),
            fivetran_calls: 0,
            posts: 0,
            url_links: 0,
            url_problems: 0,
            url_notes: 0,
            notes: 0,
            cut_offs: 0,
            unseen: 0,
            idle_waits: 0,
            prior: false,
            reported: Vec::new(),
            ends_told: 0,
        }
    }
}

impl Chore {
    /// How long it rests at most when nothing is due, in ms; as in each module's `POLL`.
    fn pause(self) -> i64 {
        if self == Self::Commands { 500 } else { 1_000 }
    }
}

/// The moment at which a process's clock shows this.
pub(super) fn shown(clock: i64) -> jiff::Timestamp {
    stamp(clock)
}
