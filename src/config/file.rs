//! The file that `CONFIG` names: destinations by name, what holds in which channel, services that have
//! a name together, what connections of a service are made with, and when digests are posted.
//!
//! Owns its keys, their shapes and remedies (`channels` has those of a channel), and finds every fault at
//! once. A fault names the file and the key; it never repeats a value. Must not know which services or
//! destinations Fivetran has.

mod bundles;
mod channels;
mod digest;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::Fault;
use crate::command::bundle::Bundles;
use crate::command::naming::Schema;
use crate::command::places::Channels;
use crate::digest::Plan;
use crate::fivetran::defaults::ServiceDefaults;
use crate::fivetran::model;

/// Longest name of a destination.
const NAME_LIMIT: usize = 50;

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct File {
    /// `[destinations.NAME]`: the group id of each.
    pub(super) destinations: BTreeMap<String, String>,
    /// The group ids of those with `watch = true`.
    pub(super) watched: BTreeSet<String>,
    /// The group id of `default_destination`.
    pub(super) default_group: Option<String>,
    /// `[channels.ID]`, and what the top of the file says for all others.
    pub(super) channels: Channels,
    /// `[bundles.NAME]`.
    pub(super) bundles: Bundles,
    /// `[services.ID]`.
    pub(super) services: ServiceDefaults,
    /// `[digest]`.
    pub(super) digest: Option<Plan>,
}

/// Reads the text of the file. What is faulty is left out, so that the rest can be read on.
pub(super) fn read(name: &str, text: &str) -> (File, Vec<Fault>) {
    let mut walk = Walk { name, faults: Vec::new() };
    let file = match text.parse() {
        Ok(table) => walk.file(&table),
        Err(error) => {
            walk.not_toml(&error, text);
            File::default()
        }
    };
    (file, walk.faults)
}

/// The way through the file.
struct Walk<'a> {
    name: &'a str,
    faults: Vec<Fault>,
}

impl Walk<'_> {
    fn fault(&mut self, key: &str, problem: &str, remedy: &str) {
        self.faults.push(Fault {
            variable: format!("{}: {key}", self.name),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        });
    }

    fn not_toml(&mut self, error: &toml::de::Error, text: &str) {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        // Only the parser's own words: with the error as a whole it would print the line itself.
        let why = error.message().lines().next().unwrap_or("").to_owned();
        let key = error.span().and_then(|span| text.get(span)).unwrap_or("");
        if why.starts_with("duplicate key") && is_bare(key) {
            return self.fault(
                &format!("line {line}"),
                &format!("has {key} for the second time"),
                "keep one of the two; where they are tables, move the keys of both below it",
            );
        }
        self.fault(&format!("line {line}"), &format!("is not valid TOML ({why})"), "see docs/channels.md");
    }

    fn file(&mut self, table: &Table) -> File {
        self.known(
            table,
            "",
            &["schema", "default_destination", "destinations", "channels", "bundles", "services", "digest"],
        );
        let names = self.section(table, "destinations");
        let mut file = File { digest: self.digest(table), ..File::default() };
        for (name, value) in names.into_iter().flatten() {
            if let Some((group_id, watch)) = self.destination(name, value) {
                if watch {
                    file.watched.insert(group_id.clone());
                }
                file.destinations.insert(name.clone(), group_id);
            }
        }
        if let Some(value) = table.get("default_destination") {
            let name = self.name_of(names, "default_destination", value);
            file.default_group = name.and_then(|name| file.destinations.get(&name).cloned());
        }
        let pattern = table.get("schema").and_then(|value| self.pattern_for_all(value, names));
        for (id, value) in self.section(table, "channels").into_iter().flatten() {
            if let Some(defaults) =
                self.channel(id, value, names, pattern.as_ref(), table.contains_key("digest"))
            {
                file.channels.by_id.insert(id.clone(), defaults);
            }
        }
        file.channels.others.schema = pattern.map(Schema::Template);
        file.bundles = self.bundles(table);
        file.services = self.service_defaults(table);
        file
    }

    /// The group id of a destination, and whether all in it is watched.
    fn destination(&mut self, name: &str, value: &Value) -> Option<(String, bool)> {
        let at = path(&["destinations", name]);
        if !is_name(name) {
            self.fault(
                &at,
                "is not a valid destination name",
                "use a–z, 0–9, _ and -, at most 50 characters; people type it after “to”",
            );
        }
        let Some(table) = value.as_table() else {
            self.fault(&at, "has no group_id", "write [destinations.NAME] and group_id = \"…\" below it");
            return None;
        };
        self.known(table, &at, &["group_id", "watch"]);
        let watch = table.get("watch").is_some_and(|value| {
            if value.as_bool().is_none() {
                self.fault(
                    &format!("{at}.watch"),
                    "is not true or false",
                    "write true or false without quotes",
                );
            }
            value.as_bool() == Some(true)
        });
        match table.get("group_id").map(Value::as_str) {
            Some(Some(id)) if model::is_id(id) => Some((id.to_owned(), watch)),
            Some(_) => {
                self.fault(
                    &format!("{at}.group_id"),
                    "is not a group id",
                    "copy it from the destination's Overview page at fivetran.com (Destination Group ID)",
                );
                None
            }
            None => {
                self.fault(
                    &at,
                    "has no group_id",
                    "copy it from the destination's Overview page at fivetran.com (Destination Group ID)",
                );
                None
            }
        }
    }

    /// The name of a destination that the file has.
    fn name_of(&mut self, names: Option<&Table>, at: &str, value: &Value) -> Option<String> {
        let known = |name: &&str| names.is_some_and(|names| names.contains_key(*name));
        let name = value.as_str().filter(known).map(str::to_owned);
        if name.is_none() {
            let remedy = match names.filter(|names| !names.is_empty()) {
                Some(names) => format!("known: {}", listed(names.keys().map(String::as_str))),
                None => "there are none yet; add [destinations.NAME] with its group_id".to_owned(),
            };
            self.fault(at, "does not name a destination in this file", &remedy);
        }
        name
    }

    fn section<'t>(&mut self, table: &'t Table, key: &str) -> Option<&'t Table> {
        let value = table.get(key)?;
        if value.as_table().is_none() {
            self.fault(key, "is not a table", &format!("write [{key}.…] with the keys below it"));
        }
        value.as_table()
    }

    fn known(&mut self, table: &Table, at: &str, keys: &[&str]) {
        for key in table.keys().filter(|key| !keys.contains(&key.as_str())) {
            let path = if at.is_empty() { quoted(key) } else { format!("{at}.{}", quoted(key)) };
            let (meant, known) = (meant(key, keys), listed(keys.iter().copied()));
            let remedy = match meant {
                Some(meant) => format!("did you mean {meant}? Known here: {known}"),
                None => format!("remove or correct it; known here: {known}"),
            };
            self.fault(&path, "is not a known key", &remedy);
        }
    }
}

/// Names that a person can type as one word.
fn is_name(text: &str) -> bool {
    (1..=NAME_LIMIT).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn path(keys: &[&str]) -> String {
    keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(".")
}

/// A key as TOML writes it, on one line whatever is in it.
fn quoted(key: &str) -> String {
    if is_bare(key) { key.to_owned() } else { format!("{key:?}") }
}

/// Whether TOML takes a key without quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The key that one was probably meant to be: of three letters one may be wrong.
fn meant<'k>(typed: &str, keys: &[&'k str]) -> Option<&'k str> {
    let slips = |key: &&str| strsim::osa_distance(&typed.to_lowercase(), key);
    keys.iter().copied().min_by_key(slips).filter(|key| slips(key) <= key.len() / 3)
}

fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::places::ChannelDefaults;
    use crate::fivetran::catalog::ServiceId;
    use crate::fivetran::schema::Target;

    fn faults(text: &str) -> Vec<String> {
        read("customers.toml", text).1.into_iter().map(|fault| fault.variable).collect()
    }

    #[test]
    fn a_whole_file_is_read() {
        let (file, faults) = read(
            "customers.toml",
            r#"
            default_destination = "prod"
            [destinations.prod]
            group_id = "projected_sickle"
            [destinations.eu-2]
            group_id = "eu_group"
            watch = true
            [channels.C0123ABC]
            schema = "acme"
            destination = "eu-2"
            services = ["google_ads", "stripe", "google_ads"]
            reminders = true
            [channels.G0TABLE]
            schema = "acme.budget"
            "#,
        );
        assert_eq!(faults, Vec::new());
        assert_eq!(file.default_group.as_deref(), Some("projected_sickle"));
        assert_eq!(file.destinations.get("eu-2").map(String::as_str), Some("eu_group"));
        assert_eq!(file.watched, ["eu_group".to_owned()].into());
        let acme = file.channels.of("C0123ABC");
        assert_eq!(acme.one_schema().map(Target::connection_name).as_deref(), Some("acme"));
        assert_eq!((acme.destination.as_deref(), acme.reminders), (Some("eu-2"), true));
        assert_eq!(acme.services.iter().map(ServiceId::as_str).collect::<Vec<_>>(), ["google_ads", "stripe"]);
        assert!(file.channels.of("G0TABLE").one_schema().is_some_and(|target| target.table.is_some()));
        assert_eq!(file.channels.of("C0OTHER"), &ChannelDefaults::default());
    }

    #[test]
    fn an_empty_file_says_nothing() {
        assert_eq!(faults(""), Vec::<String>::new());
        assert_eq!(faults("[channels]\n[destinations]"), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_named_by_its_key_at_once_and_no_value_is_repeated() {
        let text = r#"
            default_destination = "canary"
            colour = "canary"
            schema = "canary"
            [destinations.prod]
            group_id = "canary/.."
            [destinations.Prod]
            group_id = "fine"
            [destinations.empty]
            [destinations.eu]
            group_id = "fine"
            region = "canary"
            watch = "canary"
            [channels.general]
            schema = "fine"
            [channels.C1]
            shema = "canary"
            schema = "Canary"
            destination = "canary"
            services = ["google_ads", "Canary Ads", 5]
            reminders = "canary"
            [channels.C2]
            schema = 5
            services = "canary"
            [channels."C 3\n"]
            [channels.C4]
            schema = "{canary}"
            customer = "Canary"
            [channels.C5]
            schema = "{service"
            customer = 5
            [channels.C6]
            schema = "{service}-canary"
            [channels.C7]
            schema = "{customer}_canary_{service}"
        "#;
        let found = faults(text);
        for key in [
            "default_destination",
            "colour",
            "schema",
            "destinations.prod.group_id",
            "destinations.Prod",
            "destinations.empty",
            "destinations.eu.region",
            "destinations.eu.watch",
            "channels.general",
            "channels.C1.shema",
            "channels.C1.schema",
            "channels.C1.destination",
            "channels.C1.services, entry 2",
            "channels.C1.services, entry 3",
            "channels.C1.reminders",
            "channels.C2.schema",
            "channels.C2.services",
            r#"channels."C 3\n""#,
            "channels.C4.schema",
            "channels.C4.customer",
            "channels.C5.schema",
            "channels.C5.customer",
            "channels.C6.schema",
            "channels.C7.schema",
        ] {
            assert!(found.contains(&format!("customers.toml: {key}")), "{key}: {found:#?}");
        }
        assert_eq!(found.len(), 24, "{found:#?}");
        let told = super::super::Faults(read("customers.toml", text).1).to_string();
        assert!(!told.to_lowercase().contains("canary"), "{told}");
        assert_eq!(told.lines().count(), 24, "{told}");
    }

    #[test]
    fn what_is_not_toml_is_named_by_its_line() {
        let (_, faults) = read("customers.toml", "[channels.C1]\nschema = canary\n");
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].variable, "customers.toml: line 2");
        assert!(!faults[0].problem.contains("canary"), "{faults:?}");
        for (text, told) in [
            ("[channels.C1]\n[channels.C1]\n", "line 2 has C1 for the second time"),
            (
                "[channels.C1]\nschema = \"canary\"\nschema = \"canary\"\n",
                "line 3 has schema for the second time",
            ),
            ("[channels.\"a b\"]\n[channels.\"a b\"]\n", "line 2 is not valid TOML (duplicate key)"),
        ] {
            let faults = super::super::Faults(read("customers.toml", text).1).to_string();
            assert!(faults.starts_with(&format!("customers.toml: {told}: ")), "{faults}");
            assert!(!faults.contains("canary") && faults.lines().count() == 1, "{faults}");
        }
    }

    #[test]
    fn the_key_that_was_meant_is_named_where_only_one_can_be() {
        let told = |text: &str| super::super::Faults(read("customers.toml", text).1).to_string();
        let slip = told("[channels.C1]\nshema = \"acme\"\n");
        assert!(slip.contains("did you mean schema? Known here: schema, customer,"), "{slip}");
        assert!(told("Schema = \"{service}\"").contains("did you mean schema?"));
        for other in ["colour = 1", "[digest]\nno = 1\nto = \"audit\"", "[channels.C1]\nname = 1"] {
            assert!(told(other).contains("remove or correct it; known here: "), "{other}");
        }
    }

    /// Whoever pastes all of them into one file has one that works.
    #[test]
    fn the_examples_of_the_guide_are_one_valid_file() {
        let guide = include_str!("../../docs/channels.md");
        let blocks = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        // A system may have no time zones.
        let text = blocks.collect::<String>().replace("Europe/Berlin", "UTC");
        let (file, faults) = read("customers.toml", &text);
        assert_eq!(faults, Vec::new());
        assert!(file.digest.is_some() && !file.services.0.is_empty() && !file.bundles.by_name.is_empty());
    }

    #[test]
    fn sections_of_the_wrong_kind_are_faults() {
        assert_eq!(
            faults("channels = 1\ndestinations = \"x\""),
            ["customers.toml: destinations", "customers.toml: channels"]
        );
        assert_eq!(faults("[channels]\nC1 = 5"), ["customers.toml: channels.C1"]);
    }
}
