//! What `doctor` looks at, all at once and within the acknowledgement's time.
//!
//! Owns whom it asks: the database, Slack with one call, Fivetran with one. What they do not answer in time
//! is not known. Must not know a word of the answer.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::deadline::Deadline;
use super::words::Words;
use crate::clock::Clock;
use crate::command::doctor::{Backlog, Configured, Findings, Fivetran, Listed, Missing, Presence, Slack};
use crate::command::list::PER_PAGE;
use crate::fivetran::error::Error;
use crate::permission::{Gate, Permissions, gaps, unguarded};
use crate::provision::Provision;
use crate::reply::Audience;
use crate::slack::SlashCommand;
use crate::slack::respond::PostError;
use crate::slack::rooms::Seen;
use crate::slack::web_api::WebApi;
use crate::store::{Census, LastList, Store};
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
    /// Who gets to see a link.
    pub audience: Audience,
    /// Slack, with a bot token.
    pub web_api: Option<WebApi>,
    /// Fivetran.
    pub provision: Provision,
    /// What is configured.
    pub words: Arc<Words>,
    /// Whether commands come as requests, which have signatures.
    pub by_http: Box<dyn Fn() -> bool + Send + Sync>,
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
        let (held, slack, fivetran) = tokio::join!(
            self.database(typed, group, end),
            timeout_at(end, self.slack()),
            timeout_at(end, self.fivetran(group.map(String::as_str))),
        );
        let presence = match self.web_api.as_ref().map(|web_api| web_api.was_in(&typed.channel_id)) {
            None => Presence::DoesNotMatter,
            Some(_) if typed.is_direct => Presence::DoesNotMatter,
            Some(Some(Seen { is_in: true, at })) => Presence::In(at),
            Some(Some(Seen { is_in: false, at })) => Presence::Out(at),
            Some(None) => held.posted.map_or(Presence::Unknown, Presence::In),
        };
        let Permissions { users, user_groups, channels } = self.gate.permissions();
        Findings {
            now: self.clock.now(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at,
            takes_writes: held.takes_writes,
            database: held.backlog,
            listed: held.listed,
            skew_s: self.metrics.clock_skew(),
            slack: slack.unwrap_or(Slack::Silent),
            presence,
            by_http: (self.by_http)(),
            sockets: (self.sockets)(),
            fivetran: fivetran.unwrap_or(Fivetran::Silent),
            key: self.provision.key(),
            calls: self.metrics.calls_left().map(|left| (left, self.provision.hourly_limit())),
            channel: Configured {
                destination: channel.destination.clone(),
                schema: channel.schema.clone().filter(|_| channel.names_schemas()),
                services: channel.services.len(),
                who: (users.len(), user_groups.len()),
                channels: channels.len(),
            },
        }
    }

    /// What the database says by `end`.
    async fn database(&self, typed: &SlashCommand, group: Option<&String>, end: Instant) -> Held {
        let (store, now) = (self.store.clone(), self.clock.now());
        // Tasks of their own: a statement that is dropped half-way costs a session.
        let writes = tokio::spawn(async move { store.is_writable(now).await });
        if !matches!(timeout_at(end, writes).await, Ok(Ok(true))) {
            return Held::default();
        }
        let place = (typed.team_id.clone(), typed.channel_id.clone());
        let held = tokio::spawn(look_up(self.store.clone(), now, place, group.cloned()));
        match timeout_at(end, held).await {
            Ok(Ok(held)) => held,
            _ => Held { takes_writes: true, ..Held::default() },
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
        // Not every answer lists them.
        let Some(scopes) = scopes else { return Slack::Works(None) };
        let mut missing = Vec::new();
        if !scopes.iter().any(|scope| scope == "chat:write") {
            missing.push(POSTING);
        }
        let gaps = gaps(self.gate.permissions(), Some(&scopes));
        let unguarded = unguarded(&scopes).filter(|_| self.audience == Audience::Channel);
        let gaps = gaps.into_iter().chain(unguarded);
        missing.extend(gaps.map(|gap| Missing { sentence: gap.sentence, is_needed: gap.shuts_out }));
        Slack::Works(Some(missing))
    }

    async fn fivetran(&self, group: Option<&str>) -> Fivetran {
        match self.provision.destination(group).await {
            Ok(name) => Fivetran::Works(name),
            Err(Error::KeyRejected(_)) => Fivetran::KeyRejected,
            Err(Error::Forbidden(_)) if group.is_some() => Fivetran::Forbidden,
            // It may not read the account, which nothing needs; only Fivetran, who knows the key, gives a code.
            Err(Error::Forbidden(said)) if !said.code.is_empty() => Fivetran::Works(None),
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

/// What the database says; what it does not say is `None`.
#[derive(Default)]
struct Held {
    takes_writes: bool,
    backlog: Option<Backlog>,
    listed: Option<Listed>,
    /// When the bot posted a link in the channel under its own name.
    posted: Option<Timestamp>,
}

/// What a database holds that takes writes, as far as it can be read.
async fn look_up(
    store: Store,
    now: Timestamp,
    (team, channel): (String, String),
    group: Option<String>,
) -> Held {
    let backlog = store.census(now).await.ok().map(|census| {
        let Census { open, oldest_open: oldest, behind, behind_since, undeliverable, line_since, .. } =
            census;
        let open = open.iter().map(|(_, open)| open).sum();
        Backlog { open, oldest, behind, behind_since, undeliverable, line_since }
    });
    let listed = match group {
        Some(group) => store.listed(&group).await.ok().map(|last| match last {
            Some(LastList::At(at)) => Listed::At(at),
            Some(LastList::Never { wanted }) => Listed::NotYet(wanted),
            None => Listed::NotWatched,
        }),
        None => None,
    };
    let links = store.links_of_channel(&team, &channel, 0, PER_PAGE).await.unwrap_or_default();
    let own = links.iter().filter(|link| link.message.as_ref().is_some_and(|it| it.channel == channel));
    let posted = own.map(|link| link.posted_at).max();
    Held { takes_writes: true, backlog, listed, posted }
}
