//! `/connect-card SERVICE SCHEMA`: a connection and the link by which the customer sets it up.
//!
//! Owns how the words are read and every name in them resolved. Pure; the words of any reply are
//! [`crate::reply`]'s.

use crate::command::naming::Unfilled;
use crate::command::places::Destinations;
use crate::command::{TO, UsageError, Verb, Vocabulary, echo, is_little_word, meant};
use crate::fivetran::catalog::{Catalog, Resolution, Service, ServiceId, ServiceStatus};
use crate::fivetran::schema::{BadName, Target};
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
    if let Some(error) = dangling(words, vocabulary, &|rest| parse(rest, vocabulary).map(drop)) {
        return Err(error);
    }
    let (words, destination) = with_destination(words, vocabulary.destinations);
    let whole = words.join(" ");
    let whole_is = meant::known(&whole, vocabulary.catalog);
    let (schema, service) = match words.split_last() {
        // `Google Ads` is a service without a schema, not the service `Google` with a schema `Ads`.
        Some((schema, service)) if !service.is_empty() && whole_is.is_none() => (*schema, service.join(" ")),
        _ => {
            if whole_is.is_none()
                && let Some(error) = unparted(&whole, destination, vocabulary)
            {
                return Err(error);
            }
            let to = destination.zip(whole_is).and_then(|(name, it)| schema_behind_to(&it, name, vocabulary));
            return to.map_or_else(|| request(&whole, None, destination, vocabulary), Err);
        }
    };
    if meant::known(&service, vocabulary.catalog).is_none()
        && let Some(error) = misplaced(words, destination, vocabulary)
    {
        return Err(error);
    }
    request(&service, Some(schema), destination, vocabulary)
}

/// The words before `to DESTINATION`, and what stands there.
pub(super) fn with_destination<'a, 'w>(
    words: &'w [&'a str],
    destinations: &Destinations,
) -> (&'w [&'a str], Option<&'a str>) {
    match words {
        [words @ .., to, name] if !words.is_empty() && leads_to(to, name, destinations) => {
            (words, Some(*name))
        }
        words => (words, None),
    }
}

/// Whether these two words say where to: `to` always does, another one if a destination follows.
fn leads_to(to: &str, name: &str, destinations: &Destinations) -> bool {
    to.eq_ignore_ascii_case("to")
        || (TO.iter().any(|it| to.eq_ignore_ascii_case(it)) && destinations.called(name).is_some())
}

/// What is amiss where the last word is one such as `to`: the rest of the line, by `read`, says what is
/// left to be said.
pub(super) fn dangling(
    words: &[&str],
    vocabulary: &Vocabulary<'_>,
    read: &dyn Fn(&[&str]) -> Result<(), UsageError>,
) -> Option<UsageError> {
    // A destination may be called `at`.
    if let [_, .., to, name] = words
        && vocabulary.destinations.called(name).is_some()
        && leads_to(to, name, vocabulary.destinations)
    {
        return None;
    }
    let end = words.iter().rposition(|word| !is_little_word(word))? + 1;
    let (rest, word) = (words.get(..end)?, words.get(end)?);
    if meant::known(&words.join(" "), vocabulary.catalog).is_some() {
        return None;
    }
    let instead = match read(rest) {
        Ok(()) => Some(rest.join(" ")),
        Err(UsageError::NoDestination { .. }) => None,
        Err(error) => return Some(error),
    };
    Some(UsageError::Dangling { word: echo(word), known: vocabulary.destinations.names(), instead })
}

/// `google_ads to acme`, where acme is no destination and no schema was typed, means a schema.
fn schema_behind_to(service: &Service, name: &str, vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let Vocabulary { destinations, channel, .. } = *vocabulary;
    if destinations.called(name).is_some() || channel.names_schemas() || !channel.allows(&service.id) {
        return None;
    }
    let instead = meant::line(service, &[name], None, vocabulary);
    Some(UsageError::SchemaBehindWord { word: "to".to_owned(), instead })
}

/// Whether the first words name a service.
pub(super) fn begins_with_service(words: &[&str], catalog: &Catalog) -> bool {
    (1..=words.len()).any(|count| meant::known(&first(words, count), catalog).is_some())
}

/// What is amiss where all words but the last name no service: a schema of several words, one behind a
/// word such as `for`, or the schema before the service.
fn misplaced(words: &[&str], destination: Option<&str>, vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let Vocabulary { catalog, destinations, channel, .. } = *vocabulary;
    let line = |service: &Service, words: &[&str]| meant::line(service, words, destination, vocabulary);
    // The longest name wins: `Facebook Pages` before `Facebook`.
    if let Some((count, service)) =
        (1..words.len()).rev().find_map(|count| Some((count, meant::known(&first(words, count), catalog)?)))
    {
        if let Some(error) = not_here(&service, vocabulary) {
            return Some(error);
        }
        let behind: Vec<&str> = words.iter().skip(count).copied().collect();
        if let [word, name @ ..] = behind.as_slice()
            && is_little_word(word)
        {
            if word.eq_ignore_ascii_case("to") && channel.names_schemas() {
                let name = name.join(" ");
                let instead = destinations.like(&name).map(|name| format!("{} to {name}", service.id));
                let (typed, known) = (echo(&name), destinations.names());
                return Some(UsageError::UnknownDestination { typed, known, instead });
            }
            let instead = line(&service, name);
            return Some(UsageError::SchemaBehindWord { word: echo(word), instead });
        }
        let instead = line(&service, &behind);
        if instead.is_none()
            && let Some(place) = meant::unknown_place(&behind, vocabulary)
        {
            let (typed, known) = (echo(place), destinations.names());
            return Some(UsageError::UnknownDestination { typed, known, instead: None });
        }
        return Some(UsageError::SpacedSchema { instead });
    }
    let (count, service) = (1..words.len()).find_map(|count| {
        let behind = words.iter().skip(count).copied().collect::<Vec<_>>().join(" ");
        Some((count, meant::known(&behind, catalog)?))
    })?;
    if let Some(error) = not_here(&service, vocabulary) {
        return Some(error);
    }
    Some(match line(&service, words.get(..count)?) {
        Some(instead) => UsageError::ServiceFirst { instead },
        None => UsageError::SchemaMissing(service),
    })
}

/// Why a service cannot be asked for in this channel at all.
pub(super) fn not_here(service: &Service, vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    if !vocabulary.channel.allows(&service.id) {
        let allowed = allowed(vocabulary);
        return Some(UsageError::ServiceNotAllowed { service: service.clone(), allowed });
    }
    service.obstacle.map(|obstacle| UsageError::NotByLink { service: service.clone(), obstacle })
}

/// `google_ads.acme`: a line with a space where the service ends.
fn unparted(word: &str, destination: Option<&str>, vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    // The address of somebody's database, with its password.
    if word.contains("://") {
        return None;
    }
    let (service, target) = word.split_once(['.', ':', '/', ',', '>', '=', '→'])?;
    let service = meant::known(service.trim_end_matches('-'), vocabulary.catalog)?;
    if let Some(error) = not_here(&service, vocabulary) {
        return Some(error);
    }
    let instead = meant::line(&service, &[target], destination, vocabulary)?;
    Some(UsageError::Unparted { instead })
}

/// The first words, as a text.
pub(super) fn first(words: &[&str], count: usize) -> String {
    words.iter().take(count).copied().collect::<Vec<_>>().join(" ")
}

/// A service that was found, and the retired name that was typed for it, if one was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) service: Service,
    pub(super) retired: Option<String>,
}

/// The service that a text names, by whatever name.
pub(super) fn found(typed: &str, catalog: &Catalog) -> Option<Found> {
    match catalog.known(typed)? {
        Resolution::Exact(service) | Resolution::Named(service) => Some(Found { service, retired: None }),
        Resolution::Retired { typed, successor } => {
            Some(Found { service: successor, retired: Some(echo(&typed)) })
        }
        Resolution::Unknown { .. } => None,
    }
}

/// Where data lands: the destination's group id, and its name unless it is the default one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group_id: String,
    pub(super) name: Option<String>,
}

impl Place {
    /// What stands for it in a pattern: the default one has a name too, if the file names it.
    pub(super) fn in_pattern<'a>(&'a self, destinations: &'a Destinations) -> Option<&'a str> {
        self.name.as_deref().or_else(|| destinations.name_of(&self.group_id))
    }
}

/// A request of which every name is known and was typed.
pub(super) fn resolved(found: Found, target: Target, place: Place, vocabulary: &Vocabulary<'_>) -> Request {
    let Found { service, retired } = found;
    Request {
        service: service.id,
        service_name: service.name,
        kind: service.kind,
        retired,
        target,
        group_id: place.group_id,
        destination: place.name,
        slash: vocabulary.slash.to_string(),
        in_direct_message: false,
        confirmed: Confirmed::No,
        for_all: false,
        by_channel: false,
        customer: None,
        onboarding: None,
    }
}

/// Resolves every name of a request, with the channel's defaults for those left out.
pub(super) fn request(
    service: &str,
    schema: Option<&str>,
    destination: Option<&str>,
    vocabulary: &Vocabulary<'_>,
) -> Result<Request, UsageError> {
    let Vocabulary { slash, catalog, channel, .. } = *vocabulary;
    let Some(Found { service, retired }) = found(service, catalog) else {
        let schema = schema.filter(|schema| !meant::is_placeholder(schema));
        return Err(unknown(service, schema, destination, vocabulary));
    };
    if let Some(error) = not_here(&service, vocabulary) {
        return Err(error);
    }
    let rest = || slash.to_destination(destination);
    let target = match schema {
        Some(typed) if meant::is_placeholder(typed) => return Err(UsageError::SchemaMissing(service)),
        Some(typed) => Some(Target::parse(typed).map_err(|name| UsageError::BadName {
            service: Box::new(service.clone()),
            name,
            rest: rest(),
        })?),
        None if !channel.names_schemas() => return Err(UsageError::SchemaMissing(service)),
        None => channel.one_schema().cloned(),
    };
    if let Some(target) = &target
        && let Some(misfit) = service.kind.and_then(|kind| target.fits(kind).err())
    {
        let target = target.clone();
        return Err(UsageError::Misfit { service: Box::new(service), target, misfit, rest: rest() });
    }
    let line = match &target {
        Some(target) => format!("{} {}", service.id, target.connection_name()),
        None => service.id.to_string(),
    };
    let rest = rest();
    let place = land(destination, &line, vocabulary)?;
    let customer = channel.pattern().filter(|pattern| target.is_none() && pattern.wants_customer());
    let customer = customer.and(channel.customer.as_ref()).map(ToString::to_string);
    let target = match target {
        Some(target) => target,
        None => named(&service, place.in_pattern(vocabulary.destinations), rest, vocabulary)?,
    };
    let request = resolved(Found { service, retired }, target, place, vocabulary);
    Ok(Request { by_channel: schema.is_none(), customer, ..request })
}

/// What the channel's pattern calls a connection of a service to a destination. `rest` is the rest of the
/// line to type instead.
fn named(
    service: &Service,
    destination: Option<&str>,
    rest: String,
    vocabulary: &Vocabulary<'_>,
) -> Result<Target, UsageError> {
    match vocabulary.channel.name(service, destination) {
        Some(Ok(target)) => Ok(target),
        Some(Err(Unfilled::BadName(name))) => {
            let instead = mended(&name).map(|target| format!("{} {target}{rest}", service.id));
            Err(UsageError::Unnamed { service: Box::new(service.clone()), name, instead, rest })
        }
        Some(Err(Unfilled::NoDestination)) => Err(UsageError::DestinationUnnamed {
            line: service.id.to_string(),
            known: vocabulary.destinations.names(),
        }),
        Some(Err(Unfilled::NoCustomer)) | None => Err(UsageError::SchemaMissing(service.clone())),
    }
}

/// The nearest good name, if all that the pattern made is in it: what is cut off may be what tells two
/// services apart.
fn mended(name: &BadName) -> Option<&str> {
    let nearest = name.nearest.as_deref()?;
    let mut parts = nearest.split('.').zip(name.typed.split('.'));
    parts.all(|(nearest, made)| nearest.ends_with(made)).then_some(nearest)
}

/// The destination that was typed, else the channel's, else the default one. `line` is what to type before
/// another.
pub(super) fn land(
    typed: Option<&str>,
    line: &str,
    vocabulary: &Vocabulary<'_>,
) -> Result<Place, UsageError> {
    let Vocabulary { destinations, channel, slash, .. } = vocabulary;
    let name = match typed {
        Some(typed) => Some(destinations.called(typed).unwrap_or_else(|| typed.to_lowercase())),
        None => channel.destination.clone(),
    };
    let Some(name) = name else {
        let no_default = || UsageError::NoDestination { known: destinations.names() };
        let group_id = destinations.default_group.clone().ok_or_else(no_default)?;
        return Ok(Place { group_id, name: None });
    };
    match destinations.named.get(&name) {
        Some(group_id) => Ok(Place { group_id: group_id.clone(), name: Some(name) }),
        None => Err(UsageError::UnknownDestination {
            typed: echo(typed.unwrap_or(&name)),
            known: destinations.names(),
            instead: destinations.like(&name).map(|it| format!("{line}{}", slash.to_destination(Some(it)))),
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

/// The services that may be meant by a text that names none. What the channel does not have is no help.
pub(super) fn suggestions(typed: &str, vocabulary: &Vocabulary<'_>) -> Vec<Service> {
    match vocabulary.catalog.resolve(typed) {
        Resolution::Unknown { suggestions } => {
            suggestions.into_iter().filter(|it| vocabulary.channel.allows(&it.id)).collect()
        }
        _ => Vec::new(),
    }
}

fn unknown(
    typed: &str,
    schema: Option<&str>,
    destination: Option<&str>,
    vocabulary: &Vocabulary<'_>,
) -> UsageError {
    let suggestions = suggestions(typed, vocabulary);
    let with = |service: &Service, schema: &str| {
        // What is more than the service's name has words is the beginning of a schema with spaces.
        let mut left = service.name.split_whitespace().count();
        let more = typed.split(' ').skip_while(|word| {
            let is_name = left > 0;
            left = left.saturating_sub(word.split(['_', '-']).count());
            is_name
        });
        let words: Vec<_> = more.chain(schema.split(' ')).collect();
        meant::line(service, &words, destination, vocabulary)
    };
    let lines = |schema| suggestions.iter().filter_map(|service| with(service, schema)).collect();
    let instead = schema.map(lines).unwrap_or_default();
    UsageError::UnknownService { typed: echo(typed), suggestions, instead }
}

#[cfg(test)]
mod tests;
