//! What people are shown: foreign text stays text, and every message is one that Slack takes.

use connect_card::command::UsageError;
use connect_card::journal::{Notice, Problem};
use connect_card::life::{Link, Reminded, State, Trouble};
use connect_card::reply;
use connect_card::work::{Request, Work};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Slack's limits, in characters: a text, a section's text, a button's label and its value.
/// <https://docs.slack.dev/reference/block-kit>
const MESSAGE: usize = 4000;
const TEXT: usize = 3000;
const LABEL: usize = 75;
const VALUE: usize = 2000;
/// And of blocks in a message.
const BLOCKS: usize = 50;

/// Text of somebody else's. Slack reads it back as it is, and in no message it becomes a mention, a link or
/// code of its own.
pub fn escape(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let escaped = reply::escape(&text);
    assert!(!escaped.contains(['<', '>']));
    assert_eq!(as_slack_reads(&escaped), text, "Slack reads it back");

    let benign: String = text.chars().map(|it| if it.is_alphanumeric() { it } else { 'x' }).collect();
    for ((name, foreign), (_, plain)) in messages(&text).into_iter().zip(messages(&benign)) {
        assert_limits(&foreign);
        let (foreign, plain) = (markup(&foreign), markup(&plain));
        // Where it is cut is another place, since an escaped character is longer.
        if text.chars().count() < 60 {
            assert_eq!(foreign, plain, "{name} of {text:?}");
        }
    }
}

/// Slack's three escapes, read once, by a program of its own.
fn as_slack_reads(escaped: &str) -> String {
    let mut text = String::new();
    let mut rest = escaped;
    while let Some((before, behind)) = rest.split_once('&') {
        text.push_str(before);
        let known = [("amp;", '&'), ("lt;", '<'), ("gt;", '>')];
        let (entity, character) =
            known.into_iter().find(|(it, _)| behind.starts_with(it)).expect("an entity");
        text.push(character);
        rest = &behind[entity.len()..];
    }
    text + rest
}

/// Messages with a text of somebody else's in each place where one can stand.
fn messages(foreign: &str) -> Vec<(&'static str, Value)> {
    let request: Request = serde_json::from_value(json!({
        "service": "google_ads", "service_name": foreign, "kind": "schema", "retired": null,
        "target": { "schema": "acme", "table": null }, "group_id": "g", "destination": "prod",
        "slash": "/connect-card",
    }))
    .unwrap();
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    let trouble: Trouble = serde_json::from_value(json!({
        "tasks": [{ "code": foreign, "message": foreign, "details": foreign }], "tested": true,
    }))
    .unwrap();
    let link = Link {
        id: "ABCDE12345".to_owned(),
        connection_id: foreign.to_owned(),
        team_id: "T1".to_owned(),
        channel_id: "C1".to_owned(),
        requester: Some("U1".to_owned()),
        request: request.clone(),
        message_id: "m".to_owned(),
        message: None,
        state: State::Broken,
        // It stands as it is said, marks of code included.
        detail: Some(foreign.replace('`', "'")),
        trouble: Some(trouble),
        posted_at: at,
        expires_at: at,
        changed_at: at,
        reminded: Reminded::default(),
        purpose: None,
        landed_at: None,
        onboarding: None,
    };
    let work = Work::Connect(request);
    let unknown =
        UsageError::UnknownService { typed: foreign.to_owned(), suggestions: vec![], instead: vec![] };
    let refused = Notice::Problem(Problem::CannotPost { slack_says: foreign.to_owned() });
    [
        ("accepted", reply::accepted(&work, "REF")),
        ("already on it", reply::already_on_it(&work, &reply::UnderWay::Same)),
        ("usage", reply::usage(&unknown, connect_card::command::surface::Surface::of("/connect-card"))),
        ("notice", reply::notice(&refused, &work, "REF", "U1", "C1")),
        ("trouble", reply::trouble::trouble(&link)),
        ("nobody asked", reply::trouble::nobody_asked(&link)),
        ("settled", reply::live::settled(&link)),
        ("cancel", reply::ask::cancel(&link)),
    ]
    .into_iter()
    .map(|(name, content)| (name, serde_json::to_value(content).unwrap()))
    .collect()
}

/// What is markup in a message: what stands between angle brackets, and in its blocks how many marks of code
/// there are.
fn markup(message: &Value) -> Vec<String> {
    let mut found = Vec::new();
    each_text(message, &mut |kind, text| {
        if kind != "plain_text" && kind != "button" {
            found.extend(
                text.split('<').skip(1).map(|it| it.split('>').next().unwrap_or_default().to_owned()),
            );
        }
        if kind == "mrkdwn" {
            found.push(format!("{} code", text.matches('`').count()));
        }
    });
    found
}

/// Whether Slack takes a message.
pub(crate) fn is_within_limits(content: &impl serde::Serialize) -> bool {
    within_limits(content);
    true
}

/// Slack takes the message.
pub(crate) fn within_limits(content: &impl serde::Serialize) {
    assert_limits(&serde_json::to_value(content).unwrap());
}

/// Slack takes the answer to a form, which wants a sentence at each faulty field.
pub(crate) fn answer_within_limits(answer: &impl serde::Serialize) {
    let answer = serde_json::to_value(answer).unwrap();
    let errors = answer["errors"].as_object().expect("errors");
    assert!(!errors.is_empty());
    for (field, sentence) in errors {
        let sentence = sentence.as_str().unwrap();
        assert!(!sentence.is_empty() && sentence.chars().count() <= TEXT, "{field}: {sentence}");
    }
}

fn assert_limits(message: &Value) {
    let text = message["text"].as_str().unwrap_or_default();
    assert!(text.chars().count() <= MESSAGE, "{} characters", text.chars().count());
    assert!(message["blocks"].as_array().is_none_or(|blocks| blocks.len() <= BLOCKS));
    each_text(message, &mut |kind, text| {
        let limit = if kind == "button" { LABEL } else { TEXT };
        assert!(text.chars().count() <= limit && !text.is_empty(), "{kind}: {text:?}");
    });
    each_object(message, &mut |object| {
        let value = object.get("value").and_then(Value::as_str).unwrap_or_default();
        assert!(value.chars().count() <= VALUE, "{value}");
        if object.get("type") == Some(&json!("mrkdwn")) {
            assert_eq!(object.get("verbatim"), Some(&json!(true)), "Slack would look for links in it");
        }
    });
}

/// Every text with its kind: `mrkdwn`, `plain_text`, `button` for a button's, or `text` for what stands in for
/// the blocks.
fn each_text(message: &Value, look: &mut impl FnMut(&str, &str)) {
    if let Some(text) = message["text"].as_str() {
        look("text", text);
    }
    each_object(message, &mut |object| {
        let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
        if let ("mrkdwn" | "plain_text", Some(text)) = (kind, object.get("text").and_then(Value::as_str)) {
            look(kind, text);
        }
        if kind == "button" {
            look(kind, object["text"]["text"].as_str().unwrap_or_default());
        }
    });
}

fn each_object(value: &Value, look: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            look(object);
            object.values().for_each(|value| each_object(value, look));
        }
        Value::Array(values) => values.iter().for_each(|value| each_object(value, look)),
        _ => {}
    }
}
