//! The part of the file that says what holds in which channel.
//!
//! Owns the keys of `[channels.ID]` with their shapes and remedies, and the pattern at the top for channels
//! without a schema of their own. Must not know what a pattern makes.

use toml::{Table, Value};

use super::{Walk, path};
use crate::command::naming::{BadTemplate, Customer, Schema, Template};
use crate::command::places::ChannelDefaults;
use crate::fivetran::catalog::ServiceId;
use crate::slack::id::Kind;

impl Walk<'_> {
    /// What holds in a channel; `for_all` is the pattern where it has no schema of its own.
    pub(super) fn channel(
        &mut self,
        id: &str,
        value: &Value,
        names: Option<&Table>,
        for_all: Option<&Template>,
        there_are_digests: bool,
    ) -> Option<ChannelDefaults> {
        let at = path(&["channels", id]);
        if !Kind::Channel.has(id) {
            self.fault(
                &at,
                "is not a channel id",
                "use the id, such as C0123ABC, at the bottom of the channel's details in Slack",
            );
        }
        let Some(table) = value.as_table() else {
            self.fault(&at, "is not a table", "write [channels.ID] with the keys below it");
            return None;
        };
        self.known(table, &at, &["schema", "customer", "destination", "services", "reminders", "digest"]);
        let customer =
            table.get("customer").and_then(|value| self.customer(&format!("{at}.customer"), value));
        let schema = match table.get("schema") {
            Some(value) => self.schema(&format!("{at}.schema"), value),
            None => for_all
                .cloned()
                .or_else(|| customer.as_ref().map(|_| Template::usual()))
                .map(Schema::Template),
        };
        if let Some(Schema::Template(pattern)) = &schema
            && table.contains_key("schema")
        {
            if pattern.wants_customer() && !table.contains_key("customer") {
                self.fault(&format!("{at}.schema"), "wants a customer", "add customer = \"…\" below it");
            }
            self.can_name_destinations(&format!("{at}.schema"), pattern, names);
        }
        let destination = table
            .get("destination")
            .and_then(|value| self.name_of(names, &format!("{at}.destination"), value));
        let services = match table.get("services") {
            Some(value) => self.services(&format!("{at}.services"), value),
            None => Vec::new(),
        };
        let reminders = match table.get("reminders").map(Value::as_bool) {
            None => false,
            Some(Some(reminders)) => reminders,
            Some(None) => {
                self.fault(
                    &format!("{at}.reminders"),
                    "is neither true nor false",
                    "write one of the two, without quotes",
                );
                false
            }
        };
        let digest = self.own_digest(&at, table, there_are_digests);
        Some(ChannelDefaults { schema, customer, destination, services, reminders, digest })
    }

    fn schema(&mut self, at: &str, value: &Value) -> Option<Schema> {
        let (problem, remedy) = match value.as_str().map_or(Err(BadTemplate::NoName), Schema::parse) {
            Ok(schema) => return Some(schema),
            Err(BadTemplate::UnknownWord) => {
                ("is not a pattern", "known in braces are {customer}, {service}, {table} and {destination}")
            }
            Err(BadTemplate::Braces) => ("has a brace without its other one", "write for example {service}"),
            Err(BadTemplate::NoName) => (
                "is not a schema",
                "write \"schema\" or \"schema.table\": a–z, 0–9 and _, not starting with a digit, at most 63 characters each",
            ),
        };
        self.fault(at, problem, remedy);
        None
    }

    /// The pattern for every channel that has no schema of its own.
    pub(super) fn pattern_for_all(&mut self, value: &Value, names: Option<&Table>) -> Option<Template> {
        match self.schema("schema", value)? {
            Schema::Plain(_) => {
                self.fault(
                    "schema",
                    "is the same for every channel",
                    "write a pattern such as \"{customer}_{service}\", or move it into a channel's table",
                );
                None
            }
            Schema::Template(pattern) => {
                self.can_name_destinations("schema", &pattern, names);
                Some(pattern)
            }
        }
    }

    /// A pattern with a destination's name makes nothing where none has one.
    fn can_name_destinations(&mut self, at: &str, pattern: &Template, names: Option<&Table>) {
        if pattern.wants_destination() && names.is_none_or(Table::is_empty) {
            self.fault(at, "wants a destination's name", "add [destinations.NAME] with its group_id");
        }
    }

    fn customer(&mut self, at: &str, value: &Value) -> Option<Customer> {
        let customer = value.as_str().and_then(|text| Customer::parse(text).ok());
        if customer.is_none() {
            self.fault(
                at,
                "is not a customer's name",
                "use a–z, 0–9 and _, not starting with a digit; its schemas begin with it",
            );
        }
        customer
    }

    pub(super) fn services(&mut self, at: &str, value: &Value) -> Vec<ServiceId> {
        let Some(items) = value.as_array() else {
            self.fault(at, "is not a list", "write it as [\"google_ads\", \"stripe\"]");
            return Vec::new();
        };
        let mut services = Vec::new();
        for (number, item) in (1..).zip(items) {
            match item.as_str().and_then(|text| ServiceId::parse(text).ok()) {
                Some(service) if services.contains(&service) => {}
                Some(service) => services.push(service),
                None => self.fault(
                    &format!("{at}, entry {number}"),
                    "is not a service id",
                    "use the id, such as google_ads, from the address of its page in Fivetran's documentation",
                ),
            }
        }
        services
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::command::places::Destinations;
    use crate::fivetran::catalog::Catalog;

    /// What is made of each service in a channel, or nothing.
    fn named(text: &str, channel: &str, services: &[&str]) -> Vec<Option<String>> {
        let (file, faults) = read("customers.toml", text);
        assert_eq!(faults, Vec::new());
        let (catalog, defaults) = (Catalog::built_in(), file.channels.of(channel));
        let name = |id: &&str| Some(defaults.name(catalog.get(id)?, None)?.unwrap().connection_name());
        services.iter().map(name).collect()
    }

    const BOTH: &[&str] = &["stripe", "google_sheets"];

    #[test]
    fn a_channel_has_its_own_schema_else_the_one_for_all() {
        let text = r#"
            schema = "{customer}_{service}"
            [channels.C0123ABC]
            customer = "acme"
            [channels.C0456DEF]
            schema = "globex"
            [channels.C0789GHI]
            schema = "initech_{table}.{table}"
            [channels.C0NONE]
            reminders = true
        "#;
        let some = |names: [&str; 2]| names.map(|name| Some(name.to_owned())).to_vec();
        assert_eq!(named(text, "C0123ABC", BOTH), some(["acme_stripe", "acme_google_sheets.google_sheets"]));
        assert_eq!(named(text, "C0456DEF", BOTH), some(["globex", "globex"]));
        assert_eq!(
            named(text, "C0789GHI", BOTH),
            some(["initech_stripe", "initech_google_sheets.google_sheets"])
        );
        // Whose channel these are, nobody said: they are as if the file had no pattern.
        for channel in ["C0NONE", "C0OTHER"] {
            assert_eq!(named(text, channel, BOTH), [None, None], "{channel}");
            assert!(!read("customers.toml", text).0.channels.of(channel).names_schemas(), "{channel}");
        }
    }

    #[test]
    fn a_pattern_that_wants_nothing_of_a_channel_holds_in_all_of_them() {
        let text = "schema = \"raw_{service}\"\n[channels.C1]\ncustomer = \"acme\"\n";
        for channel in ["C1", "C0OTHER"] {
            assert_eq!(named(text, channel, &["stripe"]), [Some("raw_stripe".to_owned())], "{channel}");
        }
        let channels = read("customers.toml", text).0.channels;
        let told: Vec<_> = channels.patterns(&Catalog::built_in(), &Destinations::default()).collect();
        assert_eq!(
            told,
            [
                "acme's channel C1 names its schemas by raw_{service}, such as raw_google_ads",
                "a channel that isn't in the file names its schemas by raw_{service}, such as raw_google_ads",
            ]
        );
    }

    #[test]
    fn a_customer_alone_names_schemas_as_is_usual() {
        let text = "[channels.C1]\ncustomer = \"acme\"\n";
        assert_eq!(named(text, "C1", &["stripe"]), [Some("acme_stripe".to_owned())]);
        assert_eq!(named(text, "C2", &["stripe"]), [None]);
    }

    #[test]
    fn a_pattern_wants_names_for_its_destinations_and_gets_them_by_whichever_is_meant() {
        let pattern = "[channels.C1]\nschema = \"{destination}_{service}\"\n";
        let (_, faults) = read("customers.toml", pattern);
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(fault.variable.ends_with("channels.C1.schema") && fault.problem.contains("destination"));
        let (file, faults) =
            read("customers.toml", &format!("{pattern}[destinations.eu-2]\ngroup_id = \"g\"\n"));
        assert_eq!(faults, Vec::new());
        let destinations = Destinations {
            default_group: Some("g".to_owned()),
            named: file.destinations.clone(),
            ..Destinations::default()
        };
        let example = file.channels.of("C1").example(&Catalog::built_in(), &destinations);
        assert_eq!(example.as_deref(), Some("eu_2_google_ads"));
    }
}
