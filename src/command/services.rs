//! `/connect-card services WORDS`, and the type-ahead of the form: which services there are.
//!
//! Owns what is found for some words. Pure: the local catalogue answers, in milliseconds, and
//! Fivetran is never asked.

use crate::command::Verb;
use crate::fivetran::catalog::{Catalog, Resolution, Service};

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "services WORDS",
    does: "searches Fivetran's services by id and name",
    example: "services google",
};

/// How many are shown in a message.
pub const SHOWN: usize = 15;

/// The services found for some words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How they were found.
    pub how: How,
    /// As many as were asked for at most, the best first.
    pub services: Vec<Service>,
    /// How many there are besides.
    pub more: usize,
}

/// How services were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// No words were given: those that are asked for most.
    Popular,
    /// Every word is in the id or the name.
    Matching,
    /// The words are a retired name of this one.
    Retired,
    /// Nothing matches; these are near.
    Nearest,
}

/// Whether these words find what they say, rather than what is near.
#[must_use]
pub fn is_known(words: &str, catalog: &Catalog) -> bool {
    matches!(find(words, catalog, 1).how, How::Popular | How::Matching)
}

/// Finds at most `limit` services.
#[must_use]
pub fn find(words: &str, catalog: &Catalog, limit: usize) -> Found {
    let matching = catalog.search(words, usize::MAX);
    if !matching.is_empty() {
        let how = if words.trim().is_empty() { How::Popular } else { How::Matching };
        let more = matching.len().saturating_sub(limit);
        return Found { how, services: matching.into_iter().take(limit).cloned().collect(), more };
    }
    let (how, mut services) = match catalog.resolve(words) {
        Resolution::Exact(service) | Resolution::Named(service) => (How::Matching, vec![service]),
        Resolution::Retired { successor, .. } => (How::Retired, vec![successor]),
        Resolution::Unknown { suggestions } => (How::Nearest, suggestions),
    };
    services.truncate(limit);
    Found { how, services, more: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &str) -> (How, Vec<String>, usize) {
        let Found { how, services, more } = find(words, &Catalog::built_in(), SHOWN);
        (how, services.into_iter().map(|service| service.id.to_string()).collect(), more)
    }

    #[test]
    fn words_find_services_by_id_and_name() {
        let (how, ids, more) = found("google ads");
        assert_eq!((how, ids[0].as_str(), more), (How::Matching, "google_ads", 0));
        let (how, ids, more) = found("a");
        assert_eq!((how, ids.len()), (How::Matching, SHOWN));
        assert!(more > 100, "{more}");
    }

    #[test]
    fn without_words_the_popular_ones_come() {
        let (how, ids, more) = found("");
        assert_eq!((how, ids[0].as_str(), ids.len() + more), (How::Popular, "google_ads", 773));
    }

    #[test]
    fn what_is_retired_or_misspelt_leads_somewhere() {
        assert_eq!(found("adwords"), (How::Retired, vec!["google_ads".to_owned()], 0));
        let (how, ids, _) = found("hubspto");
        assert_eq!((how, ids[0].as_str()), (How::Nearest, "hubspot"));
        assert_eq!(found("qqqqqqqq"), (How::Nearest, vec![], 0));
    }
}
