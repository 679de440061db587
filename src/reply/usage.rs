//! The sentences for a text that is not a command.
//!
//! Owns their wording: what is wrong, and the line to type instead. How that was found out is
//! [`crate::command`]'s.

mod several;

use slack_morphism::prelude::SlackMessageContent;

use super::ask::with_proposals;
use super::help;
use super::markup::{cut, sentences};
use crate::command::meant::{fitted, own_table, wanted_target};
use crate::command::proposal::Proposal;
use crate::command::proposed::lines;
use crate::command::surface::Surface;
use crate::command::{Doubt, UsageError, VERBS};
use crate::fivetran::catalog::{Obstacle, Service, ServiceId};
use crate::fivetran::schema::{BadName, MAX_NAME_LEN, SchemaKind, Target, Why};
use crate::journal::MisfitKind;

/// How many services are named at most.
const SERVICES_SHOWN: usize = 8;

/// What is wrong with what was typed, and what to type instead.
#[must_use]
pub fn usage(error: &UsageError, slash: Surface<'_>) -> SlackMessageContent {
    match error {
        // Where a form can be opened, it is.
        UsageError::Incomplete => help(slash, false),
        error => sentences(&usage_sentence(error, slash)),
    }
}

/// [`usage`] for the one who typed, with a button for each line that is proposed.
#[must_use]
pub fn usage_for(error: &UsageError, slash: &str, user: &str, channel: &str) -> SlackMessageContent {
    let said = usage(error, Surface::of(slash));
    let lines = lines(error);
    let proposals = lines.iter().map(|line| Proposal { user, channel, slash, line });
    with_proposals(said, proposals, |line| format!("Use {}", label(error, line)))
}

/// What tells a proposed line from the others.
fn label<'a>(error: &'a UsageError, line: &'a str) -> &'a str {
    match error {
        // They differ in the service alone, which need not be the first.
        UsageError::UnknownService { suggestions, .. } => {
            let words = || line.split([' ', ',']);
            let meant = suggestions.iter().find(|service| words().any(|word| word == service.id.as_str()));
            meant.map_or_else(|| words().next().unwrap_or(line), |service| service.id.as_str())
        }
        _ => line,
    }
}

/// [`usage`] as one plain sentence or two.
#[must_use]
pub fn usage_sentence(error: &UsageError, slash: Surface<'_>) -> String {
    match error {
        UsageError::Incomplete => format!("Type a service and a schema: {slash} {}", VERBS[0].usage),
        UsageError::TooLong => several::too_long(slash),
        UsageError::SchemaWanted { verb, instead } => {
            let line = instead.as_deref().unwrap_or(verb.usage);
            format!("Type one schema: {slash} {line}")
        }
        UsageError::NotASchema { name, instead } => match (instead, &name.nearest) {
            (Some(instead), _) => {
                format!("“{}” isn't a valid schema. Try: {slash} {instead}", cut(&name.typed, 40))
            }
            (None, Some(nearest)) => {
                format!("“{}” isn't a valid schema. Did you mean {nearest}?", cut(&name.typed, 40))
            }
            (None, None) => format!(
                "“{}” isn't a valid schema: its name has only a–z, 0–9 and _, and doesn't start with a digit.",
                cut(&name.typed, 40)
            ),
        },
        UsageError::UnknownService { typed, suggestions, .. } if suggestions.is_empty() => {
            format!("I don't know a service called “{typed}”. {}", where_to_look(slash))
        }
        UsageError::UnknownService { typed, suggestions, instead } => {
            let meant = alternatives(suggestions);
            let line = instead.first().map(|instead| format!(" Try: {slash} {instead}")).unwrap_or_default();
            format!("I don't know a service called “{typed}”. Did you mean {meant}?{line}")
        }
        UsageError::SpacedSchema { instead: Some(instead) } => {
            format!("A schema can't contain spaces. Try: {slash} {instead}")
        }
        UsageError::SpacedSchema { instead: None } => {
            "A schema can't contain spaces. Use a–z, 0–9 and _.".to_owned()
        }
        UsageError::Repeated { instead } => {
            format!("There's a word too many at the start. Try: {slash} {instead}")
        }
        UsageError::Dangling { word, known, instead } => dangling(word, known, instead.as_deref(), slash),
        UsageError::SchemaBehindWord { word, instead } => {
            let line = instead.as_ref().map(|line| format!(" Try: {slash} {line}")).unwrap_or_default();
            format!("The schema comes right after the service, without “{word}”.{line}")
        }
        UsageError::Italic { bare, quoted } => format!(
            "That schema begins and ends with “_”, which is also how Slack writes italics, so I didn't do anything. \
             Without the underscores: {slash} {bare} – if they belong to its name, put it in quotes: {slash} {quoted}"
        ),
        UsageError::ServiceFirst { instead } => {
            format!("The service comes first: {slash} {instead}")
        }
        UsageError::MisspeltVerb { typed, verb, instead } => {
            let line = instead.as_deref().unwrap_or(verb.usage);
            format!("I don't know the command “{typed}”. Try: {slash} {line}")
        }
        UsageError::Unparted { instead } => {
            format!("Put a space between the service and the schema: {slash} {instead}")
        }
        UsageError::Doubtful { word, what, quoted } => doubtful(word, what, quoted, slash),
        UsageError::ServiceNotAllowed { service, allowed } => format!(
            "This channel isn't set up for {}, so I didn't create anything. Allowed here: {}.",
            cut(&service.name, 60),
            some(allowed)
        ),
        UsageError::NotByLink { service, obstacle } => not_by_link(&cut(&service.name, 60), *obstacle),
        UsageError::SchemaMissing(service) => format!(
            "Where should the data from {} go? Add a schema: {slash} {} {}",
            service.name,
            service.id,
            wanted_target(service.kind)
        ),
        UsageError::BadName { service, name, rest } => bad_name(service, name, slash, rest),
        UsageError::Unnamed { service, name, instead: Some(instead), .. } => {
            format!("{} Try: {slash} {instead}", unnamed(service, name))
        }
        UsageError::Unnamed { service, name, instead: None, rest } => {
            let adjective = if name.why == Why::TooLong { "shorter" } else { "valid" };
            let (id, target) = (&service.id, wanted_target(service.kind));
            format!("{} Type a {adjective} schema: {slash} {id} {target}{rest}", unnamed(service, name))
        }
        UsageError::DestinationUnnamed { line, known } => {
            let line = format!("{slash} {line}{}", slash.to_destination(Some("DESTINATION")));
            let known = listed(known);
            format!(
                "This channel's schemas are named after the destination, so say which: {line}. I know {known}."
            )
        }
        UsageError::Misfit { service, target, misfit, rest } => {
            let target = fitting((*misfit).into(), target, &service.id);
            misfit_words(&service.name, service.kind, (*misfit).into())
                + &format!(" Try: {slash} {} {target}{rest}", service.id)
        }
        UsageError::UnknownDestination { typed, known, .. } if known.is_empty() => {
            let flag = match slash {
                Surface::Slack(_) => format!("“to {typed}”"),
                Surface::Shell(_) => "--destination".to_owned(),
            };
            format!(
                "I don't know a destination called “{typed}”; there's only the default one. Leave out {flag}."
            )
        }
        UsageError::UnknownDestination { typed, instead: Some(instead), .. } => {
            format!("I don't know a destination called “{typed}”. Try: {slash} {instead}")
        }
        UsageError::UnknownDestination { typed, known, instead: None } => {
            format!("I don't know a destination called “{typed}”. I know {}.", listed(known))
        }
        UsageError::NoDestination { known } => {
            let (how, name) = match slash {
                Surface::Slack(_) => ("“to”", "a destination's name"),
                Surface::Shell(_) => ("--destination", "its name"),
            };
            let which = match known.as_slice() {
                [] => name.to_owned(),
                known => format!("one of these: {}", any_of(known)),
            };
            format!("Where should the data go? Add {how} and {which}.")
        }
        UsageError::InList { before, error } => {
            let before = format!("{slash} {}", before.trim_end());
            usage_sentence(error, Surface::of(&before))
        }
        UsageError::TooMany { count } => several::too_many(*count),
        UsageError::CommasMissing { instead } => several::commas_missing(instead, slash),
        UsageError::Mixed { line } => several::mixed(slash, line),
        UsageError::CustomerMissing { line } => several::customer_missing(slash, line),
        UsageError::BadCustomer { name, instead } => several::bad_customer(name, instead.as_deref(), slash),
        UsageError::CustomerOrServices { name, line, several } => {
            several::customer_or_services(name, line, several, slash)
        }
        UsageError::CustomerUnused { customer, pattern, instead } => {
            several::customer_unused(customer, pattern, instead, slash)
        }
        UsageError::OneSchema { schema, line } => several::one_schema(schema, line, slash),
        UsageError::SameName { name, services, line } => several::same_name(name, services, line, slash),
        UsageError::Misnamed { service, name, by_customer, line } => {
            several::misnamed(service, name, *by_customer, line, slash)
        }
        UsageError::Unclear { line, several, .. } => unclear(line, *several, slash),
        UsageError::MisspeltBundle { typed, instead } => several::misspelt_bundle(typed, instead, slash),
    }
}

/// Words that belong together in more than one way.
fn unclear(line: &str, several: bool, slash: Surface<'_>) -> String {
    match (slash, several) {
        (Surface::Slack(_), true) => format!(
            "I'm not sure which of these belong together, so I didn't do anything. Put commas between the services, and \
             the customer's name behind the last one: {slash} {line}"
        ),
        (Surface::Shell(_), true) => {
            format!("One link is made at a time. Run it once for each service: {slash} {line}")
        }
        (_, false) => format!(
            "I'm not sure which of these is the schema, so I didn't do anything. The service comes first, then the \
             schema: {slash} {line}"
        ),
    }
}

/// A word where the schema stands that is rather something else.
fn doubtful(word: &str, what: &Doubt, quoted: &str, slash: Surface<'_>) -> String {
    let both = match what {
        Doubt::Service { both: Some(both), .. } => format!("\nFor both services: {slash} {both}"),
        _ => String::new(),
    };
    let what = match what {
        Doubt::Verb => format!("“{word}” is one of my commands"),
        Doubt::Service { name, .. } => format!("“{word}” is a service too ({})", cut(name, 60)),
        Doubt::NoName => format!("“{word}” doesn't look like the name of a schema"),
    };
    format!(
        "{what}, and a schema can't be renamed later, so I didn't create anything. If it's what you want, put it in \
         quotes: {slash} {quoted}{both}"
    )
}

/// Where the ids of services are to be found.
fn where_to_look(slash: Surface<'_>) -> String {
    match slash {
        Surface::Slack(_) => format!("To search for it, type {slash} services and a part of its name."),
        Surface::Shell(_) => "Use its id from Fivetran's documentation, for example google_ads.".to_owned(),
    }
}

/// Why a link alone is of no use for a service, and what to do instead.
fn not_by_link(name: &str, obstacle: Obstacle) -> String {
    let nothing = "so a link alone isn't enough and I didn't create anything";
    let there = "Set it up at fivetran.com, under Connections.";
    match obstacle {
        Obstacle::OwnCode => format!(
            "{name} runs code of your own that has to be uploaded first, {nothing}. Fivetran's documentation says how, under Connector SDK."
        ),
        Obstacle::Function => format!(
            "{name} calls a cloud function that somebody has to write and deploy first, {nothing}. {there}"
        ),
        Obstacle::Agent => {
            format!("{name} needs Fivetran's agent installed beside the database first, {nothing}. {there}")
        }
        Obstacle::Automatic => format!(
            "Fivetran adds {name} to every destination by itself. There is nothing for a customer to sign in to, so I didn't create anything. You'll find it at fivetran.com, under Connections."
        ),
        Obstacle::NotByApi => {
            format!("{name} can only be created on Fivetran's own site, so I didn't create anything. {there}")
        }
    }
}

/// A word such as `to` with nothing behind it.
fn dangling(word: &str, known: &[String], instead: Option<&str>, slash: Surface<'_>) -> String {
    let leave = instead.map(|instead| format!("eave it out: {slash} {instead}"));
    let name = (!known.is_empty()).then(|| format!("Add the name of a destination ({})", any_of(known)));
    let rest = match (name, leave) {
        (Some(name), Some(leave)) => format!("{name}, or l{leave}"),
        (Some(name), None) => format!("{name}."),
        (None, Some(leave)) => format!("L{leave}"),
        (None, None) => "Add the name of a destination.".to_owned(),
    };
    format!("Nothing comes after “{word}”. {rest}")
}

fn alternatives(services: &[Service]) -> String {
    let names: Vec<_> = services.iter().map(|service| format!("{} ({})", service.id, service.name)).collect();
    any_of(&names)
}

/// The first of many services, and how many more there are.
fn some(services: &[Service]) -> String {
    let shown = services.iter().take(SERVICES_SHOWN);
    let mut names: Vec<_> = shown.map(|it| format!("{} ({})", it.id, cut(&it.name, 60))).collect();
    if services.len() > SERVICES_SHOWN {
        names.push(format!("{} more", services.len() - SERVICES_SHOWN));
    }
    listed(&names)
}

fn listed(names: &[String]) -> String {
    joined(names, "and")
}

fn any_of(names: &[String]) -> String {
    joined(names, "or")
}

fn joined(names: &[String], word: &str) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn bad_name(service: &Service, name: &BadName, slash: Surface<'_>, rest: &str) -> String {
    let typed = cut(&name.typed, 40);
    let faults = name_faults(name);
    let rule = "use a–z, 0–9 and _";
    let why = if name.why == Why::BadCharacter('.') && name.typed.matches('.').count() > 1 {
        format!("“{typed}” has more than one dot; SCHEMA.TABLE takes only one.")
    } else {
        format!("“{typed}” isn't a valid schema: {faults} ({rule}).")
    };
    match &name.nearest {
        Some(nearest) => {
            format!("{why} Try: {slash} {} {}{rest}", service.id, fitted(service, nearest))
        }
        None => why,
    }
}

/// What a pattern makes, and why that is no name.
pub(super) fn unnamed(service: &Service, name: &BadName) -> String {
    let (service, made, why) = (cut(&service.name, 60), cut(&name.typed, 100), unfit(name));
    format!("By this channel's pattern {service} would go to “{made}”, which {why}.")
}

/// Why a name that was made is none.
pub(super) fn unfit(name: &BadName) -> String {
    match name.why {
        Why::TooLong => format!("is longer than {MAX_NAME_LEN} characters"),
        _ => "isn't a valid schema".to_owned(),
    }
}

/// Every kind of fault in a name, so that nobody has to fix them one by one.
fn name_faults(name: &BadName) -> String {
    let first = match name.why {
        Why::Empty => return "it, or a part of it, is empty".to_owned(),
        Why::BadCharacter(c) => Some(c),
        Why::TooLong | Why::StartsWithDigit => None,
    };
    let parts = || name.typed.splitn(2, '.');
    let good = |c: &char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_');
    let mut odd: Vec<char> = first.into_iter().filter(|c| !good(c)).collect();
    for c in parts().flat_map(str::chars).filter(|c| !good(c)) {
        if !odd.contains(&c) && odd.len() < 4 {
            odd.push(c);
        }
    }
    let mut has: Vec<String> = Vec::new();
    if name.typed.contains(|c: char| c.is_ascii_uppercase()) {
        has.push("capital letters".to_owned());
    }
    has.extend(odd.iter().map(|c| if c.is_whitespace() { "a space".to_owned() } else { format!("“{c}”") }));
    let mut faults = Vec::new();
    if !has.is_empty() {
        faults.push(format!("it has {}", listed(&has)));
    }
    if parts().any(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
        faults.push("it starts with a digit".to_owned());
    }
    if parts().any(|part| part.chars().count() > MAX_NAME_LEN) {
        faults.push(format!("it is longer than {MAX_NAME_LEN} characters"));
    }
    listed(&faults)
}

/// A target of the shape that the service takes, made of the one that it does not.
pub(super) fn fitting(fault: MisfitKind, target: &Target, service: &ServiceId) -> String {
    match fault {
        MisfitKind::TableMissing => format!("{}.{}", target.schema, own_table(service)),
        MisfitKind::TableNotWanted => target.schema.to_string(),
    }
}

/// What is wrong with a target's shape.
pub(super) fn misfit_words(name: &str, kind: Option<SchemaKind>, fault: MisfitKind) -> String {
    match fault {
        MisfitKind::TableMissing if kind == Some(SchemaKind::TableGroup) => {
            format!("{name} needs SCHEMA.TABLE: add the name of the table group.")
        }
        MisfitKind::TableMissing => {
            format!("{name} fills one table, so it needs SCHEMA.TABLE: add the name of the table.")
        }
        MisfitKind::TableNotWanted => format!("{name} names its own tables, so it takes only a schema."),
    }
}

#[cfg(test)]
mod tests;
