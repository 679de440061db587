//! What tests look for in what Slack was sent, and what they send in Slack's place.

use std::collections::HashSet;

use connect_card::clock::Clock;
use jiff::Timestamp;
use serde_json::Value;
use stand_ins::slack::{self, Ack, Author, Message, Shown, SlackStandIn, Via, Visibility};

use super::client;

/// The reference that an acknowledgement or a message shows.
pub(crate) fn reference(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Ref `")?;
    Some(rest.split_once('`')?.0.to_owned())
}

/// Whether a message only says that a command waits: what comes of it is another one.
pub(crate) fn is_note(message: &Message) -> bool {
    let text = message.payload["text"].as_str().unwrap_or_default();
    message.visibility == Visibility::Ephemeral && text.starts_with("Still ")
}

/// The reference of a command that was accepted; `None` if it was not.
pub(crate) fn accepted(ack: &Ack) -> Option<String> {
    let text = slack::render(&ack.json());
    (ack.status == 200 && text.contains("Making a link")).then(|| reference(&text)).flatten()
}

/// The address behind the first button that has one.
pub(crate) fn link_of(message: &Message) -> Option<String> {
    button_of(&message.payload)
}

/// The same of what a message has shown at some time.
pub(crate) fn button_of(payload: &Value) -> Option<String> {
    let blocks = payload["blocks"].as_array().into_iter().flatten();
    let mut buttons = blocks.filter_map(|block| block["elements"].as_array()).flatten();
    buttons.find_map(|button| button["url"].as_str()).map(str::to_owned)
}

/// The id of the landing page in a link.
pub(crate) fn landing_of(link: &str) -> &str {
    let (_, rest) = link.split_once("/connected/").expect("the link leads back");
    rest.split(['&', '?']).next().unwrap()
}

/// An acknowledgement as the private message that Slack makes of it.
pub(crate) fn private(channel: &str, user: &str, now: Timestamp, ack: &Ack) -> Message {
    Message {
        id: u64::MAX,
        author: Author::App,
        channel: channel.to_owned(),
        // Questions do not live for ever.
        ts: format!("{}.000001", now.as_second()),
        user: Some(user.to_owned()),
        visibility: Visibility::Ephemeral,
        via: Via::Ack,
        thread_ts: None,
        payload: ack.json(),
        edits: Vec::new(),
        unfurl_links: None,
        unfurl_media: None,
        deleted: false,
        heard: true,
    }
}

/// The most links that were on show at one moment, each for a whole channel.
pub(crate) fn most_links_on_show(slack: &SlackStandIn) -> usize {
    let messages = slack.messages();
    let (mut on_show, mut most) = (HashSet::new(), 0);
    for Shown { message, payload } in slack.history() {
        let posted = messages.iter().find(|it| it.id == message).unwrap();
        if posted.visibility == Visibility::Channel && button_of(&payload).is_some() {
            on_show.insert(message);
        } else {
            on_show.remove(&message);
        }
        most = most.max(on_show.len());
    }
    most
}

/// The channels in which a link is on show now, one for each of its messages.
pub(crate) fn channels_with_a_link(slack: &SlackStandIn) -> Vec<String> {
    let messages = slack.messages().into_iter();
    let shown = messages.filter(|it| it.visibility == Visibility::Channel && link_of(it).is_some());
    shown.map(|message| message.channel).collect()
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
