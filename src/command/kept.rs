//! Whether what is proposed to a person keeps all that they typed.
//!
//! Owns the last look at a mistake before anybody reads it: one press carries a proposal out, and a schema
//! stays for good. So a line is taken back where it lacks a service that was typed, drops or joins words, or
//! makes a schema of a service or a destination. Pure. Must not know how a text is read.

use super::meant::CUSTOMER;
use super::naming::Customer;
use super::proposed::{lines, withdrawn};
use super::several::list::{APART, COMMAS, NAME_WORDS, is_and};
use super::surface::Surface;
use super::{Command, ECHO_LIMIT, TO, UNTOLD, UsageError, Vocabulary};
use super::{is_little_word, is_quote, is_the_command, meant, verbs};
use crate::fivetran::catalog::{Catalog, Service};
use crate::fivetran::schema::Target;

/// Words that are looked at. Of a longer text nothing is proposed.
const MOST_WORDS: usize = 100;

/// The mistake, without proposals that would lose something of the text. `quoted`: whether
/// some of it stood in quotes. `read` says what a line means.
pub(super) fn only(
    error: UsageError,
    text: &str,
    quoted: bool,
    vocabulary: &Vocabulary<'_>,
    read: &dyn Fn(&str) -> Result<Command, UsageError>,
) -> UsageError {
    // These repeat the text as it is, with quotes.
    if matches!(innermost(&error), UsageError::Doubtful { .. } | UsageError::Italic { .. }) {
        return error;
    }
    let proposed = match &error {
        // The first of the two makes one customer of them by intent.
        UsageError::CustomerOrServices { several, .. } => vec![several.clone()],
        error => lines(error),
    };
    let typed = Typed::of(text, vocabulary);
    let several = typed.services.len() > 1;
    // Of what is known, it is no help to hear that it isn't.
    let is_beside_it = match &error {
        UsageError::UnknownService { typed: word, .. } => {
            !Typed::of(word, vocabulary).services.is_empty() || (several && typed.is_in_name_with_and(word))
        }
        UsageError::SpacedSchema { instead: None } => several,
        _ => false,
    };
    if !is_beside_it && proposed.iter().all(|line| typed.is_kept_in(line, &error, vocabulary, read)) {
        return error;
    }
    // What stands in quotes is one name, whatever its words are besides.
    if quoted {
        let line = typed.to_fill_in(vocabulary);
        return withdrawn(error).unwrap_or(UsageError::Unclear { line, complete: false, several });
    }
    let in_order = typed.in_order(vocabulary).filter(|line| typed.is_kept_in(line, &error, vocabulary, read));
    let complete = in_order.is_some();
    let line = in_order.unwrap_or_else(|| typed.to_fill_in(vocabulary));
    let unclear = UsageError::Unclear { line, complete, several };
    // What it says is of use only without what it has overlooked.
    if several || complete || is_beside_it { unclear } else { withdrawn(error).unwrap_or(unclear) }
}

fn innermost(error: &UsageError) -> &UsageError {
    match error {
        UsageError::InList { error, .. } => innermost(error),
        error => error,
    }
}

/// The words of a text, by what they can only mean.
struct Typed<'a> {
    /// The services that it names, in this order.
    services: Vec<Service>,
    /// The destination that it names behind a word such as `to`, or that is one of its words.
    destination: Option<String>,
    /// Whether a word such as `to` says that it is one.
    is_destination: bool,
    /// What is neither, nor a word that says nothing of its own.
    others: Vec<&'a str>,
    /// Ends and beginnings of words that something stands between.
    apart: Vec<(String, String)>,
    /// What `and` holds together.
    ands: Ands,
    /// Whether there are more words than are looked at, or an address, which may have a password in it.
    is_beyond: bool,
}

impl<'a> Typed<'a> {
    fn of(text: &'a str, vocabulary: &Vocabulary<'_>) -> Self {
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let is_beyond = words.len() > MOST_WORDS || words.iter().any(|word| word.contains("://"));
        let words = words.get(..words.len().min(MOST_WORDS)).unwrap_or_default();
        let mut services: Vec<Service> = Vec::new();
        let mut rest = Vec::new();
        for pieces in stretches(words, &COMMAS) {
            for (found, words) in services_in(&pieces, vocabulary.catalog) {
                services.extend(found);
                // What other marks hold together may be several too.
                for pieces in stretches(&words, &APART) {
                    for (found, words) in services_in(&pieces, vocabulary.catalog) {
                        services.extend(found);
                        rest.extend(words);
                    }
                }
            }
        }
        // A bundle stands for its services.
        rest.retain(|word| {
            let bundle = vocabulary.bundles.called(word);
            let ids = bundle.iter().flat_map(|(_, ids)| ids.iter());
            services.extend(ids.filter_map(|id| vocabulary.catalog.get(id.as_str()).cloned()));
            bundle.is_none()
        });
        let mut seen = std::collections::BTreeSet::new();
        services.retain(|service| seen.insert(service.id.clone()));
        let to = |word: &str| TO.iter().any(|to| word.eq_ignore_ascii_case(to));
        let called = |word: &&&str| vocabulary.destinations.called(word);
        let behind = words.windows(2).find_map(|pair| match pair {
            [before, name] if to(before) => called(&name),
            _ => None,
        });
        let is_destination = behind.is_some();
        let destination = behind.or_else(|| rest.iter().find_map(|word| called(&word)));
        let others = rest.into_iter().filter(|word| {
            let is_place = destination.is_some() && vocabulary.destinations.called(word) == destination;
            !is_place && !says_nothing(word, vocabulary.slash)
        });
        let others = others.collect();
        Self {
            services,
            destination,
            is_destination,
            others,
            apart: apart(text),
            ands: Ands::of(words, vocabulary),
            is_beyond,
        }
    }

    /// Whether a line says all of it, and nothing that was not said.
    fn is_kept_in(
        &self,
        line: &str,
        error: &UsageError,
        vocabulary: &Vocabulary<'_>,
        read: &dyn Fn(&str) -> Result<Command, UsageError>,
    ) -> bool {
        let line = &line.replacen(" --destination ", " to ", 1);
        let (services, names, landed) = match read(line) {
            Ok(Command::Connect(request)) => {
                let names = if request.by_channel { Vec::new() } else { parts(&request.target) };
                (vec![request.service], names, request.destination)
            }
            Ok(Command::Onboard(several)) => {
                let sources = several.onboard.sources;
                let typed = sources.iter().filter(|source| !source.by_channel);
                let mut names: Vec<_> = typed.flat_map(|source| parts(&source.target)).collect();
                names.extend(several.onboard.customer.filter(|_| several.asks));
                let landed = sources.first().and_then(|source| source.destination.clone());
                (sources.into_iter().map(|source| source.service).collect(), names, landed)
            }
            // What makes nothing, or asks before it does something.
            Ok(_) => return true,
            Err(UsageError::Doubtful { .. } | UsageError::Italic { .. }) => return false,
            Err(_) => {
                let said = Typed::of(line, vocabulary);
                (said.services.into_iter().map(|service| service.id).collect(), Vec::new(), said.destination)
            }
        };
        let has_all = self.services.iter().all(|service| services.contains(&service.id));
        let lands = !self.is_destination || landed == self.destination;
        let is_place = |name: &String| landed.is_none() && vocabulary.destinations.called(name).is_some();
        let is_service = |name: &String| {
            !self.others.contains(&name.as_str())
                && vocabulary.catalog.iter().any(|service| {
                    !services.contains(&service.id) && verbs::is_near(name, service.id.as_str())
                })
        };
        let joins = |name: &String| {
            let name = plain(name);
            self.apart.iter().any(|(one, other)| name.contains(&format!("{one}{other}")))
        };
        let wrong = |name: &String| is_place(name) || is_service(name) || joins(name);
        !self.is_beyond && has_all && lands && !names.iter().any(wrong) && self.others_are_in(line, error)
    }

    /// Whether no word is lost, but for the one that the mistake is about.
    fn others_are_in(&self, line: &str, error: &UsageError) -> bool {
        let line = plain(line);
        let mistaken = match innermost(error) {
            // Of a service that is known among them, nothing else was misspelt.
            UsageError::UnknownService { typed, .. } if self.services.is_empty() => typed.clone(),
            UsageError::UnknownService { typed, .. } if !typed.contains(is_mark) => typed.clone(),
            UsageError::UnknownDestination { typed, .. } | UsageError::MisspeltBundle { typed, .. } => {
                typed.clone()
            }
            UsageError::Misfit { target, .. } => target.connection_name(),
            _ => String::new(),
        };
        let mistaken = plain(&mistaken);
        let is_in = |word: &str| {
            // A name that is too long is cut.
            let word: String = word.chars().take(ECHO_LIMIT).collect();
            let mut pieces = word.split(|c: char| !c.is_ascii_alphanumeric()).map(plain);
            pieces.all(|piece| line.contains(&piece) || mistaken.contains(&piece))
        };
        let holds = |name: &String| line.contains(name) || mistaken.contains(name);
        self.others.iter().all(|word| is_in(word)) && self.ands.names.iter().all(holds)
    }

    /// Whether a word that names no service belongs to a name with `and` in it.
    fn is_in_name_with_and(&self, word: &str) -> bool {
        let word = plain(word);
        !word.is_empty() && self.ands.names.iter().any(|name| name.contains(&word))
    }

    /// All of it in the order in which it is understood, if nothing is left over.
    fn in_order(&self, vocabulary: &Vocabulary<'_>) -> Option<String> {
        let Surface::Slack(_) = vocabulary.slash else { return None };
        if self.ands.are_unclear {
            return None;
        }
        match (self.services.as_slice(), self.others.as_slice()) {
            ([_], []) if vocabulary.channel.names_schemas() => Some(self.with("", vocabulary)),
            ([service], [name]) => meant::line(service, &[name], self.destination.as_deref(), vocabulary),
            ([_, _, ..], [name]) => Some(self.with(&Customer::parse(name).ok()?.to_string(), vocabulary)),
            _ => None,
        }
    }

    /// A line with words to fill in.
    fn to_fill_in(&self, vocabulary: &Vocabulary<'_>) -> String {
        match (vocabulary.slash, self.services.as_slice()) {
            (_, []) => "SERVICE SCHEMA".to_owned(),
            (Surface::Slack(_), [_, _, ..]) => self.with(CUSTOMER, vocabulary),
            (_, [service, ..]) => {
                let wanted = meant::wanted_target(service.kind);
                let to = vocabulary.slash.to_destination(self.destination.as_deref());
                format!("{} {wanted}{to}", service.id)
            }
        }
    }

    fn with(&self, name: &str, vocabulary: &Vocabulary<'_>) -> String {
        let ids: Vec<_> = self.services.iter().map(|service| service.id.as_str()).collect();
        let name = if name.is_empty() { String::new() } else { format!(" {name}") };
        let to = vocabulary.slash.to_destination(self.destination.as_deref());
        format!("{}{name}{to}", ids.join(", "))
    }
}

/// The `and`s of a text that do not stand between two services.
#[derive(Default)]
struct Ands {
    /// The ends of what is on both sides of each, and itself, written as one: it is a part of a name.
    names: Vec<String>,
    /// Whether there is one behind a service, so that it may part that from a name, or be in it:
    /// `google_ads Harvest and Sons`.
    are_unclear: bool,
}

impl Ands {
    fn of(words: &[&str], vocabulary: &Vocabulary<'_>) -> Self {
        let is_service = |words: &[&str]| {
            let bundle = match words {
                [word] => vocabulary.bundles.called(word.trim_matches(is_apart)).is_some(),
                _ => false,
            };
            bundle || vocabulary.catalog.named(words.join(" ").trim_matches(is_apart)).is_some()
        };
        let is_part = |c: char| c.is_ascii_alphanumeric();
        let mut ands = Self::default();
        for (at, and) in words.iter().enumerate().filter(|(_, word)| is_and(word)) {
            let (before, behind) =
                (words.get(..at).unwrap_or_default(), words.get(at + 1..).unwrap_or_default());
            let (Some(last), Some(next)) = (before.last(), behind.first()) else { continue };
            let begins = (1..=NAME_WORDS).filter_map(|count| behind.get(..count)).any(is_service);
            if begins || last.ends_with(COMMAS) {
                continue;
            }
            let starts = (1..=NAME_WORDS).filter_map(|count| before.get(at.checked_sub(count)?..));
            if { starts }.any(is_service) {
                ands.are_unclear = true;
                continue;
            }
            let last = last.rsplit(|c| !is_part(c)).next().unwrap_or_default();
            let next = next.split(|c| !is_part(c)).next().unwrap_or_default();
            if !last.is_empty() && !next.is_empty() {
                ands.names.push(plain(last) + &plain(and) + &plain(next));
            }
        }
        ands
    }
}

/// Each service with the words behind it that name none; those before the first service stand alone.
fn services_in<'a>(words: &[&'a str], catalog: &Catalog) -> Vec<(Option<Service>, Vec<&'a str>)> {
    let mut found = vec![(None, Vec::new())];
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let longest = (1..=NAME_WORDS.min(words.len() - at)).rev().find_map(|count| {
            let name = words.get(at..at + count)?;
            // A catalogue passes over little words at both ends.
            let is_whole =
                !name.first().is_some_and(|it| is_joint(it)) && !name.last().is_some_and(|it| is_joint(it));
            let service = catalog.named(&name.join(" ")).filter(|_| is_whole)?;
            Some((service.clone(), count))
        });
        match longest {
            Some((service, count)) => {
                found.push((Some(service), Vec::new()));
                at += count;
            }
            None => {
                if let Some((_, others)) = found.last_mut() {
                    others.push(*word);
                }
                at += 1;
            }
        }
    }
    found
}

fn is_joint(word: &str) -> bool {
    is_and(word) || is_little_word(word) || !word.contains(char::is_alphanumeric)
}

/// The words between marks, each stretch for itself.
fn stretches<'a>(words: &[&'a str], marks: &[char]) -> Vec<Vec<&'a str>> {
    let mut stretches = vec![Vec::new()];
    for word in words {
        for (n, piece) in word.split(marks).enumerate() {
            if n > 0 {
                stretches.push(Vec::new());
            }
            let piece = piece.trim_matches(is_quote);
            if !piece.is_empty()
                && let Some(stretch) = stretches.last_mut()
            {
                stretch.push(piece);
            }
        }
    }
    stretches
}

/// What ends before a mark that stands between things, and what begins behind it. Within a word, `&` is a part
/// of many names.
fn apart(text: &str) -> Vec<(String, String)> {
    let pieces: Vec<&str> =
        text.split(|c: char| COMMAS.contains(&c) || ['/', '+', '|'].contains(&c)).collect();
    let is_part = |c: char| c.is_ascii_alphanumeric();
    let ends = pieces.windows(2).filter_map(|pair| {
        let [before, behind] = pair else { return None };
        let one = before.trim_end_matches(|c| !is_part(c)).rsplit(|c| !is_part(c)).next()?;
        let other = behind.trim_start_matches(|c| !is_part(c)).split(|c| !is_part(c)).next()?;
        (!one.is_empty() && !other.is_empty()).then(|| (plain(one), plain(other)))
    });
    ends.collect()
}

/// What can be around a word and is no part of it.
fn is_apart(c: char) -> bool {
    is_quote(c) || COMMAS.contains(&c)
}

fn is_mark(c: char) -> bool {
    COMMAS.contains(&c) || APART.contains(&c)
}

fn says_nothing(word: &str, slash: Surface<'_>) -> bool {
    is_little_word(word)
        || is_and(word)
        || meant::is_asking(word)
        || meant::is_the_word(word)
        || meant::is_placeholder(word)
        || is_the_command(word, slash)
        || word == UNTOLD
        || !word.contains(char::is_alphanumeric)
}

fn parts(target: &Target) -> Vec<String> {
    target.connection_name().split('.').map(str::to_owned).collect()
}

/// The letters and digits alone, small.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests;
