//! Names: what a schema may be called, and the patterns by which channels call theirs.

use connect_card::command::naming::{Customer, Schema, Unfilled, Words};
use connect_card::command::owner::{Named, Owner};
use connect_card::command::places::{ChannelDefaults, Channels, Destinations};
use connect_card::fivetran::schema::{SchemaKind, SchemaName, TableName, Target};

use crate::line;
use crate::typed::CATALOG;

/// Fivetran's rule, by <https://fivetran.com/docs/core-concepts/no-renaming>, within what Postgres keeps.
fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|it| it.is_ascii_lowercase() || it == '_')
        && characters.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
        && text.len() <= 63
}

/// A schema, with its table or without. Accepted are exactly the names of the rule; what is near one is one.
pub fn schema(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (schema, table) = (SchemaName::parse(text), TableName::parse(text));
    assert_eq!(schema.is_ok(), is_name(text), "{text:?}");
    assert_eq!(table.is_ok(), schema.is_ok());
    match &schema {
        Ok(name) => assert_eq!(name.as_str(), text),
        Err(bad) => {
            assert!(bad.nearest.as_deref().is_none_or(is_name), "{:?}, of {text:?}", bad.nearest);
            assert!(bad.typed.chars().count() <= 160);
        }
    }
    let whole = match text.split_once('.') {
        Some((schema, table)) => is_name(schema) && is_name(table),
        None => is_name(text),
    };
    match Target::parse(text) {
        Ok(target) => {
            assert!(whole, "{text:?}");
            assert_eq!(target.connection_name(), text);
            for kind in [SchemaKind::Schema, SchemaKind::Table, SchemaKind::Prefix, SchemaKind::TableGroup] {
                let config = target.config(kind);
                let keys: Vec<_> = kind.config_keys().iter().map(|key| (*key).to_owned()).collect();
                assert_eq!(
                    target.fits(kind).is_ok(),
                    config.len() == keys.len() && target.table.is_some() == kind.wants_table(),
                );
                let joined: Vec<_> = keys.iter().filter_map(|key| config.get(key)?.as_str()).collect();
                assert!(text.starts_with(&joined.join(".")), "{text:?}: {config:?}");
            }
            let json = serde_json::to_string(&target).unwrap();
            assert_eq!(serde_json::from_str::<Target>(&json).ok(), Some(target));
        }
        Err(bad) => {
            assert!(!whole, "{text:?}");
            let near = bad.nearest.map(|near| Target::parse(&near).map(|it| it.connection_name() == near));
            assert!(near.is_none_or(|it| it.is_ok_and(|same| same)), "{text:?}");
        }
    }
    // What a file or a database has is judged like what is typed.
    let json = serde_json::to_string(text).unwrap();
    assert_eq!(serde_json::from_str::<SchemaName>(&json).is_ok(), schema.is_ok());
}

/// A pattern, a customer and a destination, a line each. What a channel calls its connections is read
/// backwards as that channel's, and no other customer's.
pub fn naming(data: &[u8]) {
    let (pattern, rest) = line(data);
    let (customer, destination) = line(rest);
    let [Ok(pattern), Ok(customer), Ok(destination)] =
        [pattern, customer, destination].map(std::str::from_utf8)
    else {
        return;
    };
    let Ok(schema) = Schema::parse(pattern) else { return };
    if let Schema::Template(template) = &schema {
        assert_eq!(template.to_string(), pattern, "a pattern is printed as it was written");
        assert!(template.tells_tables_apart() || pattern.contains('.'));
    }
    let customer = Customer::parse(customer).ok();
    let is_destination = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"_-".contains(&it);
    if destination.is_empty() || destination.len() > 50 || !destination.bytes().all(is_destination) {
        return;
    }
    let destinations = Destinations {
        default_group: Some("g".to_owned()),
        named: [(destination.to_owned(), "g".to_owned())].into(),
        ..Destinations::default()
    };
    let channel = ChannelDefaults { schema: Some(schema.clone()), customer, ..ChannelDefaults::default() };
    let other = ChannelDefaults { customer: Customer::parse("zz9").ok(), ..channel.clone() };
    for id in ["google_ads", "google_sheets", "postgres", "dynamodb", "stripe"] {
        let Some(service) = CATALOG.get(id) else { continue };
        let Some(named) = channel.name(service, Some(destination)) else {
            assert!(matches!(&schema, Schema::Template(it) if it.wants_customer()));
            continue;
        };
        let target = match named {
            Ok(target) => target,
            Err(Unfilled::BadName(_)) => continue,
            Err(unfilled) => panic!("{pattern}: {unfilled:?}, with all that it may want"),
        };
        if let Schema::Template(template) = &schema {
            let words =
                Words { service, customer: channel.customer.as_ref(), destination: Some(destination) };
            assert_eq!(template.fill(&words), Ok(target.clone()));
            let wants_table = service.kind.is_some_and(SchemaKind::wants_table);
            assert_eq!(target.table.is_some(), wants_table, "{pattern} for {id}: {target:?}");
        }
        let owned = |by_id: &[(&str, &ChannelDefaults)], others: ChannelDefaults| {
            let by_id = by_id.iter().map(|(id, it)| ((*id).to_owned(), (*it).clone())).collect();
            let channels = Channels { by_id, others };
            match channels.owner_of(Named { service, target: &target, group_id: "g" }, &destinations) {
                Owner::Channel(id) => id.to_owned(),
                Owner::Nobody => "nobody".to_owned(),
                Owner::Several => "several".to_owned(),
            }
        };
        // Where one pattern makes the names of all, only the customer in it tells whose one is.
        let tells = match &schema {
            Schema::Plain(it) => it.table.is_none() || target.table == it.table,
            Schema::Template(it) => it.wants_customer(),
        };
        let fits = service.kind.is_none_or(|kind| target.fits(kind).is_ok());
        if tells && fits {
            assert_eq!(owned(&[("C1", &channel)], ChannelDefaults::default()), "C1", "{pattern}: {target:?}");
        }
        // The same names in two channels are nobody's.
        let twice = owned(&[("C1", &channel), ("C2", &channel)], ChannelDefaults::default());
        assert!(["several", "nobody"].contains(&twice.as_str()), "{pattern}: {twice}");
        // Another customer's channel makes other names. Where it makes the same one, the name is neither's alone.
        let beside = owned(&[("C1", &channel), ("C2", &other)], ChannelDefaults::default());
        assert_ne!(beside, "C2", "{pattern}: {target:?} is of a customer who is not in it");
        assert_ne!(owned(&[("C2", &other)], channel.clone()), "C2", "{pattern}: {target:?}");
    }
}
