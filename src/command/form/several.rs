//! The form, where more than one service or a bundle is chosen in it.
//!
//! Owns what a choice stands for, what several come to together, and where a fault of theirs belongs. Pure.
//! What their connections are called is [`crate::command::several`]'s, the words are
//! [`crate::reply::form`]'s.

use std::collections::BTreeSet;

use super::{Fault, Field, destination};
use crate::command::several::{self, Read};
use crate::command::{UsageError, Vocabulary, connect, plain};
use crate::fivetran::catalog::Service;

/// Stands before a bundle's name in a choice: no service's id has a colon.
const BUNDLE: &str = "bundle:";

/// Something that can be chosen in the field of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// One service.
    Service(Service),
    /// A bundle.
    Bundle {
        /// Its name.
        name: String,
        /// The names of its services.
        services: Vec<String>,
    },
}

impl Offer {
    /// What Slack brings back if it is chosen.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Service(service) => service.id.to_string(),
            Self::Bundle { name, .. } => format!("{BUNDLE}{name}"),
        }
    }

    /// What a choice stands for; `None` if that is not there, or not any more.
    #[must_use]
    pub fn of(value: &str, vocabulary: &Vocabulary<'_>) -> Option<Self> {
        match value.strip_prefix(BUNDLE) {
            Some(name) => bundle(name, vocabulary),
            None => vocabulary.catalog.get(value).cloned().map(Self::Service),
        }
    }
}

/// The bundles whose names have these words in them, of which every service can be asked for in the channel.
#[must_use]
pub fn bundles(words: &str, vocabulary: &Vocabulary<'_>) -> Vec<Offer> {
    let words = words.trim().to_lowercase();
    let names = vocabulary.bundles.by_name.keys().filter(|name| name.contains(&words));
    names.filter_map(|name| bundle(name, vocabulary)).collect()
}

fn bundle(name: &str, vocabulary: &Vocabulary<'_>) -> Option<Offer> {
    let services = vocabulary.bundles.by_name.get(name)?.iter().map(|id| {
        let found = connect::found(id.as_str(), vocabulary.catalog)?;
        connect::not_here(&found.service, vocabulary).is_none().then_some(found.service.name)
    });
    Some(Offer::Bundle { name: name.to_owned(), services: services.collect::<Option<_>>()? })
}

/// Whether what is chosen may be more than one service, and so shares a message and a customer.
#[must_use]
pub fn is_several(chosen: &[&str]) -> bool {
    chosen.len() > 1 || chosen.iter().any(|value| value.starts_with(BUNDLE))
}

/// What was put into the fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Picked<'a> {
    /// The values of [`Offer`]s.
    pub chosen: &'a [&'a str],
    /// As typed.
    pub customer: Option<&'a str>,
    /// The value of a [`super::Choice`].
    pub destination: Option<&'a str>,
}

/// What several come to, each service once.
///
/// # Errors
/// The [`Fault`].
pub fn read(picked: Picked<'_>, vocabulary: &Vocabulary<'_>) -> Result<Read, Fault> {
    let (destination, channel) = destination(picked.destination, vocabulary);
    let vocabulary = Vocabulary { channel: &channel, ..*vocabulary };
    let bundles = &vocabulary.bundles.by_name;
    let mut ids = Vec::new();
    for value in picked.chosen {
        match value.strip_prefix(BUNDLE) {
            Some(name) => match bundles.get(name) {
                Some(services) => ids.extend(services.iter().map(ToString::to_string)),
                None => ids.push(name.to_owned()),
            },
            None => ids.push((*value).to_owned()),
        }
    }
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    let customer = plain(picked.customer.unwrap_or_default());
    several::of_ids(&ids, &customer, destination.as_deref(), &vocabulary)
        .map_err(|error| Fault { field: field_of(&error, picked), error })
}

fn field_of(error: &UsageError, picked: Picked<'_>) -> Field {
    match error {
        UsageError::UnknownDestination { .. }
        | UsageError::NoDestination { .. }
        | UsageError::DestinationUnnamed { .. }
            if picked.destination.is_some() =>
        {
            Field::Destination
        }
        UsageError::CustomerMissing { .. }
        | UsageError::BadCustomer { .. }
        | UsageError::CustomerOrServices { .. }
        | UsageError::CustomerUnused { .. }
        | UsageError::OneSchema { .. }
        | UsageError::Misnamed { by_customer: true, .. } => Field::Customer,
        _ => Field::Service,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bundle::Bundles;
    use crate::command::naming::{Customer, Schema};
    use crate::command::places::{ChannelDefaults, Destinations, NO_DEFAULTS};
    use crate::command::surface::Surface;
    use crate::fivetran::catalog::{Catalog, ServiceId};

    fn ids(ids: &[&str]) -> Vec<ServiceId> {
        ids.iter().map(|id| ServiceId::parse(id).unwrap()).collect()
    }

    fn within<T>(channel: &ChannelDefaults, look: impl FnOnce(&Vocabulary<'_>) -> T) -> T {
        let by_name = [
            ("onboarding", &["google_ads", "stripe", "hubspot"][..]),
            ("one", &["stripe"]),
            ("shop", &["shopify", "connector_sdk"]),
        ];
        let bundles =
            Bundles { by_name: by_name.map(|(name, services)| (name.to_owned(), ids(services))).into() };
        let destinations = Destinations {
            default_group: Some("g".to_owned()),
            named: [("eu".into(), "e".into())].into(),
            watched: [].into(),
        };
        look(&Vocabulary {
            slash: Surface::of("/connect-card"),
            catalog: &Catalog::built_in(),
            destinations: &destinations,
            channel,
            bundles: &bundles,
        })
    }

    fn names(channel: &ChannelDefaults, chosen: &[&str], customer: &str) -> Result<Vec<String>, Fault> {
        let picked = Picked { chosen, customer: Some(customer), destination: None };
        within(channel, |vocabulary| read(picked, vocabulary)).map(|read| match read {
            Read::One(request) => vec![request.target.connection_name()],
            Read::Several(several) => {
                several.onboard.sources.iter().map(|it| it.target.connection_name()).collect()
            }
        })
    }

    #[test]
    fn bundles_and_services_come_together_and_each_service_once() {
        for (chosen, expected) in [
            (&["stripe", "google_sheets"][..], &["acme_stripe", "acme_google_sheets.google_sheets"][..]),
            (&["bundle:onboarding"], &["acme_google_ads", "acme_stripe", "acme_hubspot"]),
            (
                &["stripe", "bundle:onboarding", "facebook_ads"],
                &["acme_stripe", "acme_google_ads", "acme_hubspot", "acme_facebook_ads"],
            ),
            (&["bundle:one"], &["acme_stripe"]),
        ] {
            let expected = expected.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(names(&NO_DEFAULTS, chosen, "acme"), Ok(expected), "{chosen:?}");
        }
    }

    #[test]
    fn each_fault_is_at_its_field() {
        let only_stripe = ChannelDefaults { services: ids(&["stripe"]), ..NO_DEFAULTS.clone() };
        let unnamed =
            ChannelDefaults { schema: Some(Schema::parse("raw_{service}").unwrap()), ..NO_DEFAULTS.clone() };
        let twenty_one =
            Catalog::built_in().search("", 21).iter().map(|it| it.id.to_string()).collect::<Vec<_>>();
        let twenty_one: Vec<&str> = twenty_one.iter().map(String::as_str).collect();
        for (channel, chosen, customer, field) in [
            (&NO_DEFAULTS, &["stripe", "hubspot"][..], "", Field::Customer),
            (&NO_DEFAULTS, &["stripe", "hubspot"], "Acme Inc", Field::Customer),
            (&NO_DEFAULTS, &["stripe", "hubspot"], &"x".repeat(60), Field::Customer),
            (&unnamed, &["stripe", "hubspot"], "acme", Field::Customer),
            (&NO_DEFAULTS, &["stripe", "no_such"], "acme", Field::Service),
            (&NO_DEFAULTS, &["bundle:gone"], "acme", Field::Service),
            (&NO_DEFAULTS, &["bundle:shop"], "acme", Field::Service),
            (&only_stripe, &["stripe", "hubspot"], "acme", Field::Service),
            (&NO_DEFAULTS, &twenty_one, "acme", Field::Service),
        ] {
            let fault = names(channel, chosen, customer).expect_err("there is one");
            assert_eq!(fault.field, field, "{chosen:?} {customer} {fault:?}");
        }
    }

    #[test]
    fn a_bundle_is_offered_where_all_of_it_can_be_asked_for() {
        let offered = |channel: &ChannelDefaults, words: &str| {
            within(channel, |vocabulary| {
                bundles(words, vocabulary).iter().map(Offer::value).collect::<Vec<_>>()
            })
        };
        assert_eq!(offered(&NO_DEFAULTS, ""), ["bundle:onboarding", "bundle:one"]);
        assert_eq!(offered(&NO_DEFAULTS, " OnB"), ["bundle:onboarding"]);
        let only_stripe = ChannelDefaults { services: ids(&["stripe"]), ..NO_DEFAULTS.clone() };
        assert_eq!(offered(&only_stripe, ""), ["bundle:one"]);
        assert_eq!(offered(&NO_DEFAULTS, "stripe"), Vec::<String>::new());
    }

    #[test]
    fn the_channels_customer_needs_no_question_and_another_one_does() {
        let channel = ChannelDefaults {
            schema: Some(Schema::parse("{customer}_{service}").unwrap()),
            customer: Some(Customer::parse("acme").unwrap()),
            ..NO_DEFAULTS.clone()
        };
        for (customer, asks) in [("", false), ("acme", false), ("globex", true)] {
            let picked =
                Picked { chosen: &["stripe", "hubspot"], customer: Some(customer), destination: None };
            let read = within(&channel, |vocabulary| read(picked, vocabulary));
            assert!(matches!(read, Ok(Read::Several(several)) if several.asks == asks), "{customer}");
        }
    }
}
