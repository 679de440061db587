//! The worker: takes commands, and takes each step by step until it has ended.
//!
//! Owns who is at work on what, how many at a time, and that progress is on disk before the step
//! that it allows. What to do next is [`crate::journal`]'s decision.

mod budget;
mod deliver;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::Bot;
use crate::command::connect::{self, Confirmed, Here};
use crate::command::{Work, cancel};
use crate::crash::crash_point;
use crate::fivetran::model::ConnectCard;
use crate::journal::{
    Failure, Finished, First, Journal, Outcome, PostFailure, Problem, Progress, Stage, Step, Terms,
};
use crate::outbound::CALL_TIMEOUT;
use crate::store::{Claimed, Recorded, Then};
use crate::telemetry::{Ending, Party};
use budget::RetryBudget;

/// Calls to one party at a time. A party that hangs holds each for [`CALL_TIMEOUT`] at the most,
/// and none of the other party's.
const CALLS: usize = 256;
/// Commands in hand beyond which no more are taken from the database: others may be free.
const ENOUGH: i64 = 4096;
/// How often the database is asked for due commands that nobody is at work on: those of a process
/// that died, and those that another replica has put down.
const POLL: Duration = Duration::from_millis(500);
/// Commands taken over at a time.
const CLAIM: i64 = 64;
/// What must be left of the lease, beyond the longest call, before a connection is created.
const LEASE_MARGIN: Duration = Duration::from_secs(2);
/// How long steps in flight may take at a shutdown before their leases are given up.
const FINISH_LIMIT: Duration = Duration::from_secs(12);
/// How long giving the leases up may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(3);
/// How long a command that this version cannot read is left to one that can, counted from its
/// acceptance.
const UNREADABLE_LIMIT: jiff::SignedDuration = crate::journal::WEB_API_DEADLINE;
/// How often ended commands are purged and the open ones counted.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// A running worker.
pub struct Handle {
    worker: Arc<Worker>,
    supervisor: JoinHandle<()>,
}

struct Worker {
    bot: Arc<Bot>,
    fivetran_calls: Semaphore,
    slack_calls: Semaphore,
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
        fivetran_calls: Semaphore::new(CALLS),
        slack_calls: Semaphore::new(CALLS),
        due: Notify::new(),
        steps: TaskTracker::new(),
        abandon: CancellationToken::new(),
        resting: Mutex::default(),
        budget: Mutex::new(RetryBudget::new()),
    });
    let mut loops = JoinSet::new();
    loops.spawn(Arc::clone(&worker).take_fresh(fresh));
    loops.spawn(Arc::clone(&worker).take_due());
    loops.spawn(Arc::clone(&worker).renew());
    loops.spawn(Arc::clone(&worker).keep_house());
    loops.spawn(Arc::clone(&worker).watch());
    let supervisor = tokio::spawn(supervise(loops, Arc::clone(&worker.bot)));
    Handle { worker, supervisor }
}

/// Reports a loop that ends before its time: without it, commands would be accepted that nobody
/// carries out.
async fn supervise(mut loops: JoinSet<()>, bot: Arc<Bot>) {
    while let Some(ended) = loops.join_next().await {
        if !bot.stopping.is_cancelled() {
            tracing::error!(panicked = ended.is_err(), "a part of the worker has ended");
            bot.failed.cancel();
        }
    }
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
        self.supervisor.abort();
        let _ = self.supervisor.await;
        match tokio::time::timeout(RELEASE_LIMIT, worker.bot.store.release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "could not give up the leases; they end by themselves"),
            Err(_) => tracing::warn!("the database does not take the leases back; they end by themselves"),
        }
    }
}

impl Worker {
    async fn take_fresh(self: Arc<Self>, mut fresh: mpsc::UnboundedReceiver<Claimed>) {
        while let Some(claimed) = fresh.recv().await {
            self.carry(claimed, None);
        }
        // The senders live as long as the bot.
        std::future::pending().await
    }

    async fn take_due(self: Arc<Self>) {
        while !self.bot.stopping.is_cancelled() {
            let mut more = false;
            if self.bot.metrics.in_hand.get() < ENOUGH {
                match self.bot.store.claim(self.bot.clock.now(), CLAIM).await {
                    Ok(claimed) => {
                        more = i64::try_from(claimed.len()) == Ok(CLAIM);
                        claimed.into_iter().for_each(|claimed| self.take_up(claimed));
                    }
                    Err(error) => tracing::warn!(%error, "could not ask for due commands"),
                }
            }
            if more {
                continue;
            }
            tokio::select! {
                () = self.bot.stopping.cancelled() => {}
                () = self.due.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Goes on with a command from the database: where this process left it, if it has been in no
    /// other hands since.
    fn take_up(self: &Arc<Self>, claimed: Claimed) {
        let rested = self.resting().remove(&claimed.id);
        let mine = rested.filter(|(fence, _)| fence + 1 == claimed.fence).map(|(_, journal)| journal);
        self.carry(claimed, mine);
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
            tokio::time::sleep(HOUSEKEEPING).await;
        }
    }

    async fn watch(self: Arc<Self>) {
        // Counted as a step, so that stopping waits for the looks in flight, which would otherwise be
        // told to Slack and forgotten.
        let watching = self.steps.track_future(crate::watch::run(&self.bot));
        let _ = self.abandon.run_until_cancelled(watching).await;
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, HashMap<String, (i64, Journal)>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries one command from here on, in a task of its own.
    fn carry(self: &Arc<Self>, claimed: Claimed, known: Option<Journal>) {
        if self.steps.is_closed() {
            // It is given up with the others; the next process goes on.
            return;
        }
        let worker = Arc::clone(self);
        let in_hand = InHand::count(&self.bot.metrics.in_hand);
        self.steps.spawn(async move {
            let abandon = worker.abandon.clone();
            let _ = abandon.run_until_cancelled(worker.steps_of(claimed, known)).await;
            drop(in_hand);
        });
    }

    async fn steps_of(self: &Arc<Self>, claimed: Claimed, known: Option<Journal>) {
        let Ok(work) = serde_json::from_str::<Work>(&claimed.request) else {
            return self.leave_unreadable(&claimed).await;
        };
        let fresh = claimed.is_fresh();
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
                    finished: match &work {
                        Work::Renew { .. } => Finished::Fix,
                        work if work.request().confirmed == Confirmed::Reauthorise => Finished::Relink,
                        _ => Finished::Refuse,
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
            let cause = cause(&outcome);
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
                Step::Wait(pause) => {
                    let (tries, wait_s) = (journal.progress.tries, pause.as_secs_f64());
                    tracing::warn!(command = claimed.id, cause, tries, wait_s, "a command waits");
                    return self.wake_after(pause);
                }
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
        if !claimed.hold.holds() || self.bot.store.lease_left().is_zero() {
            return Outcome::Held;
        }
        let calls =
            if matches!(step, Step::Post | Step::Tell) { &self.slack_calls } else { &self.fivetran_calls };
        // Never closed, so always granted.
        let _call = calls.acquire().await.ok();
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
        // A renewal goes where its link stands, be that a direct message; whoever asked for it there
        // has been checked by the message they pressed.
        let here = match work {
            Work::Renew { .. } => None,
            _ => Some(Here {
                store: &self.bot.store,
                team_id: &claimed.team_id,
                channel_id: &claimed.channel_id,
            }),
        };
        connect::perform(step, work.request(), connection, &redirect_uri, &self.bot.fivetran, here, card)
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

    /// Leaves a command to a version that can read it: its lease ends by itself. One that none has
    /// read in time ends here.
    async fn leave_unreadable(&self, claimed: &Claimed) {
        let now = self.bot.clock.now();
        tracing::error!(command = claimed.id, "a command that this version cannot read");
        if now.duration_since(claimed.accepted_at) > UNREADABLE_LIMIT {
            let progress = Progress { stage: Stage::Undeliverable, ..claimed.progress.clone() };
            self.bot.store.record(claimed, &progress, Then::End(now)).await;
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
            connection = journal.progress.connection.as_deref(),
            problem = journal.progress.problem.as_ref().map(Problem::word),
            seconds = age,
            result = ?ending,
            "command ended"
        );
        if ending == Ending::Undeliverable {
            tracing::error!(command = claimed.id, "nobody could be told how this command ended");
        }
    }
}

/// Counts a command in hand for as long as it lives, a panic included.
struct InHand(Gauge);

impl InHand {
    fn count(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Why a command may have to wait, for the log.
fn cause(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Failed(Failure::Throttled(_)) => "Fivetran asks for a pause",
        Outcome::Failed(Failure::NotSent) => "Fivetran is not reachable",
        Outcome::Failed(_) => "Fivetran gives no clear answer",
        Outcome::PostFailed(PostFailure::Throttled(_)) => "Slack asks for a pause",
        Outcome::PostFailed(PostFailure::NotSent) => "Slack is not reachable",
        Outcome::PostFailed(_) => "Slack gives no clear answer",
        Outcome::Held => "too much is being repeated, or somebody else is at work on it",
        _ => "a connection may yet appear",
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
