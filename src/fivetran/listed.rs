//! One page of the list of a group's connections, and what of it can be believed.
//!
//! Owns what an item is worth that cannot be read, or that was not asked for. Knows no endpoint,
//! and not what is done with the list.

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::fivetran::model::{self, Status};
use crate::fivetran::tasks::{self, SetupTest};

/// One page. Whether a connection exists can be told from all pages together, and only if none of
/// them [`hides`](Self::hides) something.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The connections that could be read; all of the group that was asked for.
    pub items: Vec<Listed>,
    /// Connections that are there, though how they stand could not be read.
    pub unreadable: Vec<String>,
    /// Items that name no connection of this group: without an id, or of another group.
    pub strays: usize,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<String>,
}

impl Page {
    /// Whether one of ours might be behind an item that could not be told. Then a connection that is
    /// not listed may be there all the same.
    #[must_use]
    pub fn hides(&self) -> bool {
        self.strays > 0
    }
}

/// A connection as a list shows it: without its config, which can be large.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Fivetran's id.
    pub id: String,
    /// The destination's group.
    pub group_id: String,
    /// Its name, which is the schema, `schema.table` or the schema prefix. Empty if not told.
    pub schema: String,
    /// The service's id. Empty if not told.
    pub service: String,
    /// How it stands.
    pub status: Status,
    /// Whether somebody has switched its syncs off.
    pub paused: bool,
    /// The tests of its setup, if the list has them.
    pub setup_tests: Option<Vec<SetupTest>>,
}

/// The list as it comes.
#[derive(Deserialize)]
pub(super) struct Raw {
    /// Not optional: an answer without it is no list, and an empty list would say much.
    items: Vec<Item>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Raw {
    /// Keeps what is of `group_id`.
    pub(super) fn of_group(self, group_id: &str) -> Page {
        // An empty cursor leads nowhere: it would ask for the first page again.
        let next_cursor = self.next_cursor.filter(|cursor| !cursor.is_empty());
        let mut page = Page { next_cursor, ..Page::default() };
        for item in self.items {
            match item.judge(group_id) {
                Judged::Ours(listed) => page.items.push(listed),
                Judged::Unreadable(id) => page.unreadable.push(id),
                Judged::Stray => page.strays += 1,
            }
        }
        page
    }
}

enum Judged {
    Ours(Listed),
    Unreadable(String),
    Stray,
}

/// An item of which every field may be anything. What is not among them is skipped, not kept.
#[derive(Default)]
struct Item(Fields);

#[derive(Default, Deserialize)]
struct Fields {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    group_id: Value,
    #[serde(default)]
    schema: Value,
    #[serde(default)]
    service: Value,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    paused: Value,
    #[serde(default)]
    setup_tests: Value,
}

impl Item {
    fn judge(self, group_id: &str) -> Judged {
        let Self(Fields {
            id: Value::String(id),
            group_id: group,
            schema,
            service,
            status,
            paused,
            setup_tests,
        }) = self
        else {
            return Judged::Stray;
        };
        if !model::is_id(&id) {
            return Judged::Stray;
        }
        match group {
            Value::String(group) if group == group_id => {}
            Value::String(_) => return Judged::Stray,
            // It was asked for by its group; that this is not told again makes it nobody else's.
            _ => return Judged::Unreadable(id),
        }
        match serde_json::from_value::<Option<Status>>(status) {
            Ok(status) => Judged::Ours(Listed {
                id,
                group_id: group_id.to_owned(),
                schema: text(schema),
                service: text(service),
                status: status.unwrap_or_default(),
                paused: paused == Value::Bool(true),
                setup_tests: tasks::tests_in(setup_tests),
            }),
            Err(_) => Judged::Unreadable(id),
        }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        _ => String::new(),
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whatever)
    }
}

/// Takes an object's fields, and of all else that it was there.
struct Whatever;

impl<'de> Visitor<'de> for Whatever {
    type Value = Item;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a connection")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        Fields::deserialize(MapAccessDeserializer::new(map)).map(Item)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Item, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Item::default())
    }

    fn visit_unit<E>(self) -> Result<Item, E> {
        Ok(Item::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Item, E> {
        Ok(Item::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Item, E> {
        Ok(Item::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Item, E> {
        Ok(Item::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Item, E> {
        Ok(Item::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Item, E> {
        Ok(Item::default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fivetran::model::SetupState;

    fn page(data: Value) -> Page {
        // As text, as it comes: numbers and skipped fields are read differently from a value.
        serde_json::from_str::<Raw>(&data.to_string()).unwrap().of_group("g")
    }

    #[test]
    fn one_odd_item_costs_only_itself() {
        let seen = page(json!({ "next_cursor": "on", "items": [
            {"id": "fine_one", "group_id": "g", "schema": "acme", "service": "stripe", "config": {"a": [1, {}]},
             "status": {"setup_state": "connected", "is_historical_sync": true, "tasks": null}},
            {"id": "odd_status", "group_id": "g", "status": "connected"},
            {"id": "odd_tasks", "group_id": "g", "status": {"setup_state": "broken", "tasks": [7]}},
            {"id": "no_group", "status": {"setup_state": "connected"}},
            {"id": "no_status", "group_id": "g", "schema": 7},
            {"id": "new_state", "group_id": "g", "status": {"setup_state": "rehearsing"}},
        ]}));
        let read: Vec<_> = seen.items.iter().map(|it| (it.id.as_str(), it.status.setup_state)).collect();
        let unknown = SetupState::Unknown;
        assert_eq!(
            read,
            [
                ("fine_one", SetupState::Connected),
                ("odd_tasks", SetupState::Broken),
                ("no_status", unknown),
                ("new_state", unknown)
            ]
        );
        let first = &seen.items[0];
        assert_eq!((first.schema.as_str(), first.service.as_str()), ("acme", "stripe"));
        assert!(first.status.is_historical_sync);
        assert_eq!(seen.unreadable, ["odd_status", "no_group"]);
        assert_eq!((seen.hides(), seen.next_cursor.as_deref()), (false, Some("on")));
    }

    #[test]
    fn what_names_no_connection_of_ours_makes_the_page_prove_nothing() {
        for stray in [
            json!(null),
            json!(true),
            json!(-1),
            json!(1),
            json!(1.5),
            json!("a_b"),
            json!([{"id": "a_b"}, []]),
            json!({}),
            json!({"id": 7, "group_id": "g"}),
            json!({"id": "../x", "group_id": "g"}),
            json!({"id": "of_others", "group_id": "h", "status": {"setup_state": "connected"}}),
        ] {
            let ours = json!({"id": "of_ours", "group_id": "g"});
            let seen = page(json!({ "items": [stray, ours] }));
            assert!(seen.hides(), "{stray}");
            assert_eq!((seen.items.len(), seen.items[0].id.as_str()), (1, "of_ours"), "{stray}");
            assert!(seen.unreadable.is_empty(), "{stray}");
        }
    }

    #[test]
    fn an_answer_without_items_is_no_empty_list() {
        for data in [json!({}), json!({"items": null}), json!({"items": {}}), json!([]), json!(null)] {
            assert!(serde_json::from_str::<Raw>(&data.to_string()).is_err(), "{data}");
        }
        let empty = page(json!({"items": [], "next_cursor": ""}));
        assert!(empty.items.is_empty() && empty.next_cursor.is_none() && !empty.hides());
    }
}
