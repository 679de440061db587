//! Whose a connection is that nobody asked for here: the channel that would have given it its name.
//!
//! Owns how names are read backwards: each channel names the connection as it would on command, and what
//! comes out is compared. Pure. Must not know what is done with a connection.

use std::collections::BTreeMap;

use super::places::{ChannelDefaults, Channels, Destinations};
use crate::fivetran::catalog::Service;
use crate::fivetran::schema::{SchemaKind, Target};

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// The customer's of this one channel.
    Channel(&'a str),
    /// Nobody's that is known.
    Nobody,
    /// Several channels would call it so.
    Several,
}

/// A connection as Fivetran names it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its service.
    pub service: &'a Service,
    /// Its name.
    pub target: &'a Target,
    /// Where its data lands.
    pub group_id: &'a str,
}

impl Channels {
    /// Whose a connection is. Of several channels that would call it so, only those count to whose usual
    /// destination it belongs: one customer may have a channel for each.
    #[must_use]
    pub fn owner_of(&self, named: Named<'_>, destinations: &Destinations) -> Owner<'_> {
        let names = |(_, channel): &(&str, &ChannelDefaults)| {
            channel.allows(&named.service.id) && channel.would_call(named, destinations)
        };
        let mut owners: Vec<_> = self.customers().filter(names).collect();
        if owners.len() > 1 {
            owners.retain(|(_, channel)| channel.usual_group(destinations) == Some(named.group_id));
        }
        match owners.as_slice() {
            [] => Owner::Nobody,
            [(channel_id, _)] => Owner::Channel(channel_id),
            _ => Owner::Several,
        }
    }

    /// The channels of which can be told whose a connection is by its name, with their ids.
    pub fn customers(&self) -> impl Iterator<Item = (&str, &ChannelDefaults)> {
        let by_id: &BTreeMap<_, _> = &self.by_id;
        let all = by_id.iter().map(|(id, channel)| (id.as_str(), channel));
        all.filter(|(_, channel)| channel.one_schema().is_some() || channel.names_by_customer())
    }
}

impl ChannelDefaults {
    /// Whether its pattern says whose a connection is, or it has a customer to whom the pattern belongs.
    fn names_by_customer(&self) -> bool {
        self.customer.is_some() && self.pattern().is_some()
    }

    fn would_call(&self, named: Named<'_>, destinations: &Destinations) -> bool {
        let Named { service, target, group_id } = named;
        if let Some(plain) = self.one_schema() {
            return plain.schema == target.schema && plain_table_fits(plain, service, target);
        }
        let wanted = self.pattern().is_some_and(|pattern| pattern.wants_destination());
        let mut places: Vec<_> = match wanted {
            true => destinations.names_of(group_id).map(Some).collect(),
            false => vec![None],
        };
        places.dedup();
        places.into_iter().any(|place| self.name(service, place).is_some_and(|it| it.as_ref() == Ok(target)))
    }

    /// The group of the destination when none is typed.
    fn usual_group<'a>(&self, destinations: &'a Destinations) -> Option<&'a str> {
        match &self.destination {
            Some(name) => destinations.named.get(name).map(String::as_str),
            None => destinations.default_group.as_deref(),
        }
    }
}

/// Whether the table is one that somebody may have asked for where the channel has one schema: its own, or
/// where it has none, any, since that is typed each time.
fn plain_table_fits(plain: &Target, service: &Service, target: &Target) -> bool {
    match service.kind.map(SchemaKind::wants_table) {
        Some(true) => target.table.is_some() && (plain.table.is_none() || plain.table == target.table),
        // One of a service that names its tables itself has none.
        Some(false) => target.table.is_none(),
        None => plain.table.is_none() || plain.table == target.table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::naming::{Customer, Schema};
    use crate::fivetran::catalog::Catalog;

    /// `ID [customer] SCHEMA [@DESTINATION]`, one channel each.
    fn channels(lines: &[&str]) -> Channels {
        let by_id = lines.iter().map(|line| {
            let mut words: Vec<_> = line.split(' ').collect();
            let destination = words.last().and_then(|it| it.strip_prefix('@')).map(str::to_owned);
            if destination.is_some() {
                words.pop();
            }
            let (id, schema) = (words[0].to_owned(), Schema::parse(words[words.len() - 1]).ok());
            let customer = (words.len() > 2).then(|| Customer::parse(words[1]).unwrap());
            (id, ChannelDefaults { schema, customer, destination, ..ChannelDefaults::default() })
        });
        Channels { by_id: by_id.collect(), others: ChannelDefaults::default() }
    }

    fn destinations() -> Destinations {
        Destinations {
            default_group: Some("g".to_owned()),
            named: [("prod", "g"), ("eu-2", "h"), ("west", "h")]
                .map(|(name, id)| (name.to_owned(), id.to_owned()))
                .into(),
            ..Destinations::default()
        }
    }

    fn owner(lines: &[&str], service: &str, name: &str, group_id: &str) -> String {
        let (catalog, channels) = (Catalog::built_in(), channels(lines));
        let (service, target) = (catalog.get(service).unwrap(), Target::parse(name).unwrap());
        match channels.owner_of(Named { service, target: &target, group_id }, &destinations()) {
            Owner::Channel(id) => id.to_owned(),
            Owner::Nobody => "nobody".to_owned(),
            Owner::Several => "several".to_owned(),
        }
    }

    #[test]
    fn a_name_is_the_channels_that_would_make_it_of_that_service() {
        let usual = ["C1 acme {customer}_{service}", "C2 acme_eu {customer}_{service}", "C3 {service}"];
        for (service, name, expected) in [
            ("stripe", "acme_stripe", "C1"),
            ("stripe", "acme_eu_stripe", "C2"),
            // Of another service, and of nobody.
            ("hubspot", "acme_stripe", "nobody"),
            ("stripe", "globex_stripe", "nobody"),
            ("stripe", "acme", "nobody"),
            ("stripe", "acme_stripe_2", "nobody"),
            // A pattern without a customer says nothing.
            ("stripe", "stripe", "nobody"),
            // One table, called after the service where the pattern doesn't say.
            ("google_sheets", "acme_google_sheets.google_sheets", "C1"),
            ("google_sheets", "acme_google_sheets.budget", "nobody"),
        ] {
            assert_eq!(owner(&usual, service, name, "g"), expected, "{service} {name}");
        }
        assert_eq!(
            owner(&["C1 acme {customer}.{service}"], "google_sheets", "acme.google_sheets", "g"),
            "C1"
        );
    }

    #[test]
    fn one_schema_is_its_channels_whatever_the_service() {
        for (schema, service, name, expected) in [
            ("acme", "stripe", "acme", "C1"),
            ("acme", "stripe", "acme_stripe", "nobody"),
            // A database's schemas begin with it, and the connection is called so.
            ("acme", "postgres", "acme", "C1"),
            ("acme", "google_sheets", "acme.budget", "C1"),
            ("acme.budget", "google_sheets", "acme.budget", "C1"),
            ("acme.budget", "google_sheets", "acme.other", "nobody"),
        ] {
            assert_eq!(owner(&[&format!("C1 {schema}")], service, name, "g"), expected, "{schema} {name}");
        }
    }

    #[test]
    fn of_several_only_that_of_the_destination_counts_and_never_two() {
        let twice = ["C1 acme {customer}_{service}", "C2 acme {customer}_{service} @eu-2"];
        assert_eq!(owner(&twice, "stripe", "acme_stripe", "g"), "C1");
        assert_eq!(owner(&twice, "stripe", "acme_stripe", "h"), "C2");
        assert_eq!(owner(&twice, "stripe", "acme_stripe", "other"), "nobody");
        assert_eq!(owner(&["C1 acme", "C2 acme"], "stripe", "acme", "g"), "several");
        // The only one that would call it so, though it would put it elsewhere.
        assert_eq!(owner(&["C1 acme"], "stripe", "acme", "h"), "C1");
    }

    #[test]
    fn a_destination_in_the_pattern_is_any_of_its_names() {
        let named = ["C1 acme {destination}_{customer}"];
        for (name, group, expected) in [
            ("eu_2_acme", "h", "C1"),
            ("west_acme", "h", "C1"),
            ("prod_acme", "h", "nobody"),
            ("prod_acme", "g", "C1"),
        ] {
            assert_eq!(owner(&named, "stripe", name, group), expected, "{name} {group}");
        }
    }

    #[test]
    fn a_channel_that_does_not_have_the_service_is_not_asked_for_it() {
        let mut channels = channels(&["C1 acme"]);
        let catalog = Catalog::built_in();
        let (stripe, target) = (catalog.get("stripe").unwrap(), Target::parse("acme").unwrap());
        let named = Named { service: stripe, target: &target, group_id: "g" };
        let hubspot = catalog.get("hubspot").unwrap().id.clone();
        channels.by_id.get_mut("C1").unwrap().services = vec![hubspot];
        assert_eq!(channels.owner_of(named, &destinations()), Owner::Nobody);
    }
}
