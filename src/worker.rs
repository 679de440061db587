//! The worker: takes commands, and takes each step by step until it has ended.
//!
//! Owns who is at work on what, how many at a time, and that progress is on disk before the step
//! that it allows. What to do next is [`crate::journal`]'s decision.

mod budget;
mod deliver;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::Bot;
use crate::command::connect::{self, Confirmed, Here};
use crate::command::{Work, cancel};
use crate::crash::crash_point;
use crate::fivetran::model::ConnectCard;
use crate::journal::{Finished, First, Journal, Outcome, Stage, Step, Terms};
use crate::outbound::CALL_TIMEOUT;
use crate::store::{Claimed, Recorded, Then};
use crate::telemetry::{Ending, Party};
use budget::RetryBudget;

/// Commands in flight at a time. Each waits for one answer of an outside party; a party that
/// hangs holds its commands for [`CALL_TIMEOUT`] at the most.
const IN_FLIGHT: usize = 256;
/// How often the database is asked for due commands that nobody is at work on: those of a process
/// that died, and those that another replica has put down.
const POLL: Duration = Duration::from_millis(500);
/// Commands taken over at a time.
const CLAIM: i64 = 64;
/// What must be left of the lease, beyond the longest call, before a connection is created.
const LEASE_MARGIN: Duration = Duration::from_secs(2);
/// How long steps in flight may take at a shutdown before their leases are given up.
const FINISH_LIMIT: Duration = Duration::from_secs(18);
/// How often ended commands are purged and the open ones counted.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// A running worker.
pub struct Handle {
    worker: Arc<Worker>,
    loops: Vec<JoinHandle<()>>,
}

struct Worker {
    bot: Arc<Bot>,
    places: Arc<Semaphore>,
    /// Something may be due.
    due: Notify,
    steps: TaskTracker,
    /// Ends the tasks that are still at work when the time for finishing is over.
    abandon: CancellationToken,
    /// What this process knows of the commands that it has put down: a command that comes back
    /// with the next fence has been in no other hands.
    resting: Mutex<HashMap<String, (i64, Journal)>>,
    budget: Mutex<RetryBudget>,
}

/// Starts the worker. `fresh` are commands whose lease this process has had since their commit.
pub fn start(bot: Arc<Bot>, fresh: mpsc::UnboundedReceiver<Claimed>) -> Handle {
    let worker = Arc::new(Worker {
        bot,
        places: Arc::new(Semaphore::new(IN_FLIGHT)),
        due: Notify::new(),
        steps: TaskTracker::new(),
        abandon: CancellationToken::new(),
        resting: Mutex::default(),
        budget: Mutex::new(RetryBudget::new()),
    });
    let loops = vec![
        tokio::spawn(Arc::clone(&worker).take_fresh(fresh)),
        tokio::spawn(Arc::clone(&worker).take_due()),
        tokio::spawn(Arc::clone(&worker).renew()),
        tokio::spawn(Arc::clone(&worker).keep_house()),
        tokio::spawn(Arc::clone(&worker).watch()),
    ];
    Handle { worker, loops }
}

impl Handle {
    /// Takes nothing new, lets the steps in flight finish, and gives up what is left. The bot's
    /// `stopping` must have been set.
    pub async fn stop(self) {
        let worker = self.worker;
        worker.steps.close();
        if tokio::time::timeout(FINISH_LIMIT, worker.steps.wait()).await.is_err() {
            tracing::warn!(commands = worker.steps.len(), "leaving commands to the next process");
            worker.abandon.cancel();
            worker.steps.wait().await;
        }
        for running in self.loops {
            running.abort();
            let _ = running.await;
        }
        if let Err(error) = worker.bot.store.release().await {
            tracing::warn!(%error, "could not give up the leases; they end by themselves");
        }
    }
}

impl Worker {
    async fn take_fresh(self: Arc<Self>, mut fresh: mpsc::UnboundedReceiver<Claimed>) {
        while let Some(claimed) = fresh.recv().await {
            if self.bot.stopping.is_cancelled() {
                // The next process takes it up as soon as the leases are given up.
                continue;
            }
            self.carry(claimed, None).await;
        }
    }

    async fn take_due(self: Arc<Self>) {
        while !self.bot.stopping.is_cancelled() {
            match self.bot.store.claim(self.bot.clock.now(), CLAIM).await {
                Ok(claimed) => {
                    for claimed in claimed {
                        let rested = self.resting().remove(&claimed.id);
                        let mine = rested
                            .filter(|(fence, _)| fence + 1 == claimed.fence)
                            .map(|(_, journal)| journal);
                        self.carry(claimed, mine).await;
                    }
                }
                Err(error) => tracing::warn!(%error, "could not ask for due commands"),
            }
            tokio::select! {
                () = self.bot.stopping.cancelled() => {}
                () = self.due.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Prolongs the leases in a task of its own, so that busy hands never look dead.
    async fn renew(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.bot.store.lease() / 3).await;
            if let Err(error) = self.bot.store.renew().await {
                tracing::warn!(%error, "could not prolong the leases");
            }
        }
    }

    async fn keep_house(self: Arc<Self>) {
        loop {
            let now = self.bot.clock.now();
            // Commands that another replica has ended since.
            self.resting().retain(|_, (_, journal)| journal.deadline() > now);
            match self.bot.store.purge(now).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "purged old commands"),
                Err(error) => tracing::warn!(%error, "could not purge old commands"),
            }
            if let Ok(census) = self.bot.store.census().await {
                let age =
                    census.oldest_open.map_or(0.0, |accepted| now.duration_since(accepted).as_secs_f64());
                self.bot.metrics.undeliverable.set(census.undeliverable);
                self.bot.metrics.oldest_open_seconds.set(age);
            }
            tokio::time::sleep(HOUSEKEEPING).await;
        }
    }

    async fn watch(self: Arc<Self>) {
        crate::watch::run(&self.bot).await;
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, HashMap<String, (i64, Journal)>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free place and carries one command from there in a task of its own.
    async fn carry(self: &Arc<Self>, claimed: Claimed, known: Option<Journal>) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
        let worker = Arc::clone(self);
        self.bot.metrics.in_hand.inc();
        self.steps.spawn(async move {
            let abandon = worker.abandon.clone();
            let _ = abandon.run_until_cancelled(worker.steps_of(claimed, known)).await;
            worker.bot.metrics.in_hand.dec();
            drop(place);
        });
    }

    async fn steps_of(self: &Arc<Self>, claimed: Claimed, known: Option<Journal>) {
        let Ok(work) = serde_json::from_str::<Work>(&claimed.request) else {
            tracing::error!(command = claimed.id, "a command that this version cannot read; left as it is");
            return;
        };
        let fresh = claimed.fence == crate::store::Store::first_fence();
        let (mut journal, mut outcome) = match known {
            Some(journal) => (journal, Outcome::Woken),
            None => {
                let terms = Terms {
                    accepted_at: claimed.accepted_at,
                    web_api: self.bot.web_api.is_some(),
                    first: match &work {
                        Work::Connect(request) if request.confirmed == Confirmed::No => First::Create,
                        Work::Connect(_) | Work::Renew { .. } => First::Look,
                        Work::Cancel { .. } => First::Cancel,
                    },
                    finished: match work.request().confirmed {
                        Confirmed::Reauthorise => Finished::Relink,
                        Confirmed::No | Confirmed::PostHere => Finished::Refuse,
                    },
                    spread: spread(&claimed.id),
                };
                let outcome = if fresh { Outcome::Accepted } else { Outcome::TakenOver };
                (Journal::new(terms, claimed.progress.clone()), outcome)
            }
        };
        let mut stored = claimed.progress.clone();
        let mut card = None;
        loop {
            let now = self.bot.clock.now();
            let step = journal.next(outcome, now);
            let then = match &step {
                Step::Wait(pause) => Then::WaitUntil(now.saturating_add(*pause).unwrap_or(now)),
                Step::End => Then::End(now),
                _ => Then::GoOn,
            };
            if then != Then::GoOn || journal.progress != stored {
                if let Step::Wait(_) = step {
                    // Before it is recorded: from then on anyone may take it, this process too.
                    self.resting().insert(claimed.id.clone(), (claimed.fence, journal.clone()));
                }
                match self.bot.store.record(&claimed, &journal.progress, then).await {
                    Recorded::Committed => {
                        stored.clone_from(&journal.progress);
                        crash_point(recorded_point(&step, journal.progress.stage));
                    }
                    Recorded::LeaseLost => {
                        self.resting().remove(&claimed.id);
                        self.bot.metrics.lease_lost();
                        tracing::warn!(command = claimed.id, "another process has taken this command over");
                        return;
                    }
                }
            }
            match step {
                Step::Wait(pause) => return self.wake_after(pause),
                Step::End => return self.ended(&claimed, &work, &journal),
                step => {
                    let (before, answered) = call_points(&step);
                    crash_point(before);
                    outcome = self.take(&step, &journal, &claimed, &work, &mut card).await;
                    crash_point(answered);
                }
            }
        }
    }

    /// Takes one step.
    async fn take(
        &self,
        step: &Step,
        journal: &Journal,
        claimed: &Claimed,
        work: &Work,
        card: &mut Option<ConnectCard>,
    ) -> Outcome {
        match step {
            Step::Post => match work {
                Work::Renew { link, .. } => {
                    deliver::renewed(&self.bot, journal, claimed, link, card.as_ref()).await
                }
                work => deliver::link(&self.bot, journal, claimed, work.request(), card.as_ref()).await,
            },
            Step::Tell => deliver::problem(&self.bot, journal, claimed, work).await,
            step => {
                if journal.is_retry() {
                    if !self.budget().try_retry(self.bot.clock.now()) {
                        return Outcome::Held;
                    }
                    self.bot.metrics.retried(Party::Fivetran);
                }
                if *step == Step::Create && !self.lease_is_long_enough() {
                    return Outcome::Held;
                }
                let outcome = self.at_fivetran(step, journal, claimed, work, card).await;
                tracing::debug!(command = claimed.id, ?step, ?outcome, "a step at Fivetran");
                if !matches!(outcome, Outcome::Failed(_)) {
                    self.budget().succeeded();
                }
                outcome
            }
        }
    }

    /// Takes one step at Fivetran.
    async fn at_fivetran(
        &self,
        step: &Step,
        journal: &Journal,
        claimed: &Claimed,
        work: &Work,
        card: &mut Option<ConnectCard>,
    ) -> Outcome {
        let connection = journal.progress.connection.as_deref();
        if *step == Step::Cancel {
            return cancel::perform(connection.unwrap_or_default(), &self.bot.fivetran).await;
        }
        // A renewed link brings its customer back to where the first one would have.
        let landing = match work {
            Work::Renew { link, .. } => link,
            _ => &claimed.id,
        };
        let redirect_uri = self.bot.landing.uri(landing);
        let here =
            Here { store: &self.bot.store, team_id: &claimed.team_id, channel_id: &claimed.channel_id };
        connect::perform(
            step,
            work.request(),
            connection,
            &redirect_uri,
            &self.bot.fivetran,
            Some(here),
            card,
        )
        .await
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, RetryBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A creation must be over before anyone else can take the command.
    fn lease_is_long_enough(&self) -> bool {
        let store = &self.bot.store;
        // A lease that is set shorter than a call can take can at best be fresh.
        let needed = (CALL_TIMEOUT + LEASE_MARGIN).min(store.lease() / 2);
        store.lease_left() >= needed
    }

    /// Asks for due commands once a short pause is over; the poll would be up to [`POLL`] late.
    fn wake_after(self: &Arc<Self>, pause: Duration) {
        if pause < POLL * 4 {
            let worker = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                worker.due.notify_one();
            });
        }
    }

    fn ended(&self, claimed: &Claimed, work: &Work, journal: &Journal) {
        let request = work.request();
        let ending = match journal.progress.stage {
            Stage::Delivered => Ending::Delivered,
            Stage::Told => Ending::Told,
            _ => Ending::Undeliverable,
        };
        let age = self.bot.clock.now().duration_since(claimed.accepted_at).as_secs_f64();
        self.bot.metrics.ended(ending.clone(), age);
        // The audit line: who, where, what, with what result. Never a link.
        tracing::info!(
            command = claimed.id,
            verb = work.verb(),
            team = claimed.team_id,
            channel = claimed.channel_id,
            user = claimed.user_id,
            service = request.service.as_str(),
            schema = request.target.connection_name(),
            group = request.group_id,
            connection = journal.progress.connection.as_deref().unwrap_or("none"),
            problem = journal.progress.problem.as_ref().map(|problem| format!("{problem:?}")),
            seconds = age,
            result = ?ending,
            "command ended"
        );
        if ending == Ending::Undeliverable {
            tracing::error!(command = claimed.id, "nobody could be told how this command ended");
        }
    }
}

/// The crash points around a call.
fn call_points(step: &Step) -> (&'static str, &'static str) {
    match step {
        Step::Create => ("create: before the call", "create: answered"),
        Step::Look => ("look: before the call", "look: answered"),
        Step::Mint => ("mint: before the call", "mint: answered"),
        Step::Post => ("post: before the call", "post: answered"),
        Step::Cancel => ("cancel: before the call", "cancel: answered"),
        Step::Tell | Step::Wait(_) | Step::End => ("tell: before the call", "tell: answered"),
    }
}

/// The crash point after a commit.
fn recorded_point(step: &Step, stage: Stage) -> &'static str {
    match (step, stage) {
        (Step::Wait(_), _) => "wait: recorded",
        (Step::End, _) => "end: recorded",
        (_, Stage::Tell) => "tell: recorded",
        _ => "deliver: recorded",
    }
}

/// A number that differs between commands (FNV-1a of the id).
fn spread(id: &str) -> u64 {
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
