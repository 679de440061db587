//! A process: its clock, its pauses, its calls and its words with the store. Between any two of them
//! it may die, or stand still and wake when others have gone on.

use std::cell::{Cell, RefCell, RefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;

use super::fivetran::{Call, Instead};
use super::job::Job;
use super::store::{ClaimedMessage, Store, Stored, Write};
use super::world::{Chore, World, shown};
use super::{CREATE_TIMEOUT, Fate};
use crate::clock::Moment;
use crate::journal::PostFailure;

/// A process of a replica. One that was started anew is another.
#[derive(Clone)]
pub(super) struct Bot {
    world: Rc<RefCell<World>>,
    pub(super) replica: usize,
    pub(super) life: usize,
}

/// `StoreError`: it may have been done all the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreError;

/// How a call to Slack was sent.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    /// Its answer will be the truth.
    pub(super) clear: bool,
    /// By a process that stood still until somebody else had taken what it is about.
    pub(super) late: bool,
}

/// `store::change::Written`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Committed,
    LeaseLost,
    Conflict,
}

impl World {
    /// A process turns to what is due.
    pub(super) fn attend(&mut self, me: Rc<RefCell<Self>>, replica: usize, life: usize, chore: Chore) {
        let bot = Bot { world: me, replica, life };
        let flow: Pin<Box<dyn Future<Output = ()>>> = match chore {
            Chore::Commands => Box::pin(bot.take_due()),
            Chore::Messages => Box::pin(bot.bring_due()),
            Chore::Looks => Box::pin(bot.look_at_due()),
            Chore::Sweeps => Box::pin(bot.sweep()),
            Chore::Ticks => Box::pin(bot.let_time_pass()),
        };
        self.spawn(replica, life, flow);
    }

    /// Some process does something for somebody, if there is one.
    pub(super) fn served<F: Future<Output = ()> + 'static>(&mut self, flow: impl FnOnce(Bot) -> F) {
        let replica = self.one_of(self.replicas.len());
        let Some(life) = self.replicas[replica].life else { return };
        let flow = Box::pin(flow(Bot { world: self.me(), replica, life }));
        self.spawn(replica, life, flow);
    }
}

/// A pause, or death.
struct Pause<'a> {
    bot: &'a Bot,
    until: Option<i64>,
    begun: bool,
}

impl Future for Pause<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else { return Poll::Pending };
        let mut world = self.bot.world();
        if self.begun && world.now >= until {
            return Poll::Ready(());
        }
        world.wake_at(until);
        drop(world);
        self.begun = true;
        Poll::Pending
    }
}

impl Bot {
    pub(super) fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// The time that it does not know.
    pub(super) fn moment(&self) -> i64 {
        self.world().now
    }

    /// Whether channels want reminders.
    pub(super) fn reminders(&self) -> bool {
        self.world().reminders
    }

    /// Its time, in ms.
    pub(super) fn clock(&self) -> i64 {
        self.world().clock(self.replica)
    }

    /// Its time, as the machines take it.
    pub(super) fn now(&self) -> Timestamp {
        shown(self.clock())
    }

    /// Its time, and one that nobody sets.
    pub(super) fn by_both_clocks(&self) -> Moment {
        let steady = u64::try_from(self.moment()).unwrap_or_default();
        Moment { at: self.now(), steady: Duration::from_millis(steady) }
    }

    pub(super) fn trace(&self, line: impl FnOnce() -> String) {
        self.world().trace(|| format!("  [{}] {}", self.replica, line()));
    }

    /// Another task of this process.
    pub(super) fn spawn<F: Future<Output = ()> + 'static>(&self, flow: impl FnOnce(Self) -> F) {
        let flow = Box::pin(flow(self.clone()));
        self.world().spawn(self.replica, self.life, flow);
    }

    pub(super) async fn sleep(&self, pause: i64) {
        let until = self.moment() + pause;
        self.sleep_until(until).await;
    }

    async fn sleep_until(&self, until: i64) {
        Pause { bot: self, until: Some(until), begun: false }.await;
    }

    /// Between two effects: here a process may die, or stand still, one time in so many.
    async fn breathe(&self, times: i64) {
        let dies = self.world().dies(self.replica, times);
        if dies {
            // Nobody polls it again.
            return Pause { bot: self, until: None, begun: true }.await;
        }
        let stops = self.world().stops(self.replica, times * 16);
        if let Some(until) = stops {
            self.sleep_until(until).await;
        }
    }

    /// Something that the database does, and whether its answer comes back.
    pub(super) async fn db<T>(&self, does: impl FnOnce(&mut Store, i64) -> T) -> Result<T, StoreError> {
        self.breathe(6).await;
        let (late, trouble, fails) = {
            let world = &mut *self.world();
            let late = if world.dice.one_in(4) { world.dice.between(1, 40) } else { 0 };
            let late = if world.dice.one_in(256) { 3_000 } else { late };
            let troubled = world.now < world.database_until;
            let trouble = troubled && world.dice.one_in(world.database_trouble);
            (late, trouble, trouble && world.dice.one_in(2))
        };
        if late > 0 {
            self.sleep(late).await;
        }
        if fails {
            self.world().statistics.database_failures += 1;
            return Err(StoreError);
        }
        let done = {
            let mut world = self.world();
            let now = world.now;
            does(&mut world.store, now)
        };
        if trouble {
            self.trace(|| "an answer of the database is lost".to_owned());
            self.world().statistics.lost_database_answers += 1;
        }
        self.breathe(6).await;
        if trouble { Err(StoreError) } else { Ok(done) }
    }

    /// `Store::connection`.
    pub(super) async fn connection(&self, name: usize) -> Result<Option<Stored>, StoreError> {
        self.db(|store, _| store.connection(name)).await
    }

    /// `Store::write`.
    pub(super) async fn write(&self, write: Write<'_>) -> Result<Written, StoreError> {
        self.write_into(None, write).await
    }

    /// `Store::join`.
    pub(super) async fn write_join(
        &self,
        onboarding: &str,
        write: Write<'_>,
    ) -> Result<Option<Written>, StoreError> {
        let written = self.write_into(Some(onboarding), write).await?;
        if written == Written::LeaseLost && !self.db(|store, _| store.is_open(onboarding)).await? {
            self.world().statistics.came_too_late += 1;
            return Ok(None);
        }
        Ok(Some(written))
    }

    async fn write_into(&self, onboarding: Option<&str>, write: Write<'_>) -> Result<Written, StoreError> {
        let name = super::name_of(&write.change.connection.key);
        if onboarding.is_some() {
            // Long enough for the last source to be finished meanwhile.
            let behind = self.world().dice.below(20_000);
            self.sleep(behind).await;
        }
        let done = self.db(|store, _| store.write(onboarding, &write)).await?;
        match done {
            (true, true) => Ok(Written::Committed),
            (true, false) => Ok(Written::LeaseLost),
            (false, _) => {
                let stands = self.connection(name).await?;
                let version = stands.map_or(0, |stored| stored.version);
                if version == write.version {
                    return Ok(Written::LeaseLost);
                }
                self.world().statistics.conflicts += 1;
                Ok(Written::Conflict)
            }
        }
    }

    /// `Store::claim_message`.
    pub(super) async fn claim_message(&self, id: &str) -> Result<Option<ClaimedMessage>, StoreError> {
        let (life, asked) = (self.life, self.moment());
        let claimed = self.db(|store, now| store.claim_message(id, life, now)).await?;
        Ok(claimed.map(|claimed| claimed.counted_from(asked)))
    }

    /// Calls Fivetran. `work` is done whenever Fivetran does it, if at all.
    pub(super) async fn fivetran<T: 'static>(
        &self,
        call: Call,
        work: impl FnOnce(&mut World) -> T + 'static,
    ) -> Result<T, Instead> {
        self.breathe(8).await;
        let fate = {
            let world = &mut *self.world();
            world.fivetran.fate(call, world.now, &mut world.dice)
        };
        let given_at = fate.work_at;
        let answer = self.call(fate, work).await;
        if let (Ok(_), Some(at)) = (&answer, given_at) {
            self.world().fivetran.was_heard(at);
        }
        answer
    }

    /// Calls Slack for a command or for a message, whose lease this process may have lost by then.
    /// `work` is done whenever Slack does it, if at all.
    pub(super) async fn slack<T: 'static>(
        &self,
        job: Option<&Job>,
        held: Option<&ClaimedMessage>,
        work: impl FnOnce(&mut World, Sent) -> Result<T, PostFailure> + 'static,
    ) -> Result<T, PostFailure> {
        self.breathe(8).await;
        // Between the last check and the first byte.
        let stops = self.world().stops(self.replica, 24);
        if let Some(until) = stops {
            self.sleep_until(until).await;
        }
        let (fate, late) = {
            let world = &mut *self.world();
            let late = job.is_some_and(|job| !world.store.holds(job.command, job.fence))
                || held.is_some_and(|held| !world.store.holds_message(held));
            if let Some(job) = job.filter(|job| !world.store.holds(job.command, job.fence)) {
                world.witness_late(self.replica, job.hand);
            }
            (world.slack.fate(world.now, &mut world.dice), late)
        };
        let sent = Sent { clear: fate.instead.is_none(), late };
        self.call(fate, move |world| work(world, sent)).await?
    }

    pub(super) async fn call<T: 'static, F>(
        &self,
        fate: Fate<F>,
        work: impl FnOnce(&mut World) -> T + 'static,
    ) -> Result<T, F> {
        let truth: Rc<Cell<Option<T>>> = Rc::new(Cell::new(None));
        let told = Rc::clone(&truth);
        if let Some(at) = fate.work_at {
            let work = Box::new(move |world: &mut World| told.set(Some(work(world))));
            self.world().work_at(at, work);
        }
        let dies = self.world().dies_during(self.replica, fate.answer_at);
        debug_assert!(fate.answer_at <= self.world().now + CREATE_TIMEOUT, "no call takes longer: {dies}");
        self.sleep_until(fate.answer_at).await;
        self.breathe(8).await;
        match fate.instead {
            Some(instead) => Err(instead),
            None => {
                if let Some(truth) = truth.take() {
                    return Ok(truth);
                }
                // Something else that this task waits for came in the same moment, before the work.
                self.sleep(1).await;
                Ok(truth.take().expect("the work comes before its answer"))
            }
        }
    }

    /// `Store::holds_for`.
    pub(super) fn holds_for(&self, hand: usize, time: i64) -> bool {
        let world = &mut *self.world();
        world.hands[hand].checked_at = world.now;
        !world.hands[hand].lost && world.lease_left(self.replica) >= time.min(super::LEASE / 2)
    }

    /// `ClaimedMessage::lease_left`.
    pub(super) fn lease_left(&self, message: &ClaimedMessage) -> i64 {
        message.until - self.moment()
    }
}
