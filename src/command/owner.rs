//! Whose a connection is that nobody asked for here: the channel that would have given it its name.
//!
//! Owns how names are read backwards: each channel names the connection as it would on command, and what
//! comes out is compared. Pure. Must not know what is done with a connection.

use super::naming::Template;
use super::places::{ChannelDefaults, Channels, Destinations, EXAMPLE, UNNAMED};
use crate::fivetran::catalog::{Catalog, Service, ServiceId};
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
    /// Whose a connection is: the one channel's that would have called it so, there. Any other that would,
    /// be it one that the file does not name, leaves it open.
    #[must_use]
    pub fn owner_of(&self, named: Named<'_>, destinations: &Destinations) -> Owner<'_> {
        let mut would = self.that_would(named, destinations);
        match (would.next(), would.next()) {
            (Some(_), Some(_)) => Owner::Several,
            (Some((Some(channel_id), channel)), None) if self.tells_customer(channel) => {
                Owner::Channel(channel_id)
            }
            _ => Owner::Nobody,
        }
    }

    /// What to say of each of these whose connections another channel would call the same, a line each: they are
    /// nobody's. One service shows it.
    pub fn rivals<'a>(
        &'a self,
        catalog: &'a Catalog,
        destinations: &'a Destinations,
    ) -> impl Iterator<Item = String> {
        self.customers().filter_map(move |(channel_id, channel)| {
            let (group_id, place) =
                (channel.usual_group(destinations)?, channel.usual_destination(destinations));
            let ids = channel.services.iter().map(ServiceId::as_str);
            let mut services = ids.chain(channel.services.is_empty().then_some(EXAMPLE));
            let rival = services.find_map(|id| {
                let service = catalog.get(id)?;
                let target = channel.name(service, place)?.ok()?;
                let named = Named { service, target: &target, group_id };
                let mut others = self.that_would(named, destinations).map(|(other, _)| other);
                others.find(|other| *other != Some(channel_id))
            })?;
            let rival = rival.map_or_else(|| UNNAMED.to_owned(), |id| format!("channels.{id}"));
            Some(format!(
                "channels.{channel_id} and {rival} give connections the same names, so these are nobody's and \
                 aren't brought up: a customer belongs to one channel"
            ))
        })
    }

    /// The channels that would call a connection so, there.
    fn that_would(
        &self,
        named: Named<'_>,
        destinations: &Destinations,
    ) -> impl Iterator<Item = (Option<&str>, &ChannelDefaults)> {
        self.each().filter(move |(_, channel)| {
            channel.allows(&named.service.id) && channel.would_call(named, destinations)
        })
    }

    /// The channels of which can be told whose a connection is by its name, with their ids.
    pub fn customers(&self) -> impl Iterator<Item = (&str, &ChannelDefaults)> {
        let all = self.by_id.iter().map(|(id, channel)| (id.as_str(), channel));
        all.filter(|(_, channel)| self.tells_customer(channel))
    }

    /// Whether a channel's names are its customer's alone: the pattern has the customer in it, or there is one
    /// schema that is not what every channel has in the same place.
    fn tells_customer(&self, channel: &ChannelDefaults) -> bool {
        let ChannelDefaults { schema, destination, .. } = &self.others;
        let own = || channel.schema != *schema || channel.destination != *destination;
        match channel.one_schema() {
            Some(_) => own(),
            None => channel.pattern().is_some_and(Template::wants_customer),
        }
    }
}

impl ChannelDefaults {
    /// Whether a connection in that group would be called so where nothing is typed, but perhaps the
    /// destination of a pattern that has it in the name.
    fn would_call(&self, named: Named<'_>, destinations: &Destinations) -> bool {
        let Named { service, target, group_id } = named;
        let is_usual = self.usual_group(destinations) == Some(group_id);
        if let Some(plain) = self.one_schema() {
            return is_usual && plain.schema == target.schema && plain_table_fits(plain, service, target);
        }
        let is_called = |place| self.name(service, place).is_some_and(|it| it.as_ref() == Ok(target));
        match self.pattern() {
            Some(pattern) if pattern.wants_destination() => {
                destinations.names_of(group_id).any(|name| is_called(Some(name)))
            }
            Some(_) => is_usual && is_called(None),
            None => false,
        }
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
        // The only one that would call it so would put it elsewhere.
        assert_eq!(owner(&["C1 acme"], "stripe", "acme", "h"), "nobody");
        assert_eq!(owner(&["C1 acme {customer}_{service}"], "stripe", "acme_stripe", "h"), "nobody");
    }

    #[test]
    fn one_schema_for_all_is_each_ones_in_its_own_destination() {
        let apart = ["C1 acme raw @eu-2", "C2 globex raw @prod"];
        assert_eq!(owner(&apart, "stripe", "raw", "h"), "C1");
        assert_eq!(owner(&apart, "stripe", "raw", "g"), "C2");
        assert_eq!(owner(&apart, "stripe", "raw", "third"), "nobody");
        assert_eq!(owner(&apart[..1], "stripe", "raw", "g"), "nobody");
    }

    /// With `schema` at the top of the file too, which channels without one have taken over.
    fn owner_beside(top: &str, lines: &[&str], name: &str, group_id: &str) -> String {
        let mut channels = channels(lines);
        channels.others.schema = Schema::parse(top).ok();
        let (catalog, target) = (Catalog::built_in(), Target::parse(name).unwrap());
        let named = Named { service: catalog.get("stripe").unwrap(), target: &target, group_id };
        match channels.owner_of(named, &destinations()) {
            Owner::Channel(id) => id.to_owned(),
            Owner::Nobody => "nobody".to_owned(),
            Owner::Several => "several".to_owned(),
        }
    }

    #[test]
    fn what_every_channel_would_call_so_is_no_customers() {
        for (top, line, name, group_id, expected) in [
            // One customer, and everybody else's too.
            ("{service}", "C1 acme {service}", "stripe", "g", "several"),
            ("raw", "C1 acme raw", "raw", "g", "several"),
            // Nobody else's there, but a service says nothing of a customer.
            ("{service}", "C1 acme {service} @eu-2", "stripe", "h", "nobody"),
            ("raw", "C1 acme raw @eu-2", "raw", "h", "C1"),
            ("raw", "C1 acme raw @eu-2", "raw", "g", "nobody"),
            ("{customer}_{service}", "C1 acme {customer}_{service}", "acme_stripe", "g", "C1"),
            // Others would make the customer's name by another pattern.
            ("acme_{service}", "C1 acme {customer}_{service}", "acme_stripe", "g", "several"),
        ] {
            assert_eq!(
                owner_beside(top, &[line], name, group_id),
                expected,
                "{top}, {line}: {name} {group_id}"
            );
        }
    }

    #[test]
    fn a_channel_without_a_customer_that_would_call_it_so_keeps_it_silent() {
        let rival = ["C1 acme {customer}_{service}", "C2 acme_{service}"];
        assert_eq!(owner(&rival, "stripe", "acme_stripe", "g"), "several");
        assert_eq!(owner(&rival[1..], "stripe", "acme_stripe", "g"), "nobody");
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
