//! The sink behind response URLs.
//!
//! Owns what a post to such a URL does and is answered. Must not know the Web API.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::block_faults;
use super::state::{Spent, State, Via, Visibility, has_content, truth};
use crate::wire::{Answer, Request};

pub(crate) fn answer(request: &Request, state: &mut State, now: Timestamp) -> Answer {
    let (channel, user, original) = match state.usable_hook(&request.path, now) {
        Ok(hook) => (hook.channel.clone(), hook.user.clone(), hook.original),
        Err(Spent::Unknown) => return Answer::text(404, "no_service"),
        Err(Spent::Expired) => return refused("expired_url"),
        Err(Spent::Used) => return refused("used_url"),
    };
    if state.directory.channel(&channel).is_some_and(|channel| channel.is_archived) {
        return Answer::text(410, "channel_is_archived");
    }
    // slack.md, 1.5: JSON, and said to be.
    let media = request.header("content-type").split(';').next().unwrap_or_default().trim();
    let json = request.method == hyper::Method::POST && media.eq_ignore_ascii_case("application/json");
    let Some(payload) = request.json().filter(|body| json && body.is_object()) else {
        return Answer::text(400, "invalid_payload");
    };
    // java-slack-sdk, issue 1017.
    if !block_faults(&payload).is_empty() {
        return Answer::text(400, "invalid_blocks");
    }
    let deletes = truth(&payload["delete_original"]) == Some(true);
    if !has_content(&payload) && !deletes {
        return Answer::text(400, "no_text");
    }
    let mut posted = None;
    let earlier = original.and_then(|id| state.message(id)).map(|message| message.id);
    match earlier {
        Some(message) if deletes => {
            state.delete(message);
            if has_content(&payload) {
                posted = Some(post(state, &channel, &user, payload, now));
            }
        }
        Some(message) if truth(&payload["replace_original"]) == Some(true) => {
            state.edit(message, payload);
        }
        _ if has_content(&payload) => posted = Some(post(state, &channel, &user, payload, now)),
        _ => {}
    }
    state.spend(&request.path, posted);
    Answer::text(200, "ok")
}

fn post(state: &mut State, channel: &str, user: &str, payload: Value, now: Timestamp) -> u64 {
    let visibility = match payload["response_type"].as_str() {
        Some("in_channel") => Visibility::Channel,
        _ => Visibility::Ephemeral,
    };
    let ephemeral_for = (visibility == Visibility::Ephemeral).then_some(user);
    state.post(channel, ephemeral_for, Via::ResponseUrl, payload, now).id
}

fn refused(error: &str) -> Answer {
    Answer::json(404, &json!({ "ok": false, "error": error }))
}
