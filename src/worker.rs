//! The worker: takes commands, and takes each action by action until it has ended.
//!
//! Owns who is at work on what, how many at a time, and that progress is on disk before the action
//! that it allows. What to do next is [`crate::journal`]'s decision.

mod company;
mod deliver;
mod ended;
mod flow;
mod home;
mod housekeeping;
mod in_hand;
mod link;
mod note;
mod onboard;
mod rests;
mod step;
mod trouble;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::crash::{self, crash_point};
use crate::fivetran::model::ConnectCard;
use crate::journal::{self, Act, GRACE, Message, Notice, Record, Terms, Turn};
use crate::permission::Gate;
use crate::provision::Provision;
use crate::store::{Claimed, Recorded, Store};
use crate::telemetry::Metrics;
use crate::unasked::Unasked;
use crate::work::{Onboard, Work};
pub use deliver::{Delivery, Hints};
use deliver::{Job, Tried};
use in_hand::InHand;
pub use link::Links;
use link::{Arrived, Delivered, Joining, Posting};
use note::OnItsWay;
use onboard::is_part;
use rests::Rests;
use trouble::{TroubleLog, cause};
use turns::Turns;

/// Calls to one party at a time. A party that hangs holds each for `CALL_TIMEOUT` at the most,
/// and none of the other party's.
const CALLS: u32 = 256;
/// Commands at work beyond which no more are taken from the database: others may be free. Those that
/// wait for their turn at Fivetran do not count: a command that has something to tell its person
/// must not be left lying because of them.
const ENOUGH: i64 = 4096;
/// Commands in hand, those that wait included, beyond which no more are taken: a bound on memory, at
/// some 6 kB each. The others lie in the database, and are taken as these end.
const MOST: i64 = 32_768;
/// How often the database is asked for due commands that nobody is at work on: those of a process
/// that died, and those that another replica has put down.
const POLL: Duration = Duration::from_millis(500);
/// Commands taken over at a time.
const CLAIM: i64 = 64;
/// How long actions in flight may take at a shutdown before they are abandoned.
const FINISH_LIMIT: Duration = Duration::from_secs(12);

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
    /// Who knows who else is in a channel.
    pub gate: Arc<Gate>,
    /// Who knows where there may be a link for what nobody asked for.
    pub unasked: Arc<Unasked>,
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
    /// Who may call Fivetran.
    fivetran: Arc<Turns>,
    slack_calls: Semaphore,
    /// Who may tell a person that a command waits.
    notes: Semaphore,
    /// Something may be due.
    due: Notify,
    tasks: TaskTracker,
    /// Ends the tasks that are still at work when the time for finishing is over.
    abandon: CancellationToken,
    rests: Rests,
    trouble: TroubleLog,
}

/// Starts the worker. `fresh` are commands whose lease this process has had since their commit.
pub fn start(parts: Parts, fresh: mpsc::UnboundedReceiver<Claimed>) -> Handle {
    let (stopping, failed) = (parts.stopping.clone(), parts.failed.clone());
    let fivetran = Turns::new(CALLS, parts.clock.clone(), parts.metrics.waiting.clone());
    let rests = Rests::new(parts.clock.clone(), parts.metrics.at_rest.clone());
    let worker = Arc::new(Worker {
        fivetran: Arc::clone(&fivetran),
        trouble: TroubleLog::new(parts.clock.clone()),
        parts,
        slack_calls: Semaphore::new(CALLS as usize),
        notes: Semaphore::new(note::AT_A_TIME),
        due: Notify::new(),
        tasks: TaskTracker::new(),
        abandon: CancellationToken::new(),
        rests,
    });
    let mut loops = JoinSet::new();
    loops.spawn(Arc::clone(&worker).take_fresh(fresh));
    loops.spawn(Arc::clone(&worker).take_due());
    loops.spawn(Arc::clone(&worker).prolong_leases());
    loops.spawn(fivetran.keep_order());
    loops.spawn(Arc::clone(&worker).report());
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
            let in_hand = metrics.in_hand.get();
            if in_hand - metrics.waiting.get() < ENOUGH && in_hand < MOST {
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
            // On the heap, or the future around it would have room for it twice.
            let turns = Box::pin(worker.take_turns(claimed));
            let _ = abandon.run_until_cancelled(turns).await;
            drop(in_hand);
        });
    }

    /// Carries a command until it rests, ends, or is somebody else's. Most of that time it waits for Fivetran:
    /// what comes later is put by itself, so that a thousand that wait need little memory.
    async fn take_turns(self: &Arc<Self>, claimed: Claimed) {
        let work = serde_json::from_str::<Work>(&claimed.request).ok();
        if work.is_none()
            && let Some(onboard) = Onboard::from_json(&claimed.request)
        {
            return Box::pin(self.onboard(&claimed, &onboard)).await;
        }
        let Some(work) = work.filter(|work| claimed.progress.stage.fits(work.intent())) else {
            return self.leave_unreadable(&claimed).await;
        };
        let terms = Terms {
            accepted_at: claimed.accepted_at,
            web_api: self.parts.links.delivery.has_web_api(),
            intent: work.intent(),
            for_few: work.is_unasked() || (work.is_for_few() && self.parts.links.delivery.shows_all()),
            joins: is_part(&work),
            grace: crash::create_grace().and_then(|it| it.try_into().ok()).unwrap_or(GRACE),
            spread: spread(&claimed.id),
        };
        let (mut journal, mut outcome) = self.rests.take_up(&claimed, terms);
        let job = Job { claimed: &claimed, work: &work };
        let (mut posted, mut note) = (None, OnItsWay::default());
        loop {
            let stage = &journal.progress().stage;
            let Some((resumed, joined)) = self.resumed(job, stage, outcome).await else { return };
            (outcome, posted) = (resumed, joined.or(posted));
            let cause = cause(&outcome);
            self.trouble.note(&outcome, |party| self.waiting_for(party));
            let Turn { record, act, again } = journal.next(outcome, self.parts.clock.moment());
            outcome = match act {
                Act::Provision(step) => {
                    if !self.record(&claimed, record, "deliver: recorded").await {
                        return;
                    }
                    let (before, answered) = step::crash_points(&step);
                    crash_point(before);
                    let taken = self.provision_aloud(job, &mut journal, step, again, &mut note).await;
                    let Some(outcome) = taken else {
                        // Its lease is given up with the others; the next process goes on.
                        return;
                    };
                    crash_point(answered);
                    outcome
                }
                Act::Company => {
                    if !self.record(&claimed, record, "wait: recorded").await {
                        return;
                    }
                    let company = self.company(job).await;
                    crash_point("company: answered");
                    company
                }
                Act::Deliver(Message::Link { connection, existed, purpose, card }) => {
                    note.settle().await;
                    let mut record = record;
                    match Box::pin(self.joining(job, &connection, &mut record)).await {
                        Joining::Alone => {}
                        Joining::LeaseLost => return self.lost(&claimed),
                        Joining::Not(instead) => {
                            if !self.record(&claimed, record, "deliver: recorded").await {
                                return;
                            }
                            outcome = instead;
                            continue;
                        }
                        Joining::InMessage(arrived) => {
                            if !self.record(&claimed, record, "deliver: recorded").await {
                                return;
                            }
                            let Some(joined) = self.joined(job, arrived).await else { return };
                            (outcome, posted) = joined;
                            continue;
                        }
                    }
                    let tried = Tried { unclear: journal.is_unanswered(), tries: journal.progress().tries };
                    let posting = Posting { connection: &connection, existed, purpose, card: &card, tried };
                    // Never closed, so always granted.
                    let _call = self.slack_calls.acquire().await.ok();
                    if let Work::Open { link, .. } = &work {
                        if !self.record(&claimed, record, "deliver: recorded").await {
                            return;
                        }
                        outcome = Box::pin(self.parts.links.show(job, link, &posting)).await;
                        continue;
                    }
                    match Box::pin(self.parts.links.post(job, &posting, record, again)).await {
                        Delivered::Posted(landed) => {
                            posted = Some(Arrived::Link(landed));
                            Outcome::Posted
                        }
                        Delivered::Not(outcome) => outcome,
                        Delivered::LeaseLost => return self.lost(&claimed),
                    }
                }
                Act::Deliver(Message::Notice(notice)) => {
                    note.settle().await;
                    if !self.record(&claimed, record, "tell: recorded").await {
                        return;
                    }
                    // The command that it is a part of reports it, with the others.
                    if is_part(&work) {
                        outcome = Outcome::Told;
                        continue;
                    }
                    crash_point("tell: before the call");
                    let connection = journal.progress().stage.connection();
                    let outcome = Box::pin(self.tell(job, &notice, connection, again)).await;
                    crash_point("tell: answered");
                    outcome
                }
                Act::Stay(pause) => {
                    if !self.record(&claimed, record, "wait: recorded").await || !self.stay(pause).await {
                        return;
                    }
                    // Not every such rest is recorded, by which it would be noticed.
                    if !claimed.lease.is_held() {
                        return self.lost(&claimed);
                    }
                    Outcome::Woken
                }
                Act::Note(waiting) => {
                    if !self.record(&claimed, record, "wait: recorded").await {
                        return;
                    }
                    if !is_part(&work) {
                        self.send_note(job, &waiting).await;
                    }
                    Outcome::Noted
                }
                Act::Rest(pause) => {
                    // Whoever goes on after the rest may have something to say at once.
                    note.settle().await;
                    let (tries, wait_s) = (journal.progress().tries, pause.as_secs_f64());
                    self.rests.put_down(&claimed.id, claimed.fence, journal, pause);
                    if self.record(&claimed, record, "wait: recorded").await {
                        tracing::debug!(command = claimed.id, cause, tries, wait_s, "a command waits");
                        self.wake_after(pause);
                    }
                    return;
                }
                Act::End(ending) => {
                    if Box::pin(self.end(job, posted.take(), record)).await {
                        crash_point("end: recorded");
                        let (verb, request) = (Some(work.verb()), Some(work.request()));
                        self.ended(&claimed, verb, request, ending, &journal.progress().stage);
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
        self.rests.forget(&claimed.id);
        self.parts.metrics.lease_lost();
        tracing::debug!(command = claimed.id, "another process has taken this command over");
    }

    /// Puts the end of a command on disk, with what it has posted; false if somebody else has it.
    async fn end(&self, job: Job<'_>, posted: Option<Arrived>, record: Option<Record>) -> bool {
        let Some(record) = record else { return true };
        let links = &self.parts.links;
        let ours = match (posted, job.work) {
            (Some(Arrived::Link(landed)), _) => links.settle(job, *landed, &record).await,
            (Some(Arrived::Part(source)), _) => links.join(job, &source, &record).await,
            (Some(Arrived::Added), _) => links.added(job, &record).await,
            (None, Work::Cancel { .. } | Work::Sync { .. } | Work::Open { .. }) => {
                let Record { progress, then } = &record;
                let entry = ended::entry(job, progress, *then, None);
                let recorded = self.parts.store.record_with(job.claimed, progress, *then, entry.as_ref());
                recorded.await == Recorded::Committed
            }
            (None, _) => links.give_up(job, &record.progress, record.then).await,
        };
        if !ours {
            self.lost(job.claimed);
        }
        ours
    }

    /// Tells the person what came of the command, which was about this connection. `again`: it repeats a try
    /// that failed.
    async fn tell(&self, job: Job<'_>, notice: &Notice, connection: Option<&str>, again: bool) -> Outcome {
        // Never closed, so always granted.
        let _call = self.slack_calls.acquire().await.ok();
        // Asked now, since the wait may have been a long one.
        if !self.lease_outlasts(job.claimed, 1) {
            return Outcome::Postponed;
        }
        let links = &self.parts.links;
        if *notice == Notice::Cancelled
            && let Some(connection) = connection
            && !links.cancelled(job, connection).await
        {
            return Outcome::Postponed;
        }
        links.delivery.tell(job, notice, again).await
    }

    /// Keeps a command in hand for so long; false if the bot shuts down meanwhile.
    async fn stay(&self, pause: Duration) -> bool {
        let Parts { clock, stopping, .. } = &self.parts;
        let began = clock.moment().steady;
        let left = || pause.saturating_sub(clock.moment().steady.saturating_sub(began));
        while !left().is_zero() {
            // By the clock, which a test can move ahead.
            tokio::select! {
                () = stopping.cancelled() => return false,
                () = tokio::time::sleep(left().min(POLL)) => {}
            }
        }
        true
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
}

/// A number that differs between commands (FNV-1a of the id).
fn spread(id: &str) -> u64 {
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
