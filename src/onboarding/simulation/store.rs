//! The store as its users see it: rows of commands with a fence, a lease by the store's clock and a due
//! time by the bots'. Each function is what one statement does, or the statements of one commit.

mod connections;
mod messages;
mod onboardings;

use std::rc::Rc;

use super::planted::Fault;
use super::{CHANNELS, LEASE};
use crate::journal::{Progress, Then};
use crate::onboarding::simulation::millis;
use crate::work::{Onboard, Work};
pub(super) use connections::{Stored, Watched, Write};
pub(super) use messages::{Brought, ClaimedMessage, LINGERS, MessageWrite, ON_ITS_WAY, PendingNews};
pub(super) use onboardings::message_of;

/// The lease of a process that keeps prolonging it.
const RENEWED: i64 = i64::MAX;

#[derive(Clone)]
pub(super) struct Row {
    pub(super) work: Work,
    /// What a command of several sources asks for; its `work` is the first of them.
    pub(super) several: Option<Rc<Onboard>>,
    pub(super) name: usize,
    pub(super) channel: usize,
    pub(super) user: usize,
    pub(super) progress: Progress,
    pub(super) accepted_at: i64,
    pub(super) fence: i64,
    /// A process's life; a replica that was started anew is another.
    owner: usize,
    lease_until: i64,
    run_at: i64,
    pub(super) ended_at: Option<i64>,
}

/// A group whose connections are listed.
pub(super) struct Sweep {
    pub(super) group: usize,
    next_at: Option<i64>,
    fence: i64,
    lease_until: i64,
}

#[derive(Default)]
pub(super) struct Store {
    /// By their numbers; `None`: not there.
    pub(super) rows: Vec<Option<Row>>,
    connections: Vec<connections::Row>,
    messages: Vec<messages::Row>,
    news: Vec<messages::News>,
    several: onboardings::Rows,
    sweeps: Vec<Sweep>,
    /// Which connections somebody has written down how they are, and for which of their links.
    pub(super) noted: Vec<(usize, i64)>,
    /// When it was written down of which that they are there after all.
    pub(super) found_again: Vec<(usize, i64)>,
    /// Something has changed since the last look at what is due.
    pub(super) changed: bool,
    /// The fault that this world is lived with; the models and the mirrors ask for it here.
    pub(super) planted: Option<Fault>,
}

/// `Intake::accept`: what no two open commands may be about.
fn subject(work: &Work, several: Option<&Onboard>, channel: usize, user: usize) -> String {
    match (several, work) {
        (Some(onboard), _) => onboard.subject(CHANNELS[channel]),
        (None, Work::Open { link, .. }) => format!("open {link} {user}"),
        (None, work) => work.subject(),
    }
}

impl Row {
    fn subject(&self) -> String {
        subject(&self.work, self.several.as_deref(), self.channel, self.user)
    }
}

impl NewCommand {
    fn subject(&self) -> String {
        subject(&self.work, self.several.as_deref(), self.channel, self.user)
    }
}

impl Store {
    /// Nothing, in a world with this fault.
    pub(super) fn with(planted: Option<Fault>) -> Self {
        Self { planted, ..Self::default() }
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.planted == Some(fault)
    }

    pub(super) fn row(&self, command: usize) -> &Row {
        self.rows[command].as_ref().expect("a command that was taken is there")
    }

    pub(super) fn room(&mut self, command: usize) -> &mut Option<Row> {
        if self.rows.len() <= command {
            self.rows.resize_with(command + 1, || None);
        }
        self.changed = true;
        &mut self.rows[command]
    }

    /// `accept`: false if it has a twin, or was voided before.
    pub(super) fn accept(&mut self, command: usize, new: &NewCommand, owner: usize, now: i64) -> bool {
        let twin = |row: &Row| row.ended_at.is_none() && row.subject() == new.subject();
        if self.rows.iter().flatten().any(twin) || self.room(command).is_some() {
            return false;
        }
        *self.room(command) = Some(Row {
            work: new.work.clone(),
            several: new.several.clone(),
            name: new.name,
            channel: new.channel,
            user: new.user,
            progress: new.progress.clone(),
            accepted_at: new.accepted_at,
            fence: 1,
            owner,
            lease_until: now + LEASE,
            run_at: new.accepted_at,
            ended_at: None,
        });
        true
    }

    /// Makes sure that a command that may have been inserted, or will be, never happens.
    pub(super) fn void(&mut self, command: usize, new: &NewCommand, owner: usize, now: i64) {
        if self.room(command).is_none() {
            self.accept_tombstone(command, new, owner, now);
        }
        let row = self.room(command).as_mut().expect("it was put there");
        if row.fence == 1 && row.ended_at.is_none() {
            row.ended_at = Some(now);
        }
    }

    fn accept_tombstone(&mut self, command: usize, new: &NewCommand, owner: usize, now: i64) {
        *self.room(command) = Some(Row {
            work: new.work.clone(),
            several: new.several.clone(),
            name: new.name,
            channel: new.channel,
            user: new.user,
            progress: new.progress.clone(),
            accepted_at: new.accepted_at,
            fence: 1,
            owner,
            lease_until: 0,
            run_at: new.accepted_at,
            ended_at: Some(now),
        });
    }

    /// `claim`: the commands that are due at the bot's `clock` and free at the store's `now`, but for
    /// those in hand already. Each comes with its new fence.
    pub(super) fn claim(
        &mut self,
        owner: usize,
        in_hand: &[usize],
        clock: i64,
        now: i64,
    ) -> Vec<(usize, i64)> {
        self.changed = true;
        let mut claimed = Vec::new();
        for (command, row) in self.rows.iter_mut().enumerate() {
            let Some(row) = row.as_mut() else { continue };
            if row.ended_at.is_some()
                || row.run_at > clock
                || row.lease_until > now
                || in_hand.contains(&command)
            {
                continue;
            }
            row.owner = owner;
            row.fence += 1;
            row.lease_until = now + LEASE;
            claimed.push((command, row.fence));
        }
        claimed
    }

    /// `record`: whether it was committed; otherwise the lease is lost.
    pub(super) fn record(&mut self, command: usize, fence: i64, progress: &Progress, then: Then) -> bool {
        self.changed = true;
        let fenced = !self.has(Fault::NoFence);
        let row = self.rows[command].as_mut().expect("it was taken");
        let ended_at = if let Then::End(at) = then { Some(millis(at)) } else { None };
        if (row.fence != fence && fenced) || (row.ended_at.is_some() && row.ended_at != ended_at) {
            return false;
        }
        row.progress.clone_from(progress);
        row.ended_at = ended_at;
        match then {
            Then::GoOn => row.run_at = row.accepted_at,
            Then::WaitUntil(time) => (row.run_at, row.lease_until) = (millis(time), 0),
            Then::End(at) => (row.run_at, row.lease_until) = (millis(at), 0),
        }
        true
    }

    /// Whether this fence is the command's last, and it has not ended.
    pub(super) fn holds(&self, command: usize, fence: i64) -> bool {
        self.rows[command].as_ref().is_some_and(|row| row.fence == fence && row.ended_at.is_none())
    }

    /// A process begins to prolong the lease of what it has in hand.
    pub(super) fn keep(&mut self, command: usize, fence: i64) -> bool {
        self.changed = true;
        let row = self.rows[command].as_mut().expect("it was taken");
        let ours = row.fence == fence && row.ended_at.is_none() && row.lease_until > 0;
        if ours {
            row.lease_until = RENEWED;
        }
        ours
    }

    /// A lease that is not prolonged any more ends at `at`.
    pub(super) fn lapse(&mut self, command: usize, fence: i64, at: i64) {
        self.changed = true;
        let row = self.rows[command].as_mut().expect("it was taken");
        if row.fence == fence && row.lease_until > at {
            row.lease_until = at;
        }
    }

    /// `Store::release`.
    pub(super) fn release(&mut self, owner: usize, now: i64) {
        self.changed = true;
        for row in self.rows.iter_mut().flatten().filter(|row| row.owner == owner && row.ended_at.is_none()) {
            row.lease_until = 0;
        }
        for row in self.messages.iter_mut().filter(|row| row.owner == owner && row.lease_until > 0) {
            row.lease_until = if row.place.is_none() { 0 } else { now + ON_ITS_WAY };
        }
    }

    /// From when on a process whose clock is `ahead` of the store's can claim a command.
    pub(super) fn command_due(&self, ahead: i64, in_hand: &[usize]) -> i64 {
        let due = |(command, row): (usize, &Option<Row>)| {
            let row = row.as_ref()?;
            (row.ended_at.is_none() && row.lease_until != RENEWED && !in_hand.contains(&command))
                .then(|| row.lease_until.max(row.run_at - ahead))
        };
        self.rows.iter().enumerate().filter_map(due).min().unwrap_or(i64::MAX)
    }

    /// Whether every command has ended.
    pub(super) fn is_done(&self) -> bool {
        self.rows.iter().flatten().all(|row| row.ended_at.is_some())
    }

    /// `claim_sweeps`.
    pub(super) fn claim_sweeps(&mut self, clock: i64, now: i64) -> Vec<(usize, i64)> {
        self.changed = true;
        let due = |row: &&mut Sweep| row.next_at.is_some_and(|at| at <= clock) && row.lease_until <= now;
        self.sweeps
            .iter_mut()
            .filter(due)
            .map(|row| {
                row.fence += 1;
                row.lease_until = now + SWEEP_LEASE;
                (row.group, row.fence)
            })
            .collect()
    }

    /// `record_sweep`: a group in which a link was posted meanwhile is not left unlisted.
    pub(super) fn record_sweep(&mut self, group: usize, fence: i64, next_at: Option<i64>, clock: i64) {
        self.changed = true;
        let next_at = next_at.or_else(|| (!self.watched(group, clock).is_empty()).then_some(clock));
        if let Some(row) = self.sweeps.iter_mut().find(|row| row.group == group && row.fence == fence) {
            (row.next_at, row.lease_until) = (next_at, 0);
        }
    }

    /// `sweep_groups`.
    fn sweep_group(&mut self, group: usize, next_at: i64) {
        match self.sweeps.iter_mut().find(|row| row.group == group) {
            Some(row) if row.next_at.is_none() => row.next_at = Some(next_at),
            Some(_) => {}
            None => self.sweeps.push(Sweep { group, next_at: Some(next_at), fence: 0, lease_until: 0 }),
        }
    }

    pub(super) fn sweep_due(&self, ahead: i64) -> i64 {
        let due = |row: &Sweep| row.next_at.map(|at| row.lease_until.max(at - ahead));
        self.sweeps.iter().filter_map(due).min().unwrap_or(i64::MAX)
    }
}

/// How long the lease of a group lasts, in ms.
const SWEEP_LEASE: i64 = 120_000;

/// A command to accept.
#[derive(Clone)]
pub(super) struct NewCommand {
    pub(super) work: Work,
    /// What a command of several sources asks for; its `work` is the first of them.
    pub(super) several: Option<Rc<Onboard>>,
    pub(super) name: usize,
    pub(super) channel: usize,
    pub(super) user: usize,
    pub(super) progress: Progress,
    /// By the clock of who accepts it.
    pub(super) accepted_at: i64,
}
