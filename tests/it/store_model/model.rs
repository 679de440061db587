//! What the store should hold, in plain Rust.
//!
//! Owns the rules of fences, leases and versions as a reader of `ARCHITECTURE.md` would put them. Must not know a
//! statement.

use std::collections::BTreeMap;

use connect_card::journal::{Ending, Progress, Stage, Then};
use connect_card::life::{Connection, Link, Reminded, State};
use connect_card::store::{Claimed, KEEP};
use connect_card::work::{Key, Request, Work};
use jiff::Timestamp;

use super::at;

/// How the lease of a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lease {
    /// Nobody has it.
    Free,
    /// It has run out, and whoever had it may prolong it.
    Over,
    /// Somebody has it.
    Held,
}

/// A command.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) dedup: String,
    pub(super) subject: String,
    /// The process that took it last, by a number of its own.
    pub(super) owner: u64,
    pub(super) fence: i64,
    pub(super) lease: Lease,
    pub(super) progress: Progress,
    pub(super) run_at: i64,
    pub(super) accepted_at: i64,
    pub(super) ended_at: Option<i64>,
    pub(super) has_url: bool,
}

/// A command that a process has in hand.
pub(super) struct Held {
    pub(super) process: usize,
    pub(super) owner: u64,
    pub(super) claimed: Claimed,
    /// Whether the process was told that somebody else has it.
    pub(super) lost: bool,
}

pub(super) struct Model {
    pub(super) rows: Vec<Row>,
    pub(super) held: Vec<Held>,
    /// The number of each process.
    pub(super) owners: Vec<u64>,
    pub(super) connections: BTreeMap<u8, (i64, Connection)>,
    ids: usize,
    born: u64,
}

impl Model {
    pub(super) fn new(processes: usize) -> Self {
        // Whoever was there before this case is nobody of it.
        let owners: Vec<u64> = (0..processes).map(|it| u64::try_from(it).unwrap()).collect();
        let born = u64::try_from(processes).unwrap();
        Self { rows: Vec::new(), held: Vec::new(), owners, connections: BTreeMap::new(), ids: 0, born }
    }

    pub(super) fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("k{:03}", self.ids)
    }

    /// Those that a process may take.
    pub(super) fn due(&self, process: usize, now: i64) -> Vec<usize> {
        let is_in_hand = |row: &Row| {
            self.held.iter().any(|held| held.owner == self.owners[process] && held.claimed.id == row.id)
        };
        let rows = self.rows.iter().enumerate();
        let due = rows.filter(|(_, row)| {
            row.ended_at.is_none() && row.run_at <= now && row.lease != Lease::Held && !is_in_hand(row)
        });
        due.map(|(at, _)| at).collect()
    }

    pub(super) fn renew(&mut self, process: usize) {
        let owner = self.owners[process];
        for held in self.held.iter_mut().filter(|held| held.owner == owner) {
            let row = self.rows.iter_mut().find(|row| row.id == held.claimed.id);
            let ours = row.filter(|row| {
                row.fence == held.claimed.fence
                    && row.owner == owner
                    && row.ended_at.is_none()
                    && row.lease != Lease::Free
            });
            match ours {
                Some(row) => row.lease = Lease::Held,
                None => held.lost = true,
            }
        }
    }

    pub(super) fn release(&mut self, process: usize) {
        let owner = self.owners[process];
        let rows = self.rows.iter_mut().filter(|row| row.owner == owner && row.ended_at.is_none());
        rows.for_each(|row| row.lease = Lease::Free);
    }

    /// A process ends, and another one begins; `alone`: there can be no third one, so nobody has anything.
    pub(super) fn die(&mut self, process: usize, alone: bool) {
        self.held.retain(|held| held.process != process);
        self.owners[process] = self.born;
        self.born += 1;
        if alone {
            self.rows.iter_mut().filter(|row| row.ended_at.is_none()).for_each(|row| row.lease = Lease::Free);
        }
    }

    /// Whether a command is open, and whoever took it so often has it.
    pub(super) fn is_open_at(&self, id: &str, fence: i64) -> bool {
        self.rows.iter().any(|row| row.id == id && row.fence == fence && row.ended_at.is_none())
    }

    pub(super) fn record(&mut self, id: &str, fence: i64, progress: &Progress, then: Then) -> bool {
        let ends = match then {
            Then::End(at) => Some(at.as_millisecond()),
            _ => None,
        };
        let row = self.rows.iter_mut().find(|row| row.id == id && row.fence == fence);
        // Whoever ended it may say so again.
        let Some(row) = row.filter(|row| row.ended_at.is_none() || row.ended_at == ends) else {
            return false;
        };
        row.progress = progress.clone();
        match then {
            Then::GoOn => row.run_at = row.accepted_at,
            Then::WaitUntil(at) => (row.run_at, row.lease) = (at.as_millisecond(), Lease::Free),
            Then::End(at) => {
                (row.run_at, row.lease) = (at.as_millisecond(), Lease::Free);
                (row.ended_at, row.has_url) = (ends, false);
            }
        }
        true
    }

    pub(super) fn purge(&mut self, now: Timestamp) -> u64 {
        let before = (now - KEEP).as_millisecond();
        let count = self.rows.len();
        self.rows.retain(|row| row.ended_at.is_none_or(|ended| ended >= before));
        u64::try_from(count - self.rows.len()).unwrap()
    }

    pub(super) fn oldest(&self) -> Option<i64> {
        self.rows.iter().filter(|row| row.ended_at.is_none()).map(|row| row.accepted_at).min()
    }

    /// Those of which nobody could be told, all of the last day.
    pub(super) fn undeliverable(&self) -> usize {
        let lost = |row: &&Row| {
            matches!(row.progress.stage, Stage::Over { ending: Ending::Undeliverable, .. })
                && row.ended_at.is_some()
        };
        self.rows.iter().filter(lost).count()
    }

    /// The rows as the database prints them.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |row: &Row| {
            let lease = match row.lease {
                Lease::Free => "free",
                Lease::Over => "over",
                Lease::Held => "held",
            };
            let subject = if row.ended_at.is_some() { "-" } else { &row.subject };
            let ended = row.ended_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
            let url = if row.has_url { "url" } else { "none" };
            let (stage, tries) = (row.progress.stage.name(), row.progress.tries);
            let (id, dedup, fence, run_at) = (&row.id, &row.dedup, row.fence, row.run_at);
            format!("{id} {dedup} {subject} {stage} {fence} {lease} {run_at} {ended} {tries} {url}")
        };
        self.rows.iter().map(line).collect()
    }
}

/// What a command asks for; its service bears the command's name.
pub(super) fn request(id: &str) -> String {
    serde_json::to_string(&Work::Connect(asked("acme", id))).unwrap()
}

fn asked(schema: &str, service_name: &str) -> Request {
    serde_json::from_value(serde_json::json!({
        "service": "google_ads", "service_name": service_name, "kind": "schema", "retired": null,
        "target": { "schema": schema, "table": null }, "group_id": "g", "destination": null,
        "slash": "/connect-card",
    }))
    .unwrap()
}

pub(super) fn key(name: u8) -> Key {
    Key { group_id: "g".to_owned(), name: format!("n{name}") }
}

/// A connection that differs by a mark.
pub(super) fn connection(name: u8, mark: u8) -> Connection {
    let (id, mark) = (format!("l{name}"), i64::from(mark));
    Connection {
        key: key(name),
        link: Link {
            id: id.clone(),
            connection_id: format!("conn_{mark}"),
            team_id: "T".to_owned(),
            channel_id: "C".to_owned(),
            requester: (mark % 2 == 0).then(|| "U".to_owned()),
            request: asked(&format!("n{name}"), "Google Ads"),
            message_id: id,
            message: None,
            state: State::Waiting,
            detail: (mark % 3 == 0).then(|| format!("detail {mark}")),
            trouble: None,
            posted_at: at(1000 + mark),
            expires_at: at(4_000_000_000_000 + mark),
            changed_at: at(1000),
            reminded: Reminded { before: mark % 5 == 0, after: mark % 7 == 0 },
            purpose: None,
            landed_at: (mark % 4 == 0).then(|| at(2000 + mark)),
            onboarding: None,
        },
        generation: 1 + mark,
        posting: None,
        look_at: (mark % 6 == 0).then(|| at(3000 + mark)),
        looks: u32::try_from(mark).unwrap(),
        missing_since: (mark % 9 == 0).then(|| at(1500)),
        seen: (mark % 8 == 0).then(|| format!("seen {mark}")),
    }
}
