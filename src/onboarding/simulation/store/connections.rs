//! The rows of connections, and the commit in which one changes with its messages and its command.

use super::Store;
use super::messages::MessageWrite;
use crate::journal::{Progress, Then};
use crate::life::{Change, Connection, State};
use crate::onboarding::simulation::planted::Fault;
use crate::onboarding::simulation::{millis, name_of, number, stamp};

pub(super) struct Row {
    pub(super) name: usize,
    connection: Connection,
    version: i64,
    tick_at: Option<i64>,
    watch_until: i64,
}

/// A connection as it stands, with its version, and whether its message is behind.
#[derive(Clone)]
pub(in crate::onboarding::simulation) struct Stored {
    pub(in crate::onboarding::simulation) connection: Connection,
    pub(in crate::onboarding::simulation) version: i64,
    pub(in crate::onboarding::simulation) behind: bool,
}

/// A watched connection in short.
pub(in crate::onboarding::simulation) struct Watched {
    pub(in crate::onboarding::simulation) name: usize,
    pub(in crate::onboarding::simulation) connection: usize,
    pub(in crate::onboarding::simulation) version: i64,
    pub(in crate::onboarding::simulation) seen: Option<String>,
    pub(in crate::onboarding::simulation) tick_at: Option<i64>,
}

/// `store::change::Write`.
pub(in crate::onboarding::simulation) struct Write<'a> {
    pub(in crate::onboarding::simulation) change: &'a Change,
    pub(in crate::onboarding::simulation) version: i64,
    pub(in crate::onboarding::simulation) held: Option<(usize, i64)>,
    pub(in crate::onboarding::simulation) progress: Option<(&'a Progress, Then)>,
    pub(in crate::onboarding::simulation) message: MessageWrite<'a>,
    pub(in crate::onboarding::simulation) reminders: bool,
    /// By the clock of who writes.
    pub(in crate::onboarding::simulation) now: i64,
}

impl Store {
    /// `by_key`.
    pub(in crate::onboarding::simulation) fn connection(&self, name: usize) -> Option<Stored> {
        self.connections.iter().find(|row| row.name == name).map(|row| self.stored(row))
    }

    /// `by_link`.
    pub(in crate::onboarding::simulation) fn connection_of_link(&self, link: &str) -> Option<Stored> {
        let of_link = self.connections.iter().filter(|row| row.connection.link.id == link);
        of_link.max_by_key(|row| row.connection.link.posted_at).map(|row| self.stored(row))
    }

    /// `by_schema`.
    pub(in crate::onboarding::simulation) fn connection_of_schema(
        &self,
        channel: &str,
        name: usize,
    ) -> Option<Stored> {
        let stored = self.connection(name)?;
        let link = &stored.connection.link;
        let over = matches!(link.state, State::Unposted | State::Replaced);
        (link.channel_id == channel && !over).then_some(stored)
    }

    /// `of_message`.
    pub(in crate::onboarding::simulation) fn connections_of(
        &self,
        message: &str,
        name: usize,
    ) -> Vec<Stored> {
        let about = |row: &&Row| row.connection.link.message_id == message || row.name == name;
        self.connections.iter().filter(about).map(|row| self.stored(row)).collect()
    }

    fn stored(&self, row: &Row) -> Stored {
        let mut connection = row.connection.clone();
        let message = self.messages.iter().find(|message| message.id == connection.link.message_id);
        connection.link.message = message.and_then(|message| message.place.clone());
        connection.link.onboarding = message.and_then(|message| message.onboarding.clone());
        let behind = message.is_some_and(|message| message.place.is_some() && message.wanted > message.shown);
        Stored { connection, version: row.version, behind }
    }

    /// The commit of `store::change`: whether the connection changed, and whether the command's
    /// progress was recorded. `joins`: the onboarding that must be open.
    pub(in crate::onboarding::simulation) fn write(
        &mut self,
        joins: Option<&str>,
        write: &Write<'_>,
    ) -> (bool, bool) {
        self.changed = true;
        let Write { change, version, held, progress, ref message, reminders, now } = *write;
        let name = name_of(&change.connection.key);
        let stands = self.connections.iter().position(|row| row.name == name);
        let may = (version == 0 || stands.is_some())
            && held.is_none_or(|(command, fence)| self.holds(command, fence))
            && joins.is_none_or(|id| self.is_open(id) || self.has(Fault::JoinsWhatIsDone))
            && stands.is_none_or(|at| self.connections[at].version == version);
        if !may {
            return (false, false);
        }
        let mut connection = change.connection.clone();
        // Neither is a column of the row.
        connection.link.message = None;
        if let Some(before) = connection.posting.as_mut().and_then(|posting| posting.before.as_mut()) {
            before.message = None;
        }
        let row = Row {
            name,
            version: version + 1,
            tick_at: connection.tick_at(reminders).map(millis),
            watch_until: connection.link.watch_until().map_or(0, millis),
            connection,
        };
        if let Some(before) = stands.map(|at| &self.connections[at].connection) {
            let (id, was) = (change.connection.link.connection_id.parse().unwrap(), before.missing_since);
            let seen = change.connection.seen.as_ref().filter(|seen| *seen != "missing");
            if seen.is_some() && seen != before.seen.as_ref() {
                self.noted.push((id, change.connection.generation));
            }
            // A link that makes way for one elsewhere has been found, too.
            let is_gone = matches!(change.connection.link.state, State::Gone | State::Cancelled);
            if was.is_some() && change.connection.missing_since.is_none() && !is_gone {
                self.found_again.push((id, now));
            }
        }
        match stands {
            Some(at) => self.connections[at] = row,
            None => self.connections.push(row),
        }
        let link = &change.connection.link;
        self.place(message, link, name, now);
        let private =
            change.news.is_some_and(|news| news.needs_no_place(link)) && change.connection.posting.is_none();
        for id in &change.show {
            self.want(id, true, private && *id == link.message_id, now);
        }
        if let Some(news) = change.news {
            if !change.show.contains(&link.message_id) {
                self.want(&link.message_id, false, private, now);
            }
            self.keep_news(&link.message_id, name, news);
        }
        let watched = change.connection.link.watch_until().is_some();
        let begins = version == 0 || change.connection.posting.is_some();
        if begins || (!change.show.is_empty() && watched) {
            self.sweep_group(number(&change.connection.key.group_id), now);
        }
        // Nobody else writes what is in an onboarding for the command that has put it there.
        if let (Some((command, _)), Some(id)) = (held, &link.onboarding)
            && number(&link.id) == command
        {
            self.note_join(command, name, id);
        }
        let recorded = match (held, progress) {
            (Some((command, fence)), Some((progress, then))) => self.record(command, fence, progress, then),
            _ => true,
        };
        (true, recorded)
    }

    /// `watched`.
    pub(in crate::onboarding::simulation) fn watched(&self, group: usize, clock: i64) -> Vec<Watched> {
        let of_group = |row: &&Row| number(&row.connection.key.group_id) == group && row.watch_until > clock;
        let short = |row: &Row| Watched {
            name: row.name,
            connection: row.connection.link.connection_id.parse().unwrap(),
            version: row.version,
            seen: row.connection.seen.clone(),
            tick_at: row.tick_at,
        };
        self.connections.iter().filter(of_group).map(short).collect()
    }

    /// `claim_looks`.
    pub(in crate::onboarding::simulation) fn claim_looks(&mut self, clock: i64, again: i64) -> Vec<usize> {
        self.changed = true;
        let due = |row: &&mut Row| row.connection.look_at.is_some_and(|at| millis(at) <= clock);
        self.connections
            .iter_mut()
            .filter(due)
            .map(|row| {
                row.connection.look_at = Some(stamp(again));
                row.name
            })
            .collect()
    }

    /// `ticked`.
    pub(in crate::onboarding::simulation) fn ticked(&self, before: i64) -> Vec<usize> {
        let ticked = |row: &&Row| row.tick_at.is_some_and(|at| at <= before);
        self.connections.iter().filter(ticked).map(|row| row.name).collect()
    }

    /// `missing`.
    pub(in crate::onboarding::simulation) fn missing(&self, most: u64) -> u64 {
        let missing =
            |row: &&Row| row.connection.missing_since.is_some() && row.connection.link.state != State::Gone;
        most.min(self.connections.iter().filter(missing).count() as u64)
    }

    pub(in crate::onboarding::simulation) fn look_due(&self, ahead: i64) -> i64 {
        let due = |row: &Row| row.connection.look_at.map(|at| millis(at) - ahead);
        self.connections.iter().filter_map(due).min().unwrap_or(i64::MAX)
    }

    pub(in crate::onboarding::simulation) fn tick_due(&self, ahead: i64) -> i64 {
        let due = |row: &Row| row.tick_at.map(|at| at - ahead);
        self.connections.iter().filter_map(due).min().unwrap_or(i64::MAX)
    }
}
