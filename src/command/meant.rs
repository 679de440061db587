//! What was meant by the words for a schema, where they are none.
//!
//! Owns which words are left out and when nothing is proposed: a schema stays for good, so a line that
//! one press sends must not make one of half a sentence. Pure.

use super::{ASKING, FILLERS, TO, VERBS, Vocabulary, WORDLESS, is_little_word, is_the_command};
use crate::fivetran::catalog::{Catalog, Service, ServiceId};
use crate::fivetran::schema::{SchemaKind, TableName, Target};

/// What stands in a line for a customer whom the person has to name.
pub const CUSTOMER: &str = "CUSTOMER";

/// The line with `words` as the target of a service, after the slash command; `None` if nobody can
/// tell what was meant.
pub(super) fn line(
    service: &Service,
    words: &[&str],
    destination: Option<&str>,
    vocabulary: &Vocabulary<'_>,
) -> Option<String> {
    if service.obstacle.is_some() || !vocabulary.channel.allows(&service.id) {
        return None;
    }
    let words = without_manners(words);
    let (words, behind) =
        if destination.is_some() { (words, None) } else { destination_behind(words, vocabulary) };
    let destination = destination.or(behind.as_deref());
    let odd = |word: &&&str| {
        is_little_word(word)
            || is_verb(word)
            || is_the_command(word, vocabulary.slash)
            || vocabulary.catalog.get(&word.to_lowercase()).is_some()
    };
    // Another command, another service or half a sentence.
    if words.len() > 1 && words.iter().any(|word| odd(&word)) {
        return None;
    }
    // Nobody's name: our own words, or those of somebody who asks.
    if words.iter().any(|word| is_placeholder(word)) || matches!(words, [word] if is_asking(word)) {
        return None;
    }
    let wants_table = service.kind.is_some_and(SchemaKind::wants_table);
    let typed = match words {
        [schema, table] if wants_table => format!("{schema}.{table}"),
        [target] if wants_table && !target.contains('.') => target.replacen(['/', ':'], ".", 1),
        words => words.join(" "),
    };
    let target = match Target::parse(&typed) {
        Ok(target) => target.connection_name(),
        Err(bad) => bad.nearest?,
    };
    let target = fitted(service, &target);
    Some(format!("{} {target}{}", service.id, vocabulary.slash.to_destination(destination)))
}

/// A target of the shape that the service takes: with a table where it wants one, and without where it
/// names its own.
#[must_use]
pub fn fitted(service: &Service, target: &str) -> String {
    match (service.kind, target.split_once('.')) {
        (Some(kind), None) if kind.wants_table() => format!("{target}.{}", own_table(&service.id)),
        (Some(kind), Some((schema, _))) if !kind.wants_table() => schema.to_owned(),
        _ => target.to_owned(),
    }
}

/// A table for a service that fills one, where none was named: it bears the name of the service.
pub fn own_table(service: &ServiceId) -> String {
    match TableName::parse(service.as_str()) {
        Ok(table) => table.to_string(),
        Err(bad) => bad.nearest.unwrap_or_else(|| "data".to_owned()),
    }
}

/// The one schema among words of which the others say nothing of their own, for a verb that takes a
/// schema: a service before it, a polite word behind it.
pub(super) fn schema(words: &[&str], vocabulary: &Vocabulary<'_>) -> Option<String> {
    let words = without_manners(words);
    let service = (1..words.len()).rev().find(|&count| {
        let first = words.iter().take(count).copied().collect::<Vec<_>>().join(" ");
        known(&first, vocabulary.catalog).is_some()
    });
    let [schema] = without_manners(words.get(service.unwrap_or(0)..)?) else { return None };
    if is_little_word(schema) {
        return None;
    }
    match Target::parse(schema) {
        Ok(target) => Some(target.connection_name()),
        Err(bad) => bad.nearest,
    }
}

/// The words without a little one before them and polite ones behind them.
pub(super) fn without_manners<'a, 'w>(words: &'w [&'a str]) -> &'w [&'a str] {
    match words {
        [little, rest @ ..] if !rest.is_empty() && is_little_word(little) => without_manners(rest),
        [rest @ .., filler] if !rest.is_empty() && is_filler(filler) => without_manners(rest),
        words => words,
    }
}

/// Whether a word asks for something, and names nothing.
pub(super) fn is_asking(word: &str) -> bool {
    is_filler(word) || ASKING.iter().any(|asking| word.eq_ignore_ascii_case(asking))
}

/// Whether the word is what stands in our own lines for the schema that a person has to choose: sent
/// as it stood, it would become one for good.
pub(super) fn is_placeholder(word: &str) -> bool {
    matches!(word, "SCHEMA" | "SCHEMA.TABLE" | "YOUR_SCHEMA" | "<schema>" | "[schema]")
}

/// What the service wants after its id, in words that nobody takes for their own schema: what a line
/// makes when it is sent as it is stays for good.
#[must_use]
pub fn wanted_target(kind: Option<SchemaKind>) -> &'static str {
    if kind.is_some_and(SchemaKind::wants_table) { "SCHEMA.TABLE" } else { "SCHEMA" }
}

fn is_filler(word: &str) -> bool {
    FILLERS.iter().any(|filler| word.trim_end_matches(['.', '!']).eq_ignore_ascii_case(filler))
}

/// The words before a destination that they end in, and its name.
fn destination_behind<'a, 'w>(
    words: &'w [&'a str],
    vocabulary: &Vocabulary<'_>,
) -> (&'w [&'a str], Option<String>) {
    let [before @ .., last] = words else { return (words, None) };
    let Some(name) = vocabulary.destinations.called(last) else { return (words, None) };
    let mut before = before;
    while let [rest @ .., word] = before
        && (is_little_word(word) || is_the_word(word))
    {
        before = rest;
    }
    if before.is_empty() { (words, None) } else { (before, Some(name)) }
}

/// `to destination staging`, or as at a shell.
pub(super) fn is_the_word(word: &str) -> bool {
    ["destination", "--destination", "the"].iter().any(|it| word.eq_ignore_ascii_case(it))
}

/// Whether a word is one of the commands.
pub(super) fn is_verb(word: &str) -> bool {
    VERBS.iter().skip(WORDLESS).any(|verb| word.eq_ignore_ascii_case(verb.word()))
}

/// Whether these words end in a place that there is not: the word before its name says that it is one.
pub(super) fn unknown_place<'a>(words: &[&'a str], vocabulary: &Vocabulary<'_>) -> Option<&'a str> {
    match without_manners(words) {
        [_, .., to, name]
            if TO.iter().any(|it| to.eq_ignore_ascii_case(it))
                && vocabulary.destinations.called(name).is_none() =>
        {
            Some(name)
        }
        _ => None,
    }
}

/// The service that a text names, by whatever name.
pub(super) fn known(typed: &str, catalog: &Catalog) -> Option<Service> {
    catalog.named(typed)
}
