//! `/connect-card SERVICE SCHEMA`: a connection and the link by which the customer sets it up.
//!
//! Owns how the words are read and how each step at Fivetran is taken. What to do next is the
//! [`journal`](crate::journal)'s decision; the words of any reply are [`crate::reply`]'s.

use serde::{Deserialize, Serialize};

use crate::command::{UsageError, Verb, Vocabulary, echo, to_destination};
use crate::fivetran::catalog::{Catalog, Resolution, Service, ServiceId, ServiceStatus};
use crate::fivetran::error::Error;
use crate::fivetran::model::{ConnectCard, Connection, SetupState};
use crate::fivetran::schema::{SchemaKind, Target};
use crate::fivetran::{Fivetran, NewConnection};
use crate::journal::{Failure, Found, Origin, Outcome, Problem, Step};
use crate::store::{Store, StoreError};

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "SERVICE SCHEMA",
    does: "posts a link for your customer to connect SERVICE; its data goes to SCHEMA",
    example: "google_ads customer_schema",
};

/// What was asked for, with every name resolved. It is stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The service's id.
    pub service: ServiceId,
    /// Its display name.
    pub service_name: String,
    /// Which config keys it wants; `None` where only Fivetran knows.
    pub kind: Option<SchemaKind>,
    /// The retired name that was typed, if one was.
    pub retired: Option<String>,
    /// Where the data will land.
    pub target: Target,
    /// The destination's group id.
    pub group_id: String,
    /// The destination's name, if one was typed or the channel has one.
    pub destination: Option<String>,
    /// What stands before the arguments, for the examples in replies.
    pub slash: String,
    /// What the person has said, on being asked, to posting a link for what is there already.
    #[serde(default)]
    pub confirmed: Confirmed,
}

/// What a person has said to posting a link for a connection that was there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// Nothing yet.
    #[default]
    No,
    /// That its link may be posted here, though it was posted in another channel.
    PostHere,
    /// That it may be authorised again from here, though it has been connected.
    Reauthorise,
}

/// The channel from which a connection is asked for, and the links that the bot has posted.
#[derive(Clone, Copy)]
pub struct Here<'a> {
    /// The links.
    pub store: &'a Store,
    /// The workspace.
    pub team_id: &'a str,
    /// The channel.
    pub channel_id: &'a str,
}

impl Here<'_> {
    /// Where a connection was asked for, and whether that was here.
    async fn origin(&self, connection: &str) -> Result<Option<(Origin, bool)>, StoreError> {
        let link = self.store.link_of_connection(connection).await?;
        let here = link
            .as_ref()
            .is_none_or(|link| link.team_id == self.team_id && link.channel_id == self.channel_id);
        if here {
            // A link that is on its way to another channel has no row yet; its command has.
            let other = self.store.elsewhere(connection, self.team_id, self.channel_id).await?;
            if let (Some((channel_id, user_id)), None) = (other, &link) {
                return Ok(Some((Origin { channel_id, user_id }, false)));
            }
        }
        Ok(link.map(|link| (Origin { channel_id: link.channel_id, user_id: link.requester }, here)))
    }
}

/// Reads `SERVICE [SCHEMA] [to DESTINATION]`, where SERVICE may be several words and what is left
/// out is the channel's default.
pub(super) fn parse(words: &[&str], vocabulary: &Vocabulary<'_>) -> Result<Request, UsageError> {
    let (words, destination) = match words {
        [words @ .., to, name] if !words.is_empty() && to.eq_ignore_ascii_case("to") => (words, Some(*name)),
        words => (words, None),
    };
    let whole = words.join(" ");
    let (schema, service) = match words.split_last() {
        // `Google Ads` is a service without a schema, not the service `Google` with a schema `Ads`.
        Some((schema, service)) if !service.is_empty() && known(&whole, vocabulary.catalog).is_none() => {
            (*schema, service.join(" "))
        }
        _ => return request(&whole, None, destination, vocabulary),
    };
    if known(&service, vocabulary.catalog).is_none()
        && let Some(error) = misplaced(words, destination, vocabulary)
    {
        return Err(error);
    }
    request(&service, Some(schema), destination, vocabulary)
}

/// Whether the first words name a service.
pub(super) fn begins_with_service(words: &[&str], catalog: &Catalog) -> bool {
    (1..=words.len()).any(|count| known(&first(words, count), catalog).is_some())
}

/// What is amiss where all words but the last name no service: a schema of several words, the
/// schema before the service, or a `to` with nothing behind it.
fn misplaced(words: &[&str], destination: Option<&str>, vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let Vocabulary { slash, catalog, destinations, channel } = *vocabulary;
    if let [_, _, .., last] = words
        && last.eq_ignore_ascii_case("to")
    {
        return Some(UsageError::NoDestination { known: destinations.names() });
    }
    let proposal = |service: &Service, schema: &str| {
        let target =
            Target::parse(schema).map(|target| target.connection_name()).or_else(|bad| bad.nearest.ok_or(()));
        target.ok().map(|target| line(service, &target, destination, slash))
    };
    // The longest name wins: `Facebook Pages` before `Facebook`.
    let splits = || (1..words.len()).rev();
    if let Some((count, service)) =
        splits().find_map(|count| Some((count, known(&first(words, count), catalog)?)))
    {
        if !channel.allows(&service.id) {
            return Some(UsageError::ServiceNotAllowed { service, allowed: allowed(vocabulary) });
        }
        let behind: Vec<&str> = words.iter().skip(count).copied().collect();
        let schema = behind.join(" ");
        if let [to, name @ ..] = behind.as_slice()
            && to.eq_ignore_ascii_case("to")
        {
            return Some(if channel.schema.is_some() {
                UsageError::UnknownDestination { typed: echo(&name.join(" ")), known: destinations.names() }
            } else {
                UsageError::SchemaMissing(service)
            });
        }
        return Some(UsageError::SpacedSchema { instead: proposal(&service, &schema) });
    }
    let (count, service) = (1..words.len()).find_map(|count| {
        let behind = words.iter().skip(count).copied().collect::<Vec<_>>().join(" ");
        Some((count, known(&behind, catalog)?))
    })?;
    proposal(&service, &first(words, count)).map(|instead| UsageError::ServiceFirst { instead })
}

fn first(words: &[&str], count: usize) -> String {
    words.iter().take(count).copied().collect::<Vec<_>>().join(" ")
}

/// What to type instead, after the slash command or the name of the program.
fn line(service: &Service, target: &str, destination: Option<&str>, slash: &str) -> String {
    // A table is part of the schema only where the service wants one.
    let wants_table = service.kind.is_some_and(SchemaKind::wants_table);
    let target = match target.split_once('.') {
        None if wants_table => format!("{target}.my_table"),
        Some((schema, _)) if service.kind.is_some() && !wants_table => schema.to_owned(),
        _ => target.to_owned(),
    };
    format!("{} {target}{}", service.id, to_destination(destination, slash))
}

/// Resolves every name of a request, with the channel's defaults for those left out.
pub(super) fn request(
    service: &str,
    schema: Option<&str>,
    destination: Option<&str>,
    vocabulary: &Vocabulary<'_>,
) -> Result<Request, UsageError> {
    let Vocabulary { slash, catalog, channel, .. } = *vocabulary;
    let (service, retired) = match catalog.resolve(service) {
        Resolution::Exact(service) | Resolution::Named(service) => (service, None),
        Resolution::Retired { typed, successor } => (successor, Some(echo(&typed))),
        Resolution::Unknown { .. } => {
            return Err(unknown(service, schema, destination, vocabulary));
        }
    };
    if !channel.allows(&service.id) {
        return Err(UsageError::ServiceNotAllowed { service, allowed: allowed(vocabulary) });
    }
    let rest = || to_destination(destination, slash);
    let target = match (schema, &channel.schema) {
        (Some(typed), _) => Target::parse(typed).map_err(|name| UsageError::BadName {
            service: Box::new(service.clone()),
            name,
            rest: rest(),
        })?,
        (None, Some(default)) => default.clone(),
        (None, None) => return Err(UsageError::SchemaMissing(service)),
    };
    if let Some(misfit) = service.kind.and_then(|kind| target.fits(kind).err()) {
        return Err(UsageError::Misfit { service: Box::new(service), target, misfit, rest: rest() });
    }
    let (group_id, destination) = land(destination, vocabulary)?;
    Ok(Request {
        service: service.id,
        service_name: service.name,
        kind: service.kind,
        retired,
        target,
        group_id,
        destination,
        slash: slash.to_owned(),
        confirmed: Confirmed::No,
    })
}

/// The group id of a destination, and its name unless it is the default one.
fn land(typed: Option<&str>, vocabulary: &Vocabulary<'_>) -> Result<(String, Option<String>), UsageError> {
    let Vocabulary { destinations, channel, .. } = vocabulary;
    let name = typed.map(str::to_ascii_lowercase).or_else(|| channel.destination.clone());
    let Some(name) = name else {
        let no_default = || UsageError::NoDestination { known: destinations.names() };
        return Ok((destinations.default_group.clone().ok_or_else(no_default)?, None));
    };
    match destinations.named.get(&name) {
        Some(group_id) => Ok((group_id.clone(), Some(name))),
        None => Err(UsageError::UnknownDestination {
            typed: echo(typed.unwrap_or(&name)),
            known: destinations.names(),
        }),
    }
}

/// The services that the channel allows, with their names where the catalogue has them.
fn allowed(vocabulary: &Vocabulary<'_>) -> Vec<Service> {
    let named = |id: &ServiceId| {
        let (id, name, status) = (id.clone(), id.to_string(), ServiceStatus::Unknown);
        vocabulary.catalog.get(&name).cloned().unwrap_or(Service { id, name, kind: None, status })
    };
    vocabulary.channel.services.iter().map(named).collect()
}

fn known(typed: &str, catalog: &Catalog) -> Option<Service> {
    match catalog.resolve(typed) {
        Resolution::Exact(service) | Resolution::Named(service) => Some(service),
        Resolution::Retired { successor, .. } => Some(successor),
        Resolution::Unknown { .. } => None,
    }
}

fn unknown(
    typed: &str,
    schema: Option<&str>,
    destination: Option<&str>,
    vocabulary: &Vocabulary<'_>,
) -> UsageError {
    let suggestions = match vocabulary.catalog.resolve(typed) {
        Resolution::Unknown { suggestions } => suggestions,
        _ => Vec::new(),
    };
    let instead = suggestions.first().zip(schema).and_then(|(service, schema)| {
        // What is more than the service's name has words is the beginning of a schema with spaces.
        let mut left = service.name.split_whitespace().count();
        let more = typed.split(' ').skip_while(|word| {
            let is_name = left > 0;
            left = left.saturating_sub(word.split(['_', '-']).count());
            is_name
        });
        let schema = more.chain([schema]).collect::<Vec<_>>().join(" ");
        let target = match Target::parse(&schema) {
            Ok(target) => target.connection_name(),
            Err(bad) => bad.nearest?,
        };
        Some(line(service, &target, destination, vocabulary.slash))
    });
    UsageError::UnknownService { typed: echo(typed), suggestions, instead }
}

/// Takes one step at Fivetran. A card that comes of it is put into `card`; `connection` is the one
/// to mint for; without `here`, nobody asks where a connection was asked for before.
pub async fn perform(
    step: &Step,
    request: &Request,
    connection: Option<&str>,
    redirect_uri: &str,
    fivetran: &Fivetran,
    here: Option<Here<'_>>,
    card: &mut Option<ConnectCard>,
) -> Outcome {
    match step {
        Step::Create => create(request, redirect_uri, fivetran, card).await,
        Step::Look => look(request, fivetran, here).await,
        Step::Mint => match fivetran.connect_card(connection.unwrap_or_default(), redirect_uri).await {
            Ok(minted) => {
                *card = Some(minted);
                Outcome::Minted
            }
            Err(Error::NotFound(said)) if said.is_of_connection() => Outcome::Vanished,
            // Not Fivetran's own word, as it may be a proxy's: the connection may well be there.
            Err(Error::NotFound(said)) if !said.is_of_group() => Outcome::Failed(Failure::Unclear),
            Err(error) => Outcome::Failed(failure(error)),
        },
        // The others are no steps at Fivetran.
        Step::Cancel | Step::Post | Step::Tell | Step::Wait(_) | Step::End => Outcome::Woken,
    }
}

async fn create(
    request: &Request,
    redirect_uri: &str,
    fivetran: &Fivetran,
    card: &mut Option<ConnectCard>,
) -> Outcome {
    let kind = match request.kind {
        Some(kind) => kind,
        // Nothing has been created yet, so whatever goes wrong here is clear.
        None => match fivetran.schema_kind(&request.service).await {
            Ok(kind) => kind,
            Err(Error::Unclear(_)) => return Outcome::Failed(Failure::NotSent),
            // A service without metadata of its own takes what nearly all take; if not, Fivetran
            // says so in its own words.
            Err(Error::NotFound(_)) => SchemaKind::Schema,
            Err(error) => return Outcome::Failed(failure(error)),
        },
    };
    if let Err(misfit) = request.target.fits(kind) {
        return Outcome::Failed(Failure::Final(Problem::Misfit(misfit.into())));
    }
    let (service, target, group_id) = (&request.service, &request.target, request.group_id.as_str());
    match fivetran.create_connection(NewConnection { service, group_id, target, kind, redirect_uri }).await {
        Ok(created) => {
            *card = created.connect_card;
            Outcome::Created { connection: created.connection.id, card: card.is_some() }
        }
        Err(Error::Rejected { status: 409, said }) => {
            Outcome::CreateRefused { problem: Problem::NameTaken(said), conflict: true }
        }
        Err(Error::Rejected { said, .. }) => {
            Outcome::CreateRefused { problem: Problem::Refused(said), conflict: false }
        }
        Err(error) => Outcome::Failed(failure(error)),
    }
}

async fn look(request: &Request, fivetran: &Fivetran, here: Option<Here<'_>>) -> Outcome {
    let found = match fivetran.connections_named(&request.group_id, &request.target.connection_name()).await {
        Ok(connections) => judge(connections, &request.service),
        Err(error) => return Outcome::Failed(failure(error)),
    };
    let (Found::Unfinished { connection, .. } | Found::Finished { connection, .. }, Some(here)) =
        (&found, here)
    else {
        return Outcome::Found(found);
    };
    let known = match here.origin(connection).await {
        Ok(known) => known,
        // Without knowing where its link is, none may be posted: it is asked again.
        Err(_) => return Outcome::Failed(Failure::NotSent),
    };
    Outcome::Found(match (found, known) {
        (Found::Finished { connection, broken, .. }, Some((origin, _))) => {
            Found::Finished { connection, origin: Some(origin), broken }
        }
        (Found::Unfinished { connection, .. }, Some((origin, false)))
            if request.confirmed == Confirmed::No =>
        {
            Found::Elsewhere { connection, origin }
        }
        (found, _) => found,
    })
}

/// What the connections of our name mean. There is one at most while Fivetran keeps names unique;
/// were there more, the one that matters most is the one that must not be overlooked.
fn judge(connections: Vec<Connection>, service: &ServiceId) -> Found {
    let mut found = Found::Nothing;
    for connection in connections {
        let ours = connection.service == service.as_str();
        let judged = match (ours, connection.status.setup_state) {
            (false, _) => Found::OtherService { service: connection.service },
            (true, SetupState::Incomplete) => {
                Found::Unfinished { connection: connection.id, created_at: connection.created_at }
            }
            (true, SetupState::Connected | SetupState::Broken | SetupState::Unknown) => {
                let broken = connection.status.setup_state == SetupState::Broken;
                Found::Finished { connection: connection.id, origin: None, broken }
            }
        };
        if !matches!(found, Found::Finished { .. }) {
            found = judged;
        }
    }
    found
}

/// What a failed call means for the command.
pub(super) fn failure(error: Error) -> Failure {
    match error {
        Error::KeyRejected(_) => Failure::Final(Problem::KeyRejected),
        Error::Forbidden(said) => Failure::Final(Problem::Forbidden(said)),
        Error::NotFound(said) if said.is_of_group() => Failure::Final(Problem::GroupUnknown(said)),
        Error::NotFound(said) => Failure::Final(Problem::Refused(said)),
        Error::Rejected { said, .. } => Failure::Final(Problem::Refused(said)),
        Error::Throttled(pause) => Failure::Throttled(pause),
        Error::Unavailable(_) => Failure::NotSent,
        Error::Unclear(_) => Failure::Unclear,
    }
}

#[cfg(test)]
mod tests;
