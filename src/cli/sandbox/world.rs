//! What the page is told once: the people to be, the channels, the words of the slash command, and the
//! switches.
//!
//! Owns the cast. Must not know what happens on the stage.

use serde_json::{Value, json};
use stand_ins::slack::BOT_USER_ID;

use super::faults::SWITCHES;
use super::stage::{Fivetran, Stage};
use crate::command::{VERBS, WORDLESS};

/// Somebody to be.
struct Person {
    id: &'static str,
    name: &'static str,
    role: &'static str,
    team: &'static str,
    outside: bool,
}

const PEOPLE: [Person; 3] = [
    Person { id: "U0ALICE", name: "Alice", role: "asks for the link", team: "Your company", outside: false },
    Person { id: "U0BOB", name: "Bob", role: "her colleague", team: "Your company", outside: false },
    Person {
        id: "U0OUTSIDER",
        name: "Grace",
        role: "the customer, at Globex",
        team: "Globex",
        outside: true,
    },
];

/// The customers' channels: id, name, and what it is for.
const CHANNELS: [(&str, &str, &str, bool); 2] = [
    ("C0GLOBEX", "ext-globex", "You and your customer Globex, who are here too", true),
    ("C0CUSTOMER", "customer-acme", "Your own people, about your customer Acme", false),
];

/// All of it.
pub(super) fn world(stage: &Stage) -> Value {
    let real = matches!(stage.fivetran, Fivetran::Real(_));
    let [first, ..] = &VERBS;
    let words: Vec<Value> = VERBS
        .iter()
        .skip(WORDLESS)
        .map(|verb| {
            let (word, hint) = verb.usage.split_once(' ').unwrap_or((verb.usage, ""));
            json!({ "text": word, "hint": hint, "about": verb.does })
        })
        .collect();
    let people = PEOPLE.map(|Person { id, name, role, team, outside }| {
        json!({ "id": id, "name": name, "role": role, "team": team, "outside": outside })
    });
    let faults = if real { json!([]) } else { json!(SWITCHES) };
    json!({
        "command": { "name": "/connect-card", "hint": first.usage, "about": first.does, "words": words },
        "app": { "id": BOT_USER_ID, "name": "connect-card" },
        "people": people, "channels": channels(stage), "real": real, "faults": faults,
    })
}

fn channels(stage: &Stage) -> Vec<Value> {
    let sees = |id: &str| -> Vec<&str> {
        PEOPLE.iter().map(|person| person.id).filter(|person| stage.slack.sees(person, id)).collect()
    };
    let customers = CHANNELS.iter().map(|&(id, name, about, shared)| {
        json!({ "id": id, "name": name, "about": about, "kind": "channel", "shared": shared, "sees": sees(id) })
    });
    // The app is of their workspace, so those outside have no messages with it.
    let own = PEOPLE.iter().filter(|person| !person.outside).filter_map(|person| {
        let id = stage.slack.direct_message(person.id)?;
        Some(json!({
            "id": id, "name": "connect-card", "about": "What the app tells you alone", "kind": "im",
            "shared": false, "sees": [person.id], "with": person.id,
        }))
    });
    customers.chain(own).collect()
}

/// Whether this is somebody to be.
pub(super) fn is_person(id: &str) -> bool {
    PEOPLE.iter().any(|person| person.id == id)
}
