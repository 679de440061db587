//! The lines that a mistake proposes, each of which a button may type.
//!
//! Owns which these are, and a mistake without them. Pure. What is said around them is [`crate::reply`]'s.

use super::meant::{CUSTOMER, fitted, own_table};
use super::{Doubt, UsageError};
use crate::fivetran::schema::Misfit;

/// The lines that a mistake proposes, the likeliest first, after the slash command. Where the schema
/// is the person's to choose, none: what stands there is an example. Nor where a word has to be left out.
#[must_use]
pub fn lines(error: &UsageError) -> Vec<String> {
    let line = match error {
        UsageError::UnknownService { instead, .. } => return instead.clone(),
        UsageError::Italic { bare, quoted } => return vec![bare.clone(), quoted.clone()],
        UsageError::Doubtful { quoted, what, .. } => {
            let both = match what {
                Doubt::Service { both, .. } => both.as_ref().filter(|line| !line.contains(CUSTOMER)),
                Doubt::Verb | Doubt::NoName => None,
            };
            return [quoted].into_iter().chain(both).cloned().collect();
        }
        UsageError::CustomerOrServices { line, several, .. } => return vec![line.clone(), several.clone()],
        // Two words may be two customers.
        UsageError::BadCustomer { name, instead } => instead.clone().filter(|_| !name.typed.contains(' ')),
        UsageError::SpacedSchema { instead }
        | UsageError::SchemaWanted { instead, .. }
        | UsageError::MisspeltVerb { instead, .. }
        | UsageError::NotASchema { instead, .. }
        | UsageError::UnknownDestination { instead, .. }
        | UsageError::SchemaBehindWord { instead, .. }
        | UsageError::Unnamed { instead, .. }
        | UsageError::Dangling { instead, .. } => instead.clone(),
        UsageError::ServiceFirst { instead }
        | UsageError::Unparted { instead }
        | UsageError::CommasMissing { instead }
        | UsageError::MisspeltBundle { instead, .. }
        | UsageError::Repeated { instead } => Some(instead.clone()),
        UsageError::Unclear { line, complete, .. } => complete.then(|| line.clone()),
        UsageError::BadName { service, name, rest } => {
            let target = name.nearest.as_ref().map(|nearest| fitted(service, nearest));
            target.map(|target| format!("{} {target}{rest}", service.id))
        }
        UsageError::Misfit { service, target, misfit, rest } => {
            let target = match misfit {
                Misfit::TableMissing { .. } => format!("{}.{}", target.schema, own_table(&service.id)),
                Misfit::TableNotWanted => target.schema.to_string(),
            };
            Some(format!("{} {target}{rest}", service.id))
        }
        UsageError::InList { before, error } => {
            return lines(error).into_iter().map(|line| format!("{before}{line}")).collect();
        }
        _ => None,
    };
    line.into_iter().collect()
}

/// The same mistake, and nothing proposed; `None` where nothing is left to say then.
pub(super) fn withdrawn(error: UsageError) -> Option<UsageError> {
    Some(match error {
        UsageError::UnknownService { typed, suggestions, .. } => {
            UsageError::UnknownService { typed, suggestions, instead: Vec::new() }
        }
        UsageError::SpacedSchema { .. } => UsageError::SpacedSchema { instead: None },
        UsageError::UnknownDestination { typed, known, .. } => {
            UsageError::UnknownDestination { typed, known, instead: None }
        }
        UsageError::SchemaBehindWord { word, .. } => UsageError::SchemaBehindWord { word, instead: None },
        UsageError::Unnamed { service, name, rest, .. } => {
            UsageError::Unnamed { service, name, instead: None, rest }
        }
        UsageError::BadCustomer { name, .. } | UsageError::CustomerOrServices { name, .. } => {
            UsageError::BadCustomer { name, instead: None }
        }
        UsageError::Dangling { word, known, .. } => UsageError::Dangling { word, known, instead: None },
        UsageError::BadName { service, mut name, rest } => {
            name.nearest = None;
            UsageError::BadName { service, name, rest }
        }
        UsageError::InList { before, error } => {
            UsageError::InList { before, error: Box::new(withdrawn(*error)?) }
        }
        _ => return None,
    })
}
