//! Several services that were typed without the commas between them.
//!
//! Owns when a text is rather that. Pure.

use super::list::{is_and, service_at_start};
use super::{Read, parse};
use crate::command::{UsageError, Vocabulary, connect, is_quote};

/// `google_ads stripe acme`, as it should have been typed, or what would be wrong with that. `None` for a text that
/// does not begin with several services.
#[must_use]
pub fn without_commas(words: &[&str], vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let (said, destination) = connect::with_destination(words, vocabulary.destinations);
    let pieces = said.iter().flat_map(|word| word.split(',')).map(|piece| piece.trim_matches(is_quote));
    let pieces: Vec<&str> = pieces.filter(|piece| !piece.is_empty() && !is_and(piece)).collect();
    let (mut named, mut rest) = (Vec::new(), pieces.as_slice());
    while let Some(count) = names_services(rest, vocabulary) {
        named.push(connect::first(rest, count));
        rest = rest.get(count..).unwrap_or_default();
    }
    if named.len() < 2 {
        return None;
    }
    let behind: String = rest.iter().map(|word| format!(" {word}")).collect();
    let line = format!("{}{behind}{}", named.join(", "), vocabulary.slash.to_destination(destination));
    match parse(&line.split(' ').collect::<Vec<_>>(), vocabulary)? {
        Ok(Read::Several(several)) => Some(UsageError::CommasMissing { instead: several.line }),
        Ok(Read::One(_)) => None,
        Err(error) => Some(error),
    }
}

/// How many of the first words are a service's name, or a bundle's.
fn names_services(words: &[&str], vocabulary: &Vocabulary<'_>) -> Option<usize> {
    let bundle = || words.first().and_then(|word| vocabulary.bundles.called(word)).map(|_| 1);
    service_at_start(words, vocabulary.catalog).map(|(count, _)| count).or_else(bundle)
}
