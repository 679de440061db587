//! The sentences for several services at once that cannot be asked for so.
//!
//! Owns their wording. How a list is read is [`crate::command::several`]'s.

use super::{cut, name_faults, unfit};
use crate::command::several::VERB;
use crate::command::surface::Surface;
use crate::fivetran::catalog::Service;
use crate::fivetran::schema::{BadName, Why};
use crate::work::MOST_SOURCES;

pub(super) fn too_many(count: usize) -> String {
    format!(
        "That's {count} services, and one message has room for {MOST_SOURCES}, so I didn't create anything. Type fewer \
         at a time."
    )
}

pub(super) fn too_long(slash: Surface<'_>) -> String {
    format!(
        "That's too long for a command, so I didn't do anything. Type one service, or up to {MOST_SOURCES} with commas \
         between them: {slash} {}",
        VERB.usage
    )
}

pub(super) fn commas_missing(instead: &str, slash: Surface<'_>) -> String {
    format!("Put commas between services: {slash} {instead}")
}

pub(super) fn mixed(slash: Surface<'_>, line: &str) -> String {
    format!("Some of these services have a schema and some don't. Type one for each: {slash} {line}")
}

pub(super) fn customer_missing(slash: Surface<'_>, line: &str) -> String {
    format!("Which customer is this for? Add a name; the schemas will start with it: {slash} {line}")
}

pub(super) fn bad_customer(name: &BadName, instead: Option<&str>, slash: Surface<'_>) -> String {
    let one_word = name.nearest.as_ref().filter(|_| name.typed.contains(' '));
    let line = match (instead, one_word) {
        (_, Some(word)) => format!(" One message is for one customer; if that's one, write it as {word}."),
        (Some(instead), None) => format!(" Try: {slash} {instead}"),
        (None, None) => String::new(),
    };
    no_customer(name) + &line
}

pub(super) fn customer_or_services(name: &BadName, line: &str, several: &str, slash: Surface<'_>) -> String {
    let said = no_customer(name);
    format!(
        "{said} If it's one customer: {slash} {line}\nIf some of it is services, put commas between them: {slash} {several}"
    )
}

fn no_customer(name: &BadName) -> String {
    let (typed, faults) = (cut(&name.typed, 40), name_faults(name));
    format!(
        "“{typed}” can't be used as a customer name, because schema names start with it: {faults} (use a–z, 0–9 and _)."
    )
}

pub(super) fn customer_unused(customer: &str, pattern: &str, instead: &str, slash: Surface<'_>) -> String {
    let pattern = cut(pattern, 100);
    format!(
        "Schemas are named by {pattern} here, which has no customer in it. Leave out “{customer}”: {slash} {instead}"
    )
}

pub(super) fn one_schema(schema: &str, line: &str, slash: Surface<'_>) -> String {
    format!(
        "Everything in this channel goes to one schema, {schema}, and only one source fits in it. Add the customer's \
         name, and each gets a schema of its own: {slash} {line}"
    )
}

pub(super) fn same_name(name: &str, [one, other]: &[String; 2], line: &str, slash: Surface<'_>) -> String {
    let (one, other) = (cut(one, 60), cut(other, 60));
    format!(
        "{one} and {other} would both go to “{name}”, and only one of them fits there. Type a schema for each: {slash} {line}"
    )
}

pub(super) fn misnamed(
    service: &Service,
    name: &BadName,
    by_customer: bool,
    line: &str,
    slash: Surface<'_>,
) -> String {
    let (service, made, why) = (cut(&service.name, 60), cut(&name.typed, 100), unfit(name));
    let shorter =
        if by_customer && name.why == Why::TooLong { "Shorten the customer's name, or type" } else { "Type" };
    format!("{service} would go to “{made}”, which {why}. {shorter} a schema for each: {slash} {line}")
}

pub(super) fn misspelt_bundle(typed: &str, instead: &str, slash: Surface<'_>) -> String {
    let meant = instead.split(' ').next().unwrap_or(instead);
    format!("I don't know “{typed}”. Did you mean the bundle {meant}? Try: {slash} {instead}")
}
