//! The worker: takes commands, and takes each action by action until it has ended.
//!
//! Owns who is at work on what, how many at a time, and that progress is on disk before the action
//! that it allows. What to do next is [`crate::journal`]'s decision.

mod budget;
mod deliver;
mod home;
mod link;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::crash::crash_point;
use crate::fivetran::model::ConnectCard;
use crate::journal::{
    self, Act, Ending, Failure, Message, Notice, PostFailure, Record, Resting, Stage, Step, Terms, Then, Turn,
};
use crate::outbound::CALL_TIMEOUT;
use crate::provision::Provision;
use crate::store::{Claimed, Recorded, Store};
use crate::telemetry::{self, Metrics, Party};
use crate::work::Work;
use budget::RetryBudget;
use deliver::Job;
pub use deliver::{Delivery, Hints};
pub use link::Links;
use link::{Delivered, Landed, Posting};

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
/// How long actions in flight may take at a shutdown before they are abandoned.
const FINISH_LIMIT: Duration = Duration::from_secs(12);
/// How long a command that this version cannot read is left to one that can, counted from its
/// acceptance.
const UNREADABLE_LIMIT: jiff::SignedDuration = crate::journal::WEB_API_DEADLINE;
/// How often ended commands are purged and the journals at rest looked through.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

type Outcome = journal::Outcome<ConnectCard>;

/// What the worker works with. No `Debug`: it holds secrets.
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// The commands.
    pub store: Store,
    /// Fivetran.
    pub provision: Provision,
    /// Slack.
    pub links: Links,
    /// Set when the bot shuts down: nothing new is taken.
    pub stopping: CancellationToken,
    /// Set by the worker when a part of it has failed that the bot cannot do without.
    pub failed: CancellationToken,
}

/// A running worker.
pub struct Handle {
    worker: Arc<Worker>,
    supervisor: JoinHandle<()>,
}

struct Worker {
    parts: Parts,
    fivetran_calls: Semaphore,
    slack_calls: Semaphore,
    /// Something may be due.
    due: Notify,
    tasks: TaskTracker,
    /// Ends the tasks that are still at work when the time for finishing is over.
    abandon: CancellationToken,
    resting: Mutex<Resting<ConnectCard>>,
    budget: Mutex<RetryBudget>,
}

/// Starts the worker. `fresh` are commands whose lease this process has had since their commit.
pub fn start(parts: Parts, fresh: mpsc::UnboundedReceiver<Claimed>) -> Handle {
    let (stopping, failed) = (parts.stopping.clone(), parts.failed.clone());
    let worker = Arc::new(Worker {
        parts,
        fivetran_calls: Semaphore::new(CALLS),
        slack_calls: Semaphore::new(CALLS),
        due: Notify::new(),
        tasks: TaskTracker::new(),
        abandon: CancellationToken::new(),
        resting: Mutex::default(),
        budget: Mutex::new(RetryBudget::new()),
    });
    let mut loops = JoinSet::new();
    loops.spawn(Arc::clone(&worker).take_fresh(fresh));
    loops.spawn(Arc::clone(&worker).take_due());
    loops.spawn(Arc::clone(&worker).prolong_leases());
    loops.spawn(Arc::clone(&worker).clean_up());
    let supervisor = tokio::spawn(supervise(loops, stopping, failed));
    Handle { worker, supervisor }
}

/// Reports a loop that ends before its time: without it, commands would be accepted that nobody
/// carries out.
async fn supervise(mut loops: JoinSet<()>, stopping: CancellationToken, failed: CancellationToken) {
    while let Some(ended) = loops.join_next().await {
        if !stopping.is_cancelled() {
            tracing::error!(panicked = ended.is_err(), "a part of the worker has ended");
            failed.cancel();
        }
    }
}

impl Handle {
    /// Takes nothing new and lets the actions in flight finish, within 12 s. `stopping`
    /// must have been set; the leases are still to be given up.
    pub async fn stop(self) {
        let worker = self.worker;
        worker.tasks.close();
        if tokio::time::timeout(FINISH_LIMIT, worker.tasks.wait()).await.is_err() {
            tracing::warn!(commands = worker.tasks.len(), "leaving commands to the next process");
            worker.abandon.cancel();
            worker.tasks.wait().await;
        }
        self.supervisor.abort();
        let _ = self.supervisor.await;
    }
}

impl Worker {
    async fn take_fresh(self: Arc<Self>, mut fresh: mpsc::UnboundedReceiver<Claimed>) {
        while let Some(claimed) = fresh.recv().await {
            self.carry(claimed);
        }
        // The senders live as long as the routes.
        std::future::pending().await
    }

    async fn take_due(self: Arc<Self>) {
        let Parts { clock, metrics, store, stopping, .. } = &self.parts;
        while !stopping.is_cancelled() {
            let mut more = false;
            if metrics.in_hand.get() < ENOUGH {
                match store.claim(clock.now(), CLAIM).await {
                    Ok(claimed) => {
                        more = i64::try_from(claimed.len()) == Ok(CLAIM);
                        claimed.into_iter().for_each(|claimed| self.carry(claimed));
                    }
                    Err(error) => tracing::warn!(%error, "could not ask for due commands"),
                }
            }
            if more {
                continue;
            }
            tokio::select! {
                () = stopping.cancelled() => {}
                () = self.due.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Prolongs the leases in a task of its own, so that busy hands never look dead.
    async fn prolong_leases(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.parts.store.lease() / 3).await;
            if let Err(error) = self.parts.store.renew().await {
                tracing::warn!(%error, "could not prolong the leases");
            }
        }
    }

    async fn clean_up(self: Arc<Self>) {
        loop {
            let now = self.parts.clock.now();
            self.resting().forget_old(now);
            match self.parts.store.purge(now).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "purged old commands"),
                Err(error) => tracing::warn!(%error, "could not purge old commands"),
            }
            tokio::time::sleep(HOUSEKEEPING).await;
        }
    }

    fn resting(&self) -> MutexGuard<'_, Resting<ConnectCard>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries one command from here on, in a task of its own.
    fn carry(self: &Arc<Self>, claimed: Claimed) {
        if self.tasks.is_closed() {
            // It is given up with the others; the next process goes on.
            return;
        }
        let worker = Arc::clone(self);
        let in_hand = InHand::count(&self.parts.metrics.in_hand);
        self.tasks.spawn(async move {
            let abandon = worker.abandon.clone();
            let _ = abandon.run_until_cancelled(worker.take_turns(claimed)).await;
            drop(in_hand);
        });
    }

    /// Carries a command until it rests, ends, or is somebody else's.
    async fn take_turns(self: &Arc<Self>, claimed: Claimed) {
        let work = serde_json::from_str::<Work>(&claimed.request).ok();
        let Some(work) = work.filter(|work| claimed.progress.stage.fits(work.intent())) else {
            return self.leave_unreadable(&claimed).await;
        };
        let terms = Terms {
            accepted_at: claimed.accepted_at,
            web_api: self.parts.links.delivery.has_web_api(),
            intent: work.intent(),
            spread: spread(&claimed.id),
        };
        let taken_up = self.resting().take_up(&claimed.id, claimed.fence, terms, claimed.progress.clone());
        let (mut journal, mut outcome) = taken_up;
        let job = Job { claimed: &claimed, work: &work };
        let mut posted = None;
        loop {
            let cause = cause(&outcome);
            let Turn { record, act, again } = journal.next(outcome, self.parts.clock.now());
            outcome = match act {
                Act::Provision(step) => {
                    if !self.record(&claimed, record, "deliver: recorded").await {
                        return;
                    }
                    let (before, answered) = crash_points(&step);
                    crash_point(before);
                    let outcome = self.provision(job, step, again).await;
                    crash_point(answered);
                    outcome
                }
                Act::Deliver(Message::Link { connection, existed, card }) => {
                    let posting = Posting { connection: &connection, existed, card: &card };
                    // Never closed, so always granted.
                    let _call = self.slack_calls.acquire().await.ok();
                    match self.parts.links.post(job, &posting, record, again).await {
                        Delivered::Posted(landed) => {
                            posted = Some(landed);
                            Outcome::Posted
                        }
                        Delivered::Not(outcome) => outcome,
                        Delivered::LeaseLost => return self.lost(&claimed),
                    }
                }
                Act::Deliver(Message::Notice(notice)) => {
                    if !self.record(&claimed, record, "tell: recorded").await {
                        return;
                    }
                    crash_point("tell: before the call");
                    let outcome = self.tell(job, &notice, again).await;
                    crash_point("tell: answered");
                    outcome
                }
                Act::Rest(pause) => {
                    let (tries, wait_s) = (journal.progress().tries, pause.as_secs_f64());
                    self.resting().put_down(&claimed.id, claimed.fence, journal);
                    if self.record(&claimed, record, "wait: recorded").await {
                        tracing::warn!(command = claimed.id, cause, tries, wait_s, "a command waits");
                        self.wake_after(pause);
                    }
                    return;
                }
                Act::End(ending) => {
                    if self.end(job, posted.take(), record).await {
                        crash_point("end: recorded");
                        self.ended(job, ending, &journal.progress().stage);
                    }
                    return;
                }
            };
        }
    }

    /// Stores how a command stands, if that has changed; false if somebody else has it. `point` is
    /// passed once it is on disk.
    async fn record(&self, claimed: &Claimed, record: Option<Record>, point: &'static str) -> bool {
        let Some(Record { progress, then }) = record else { return true };
        match self.parts.store.record(claimed, &progress, then).await {
            Recorded::Committed => {
                crash_point(point);
                true
            }
            Recorded::LeaseLost => {
                self.lost(claimed);
                false
            }
        }
    }

    fn lost(&self, claimed: &Claimed) {
        self.resting().forget(&claimed.id);
        self.parts.metrics.lease_lost();
        tracing::warn!(command = claimed.id, "another process has taken this command over");
    }

    /// Puts the end of a command on disk, with what it has posted; false if somebody else has it.
    async fn end(&self, job: Job<'_>, posted: Option<Box<Landed>>, record: Option<Record>) -> bool {
        let Some(record) = record else { return true };
        let links = &self.parts.links;
        let ours = match (posted, job.work) {
            (Some(landed), _) => links.settle(job, *landed, &record).await,
            (None, Work::Cancel { .. }) => {
                let Record { progress, then } = &record;
                self.parts.store.record(job.claimed, progress, *then).await == Recorded::Committed
            }
            (None, _) => links.give_up(job, &record.progress, record.then).await,
        };
        if !ours {
            self.lost(job.claimed);
        }
        ours
    }

    /// Takes one step at Fivetran. `again`: it repeats one that failed.
    async fn provision(&self, job: Job<'_>, step: Step, again: bool) -> Outcome {
        if self.may_be_lost(job.claimed) {
            return Outcome::Postponed;
        }
        // Never closed, so always granted.
        let _call = self.fivetran_calls.acquire().await.ok();
        if again {
            if !self.budget().try_retry(self.parts.clock.now()) {
                return Outcome::Postponed;
            }
            self.parts.metrics.retried(Party::Fivetran);
        }
        if step == Step::Create && !self.lease_is_long_enough() {
            return Outcome::Postponed;
        }
        let outcome = self.take_step(job, &step).await;
        tracing::debug!(command = job.claimed.id, ?step, ?outcome, "a step at Fivetran");
        if !matches!(outcome, Outcome::Failed(_)) {
            self.budget().succeeded();
        }
        outcome
    }

    async fn take_step(&self, job: Job<'_>, step: &Step) -> Outcome {
        let provision = &self.parts.provision;
        let request = job.work.request();
        // A renewed link brings its customer back to where the first one would have.
        let landing = match job.work {
            Work::Renew { link, .. } => link,
            _ => &job.claimed.id,
        };
        match step {
            Step::Create => provision.create(request, landing).await,
            Step::Look => match provision.look(request).await {
                Ok(found) => home::with_origin(found, job, &self.parts.store).await,
                Err(failure) => Outcome::Failed(failure),
            },
            Step::Mint { connection } => provision.mint(connection, landing).await,
            Step::Cancel { connection } => provision.cancel(connection).await,
        }
    }

    /// Tells the person what came of the command. `again`: it repeats a try that failed.
    async fn tell(&self, job: Job<'_>, notice: &Notice, again: bool) -> Outcome {
        // Never closed, so always granted.
        let _call = self.slack_calls.acquire().await.ok();
        let links = &self.parts.links;
        if *notice == Notice::Cancelled && !links.cancelled(job).await {
            return Outcome::Postponed;
        }
        links.delivery.tell(job, notice, again).await
    }

    /// Whether somebody else may have the command by now.
    fn may_be_lost(&self, claimed: &Claimed) -> bool {
        !claimed.lease.is_held() || self.parts.store.lease_left().is_zero()
    }

    fn budget(&self) -> MutexGuard<'_, RetryBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A creation must be over before anyone else can take the command.
    fn lease_is_long_enough(&self) -> bool {
        let store = &self.parts.store;
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
        let now = self.parts.clock.now();
        tracing::error!(command = claimed.id, "a command that this version cannot read");
        if now.duration_since(claimed.accepted_at) > UNREADABLE_LIMIT {
            let progress = claimed.progress.clone().given_up();
            self.parts.store.record(claimed, &progress, Then::End(now)).await;
        }
    }

    fn ended(&self, job: Job<'_>, ending: Ending, stage: &Stage) {
        let Job { claimed, work } = job;
        let request = work.request();
        let age = self.parts.clock.now().duration_since(claimed.accepted_at).as_secs_f64();
        let result = match ending {
            Ending::Delivered => telemetry::Ending::Delivered,
            Ending::Told => telemetry::Ending::Told,
            Ending::Undeliverable => telemetry::Ending::Undeliverable,
        };
        self.parts.metrics.ended(result.clone(), age);
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
            connection = stage.connection(),
            problem = stage.notice().map(Notice::name),
            seconds = age,
            ?result,
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
        Outcome::Postponed => "too much is being repeated, or somebody else is at work on it",
        _ => "a connection may yet appear",
    }
}

/// The crash points around a step at Fivetran.
fn crash_points(step: &Step) -> (&'static str, &'static str) {
    match step {
        Step::Create => ("create: before the call", "create: answered"),
        Step::Look => ("look: before the call", "look: answered"),
        Step::Mint { .. } => ("mint: before the call", "mint: answered"),
        Step::Cancel { .. } => ("cancel: before the call", "cancel: answered"),
    }
}

/// A number that differs between commands (FNV-1a of the id).
fn spread(id: &str) -> u64 {
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
