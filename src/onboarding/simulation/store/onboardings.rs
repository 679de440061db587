//! The rows of onboardings and their sources. What is one transaction there is one function here.

use super::{NewCommand, Store};
use crate::life::{self, State};
use crate::onboarding::simulation::job::person;
use crate::onboarding::simulation::planted::Fault;
use crate::onboarding::simulation::{CHANNELS, number, stamp};
use crate::onboarding::{Asked, Onboarding, together};
use crate::work::{Key, Work};

/// What begins the key of an onboarding whose customer nobody named: as in `store::onboardings`.
const NOBODY: char = '#';

pub(super) struct Row {
    id: String,
    channel: usize,
    customer: String,
    user: usize,
    opened_at: i64,
    done_at: Option<i64>,
    told: bool,
}

struct Source {
    command: usize,
    onboarding: String,
    parent: usize,
    at: i64,
    place: usize,
    service_name: String,
    key: Key,
}

#[derive(Default)]
pub(super) struct Rows {
    onboardings: Vec<Row>,
    sources: Vec<Source>,
    /// What has become part of one: for the verdict.
    joins: Vec<Join>,
}

/// A connection has become part of an onboarding.
pub(in crate::onboarding::simulation) struct Join {
    pub(in crate::onboarding::simulation) command: usize,
    pub(in crate::onboarding::simulation) name: usize,
    pub(in crate::onboarding::simulation) onboarding: String,
    /// Whether that had been done.
    pub(in crate::onboarding::simulation) too_late: bool,
}

pub(in crate::onboarding::simulation) fn message_of(id: &str) -> String {
    format!("{id}-0")
}

impl Store {
    /// `expand`: the onboarding, and the commands that were made and are in hand; `None`: the command is
    /// somebody else's.
    pub(in crate::onboarding::simulation) fn expand(
        &mut self,
        command: usize,
        fence: i64,
        owner: usize,
        clock: i64,
        now: i64,
    ) -> Option<(life::Onboarding, Vec<usize>)> {
        if !self.holds(command, fence) {
            return None;
        }
        let found = |id: String| life::Onboarding { message_id: message_of(&id), id };
        if let Some(source) = self.several.sources.iter().find(|source| source.parent == command) {
            return Some((found(source.onboarding.clone()), Vec::new()));
        }
        let row = self.row(command).clone();
        let onboard = row.several.clone()?;
        let customer = onboard.customer.clone().unwrap_or_else(|| format!("{NOBODY}c{command}"));
        let is_open = |it: &Row| it.channel == row.channel && it.customer == customer && it.done_at.is_none();
        if !self.several.onboardings.iter().any(is_open) {
            self.several.onboardings.push(Row {
                id: format!("c{command}"),
                channel: row.channel,
                customer: customer.clone(),
                user: row.user,
                opened_at: clock,
                done_at: None,
                told: false,
            });
        }
        let id = self.several.onboardings.iter().find(|it| is_open(it))?.id.clone();
        self.begin_message(&message_of(&id), &id, person(row.user));
        let mut accepted = Vec::new();
        for (place, request) in onboard.sources.iter().enumerate() {
            let child = command + 1 + place;
            let (service_name, key) = (request.service_name.clone(), request.key());
            let (onboarding, parent, at) = (id.clone(), command, clock);
            let source = Source { command: child, onboarding, parent, at, place, service_name, key };
            self.several.sources.push(source);
            let mut request = request.clone();
            request.onboarding = Some(id.clone());
            let new = NewCommand {
                name: number(&request.target.connection_name()),
                work: Work::Connect(request),
                several: None,
                channel: row.channel,
                user: row.user,
                progress: crate::journal::Progress::default(),
                accepted_at: clock,
            };
            if self.accept(child, &new, owner, now) {
                accepted.push(child);
            }
        }
        self.disturb_message(&message_of(&id), clock);
        Some((found(id), accepted))
    }

    /// `is_expanded`.
    pub(in crate::onboarding::simulation) fn is_expanded(&self, command: usize) -> bool {
        self.several.sources.iter().any(|source| source.parent == command)
    }

    /// `onboarding`.
    pub(in crate::onboarding::simulation) fn onboarding(&self, id: &str) -> Option<Onboarding> {
        let row = self.several.onboardings.iter().find(|row| row.id == id)?;
        let mut sources: Vec<_> =
            self.several.sources.iter().filter(|source| source.onboarding == id).collect();
        sources.sort_by_key(|source| (source.at, source.place, source.command));
        let asked = sources.into_iter().map(|source| {
            let command = self.rows.get(source.command).and_then(Option::as_ref);
            let notice = command.and_then(|command| command.progress.stage.notice().cloned());
            Asked {
                parent: format!("c{}", source.parent),
                service_name: source.service_name.clone(),
                key: source.key.clone(),
                refused: notice.zip(command.map(|command| command.work.clone())),
                under_way: command.is_some_and(|command| command.ended_at.is_none()),
            }
        });
        let message_id = message_of(id);
        let connections = self.connections_of(&message_id, usize::MAX);
        let connections = connections.into_iter().map(|stored| stored.connection).collect();
        let place = self.messages.iter().find(|message| message.id == message_id)?.place.clone();
        Some(Onboarding {
            id: row.id.clone(),
            channel_id: CHANNELS[row.channel].to_owned(),
            customer: Some(row.customer.clone()).filter(|customer| !customer.starts_with(NOBODY)),
            requester: person(row.user).to_owned(),
            opened_at: stamp(row.opened_at),
            is_told: row.told,
            done_at: row.done_at.map(stamp),
            message_id,
            message: place,
            sources: together(asked.collect(), connections),
        })
    }

    /// `open_onboarding`.
    pub(in crate::onboarding::simulation) fn open_onboarding(
        &self,
        channel: usize,
        customer: &str,
    ) -> Option<life::Onboarding> {
        let stands = |row: &&Row| {
            let id = message_of(&row.id);
            self.messages.iter().any(|message| message.id == id && message.place.is_some())
        };
        let open = |row: &&Row| row.channel == channel && row.customer == customer && row.done_at.is_none();
        let row = self.several.onboardings.iter().filter(open).find(stands)?;
        Some(life::Onboarding { id: row.id.clone(), message_id: message_of(&row.id) })
    }

    /// `is_open`, and the condition of `change`.
    pub(in crate::onboarding::simulation) fn is_open(&self, id: &str) -> bool {
        self.several.onboardings.iter().any(|row| row.id == id && row.done_at.is_none())
    }

    /// `finish_onboarding`: held, nothing is added meanwhile.
    pub(in crate::onboarding::simulation) fn finish_onboarding(&mut self, id: &str, clock: i64) -> bool {
        let waits = self.connections_of(&message_of(id), usize::MAX).into_iter().any(|stored| {
            matches!(stored.connection.link.state, State::Waiting | State::Expired | State::Replaced)
        });
        let is_open = |command: usize| self.rows[command].as_ref().is_some_and(|row| row.ended_at.is_none());
        let mut sources = self.several.sources.iter().filter(|source| source.onboarding == id);
        if waits || sources.any(|source| is_open(source.command)) {
            return false;
        }
        let row = self.several.onboardings.iter_mut().find(|row| row.id == id && row.done_at.is_none());
        row.is_some_and(|row| {
            row.done_at = Some(clock);
            true
        })
    }

    /// `told_onboarding`.
    pub(in crate::onboarding::simulation) fn told_onboarding(&mut self, id: &str) {
        let noted = !self.has(Fault::EndNotNoted);
        if let Some(row) = self.several.onboardings.iter_mut().find(|row| row.id == id) {
            row.told = noted;
        }
    }

    /// The onboardings that there were, by their references.
    pub(in crate::onboarding::simulation) fn onboardings(&self) -> Vec<String> {
        self.several.onboardings.iter().map(|row| row.id.clone()).collect()
    }

    /// The onboarding that a command's sources were put into.
    pub(in crate::onboarding::simulation) fn onboarding_of(&self, parent: usize) -> Option<&str> {
        let mut sources = self.several.sources.iter();
        sources.find(|source| source.parent == parent).map(|source| source.onboarding.as_str())
    }

    pub(in crate::onboarding::simulation) fn joins(&self) -> &[Join] {
        &self.several.joins
    }

    /// Notes that a connection has become part of an onboarding.
    pub(super) fn note_join(&mut self, command: usize, name: usize, onboarding: &str) {
        let done = |row: &Row| row.id == onboarding && row.done_at.is_some();
        let too_late = self.several.onboardings.iter().any(done);
        self.several.joins.push(Join { command, name, onboarding: onboarding.to_owned(), too_late });
    }
}
