//! `/connect-card services WORDS`, and the type-ahead of the form: which services there are.
//!
//! Owns what is found for some words. Pure: the local catalogue answers, in milliseconds, and
//! Fivetran is never asked.

use crate::command::Verb;
use crate::command::bundle::Bundles;
use crate::command::places::Destinations;
use crate::fivetran::catalog::{Catalog, Resolution, Service, ServiceId};

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "services WORDS",
    does: "searches Fivetran's services by id and name; also shows the bundles and destinations there are",
    example: "services google",
};

/// The words for what the configuration has a name for.
pub(super) const BUNDLES: &str = "bundles";
pub(super) const DESTINATIONS: &str = "destinations";

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

/// What the configuration has a name for, as far as some words find it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Bundles, each with its services.
    pub bundles: Vec<(String, Vec<ServiceId>)>,
    /// What can be typed after `to`.
    pub destinations: Vec<String>,
}

impl Names {
    /// Finds them: all of them without words, or by the word for their kind.
    #[must_use]
    pub fn find(words: &str, bundles: &Bundles, destinations: &Destinations) -> Self {
        let words = words.trim().to_lowercase();
        let finds = |kind: &str, name: &str| {
            let kind = [kind, kind.trim_end_matches('s')];
            words.is_empty() || kind.contains(&words.as_str()) || name.contains(&words)
        };
        let bundles = bundles.by_name.iter().filter(|(name, _)| finds(BUNDLES, name));
        let destinations = destinations.names().into_iter().filter(|name| finds(DESTINATIONS, name));
        Self {
            bundles: bundles.map(|(name, services)| (name.clone(), services.clone())).collect(),
            destinations: destinations.collect(),
        }
    }
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
    fn what_the_configuration_names_is_found_by_its_name_and_by_its_kind() {
        let services = vec![ServiceId::parse("stripe").unwrap()];
        let bundles = Bundles { by_name: [("onboarding".to_owned(), services)].into() };
        let named = [("eu".to_owned(), "eu_group".to_owned())].into();
        let destinations = Destinations { named, ..Destinations::default() };
        for (words, finds) in [
            ("", (1, 1)),
            ("bundles", (1, 0)),
            ("Bundle", (1, 0)),
            ("onboard", (1, 0)),
            ("destinations", (0, 1)),
            ("EU", (0, 1)),
            ("stripe", (0, 0)),
        ] {
            let found = Names::find(words, &bundles, &destinations);
            assert_eq!((found.bundles.len(), found.destinations.len()), finds, "{words}");
        }
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
