//! What `doctor` looks at, all at once and within the acknowledgement's time.
//!
//! Owns whom it asks: the database, Slack with one call, Fivetran with one. What they do not answer in time
//! is not known. Must not know a word of the answer.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::timeout_at;

use super::deadline::Deadline;
use super::words::Words;
use crate::clock::Clock;
use crate::command::doctor::{Backlog, Configured, Findings, Fivetran, Listed, Missing, Presence, Slack};
use crate::command::list::PER_PAGE;
use crate::fivetran::error::Error;
use crate::permission::{Gate, Permissions, gaps};
use crate::provision::Provision;
use crate::slack::SlashCommand;
use crate::slack::respond::PostError;
use crate::slack::rooms::Seen;
use crate::slack::web_api::WebApi;
use crate::store::{Census, Store, StoreError};
use crate::telemetry::Metrics;

/// Without this scope the bot can post nothing under its own name.
const POSTING: Missing = Missing {
    sentence: "the scope chat:write isn't granted, so I can't post; add it under OAuth & Permissions and \
               reinstall the app",
    is_needed: true,
};

/// Whoever looks. No `Debug`: it holds secrets.
pub struct Doctor {
    /// The time.
    pub clock: Clock,
    /// When the bot was started.
    pub started_at: Timestamp,
    /// The numbers.
    pub metrics: Metrics,
    /// The database.
    pub store: Store,
    /// Who may.
    pub gate: Arc<Gate>,
    /// Slack, with a bot token.
    pub web_api: Option<WebApi>,
    /// Fivetran.
    pub provision: Provision,
    /// What is configured.
    pub words: Arc<Words>,
    /// How many sockets to Slack are open, of how many; `None` without Socket Mode.
    pub sockets: Box<dyn Fn() -> Option<(usize, usize)> + Send + Sync>,
}

impl Doctor {
    /// Looks at everything, for whoever asks in a channel.
    pub(super) async fn look(&self, typed: &SlashCommand, deadline: Deadline) -> Findings {
        let channel = self.words.channels.of(&typed.channel_id);
        let group = match &channel.destination {
            Some(name) => self.words.destinations.named.get(name),
            None => self.words.destinations.default_group.as_ref(),
        };
        let end = deadline.early();
        // A task of its own: a statement that is dropped half-way costs a session.
        let database = tokio::spawn(look_up(
            self.store.clone(),
            self.clock.now(),
            (typed.team_id.clone(), typed.channel_id.clone()),
            group.cloned(),
        ));
        let (database, slack, fivetran) = tokio::join!(
            timeout_at(end, database),
            timeout_at(end, self.slack()),
            timeout_at(end, self.fivetran(group.map(String::as_str))),
        );
        let database = match database {
            Ok(Ok(Ok(found))) => found,
            _ => None,
        };
        let posted = database.and_then(|(_, posted)| posted);
        let presence = match self.web_api.as_ref().map(|web_api| web_api.was_in(&typed.channel_id)) {
            None => Presence::DoesNotMatter,
            Some(_) if typed.is_direct => Presence::DoesNotMatter,
            Some(Some(Seen { is_in: true, at })) => Presence::In(at),
            Some(Some(Seen { is_in: false, at })) => Presence::Out(at),
            Some(None) => posted.map_or(Presence::Unknown, Presence::In),
        };
        let Permissions { users, user_groups, channels } = self.gate.permissions();
        Findings {
            now: self.clock.now(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at,
            database: database.map(|(backlog, _)| backlog),
            skew_s: self.metrics.clock_skew(),
            slack: slack.unwrap_or(Slack::Silent),
            presence,
            sockets: (self.sockets)(),
            fivetran: fivetran.unwrap_or(Fivetran::Silent),
            key: self.provision.key(),
            calls: self.provision.calls_left().map(|left| (left, self.provision.hourly_limit())),
            channel: Configured {
                destination: channel.destination.clone(),
                schema: channel.schema.as_ref().map(|schema| schema.connection_name()),
                services: channel.services.len(),
                who: (users.len(), user_groups.len()),
                channels: channels.len(),
            },
        }
    }

    async fn slack(&self) -> Slack {
        let Some(web_api) = &self.web_api else { return Slack::NoToken };
        let scopes = match web_api.scopes().await {
            Ok(scopes) => scopes,
            Err(PostError::Refused(word)) => return Slack::Refuses(word),
            Err(PostError::Throttled(_)) => return Slack::Pauses,
            Err(PostError::NotSent(_)) => return Slack::Unreachable,
            Err(PostError::Later { .. } | PostError::Unclear(_) | PostError::Unconfirmed(_)) => {
                return Slack::Silent;
            }
        };
        // Not every answer lists them; then nothing is known to be amiss.
        if scopes.is_empty() {
            return Slack::Works(Vec::new());
        }
        let mut missing = Vec::new();
        if !scopes.iter().any(|scope| scope == "chat:write") {
            missing.push(POSTING);
        }
        let gaps = gaps(self.gate.permissions(), Some(&scopes));
        missing.extend(gaps.iter().map(|gap| Missing { sentence: gap.sentence, is_needed: gap.shuts_out }));
        Slack::Works(missing)
    }

    async fn fivetran(&self, group: Option<&str>) -> Fivetran {
        match self.provision.destination(group).await {
            Ok(name) => Fivetran::Works(name),
            Err(Error::KeyRejected(_)) => Fivetran::KeyRejected,
            Err(Error::Forbidden(_)) => Fivetran::Forbidden,
            Err(Error::NotFound(_) | Error::Gone(_)) => Fivetran::NoDestination,
            Err(Error::Throttled(pause)) => Fivetran::Pauses(pause),
            Err(error) if error.is_silence() && !timed_out(&error) => Fivetran::Unreachable,
            Err(_) => Fivetran::Silent,
        }
    }
}

fn timed_out(error: &Error) -> bool {
    matches!(error, Error::Unclear(error) if error.is_timeout())
}

/// What the database holds, if it takes writes: what is still to be done, and when the bot posted a link in
/// the channel under its own name.
async fn look_up(
    store: Store,
    now: Timestamp,
    (team, channel): (String, String),
    group: Option<String>,
) -> Result<Option<(Backlog, Option<Timestamp>)>, StoreError> {
    if !store.is_writable(now).await {
        return Ok(None);
    }
    let Census { open, oldest_open, behind, behind_since, .. } = store.census(now).await?;
    let listed = match group {
        Some(group) => match store.listed(&group).await? {
            Some(Some(at)) => Listed::At(at),
            Some(None) => Listed::NotYet,
            None => Listed::NotWatched,
        },
        None => Listed::NotWatched,
    };
    let links = store.links_of_channel(&team, &channel, 0, PER_PAGE).await?;
    let own = links.iter().filter(|link| link.message.as_ref().is_some_and(|it| it.channel == channel));
    let posted = own.map(|link| link.posted_at).max();
    let open = open.iter().map(|(_, open)| open).sum();
    Ok(Some((Backlog { open, oldest: oldest_open, behind, behind_since, listed }, posted)))
}
