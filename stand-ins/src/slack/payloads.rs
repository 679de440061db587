//! The shapes in the wild of what Slack sends of its own accord: named changes to an interaction's
//! payload, for a test that asks for one.
//!
//! Owns the names and what each changes. Must not know what the bot makes of it.

use serde_json::{Value, json};

/// One shape in the wild.
#[derive(Debug, Clone, Copy)]
pub struct Quirk {
    /// What to ask for, in kebab case, unique in the table.
    pub name: &'static str,
    /// What it does to a payload.
    pub(crate) change: fn(&mut Value),
    /// Who saw or documents it.
    pub source: &'static str,
}

/// An empty map arrives as a list.
const EMPTY_MAPS: &str = "slack-go #943, slack-rs #78: Slack's backend sends an empty map as a list";
/// Fields are left out, or null.
const FIELDS_VARY: &str = "docs.slack.dev, reference/interaction-payloads: fields vary between kinds";
const ORGANISATION: &str = "docs.slack.dev, enterprise/developing-for-enterprise-orgs";

/// Every shape that can be asked for.
pub const QUIRKS: &[Quirk] = &[
    Quirk { name: "slack-values-list", change: |it| values(it, &json!([])), source: EMPTY_MAPS },
    Quirk { name: "slack-values-null", change: |it| values(it, &json!(null)), source: EMPTY_MAPS },
    Quirk { name: "slack-values-text", change: |it| values(it, &json!("")), source: EMPTY_MAPS },
    Quirk { name: "slack-state-list", change: |it| state(it, &json!([])), source: EMPTY_MAPS },
    Quirk { name: "slack-state-null", change: |it| state(it, &json!(null)), source: FIELDS_VARY },
    Quirk {
        name: "slack-unneeded-fields-differ",
        change: |it| {
            for field in ["api_app_id", "token", "trigger_id", "enterprise", "response_urls", "message"] {
                it[field] = json!([]);
            }
            it["is_enterprise_install"] = json!("false");
            it["user"]["name"] = json!({});
        },
        source: FIELDS_VARY,
    },
    Quirk {
        name: "slack-without-response-url",
        change: |it| remove(it, "response_url"),
        source: FIELDS_VARY,
    },
    Quirk { name: "slack-without-user", change: |it| it["user"] = json!([]), source: FIELDS_VARY },
    Quirk { name: "slack-without-actions", change: |it| it["actions"] = json!({}), source: FIELDS_VARY },
    Quirk { name: "slack-without-view", change: |it| it["view"] = json!([]), source: FIELDS_VARY },
    Quirk { name: "slack-without-type", change: |it| it["type"] = json!(null), source: FIELDS_VARY },
    Quirk {
        name: "slack-team-null",
        change: |it| it["team"] = json!(null),
        source: "docs.slack.dev, reference/interaction-payloads/block_actions-payload: null where an app is \
                 installed in an organisation",
    },
    Quirk {
        name: "slack-without-organisation",
        change: |it| {
            it["team"] = json!(null);
            it["enterprise"] = json!(null);
        },
        source: ORGANISATION,
    },
    Quirk {
        name: "slack-team-of-another-workspace",
        change: |it| {
            it["team"] = json!({ "id": super::SIBLING_TEAM_ID });
            it["enterprise"] = json!(null);
        },
        source: ORGANISATION,
    },
    Quirk {
        name: "slack-user-of-organisation",
        change: |it| it["user"]["team_id"] = json!(super::ENTERPRISE_ID),
        source: ORGANISATION,
    },
    Quirk {
        name: "slack-user-of-fixed-workspace",
        change: |it| it["user"]["team_id"] = json!(super::SIBLING_TEAM_ID),
        source: "bolt-js #1875: one and the same workspace of a person, wherever the press was",
    },
    Quirk {
        name: "slack-user-without-team",
        change: |it| {
            if let Some(user) = it["user"].as_object_mut() {
                user.remove("team_id");
            }
        },
        source: FIELDS_VARY,
    },
];

/// The row of this name.
pub(crate) fn quirk(name: &str) -> Option<&'static Quirk> {
    QUIRKS.iter().find(|row| row.name == name)
}

fn values(payload: &mut Value, shape: &Value) {
    for holder in ["/state", "/view/state"] {
        if let Some(state) = payload.pointer_mut(holder).filter(|state| state.is_object()) {
            state["values"] = shape.clone();
        }
    }
}

fn state(payload: &mut Value, shape: &Value) {
    for holder in ["/state", "/view/state"] {
        if let Some(state) = payload.pointer_mut(holder) {
            *state = shape.clone();
        }
    }
}

fn remove(payload: &mut Value, field: &str) {
    if let Some(fields) = payload.as_object_mut() {
        fields.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_shape_has_a_name_of_its_own_a_source_and_changes_something() {
        let names: BTreeSet<_> = QUIRKS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), QUIRKS.len());
        let usual = json!({
            "type": "x", "user": { "id": "U1", "team_id": "T1" }, "team": { "id": "T1" }, "actions": [{}],
            "state": { "values": {} }, "view": { "state": { "values": {} } }, "response_url": "x",
        });
        for row in QUIRKS {
            let mut payload = usual.clone();
            (row.change)(&mut payload);
            assert_ne!(payload, usual, "{}", row.name);
            assert!(!row.source.is_empty(), "{}", row.name);
        }
    }
}
