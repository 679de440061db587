//! The stand-in's connections, so kept that a hundred thousand of them are no burden.
//!
//! Owns where they are found and what a page of their list is. Must not know which requests are
//! good.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::names;

/// All connections, in the order of their making.
#[derive(Default)]
pub(crate) struct Connections {
    made: u64,
    all: BTreeMap<u64, Kept>,
    by_id: HashMap<String, u64>,
    by_group: HashMap<String, BTreeSet<u64>>,
    by_name: HashMap<(String, String), BTreeSet<u64>>,
}

/// A connection.
enum Kept {
    /// Nobody has touched it since it was made: these words say all.
    Untouched(Shell),
    /// As it has become.
    Changed(Value),
}

/// What a new connection has of its own.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(crate) service: String,
    pub(crate) group: String,
    pub(crate) schema: String,
    pub(crate) setup_state: String,
    pub(crate) at: Timestamp,
}

/// A part of a list.
pub(crate) struct Listed {
    /// The id and the JSON of each.
    pub(crate) items: Vec<(String, String)>,
    /// The last of them, if more come after it.
    pub(crate) last: Option<u64>,
}

impl Connections {
    /// Adds a connection without a question; gives its id.
    pub(crate) fn add(&mut self, shell: Shell) -> String {
        let serial = self.made;
        self.made += 1;
        let id = names::connection_id(serial);
        self.by_id.insert(id.clone(), serial);
        self.by_group.entry(shell.group.clone()).or_default().insert(serial);
        self.by_name.entry((shell.group.clone(), shell.schema.clone())).or_default().insert(serial);
        self.all.insert(serial, Kept::Untouched(shell));
        id
    }

    /// Every one, oldest first.
    pub(crate) fn all(&self) -> Vec<Value> {
        self.all.iter().map(|(serial, kept)| kept.value(*serial)).collect()
    }

    pub(crate) fn get(&self, id: &str) -> Option<Value> {
        let serial = *self.by_id.get(id)?;
        Some(self.all.get(&serial)?.value(serial))
    }

    /// Changes a connection, which keeps its id and its place. Its group and its name stay.
    pub(crate) fn change<R>(&mut self, id: &str, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        let serial = *self.by_id.get(id)?;
        let kept = self.all.get_mut(&serial)?;
        let mut value = kept.value(serial);
        let changed = change(&mut value);
        *kept = Kept::Changed(value);
        Some(changed)
    }

    /// Whether there was one to delete.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        let Some(serial) = self.by_id.remove(id) else { return false };
        let Some(kept) = self.all.remove(&serial) else { return false };
        let (group, schema) = kept.name();
        if let Some(serials) = self.by_group.get_mut(&group) {
            serials.remove(&serial);
        }
        if let Some(serials) = self.by_name.get_mut(&(group, schema)) {
            serials.remove(&serial);
        }
        true
    }

    pub(crate) fn is_taken(&self, group: &str, schema: &str) -> bool {
        let key = (group.to_owned(), schema.to_owned());
        self.by_name.get(&key).is_some_and(|serials| !serials.is_empty())
    }

    /// Up to `limit` connections of a group or of all, by exact name if given, that were made after
    /// the one `after`. What is made or deleted meanwhile moves no other onto another page.
    pub(crate) fn list(
        &self,
        group: Option<&str>,
        schema: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Listed {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let some = |serials: Option<&BTreeSet<u64>>| -> Vec<u64> {
            serials.into_iter().flat_map(|serials| serials.range(range)).copied().take(limit + 1).collect()
        };
        let mut serials = match (group, schema) {
            (Some(group), Some(schema)) => some(self.by_name.get(&(group.to_owned(), schema.to_owned()))),
            (Some(group), None) => some(self.by_group.get(group)),
            (None, None) => self.all.range(range).map(|(serial, _)| *serial).take(limit + 1).collect(),
            (None, Some(schema)) => self
                .all
                .range(range)
                .filter(|(_, kept)| kept.name().1 == schema)
                .map(|(serial, _)| *serial)
                .take(limit + 1)
                .collect(),
        };
        let more = serials.len() > limit;
        serials.truncate(limit);
        let last = serials.last().copied().filter(|_| more);
        let shown = |serial: u64| Some((names::connection_id(serial), self.all.get(&serial)?.text(serial)));
        Listed { items: serials.into_iter().filter_map(shown).collect(), last }
    }
}

impl Kept {
    fn value(&self, serial: u64) -> Value {
        match self {
            Self::Untouched(shell) => shell.value(&names::connection_id(serial)),
            Self::Changed(value) => value.clone(),
        }
    }

    fn text(&self, serial: u64) -> String {
        match self {
            Self::Untouched(shell) => shell.text(&names::connection_id(serial)),
            Self::Changed(value) => value.to_string(),
        }
    }

    /// Its group and its name.
    fn name(&self) -> (String, String) {
        match self {
            Self::Untouched(shell) => (shell.group.clone(), shell.schema.clone()),
            Self::Changed(value) => {
                let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
                (text("group_id"), text("schema"))
            }
        }
    }
}

/// What stands in the form of a shell where its own words belong.
const GAPS: [&str; 6] = ["%id%", "%service%", "%group%", "%schema%", "%state%", "%at%"];

impl Shell {
    fn value(&self, id: &str) -> Value {
        let at = format!("{:.6}", self.at);
        form([id, &self.service, &self.group, &self.schema, &self.setup_state, &at])
    }

    /// [`Self::value`] as text, at the price of a copy: a page has a thousand.
    fn text(&self, id: &str) -> String {
        static FORM: LazyLock<String> = LazyLock::new(|| form(GAPS).to_string());
        let at = format!("{:.6}", self.at);
        let words = [id, &self.service, &self.group, &self.schema, &self.setup_state, &at];
        let mut text = String::with_capacity(FORM.len() + 256);
        let mut rest = FORM.as_str();
        // A name can stand in two places, and the places are in the order of the JSON.
        while let Some(start) = rest.find('%') {
            let Some(length) = rest.get(start + 1..).and_then(|rest| rest.find('%')) else { break };
            let (before, gap) = rest.split_at(start);
            let (gap, after) = gap.split_at(length + 2);
            let word = GAPS.iter().position(|known| *known == gap).and_then(|at| words.get(at));
            let quoted = json!(word.copied().unwrap_or_default()).to_string();
            text.push_str(before);
            text.push_str(quoted.trim_matches('"'));
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

/// A connection that its customer has not touched.
fn form([id, service, group, schema, setup_state, at]: [&str; 6]) -> Value {
    json!({
        "id": id, "service": service, "schema": schema, "group_id": group,
        "paused": false, "service_version": 4, "connected_by": "sandbox",
        "created_at": at, "succeeded_at": null, "failed_at": null,
        "sync_frequency": 360, "schedule_type": "auto", "pause_after_trial": false,
        "daily_sync_time": null, "data_delay_sensitivity": "NORMAL",
        "data_delay_threshold": 0, "networking_method": "Directly",
        "proxy_agent_id": null, "private_link_id": null, "hybrid_deployment_agent_id": null,
        "status": status(setup_state),
        "setup_tests": [], "config": { "schema": schema },
    })
}

/// The status of a connection that is in this state and about which nothing else is to be said.
pub(crate) fn status(setup_state: &str) -> Value {
    json!({
        "setup_state": setup_state, "sync_state": "scheduled",
        "update_state": "on_schedule", "is_historical_sync": true,
        "schema_status": "ready", "rescheduled_for": null, "tasks": [], "warnings": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(group: &str, schema: &str) -> Shell {
        Shell {
            service: "stripe".to_owned(),
            group: group.to_owned(),
            schema: schema.to_owned(),
            setup_state: "incomplete".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn ids(listed: &Listed) -> Vec<String> {
        listed.items.iter().map(|(id, _)| id.clone()).collect()
    }

    #[test]
    fn the_text_of_a_shell_is_its_json() {
        for schema in ["acme", "a\"b\\", "%id%", "100%", "%"] {
            let shell = shell("g", schema);
            assert_eq!(
                serde_json::from_str::<Value>(&shell.text("calm_delta")).unwrap(),
                shell.value("calm_delta")
            );
        }
    }

    #[test]
    fn a_cursor_stays_where_it_is_whatever_comes_and_goes() {
        let mut connections = Connections::default();
        let made: Vec<_> = (0..6).map(|n| connections.add(shell("g", &format!("s{n}")))).collect();
        let _ = connections.add(shell("h", "other"));
        let first = connections.list(Some("g"), None, None, 3);
        assert_eq!(ids(&first), made[..3]);
        assert!(connections.delete(&made[0]) && connections.delete(&made[2]) && connections.delete(&made[4]));
        let late = connections.add(shell("g", "late"));
        let second = connections.list(Some("g"), None, first.last, 2);
        assert_eq!(ids(&second), [made[3].clone(), made[5].clone()]);
        let third = connections.list(Some("g"), None, second.last, 2);
        assert_eq!((ids(&third), third.last), (vec![late], None));
        assert!(!connections.delete(&made[0]));
    }

    #[test]
    fn lists_are_by_group_by_name_or_of_all() {
        let mut connections = Connections::default();
        for (group, schema) in [("g", "a"), ("g", "b"), ("h", "a")] {
            let id = connections.add(shell(group, schema));
            connections.change(&id, |connection| connection["paused"] = json!(true)).unwrap();
            let _ = connections.add(shell(group, &format!("{schema}_untouched")));
        }
        let count = |group, schema| connections.list(group, schema, None, 100).items.len();
        assert_eq!(count(None, None), 6);
        assert_eq!(count(Some("g"), None), 4);
        assert_eq!((count(Some("g"), Some("a")), count(None, Some("a")), count(Some("x"), None)), (1, 2, 0));
    }
}
