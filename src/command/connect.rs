//! `/connect-card SERVICE SCHEMA`: a connection and the link by which the customer sets it up.
//!
//! Owns how the words are read and every name in them resolved. Pure; the words of any reply are
//! [`crate::reply`]'s.

use crate::command::places::Destinations;
use crate::command::surface::Surface;
use crate::command::{TO, UsageError, Verb, Vocabulary, echo, is_little_word};
use crate::fivetran::catalog::{Catalog, Resolution, Service, ServiceId, ServiceStatus};
use crate::fivetran::schema::{SchemaKind, Target};
use crate::work::{Confirmed, Request};

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "SERVICE SCHEMA",
    does: "posts a link for your customer to connect SERVICE; its data goes to SCHEMA",
    example: "google_ads customer_schema",
};

/// Reads `SERVICE [SCHEMA] [to DESTINATION]`, where SERVICE may be several words and what is left
/// out is the channel's default.
pub(super) fn parse(words: &[&str], vocabulary: &Vocabulary<'_>) -> Result<Request, UsageError> {
    if let Some(error) = dangling(words, vocabulary) {
        return Err(error);
    }
    let (words, destination) = match words {
        [words @ .., to, name] if !words.is_empty() && leads_to(to, name, vocabulary.destinations) => {
            (words, Some(*name))
        }
        words => (words, None),
    };
    let whole = words.join(" ");
    let whole_is = known(&whole, vocabulary.catalog);
    let (schema, service) = match words.split_last() {
        // `Google Ads` is a service without a schema, not the service `Google` with a schema `Ads`.
        Some((schema, service)) if !service.is_empty() && whole_is.is_none() => (*schema, service.join(" ")),
        _ => {
            let to = destination.zip(whole_is).and_then(|(name, it)| schema_behind_to(&it, name, vocabulary));
            return to.map_or_else(|| request(&whole, None, destination, vocabulary), Err);
        }
    };
    if known(&service, vocabulary.catalog).is_none()
        && let Some(error) = misplaced(words, destination, vocabulary)
    {
        return Err(error);
    }
    request(&service, Some(schema), destination, vocabulary)
}

/// Whether the word is what stands in our own lines for the schema that a person has to choose: sent
/// as it stood, it would become one for good.
pub(super) fn is_placeholder(word: &str) -> bool {
    matches!(word, "SCHEMA" | "SCHEMA.TABLE")
}

/// Whether these two words say where to: `to` always does, another one if a destination follows.
fn leads_to(to: &str, name: &str, destinations: &Destinations) -> bool {
    to.eq_ignore_ascii_case("to")
        || (TO.iter().any(|it| to.eq_ignore_ascii_case(it))
            && destinations.named.contains_key(&name.to_ascii_lowercase()))
}

/// What is amiss where the last word is one such as `to`: the rest of the line says what is left to
/// be said.
fn dangling(words: &[&str], vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let end = words.iter().rposition(|word| !is_little_word(word))? + 1;
    let (rest, word) = (words.get(..end)?, words.get(end)?);
    if known(&words.join(" "), vocabulary.catalog).is_some() {
        return None;
    }
    let instead = match parse(rest, vocabulary) {
        Ok(_) => Some(rest.join(" ")),
        Err(UsageError::NoDestination { .. }) => None,
        Err(error) => return Some(error),
    };
    Some(UsageError::Dangling { word: echo(word), known: vocabulary.destinations.names(), instead })
}

/// `google_ads to acme`, where acme is no destination and no schema was typed, means a schema.
fn schema_behind_to(service: &Service, name: &str, vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let Vocabulary { destinations, channel, .. } = *vocabulary;
    let is_destination = destinations.named.contains_key(&name.to_ascii_lowercase());
    if is_destination || channel.schema.is_some() || !channel.allows(&service.id) {
        return None;
    }
    let instead = proposal(service, name, None, vocabulary);
    Some(UsageError::SchemaBehindWord { word: "to".to_owned(), instead })
}

/// Whether the first words name a service.
pub(super) fn begins_with_service(words: &[&str], catalog: &Catalog) -> bool {
    (1..=words.len()).any(|count| known(&first(words, count), catalog).is_some())
}

/// What is amiss where all words but the last name no service: a schema of several words, one behind a
/// word such as `for`, or the schema before the service.
fn misplaced(words: &[&str], destination: Option<&str>, vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let Vocabulary { catalog, destinations, channel, .. } = *vocabulary;
    let proposal = |service: &Service, schema: &str| proposal(service, schema, destination, vocabulary);
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
        if let [word, name @ ..] = behind.as_slice()
            && is_little_word(word)
        {
            let name = name.join(" ");
            if word.eq_ignore_ascii_case("to") && channel.schema.is_some() {
                let (typed, known) = (echo(&name), destinations.names());
                return Some(UsageError::UnknownDestination { typed, known });
            }
            let instead = proposal(&service, &name);
            return Some(UsageError::SchemaBehindWord { word: echo(word), instead });
        }
        return Some(UsageError::SpacedSchema { instead: proposal(&service, &schema) });
    }
    let (count, service) = (1..words.len()).find_map(|count| {
        let behind = words.iter().skip(count).copied().collect::<Vec<_>>().join(" ");
        Some((count, known(&behind, catalog)?))
    })?;
    proposal(&service, &first(words, count)).map(|instead| UsageError::ServiceFirst { instead })
}

/// What to type for a service and what was meant as its schema.
fn proposal(
    service: &Service,
    schema: &str,
    destination: Option<&str>,
    vocabulary: &Vocabulary<'_>,
) -> Option<String> {
    let target =
        Target::parse(schema).map(|target| target.connection_name()).or_else(|bad| bad.nearest.ok_or(()));
    target.ok().map(|target| line(service, &target, destination, vocabulary.slash))
}

fn first(words: &[&str], count: usize) -> String {
    words.iter().take(count).copied().collect::<Vec<_>>().join(" ")
}

/// What to type instead, after the slash command or the name of the program.
fn line(service: &Service, target: &str, destination: Option<&str>, slash: Surface<'_>) -> String {
    // A table is part of the schema only where the service wants one.
    let wants_table = service.kind.is_some_and(SchemaKind::wants_table);
    let target = match target.split_once('.') {
        None if wants_table => format!("{target}.my_table"),
        Some((schema, _)) if service.kind.is_some() && !wants_table => schema.to_owned(),
        _ => target.to_owned(),
    };
    format!("{} {target}{}", service.id, slash.to_destination(destination))
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
            let schema = schema.filter(|schema| !is_placeholder(schema));
            return Err(unknown(service, schema, destination, vocabulary));
        }
    };
    if !channel.allows(&service.id) {
        return Err(UsageError::ServiceNotAllowed { service, allowed: allowed(vocabulary) });
    }
    if let Some(obstacle) = service.obstacle {
        return Err(UsageError::NotByLink { service, obstacle });
    }
    let rest = || slash.to_destination(destination);
    let target = match (schema, &channel.schema) {
        (Some(typed), _) if is_placeholder(typed) => return Err(UsageError::SchemaMissing(service)),
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
        slash: slash.to_string(),
        in_direct_message: false,
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
        vocabulary.catalog.get(&name).cloned().unwrap_or(Service {
            id,
            name,
            kind: None,
            status,
            obstacle: None,
        })
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
    let with = |service: &Service, schema: &str| {
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
    };
    let lines = |schema| suggestions.iter().filter_map(|service| with(service, schema)).collect();
    let instead = schema.map(lines).unwrap_or_default();
    UsageError::UnknownService { typed: echo(typed), suggestions, instead }
}

#[cfg(test)]
mod tests;
