//! Several services that were typed without the commas between them.
//!
//! Owns when a text is rather that. Pure.

use super::list::{LOOKED_UP, is_and, service_at_start};
use super::{Read, parse};
use crate::command::{Doubt, UsageError, Vocabulary, connect, is_quote};

/// What would be one word, or one customer, may rather be several services.
pub(in crate::command) fn rather_several(
    error: UsageError,
    text: &str,
    vocabulary: &Vocabulary<'_>,
) -> UsageError {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    match error {
        UsageError::SpacedSchema { .. } => without_commas(&words, vocabulary)
            // Of a customer's name with `and` in it, a half is no service.
            .filter(|error| !matches!(error, UsageError::UnknownService { .. }))
            .unwrap_or(error),
        // Many a customer's first word is the name of a service too.
        UsageError::BadCustomer { name, instead: Some(line) } if name.typed.contains(' ') => {
            let begins_with_and = name.typed.split(' ').next().is_some_and(is_and);
            let is_told = |error: &UsageError| match error {
                UsageError::BadCustomer { name, .. } => !name.typed.contains(' '),
                _ => true,
            };
            match without_commas(&words, vocabulary).filter(is_told) {
                // It goes on with services.
                Some(error @ (UsageError::CommasMissing { .. } | UsageError::BadCustomer { .. }))
                    if begins_with_and =>
                {
                    error
                }
                // Of the latter, what is left for the customer has a capital, say.
                Some(
                    UsageError::CommasMissing { instead: several }
                    | UsageError::BadCustomer { instead: Some(several), .. },
                ) => UsageError::CustomerOrServices { name, line, several },
                _ => UsageError::BadCustomer { name, instead: Some(line) },
            }
        }
        other => other,
    }
}

/// Adds to a doubt about a service's name in a schema's place that both services may be meant.
pub(in crate::command) fn or_both(error: UsageError, text: &str, vocabulary: &Vocabulary<'_>) -> UsageError {
    match error {
        UsageError::Doubtful { word, what: Doubt::Service { name, .. }, quoted } => {
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            let both = without_commas(&words, vocabulary).and_then(|error| match error {
                UsageError::CommasMissing { instead: line } | UsageError::CustomerMissing { line } => {
                    Some(line)
                }
                _ => None,
            });
            UsageError::Doubtful { word, what: Doubt::Service { name, both }, quoted }
        }
        other => other,
    }
}

/// Whether some of these words are a service's name and the others name none.
pub(in crate::command) fn is_split(words: &str, vocabulary: &Vocabulary<'_>) -> bool {
    let words: Vec<&str> = words.split(' ').collect();
    let mut rest = words.as_slice();
    for _ in 0..LOOKED_UP {
        let Some(count @ 1..) = names_services(rest, vocabulary) else { break };
        let behind = rest.get(count..).unwrap_or_default();
        let ands = behind.iter().take_while(|word| is_and(word)).count();
        rest = behind.get(ands..).unwrap_or_default();
    }
    !rest.is_empty() && rest.len() < words.len()
}

/// `google_ads stripe acme`, as it should have been typed, or what would be wrong with that. `None` for a text that
/// does not begin with several services.
fn without_commas(words: &[&str], vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let (said, destination) = connect::with_destination(words, vocabulary.destinations);
    let pieces = said.iter().flat_map(|word| word.split(',')).map(|piece| piece.trim_matches(is_quote));
    let pieces: Vec<&str> = pieces.filter(|piece| !piece.is_empty()).collect();
    let (mut named, mut rest) = (Vec::new(), pieces.as_slice());
    while named.len() <= LOOKED_UP {
        let ands = rest.iter().take_while(|word| !named.is_empty() && is_and(word)).count();
        let next = rest.get(ands..).unwrap_or_default();
        match names_services(next, vocabulary) {
            Some(count) => {
                named.push(connect::first(next, count));
                rest = next.get(count..).unwrap_or_default();
            }
            // `google_ads Harvest and Sons`: it parts two services, or is a part of a name.
            None if ands > 0 => return None,
            None => break,
        }
    }
    if named.len() < 2 || named.len() > LOOKED_UP {
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
    let count = service_at_start(words, vocabulary.catalog).map(|(count, _)| count).or_else(bundle)?;
    // A catalogue passes over an `and` at the end.
    let ands = words.iter().take(count).rev().take_while(|word| is_and(word)).count();
    Some(count - ands)
}
