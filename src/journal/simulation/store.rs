//! The store as the worker sees it: rows with a fence, a lease by the store's clock and a due time
//! by the bots'.

use crate::journal::simulation::millis;
use crate::journal::{Progress, Record, Then};

/// The lease of a process that keeps prolonging it.
const RENEWED: i64 = i64::MAX;

pub(super) struct Row {
    pub(super) progress: Progress,
    pub(super) accepted_at: i64,
    fence: i64,
    /// A process's life; a replica that was started anew is another.
    owner: usize,
    lease_until: i64,
    run_at: i64,
    pub(super) ended: bool,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) rows: Vec<Row>,
}

impl Store {
    /// The new command's number; its fence is 1.
    pub(super) fn accept(&mut self, owner: usize, accepted_at: i64) -> usize {
        self.rows.push(Row {
            progress: Progress::default(),
            accepted_at,
            fence: 1,
            owner,
            lease_until: RENEWED,
            run_at: accepted_at,
            ended: false,
        });
        self.rows.len() - 1
    }

    /// The new fence, if the command was due at the bot's `clock` and free at the store's `now`.
    pub(super) fn claim(&mut self, command: usize, owner: usize, clock: i64, now: i64) -> Option<i64> {
        let row = &mut self.rows[command];
        if row.ended || row.run_at > clock || row.lease_until > now {
            return None;
        }
        row.owner = owner;
        row.fence += 1;
        row.lease_until = RENEWED;
        Some(row.fence)
    }

    /// Whether it was committed; otherwise the lease is lost.
    pub(super) fn record(&mut self, command: usize, fence: i64, record: &Record) -> bool {
        let row = &mut self.rows[command];
        if row.ended || row.fence != fence {
            return false;
        }
        row.progress.clone_from(&record.progress);
        match record.then {
            Then::GoOn => row.run_at = row.accepted_at,
            Then::WaitUntil(time) => (row.run_at, row.lease_until) = (millis(time), 0),
            Then::End(_) => row.ended = true,
        }
        true
    }

    /// The leases of `owner` are not prolonged any more and end at `at`.
    pub(super) fn lapse(&mut self, owner: usize, at: i64) {
        for row in self.rows.iter_mut().filter(|row| row.owner == owner && row.lease_until > at) {
            row.lease_until = at;
        }
    }

    /// `owner` prolongs the leases that nobody has taken from it.
    pub(super) fn renew(&mut self, owner: usize) {
        for row in self.rows.iter_mut().filter(|row| row.owner == owner && row.lease_until > 0) {
            row.lease_until = RENEWED;
        }
    }

    /// From when on a bot whose clock is `ahead` of the store's can claim the command, unless the
    /// lease is prolonged for as long as can be seen.
    pub(super) fn free_at(&self, command: usize, ahead: i64) -> Option<i64> {
        let row = &self.rows[command];
        (!row.ended && row.lease_until != RENEWED).then(|| row.lease_until.max(row.run_at - ahead))
    }
}
