//! Verbs that are misspelt, or called as other programs call them.
//!
//! Owns which words are taken for which verb: before one is taken for a service, since a line that
//! makes a connection must not be proposed to somebody who wants one cancelled. Pure.

use super::{
    LINE_LIMIT, UsageError, VERBS, Verb, Vocabulary, WORDLESS, cancel, connect, doctor, echo, list, meant,
    renew, services, status,
};

/// Other words for the verbs.
const SYNONYMS: [(&str, Verb); 21] = [
    ("delete", cancel::VERB),
    ("remove", cancel::VERB),
    ("rm", cancel::VERB),
    ("stop", cancel::VERB),
    ("state", status::VERB),
    ("show", status::VERB),
    ("check", status::VERB),
    ("sync", status::VERB),
    ("refresh", renew::VERB),
    ("ls", list::VERB),
    ("links", list::VERB),
    ("health", doctor::VERB),
    ("diagnose", doctor::VERB),
    ("ping", doctor::VERB),
    ("search", services::VERB),
    ("find", services::VERB),
    ("sources", services::VERB),
    ("bundle", services::VERB),
    ("bundles", services::VERB),
    ("destination", services::VERB),
    ("destinations", services::VERB),
];
/// Slips of the fingers that a long word and a short one may have.
const SLIPS: (usize, usize) = (2, 1);
/// The length of a long word, in characters: shorter ones are too close to other words.
const LONG: usize = 8;

/// What was meant by words that begin with a verb in another form.
pub(super) fn misspelt(words: &[&str], vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let (first, rest) = words.split_first()?;
    if connect::begins_with_service(words, vocabulary.catalog) {
        return None;
    }
    let verb = near(&first.to_lowercase())?;
    // `search console acme` is the beginning of a service's name, and no search.
    if verb == services::VERB
        && let [first, second, _, ..] = words
        && let phrase = format!("{first} {second}").to_lowercase()
        && vocabulary.catalog.iter().any(|service| service.name.to_lowercase().contains(&phrase))
    {
        return None;
    }
    let name = verb.word();
    let instead = if verb == services::VERB {
        let first = first.to_lowercase();
        let kind =
            [services::BUNDLES, services::DESTINATIONS].into_iter().find(|kind| kind.starts_with(&first));
        let words: String = rest.join(" ").chars().take(LINE_LIMIT).collect();
        let words = if rest.is_empty() { kind.map(str::to_owned) } else { Some(words) };
        words.map(|words| format!("{name} {words}"))
    } else if verb.usage == name {
        Some(name.to_owned())
    } else {
        meant::schema(rest, vocabulary).map(|schema| format!("{name} {schema}"))
    };
    // What cannot be said with the verb was hardly meant as one.
    let fits = rest.is_empty() || (instead.is_some() && verb.usage != name);
    fits.then(|| UsageError::MisspeltVerb { typed: echo(first), verb, instead })
}

/// Whether a word is a verb, or taken for one as it stands.
pub(super) fn is_taken(word: &str) -> bool {
    meant::is_verb(word) || SYNONYMS.iter().any(|(other, _)| word.eq_ignore_ascii_case(other))
}

/// Whether a word is what a slip of the fingers makes of a name.
pub(super) fn is_near(word: &str, name: &str) -> bool {
    distance(word, name, slips(word)).is_some()
}

/// How many slips of the fingers make one of the other, if no more than so many do.
fn distance(word: &str, name: &str, slips: usize) -> Option<usize> {
    // One makes it longer or shorter by one at most, and each line is held against many names.
    let apart = word.chars().count().abs_diff(name.chars().count());
    (apart <= slips).then(|| strsim::osa_distance(word, name)).filter(|distance| *distance <= slips)
}

fn slips(word: &str) -> usize {
    if word.chars().count() >= LONG { SLIPS.0 } else { SLIPS.1 }
}

pub(super) fn near(word: &str) -> Option<Verb> {
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, verb)| *verb);
    let slips = slips(word);
    let nearest = || {
        let near = VERBS.iter().skip(WORDLESS);
        let near = near.filter_map(|verb| Some((distance(word, verb.word(), slips)?, *verb)));
        near.min_by_key(|(distance, _)| *distance).map(|(_, verb)| verb)
    };
    synonym.or_else(nearest)
}
