//! When a text is a list of services, and what belongs to which of them.
//!
//! Owns the commas, the word `and`, and what stands behind a service. A text that is no such list is left
//! alone: it means what it means as one command. Pure. Must not know what a connection is called.

use crate::command::bundle::Bundles;
use crate::command::connect::{Found, begins_with_service, first, found};
use crate::command::{is_quote, verbs};
use crate::fivetran::catalog::{Catalog, Resolution};

/// What stands between several, on whatever keyboard.
pub(in crate::command) const COMMAS: [char; 6] = [',', ';', '\u{FF0C}', '\u{FF1B}', '\u{3001}', '\u{60C}'];
/// What stands between a service and something else: another service, or a schema.
pub(in crate::command) const APART: [char; 10] =
    ['/', '+', '|', '&', ':', '=', '>', '\u{2192}', '\u{FF0F}', '.'];
/// Those that people put between services.
const BETWEEN: [char; 5] = ['/', '+', '|', '&', '\u{FF0F}'];
/// What people put before the last of several.
const AND: [&str; 2] = ["and", "&"];
/// Parts of a list that are looked up, each of which takes a search of the catalogue: more than twice as many
/// as one command takes. Of the others only their number counts.
pub(super) const LOOKED_UP: usize = 50;
/// Words of a text that may be a service's name; the longest name in the built-in table has eight.
pub(in crate::command) const NAME_WORDS: usize = 15;
/// Words of a text in which other marks than commas are looked for, since each takes look-ups.
const MOST_MARKED: usize = 50;
/// Times `and` is taken for the one between two services, from the last one on: a name may have it too.
const ANDS: usize = 3;

/// One of the services, as it was typed.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    /// The words for the service.
    pub(super) service: String,
    /// What they name.
    pub(super) found: Option<Found>,
    /// What stands behind it.
    pub(super) behind: Vec<&'a str>,
}

/// Several services, and for whom.
#[derive(Clone, Debug)]
pub(super) struct List<'a> {
    /// One or more; what stands behind each is its schema.
    pub(super) items: Vec<Item<'a>>,
    /// What stands behind the last one and belongs to all.
    pub(super) customer: Vec<&'a str>,
}

/// Reads a list of services, in which a bundle's name stands for its own; `None` for any other text.
pub(super) fn read<'a>(words: &[&'a str], catalog: &Catalog, bundles: &'a Bundles) -> Option<List<'a>> {
    // The address of somebody's database, with its password.
    if words.iter().any(|word| word.contains("://")) {
        return None;
    }
    let parts = parts(words, catalog);
    if parts.len() < 2 {
        return None;
    }
    let parts = parts
        .into_iter()
        .enumerate()
        .flat_map(|(at, part)| if at < LOOKED_UP { spelt_out(part, catalog, bundles) } else { vec![part] });
    let parts: Vec<_> = parts.collect();
    let looked_up = parts.iter().take(LOOKED_UP).map(|part| Item::of(part, catalog));
    let others = parts.iter().skip(LOOKED_UP).map(|part| Item::unknown(part));
    let mut items: Vec<_> = looked_up.chain(others).collect();
    if !is_list(&items, catalog) {
        return None;
    }
    let each_has_its_own = items.split_last().is_some_and(|(_, first)| first.iter().any(Item::says_more));
    let mut customer = Vec::new();
    if !each_has_its_own && let Some(mut last) = items.pop() {
        items.iter_mut().filter(|item| item.found.is_none()).for_each(Item::take_all);
        // `google_ads, stripe, acme`.
        if last.is_lone_word() && items.len() > 1 && !last.is_near_a_service(catalog) {
            customer.push(last.last_word()?);
        } else {
            last.part_unknown();
            customer.append(&mut last.behind);
            items.push(last);
        }
    } else {
        items.iter_mut().for_each(Item::part_unknown);
    }
    Some(List { items, customer })
}

/// What stands between the commas, and on either side of the last `and`.
fn parts<'a>(words: &[&'a str], catalog: &Catalog) -> Vec<Vec<&'a str>> {
    let mut parts = vec![Vec::new()];
    for word in with_commas(words, catalog) {
        for (n, piece) in word.split(COMMAS).enumerate() {
            if n > 0 {
                parts.push(Vec::new());
            }
            // Quotes around a word with its comma are still there.
            let piece = piece.trim_matches(is_quote);
            if !piece.is_empty()
                && let Some(part) = parts.last_mut()
            {
                part.push(piece);
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    let Some(last) = parts.pop() else { return parts };
    match last.as_slice() {
        [and, rest @ ..] if is_and(and) && !parts.is_empty() => {
            parts.extend((!rest.is_empty()).then(|| rest.to_vec()));
        }
        words => match apart(words, parts.is_empty(), catalog) {
            Some((left, right)) => parts.extend([left.to_vec(), right.to_vec()]),
            None => parts.push(last),
        },
    }
    parts
}

/// A bundle's services in the place of its name; what stands behind that is behind the last of them.
fn spelt_out<'a>(part: Vec<&'a str>, catalog: &Catalog, bundles: &'a Bundles) -> Vec<Vec<&'a str>> {
    let Some((name, behind)) = part.split_first() else { return vec![part] };
    match bundles.called(name) {
        Some((_, services)) if !begins_with_service(&part, catalog) => {
            let mut parts: Vec<_> = services.iter().map(|id| vec![id.as_str()]).collect();
            parts.iter_mut().next_back().into_iter().for_each(|last| last.extend(behind));
            parts
        }
        _ => vec![part],
    }
}

/// The words with a comma in the place of each other mark that stands between two services.
fn with_commas<'a>(words: &[&'a str], catalog: &Catalog) -> Vec<&'a str> {
    let mut parted: Vec<&'a str> = Vec::with_capacity(words.len());
    // From where on the words may be a service's name.
    let mut begin = 0;
    for (n, word) in words.iter().enumerate().take(MOST_MARKED) {
        let mut word = *word;
        while let Some(at) = word.find(BETWEEN) {
            let (left, right) = word.split_at(at);
            let right = right.trim_start_matches(BETWEEN);
            let before: Vec<_> = parted.iter().skip(begin).copied().chain([left]).collect();
            let behind: Vec<_> = [right].into_iter().chain(words.iter().skip(n + 1).copied()).collect();
            let is_between = names(&before, catalog) && begins_with_name(&behind, catalog);
            if !is_between {
                break;
            }
            parted.extend([left, ","].into_iter().filter(|it| !it.is_empty()));
            begin = parted.len();
            word = right;
        }
        if !word.is_empty() {
            parted.push(word);
        }
        if word.ends_with(COMMAS) {
            begin = parted.len();
        }
    }
    parted.extend(words.iter().skip(MOST_MARKED));
    parted
}

fn names(words: &[&str], catalog: &Catalog) -> bool {
    let words: Vec<_> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    words.len() <= NAME_WORDS && !ends_in_and(&words) && catalog.named(&words.join(" ")).is_some()
}

fn begins_with_name(words: &[&str], catalog: &Catalog) -> bool {
    let mark = |c: char| COMMAS.contains(&c) || BETWEEN.contains(&c);
    let words: Vec<_> = words.iter().copied().filter(|word| !word.is_empty()).take(NAME_WORDS).collect();
    (1..=words.len()).any(|count| {
        let (last, first) = match words.get(..count).and_then(<[_]>::split_last) {
            Some((last, first)) => (last.split(mark).next().unwrap_or_default(), first),
            None => return false,
        };
        let name: Vec<_> = first.iter().copied().chain([last]).collect();
        !first.iter().any(|word| word.contains(mark)) && names(&name, catalog)
    })
}

/// Two services with `and` between them, where no service is called by all of it. Without a comma
/// before, both have to be known.
fn apart<'a, 'w>(
    words: &'w [&'a str],
    alone: bool,
    catalog: &Catalog,
) -> Option<(&'w [&'a str], &'w [&'a str])> {
    // Nearly every line has none, and what follows takes look-ups.
    if !words.iter().any(|word| is_and(word)) {
        return None;
    }
    // A catalogue passes over an `and` at the end, as over other little words.
    let known = |words: &[&str]| !ends_in_and(words) && found(&words.join(" "), catalog).is_some();
    let perhaps_more = |words: &[&str]| {
        known(words) || words.split_last().is_some_and(|(_, service)| !service.is_empty() && known(service))
    };
    if perhaps_more(words) {
        return None;
    }
    let ands = (1..words.len()).rev().filter(|&at| words.get(at).is_some_and(|word| is_and(word)));
    ands.take(ANDS).find_map(|at| {
        let (left, right) = (words.get(..at)?, words.get(at + 1..)?);
        let begins =
            || (1..=right.len().min(NAME_WORDS)).any(|count| known(right.get(..count).unwrap_or_default()));
        (!right.is_empty() && perhaps_more(left) && (!alone || begins())).then_some((left, right))
    })
}

pub(in crate::command) fn is_and(word: &str) -> bool {
    AND.iter().any(|and| word.eq_ignore_ascii_case(and))
}

fn ends_in_and(words: &[&str]) -> bool {
    words.last().is_some_and(|word| is_and(word))
}

/// Whether these are services rather than one with something behind it that has a comma in it.
fn is_list(items: &[Item<'_>], catalog: &Catalog) -> bool {
    let known: Vec<_> = items.iter().enumerate().filter(|(_, item)| item.found.is_some()).collect();
    let (last, count) = (items.len() - 1, items.len());
    let mut unknown = items.iter().filter(|item| item.found.is_none());
    match known.as_slice() {
        [] => false,
        // `google_ads Acme, Inc` has one schema, `hubspt, google_ads acme` two services.
        [(at, item)] if item.says_more() => {
            *at == last || unknown.all(|item| !item.is_lone_word() && item.is_near_a_service(catalog))
        }
        // `google_ads, acme` is a service and its schema, `google_ads, hubspt acme` two services.
        [(at, _)] if count == 2 => {
            unknown.all(|item| (*at == 0 && !item.is_lone_word()) || item.is_near_a_service(catalog))
        }
        _ => true,
    }
}

/// The service whose name the first words are, and how many: the longest name wins, `Facebook Pages` before
/// `Facebook`.
pub(super) fn service_at_start(words: &[&str], catalog: &Catalog) -> Option<(usize, Found)> {
    let mut counts = (1..=words.len().min(NAME_WORDS)).rev();
    counts.find_map(|count| Some((count, found(&first(words, count), catalog)?)))
}

impl<'a> Item<'a> {
    fn of(words: &[&'a str], catalog: &Catalog) -> Self {
        match service_at_start(words, catalog) {
            Some((count, found)) => Self {
                service: first(words, count),
                found: Some(found),
                behind: words.iter().skip(count).copied().collect(),
            },
            None => Self::unknown(words),
        }
    }

    /// Where its name ends, the others say.
    fn unknown(words: &[&'a str]) -> Self {
        Self { service: String::new(), found: None, behind: words.to_vec() }
    }

    /// Whether anything stands behind a service that is known.
    fn says_more(&self) -> bool {
        self.found.is_some() && !self.behind.is_empty()
    }

    fn is_lone_word(&self) -> bool {
        self.found.is_none() && self.behind.len() == 1
    }

    fn last_word(&self) -> Option<&'a str> {
        self.behind.last().copied()
    }

    /// Parts an unknown service from the word behind it.
    fn part_unknown(&mut self) {
        if self.found.is_none() {
            let count = self.behind.len().saturating_sub(1).max(1);
            let rest = self.behind.split_off(count.min(self.behind.len()));
            self.take_all();
            self.behind = rest;
        }
    }

    /// Takes all its words for the service.
    fn take_all(&mut self) {
        self.service = std::mem::take(&mut self.behind).join(" ");
    }

    /// Whether an unknown one is a known one with a slip in it.
    fn is_near_a_service(&self, catalog: &Catalog) -> bool {
        let without_last = self.behind.split_last().map(|(_, words)| words).filter(|words| !words.is_empty());
        [Some(self.behind.as_slice()), without_last].into_iter().flatten().any(|words| {
            let typed = words.join(" ").to_lowercase();
            let Resolution::Unknown { suggestions } = catalog.resolve(&typed) else { return false };
            suggestions.iter().any(|service| {
                verbs::is_near(&typed, service.id.as_str())
                    || verbs::is_near(&typed, &service.name.to_lowercase())
            })
        })
    }
}
