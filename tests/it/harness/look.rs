//! What tests look for in what Slack was sent, and what they send in Slack's place.

use connect_card::clock::Clock;
use serde_json::Value;
use stand_ins::slack::{self, Ack, Message};

use super::client;

/// The reference that an acknowledgement or a message shows.
pub(crate) fn reference(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Ref `")?;
    Some(rest.split_once('`')?.0.to_owned())
}

/// The reference of a command that was accepted; `None` if it was not.
pub(crate) fn accepted(ack: &Ack) -> Option<String> {
    let text = slack::render(&ack.json());
    (ack.status == 200 && text.contains("Making a link")).then(|| reference(&text)).flatten()
}

/// The address behind the first button that has one.
pub(crate) fn link_of(message: &Message) -> Option<String> {
    let blocks = message.payload["blocks"].as_array().into_iter().flatten();
    let mut buttons = blocks.filter_map(|block| block["elements"].as_array()).flatten();
    buttons.find_map(|button| button["url"].as_str()).map(str::to_owned)
}

/// The Connect Card's token in a link.
pub(crate) fn token_of(link: &str) -> String {
    let (_, rest) = link.split_once("auth=").expect("the link has a token");
    rest.split('&').next().unwrap().to_owned()
}

/// Every object in a JSON value, the value itself included.
pub(crate) fn objects(value: &Value) -> Vec<&Value> {
    let below: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let own = value.is_object().then_some(value);
    own.into_iter().chain(below.into_iter().flat_map(objects)).collect()
}

/// Every string in a JSON value with the path to it.
pub(crate) fn strings(value: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => found.push((path.to_owned(), text.clone())),
            Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), found)),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| walk(field, &format!("{path}.{name}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// Posts a body as Slack would.
pub(crate) async fn post(url: &str, headers: &[(String, String)], body: Vec<u8>) -> std::io::Result<Ack> {
    slack::post(&client(), url, headers, body).await
}

/// The headers that Slack would send with a body now.
pub(crate) fn signed_headers(body: &[u8]) -> Vec<(String, String)> {
    slack::signed_headers(Clock::default().now(), body)
}
