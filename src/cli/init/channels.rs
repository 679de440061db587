//! The file `CONFIG` with defaults for channels, as it is first written. Pure.
//!
//! Owns its text. What may stand in it is `config`'s, which reads it back before it is used.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::destinations::short_name;
use crate::fivetran::model::Group;

/// What holds in one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    /// Its id.
    pub(super) id: String,
    /// Whose it is: connections that are asked for in it are named after them.
    pub(super) customer: Option<String>,
    /// The group id of its destination, if that is not the usual one.
    pub(super) group: Option<String>,
    /// Whether its threads are reminded.
    pub(super) reminders: bool,
}

/// The text of the file: the usual destination, the others that channels use, and the channels.
pub(super) fn text(usual: &Group, others: &[Group], channels: &[Channel]) -> String {
    let used = |group: &&Group| channels.iter().any(|channel| channel.group.as_deref() == Some(&group.id));
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut text =
        String::from("# Destinations and channel defaults; docs/channels.md explains every key.\n");
    for group in std::iter::once(usual).chain(others.iter().filter(used).filter(|group| group.id != usual.id))
    {
        let mut name = short_name(group);
        // Two destinations may have one name.
        let first = name.clone();
        for number in 2.. {
            if names.values().all(|taken| *taken != name) {
                break;
            }
            name = format!("{first}-{number}");
        }
        let _ = write!(text, "\n[destinations.{name}]\ngroup_id = \"{}\"\n", group.id);
        names.insert(&group.id, name);
    }
    for Channel { id, customer, group, reminders } in channels {
        let _ = write!(text, "\n[channels.{id}]\n");
        if let Some(customer) = customer {
            let _ = writeln!(text, "customer = \"{customer}\"");
        }
        if let Some(name) = group.as_deref().and_then(|group| names.get(group)) {
            let _ = writeln!(text, "destination = \"{name}\"");
        }
        if *reminders {
            text.push_str("reminders = true\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_file_names_what_is_used_and_tells_two_of_a_name_apart() {
        let group = |id: &str, name: &str| Group { id: id.to_owned(), name: name.to_owned() };
        let usual = group("projected_sickle", "Warehouse");
        let others = [usual.clone(), group("calm_delta", "Warehouse"), group("unused", "Lake")];
        let channel = |id: &str, customer: Option<&str>, group: Option<&str>, reminders| Channel {
            id: id.to_owned(),
            customer: customer.map(str::to_owned),
            group: group.map(str::to_owned),
            reminders,
        };
        let channels = [
            channel("C0123ABC", Some("acme"), Some("calm_delta"), true),
            channel("C0456DEF", Some("globex"), None, false),
            channel("C0789GHI", None, Some("projected_sickle"), false),
        ];
        expect![[r#"
            # Destinations and channel defaults; docs/channels.md explains every key.

            [destinations.warehouse]
            group_id = "projected_sickle"

            [destinations.warehouse-2]
            group_id = "calm_delta"

            [channels.C0123ABC]
            customer = "acme"
            destination = "warehouse-2"
            reminders = true

            [channels.C0456DEF]
            customer = "globex"

            [channels.C0789GHI]
            destination = "warehouse"
        "#]]
        .assert_eq(&text(&usual, &others, &channels));
    }
}
