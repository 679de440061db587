//! Bundles: services that are asked for together, by one name.
//!
//! Owns what is amiss with a bundle before anybody types it. Pure. Must not know how `CONFIG` is written, nor
//! how a text is read.

use std::collections::BTreeMap;

use super::naming::Schema;
use super::places::{Channels, Destinations, UNNAMED};
use crate::fivetran::catalog::{Catalog, ServiceId};

/// Bundles by name, each with its services in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundles {
    /// One or more services each, none of them twice.
    pub by_name: BTreeMap<String, Vec<ServiceId>>,
}

/// Where no bundle is configured.
pub static NO_BUNDLES: Bundles = Bundles { by_name: BTreeMap::new() };

impl Bundles {
    /// The bundle of which a word is the name, in whatever case.
    pub(super) fn called(&self, word: &str) -> Option<(&str, &[ServiceId])> {
        let found = self.by_name.get_key_value(&word.trim_end_matches(':').to_lowercase());
        found.map(|(name, services)| (name.as_str(), services.as_slice()))
    }

    /// What to say of each service that a bundle has and Fivetran does not list, or that a link alone does
    /// not set up, a line each. Not faults of the file, as with the services that a channel allows.
    pub fn unusable_services(&self, catalog: &Catalog) -> impl Iterator<Item = String> {
        self.each().filter_map(|(name, id)| match catalog.get(id.as_str()) {
            None => {
                let hint = catalog.hint(id);
                Some(format!(
                    "bundles.{name}.services has {id}, which Fivetran does not list{hint}: correct the id"
                ))
            }
            Some(service) if service.obstacle.is_some() => Some(format!(
                "bundles.{name}.services has {id}, which a link alone does not set up: take it out, or the whole \
                 bundle is refused"
            )),
            Some(_) => None,
        })
    }

    /// What to say of each bundle of which Fivetran lists every service, and a link sets it up, a line each.
    pub fn usable(&self, catalog: &Catalog) -> impl Iterator<Item = String> {
        let is_usable = |id: &ServiceId| catalog.get(id.as_str()).is_some_and(|it| it.obstacle.is_none());
        let usable = self.by_name.iter().filter(move |(_, services)| services.iter().all(is_usable));
        usable.map(|(name, services)| match services.len() {
            1 => format!("bundles.{name}: a link can set up its one service"),
            count => format!("bundles.{name}: a link can set up each of its {count} services"),
        })
    }

    /// What to say of each channel that refuses a bundle, or that does unless a customer is typed, a line each.
    pub fn refused<'a>(
        &'a self,
        channels: &'a Channels,
        catalog: &'a Catalog,
    ) -> impl Iterator<Item = String> {
        self.by_name.iter().flat_map(move |(name, services)| {
            channels.each().filter_map(move |(channel_id, channel)| {
                let place = channel_id.map_or_else(|| UNNAMED.to_owned(), |id| format!("channels.{id}"));
                let missing: Vec<_> = services.iter().filter(|id| !channel.allows(id)).collect();
                if let [first, others @ ..] = missing.as_slice() {
                    let others: String = others.iter().map(|id| format!(", {id}")).collect();
                    return Some(format!(
                        "bundles.{name} is refused in {place}, whose services leave out {first}{others}"
                    ));
                }
                match &channel.schema {
                    Some(Schema::Plain(target)) => Some(format!(
                        "bundles.{name} wants a customer in {place}, which has the schema {} for every service: \
                         type {name} CUSTOMER there",
                        target.connection_name()
                    )),
                    Some(Schema::Template(pattern)) if channel.names_alike(services, catalog) => Some(format!(
                        "bundles.{name} is refused in {place}, whose pattern {pattern} gives two of its services \
                         one name"
                    )),
                    _ => None,
                }
            })
        })
    }

    /// What to say of each name that a channel with a pattern would give to a service of a bundle and that
    /// would not do, a line each.
    pub fn misnamed<'a>(
        &'a self,
        channels: &'a Channels,
        catalog: &'a Catalog,
        destinations: &'a Destinations,
    ) -> impl Iterator<Item = String> {
        self.by_name.iter().flat_map(move |(name, services)| {
            channels
                .misnamed_among(services, catalog, destinations)
                .map(move |(channel_id, fault)| format!("bundles.{name} in channels.{channel_id}: {fault}"))
        })
    }

    fn each(&self) -> impl Iterator<Item = (&str, &ServiceId)> {
        self.by_name.iter().flat_map(|(name, services)| services.iter().map(move |it| (name.as_str(), it)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::naming::{Customer, Schema};
    use crate::command::places::ChannelDefaults;

    fn bundles(name: &str, services: &[&str]) -> Bundles {
        let services = services.iter().map(|id| ServiceId::parse(id).unwrap()).collect();
        Bundles { by_name: [(name.to_owned(), services)].into() }
    }

    #[test]
    fn what_would_be_refused_is_said_before_anybody_types_it() {
        let catalog = Catalog::built_in();
        let bundles = bundles("onboarding", &["stripe", "hubspott", "adwords", "connector_sdk", "15five"]);
        let told: Vec<_> = bundles.unusable_services(&catalog).collect();
        assert_eq!(
            told,
            [
                "bundles.onboarding.services has hubspott, which Fivetran does not list: correct the id",
                "bundles.onboarding.services has adwords, which Fivetran does not list (it is now called google_ads): correct the id",
                "bundles.onboarding.services has connector_sdk, which a link alone does not set up: take it out, or the whole bundle is refused",
            ]
        );
        let channel = |pattern: &str| ChannelDefaults {
            schema: Some(Schema::parse(pattern).unwrap()),
            customer: Some(Customer::parse("acme").unwrap()),
            ..ChannelDefaults::default()
        };
        let by_id = [("C1", "{service}"), ("C2", "{customer}_{service}"), ("C3", "acme")];
        let by_id = by_id.map(|(id, pattern)| (id.to_owned(), channel(pattern))).into();
        let channels = Channels { by_id, ..Channels::default() };
        let told: Vec<_> = bundles.misnamed(&channels, &catalog, &Destinations::default()).collect();
        assert_eq!(
            told,
            [
                "bundles.onboarding in channels.C1: 15five would be called “15five”, which isn't a valid schema; begin the pattern with a letter",
            ]
        );
    }
}
