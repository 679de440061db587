//! Slack's Web API: the methods that a bot of this kind calls.
//!
//! Owns scopes, error names and answers. Must not know the sink behind response URLs.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::directory::Organisation;
use super::state::{State, Via, Visibility, has_content, name_blocks};
use super::{APP_ID, BOT_ID, BOT_USER_ID, ENTERPRISE_ID, TEAM_DOMAIN, TEAM_ID, block_faults};
use crate::wire::{Answer, Request};

const LONGEST_UPDATE: usize = 4000;
/// What is longer is cut off in silence: docs.slack.dev, chat.postMessage, truncating content.
const LONGEST_TEXT: usize = 40_000;
const MOST_ATTACHMENTS: usize = 100;
const LARGEST_VIEW: usize = 250_000;

/// An error's name, with what `response_metadata.messages` says about it.
struct Failure(&'static str, Vec<String>);

impl From<&'static str> for Failure {
    fn from(error: &'static str) -> Self {
        Self(error, Vec::new())
    }
}

type Success = Result<Value, Failure>;

/// Does the work of a method, for arguments that could be read or the word for why not.
pub(crate) fn answer(
    method: &str,
    request: &Request,
    arguments: &Result<Value, &'static str>,
    state: &mut State,
    now: Timestamp,
) -> Answer {
    let scopes = state.scopes.join(",");
    let mut known = false;
    let result = arguments.as_ref().map_err(|&error| error.into()).and_then(|arguments| {
        authorize(request, arguments, &state.bot_tokens)?;
        known = true;
        call(method, arguments, state, now)
    });
    let body = match result {
        Ok(mut body) => {
            body["ok"] = json!(true);
            body
        }
        Err(Failure(error, messages)) => {
            let mut body = json!({ "ok": false, "error": error });
            if !messages.is_empty() {
                body["response_metadata"] = json!({ "messages": messages });
            }
            if error == "missing_scope" {
                body["provided"] = json!(scopes);
                body["needed"] = json!(needed(method, arguments.as_ref().ok(), state));
            }
            body
        }
    };
    let answer = Answer::json(200, &body);
    // slack.md, 5: what the token has; of none there is nothing to tell.
    if known { answer.with("x-oauth-scopes", scopes) } else { answer }
}

/// The body of an answer that a fault asks for.
pub(crate) fn refusal_body(status: u16) -> Value {
    let error = match status {
        429 => "ratelimited",
        401 | 403 => "invalid_auth",
        503 => "service_unavailable",
        _ => "internal_error",
    };
    json!({ "ok": false, "error": error })
}

/// A token comes in the header, "or alternatively, as a POST parameter": docs.slack.dev, any method.
fn authorize(request: &Request, arguments: &Value, known: &[String]) -> Result<(), Failure> {
    let bearer = request.header("authorization").strip_prefix("Bearer ");
    match bearer.or_else(|| arguments["token"].as_str()) {
        None => Err("not_authed".into()),
        Some(token) if known.iter().any(|known| known == token) => Ok(()),
        Some(_) => Err("invalid_auth".into()),
    }
}

/// What a method cannot do without, by docs.slack.dev's reference. What the missing of it is called
/// is from laravel-slack-api, issue 38.
fn required(method: &str) -> &'static [&'static str] {
    match method {
        "chat.postMessage" | "conversations.info" => &["channel"],
        "chat.postEphemeral" => &["channel", "user"],
        "chat.update" => &["channel", "ts"],
        "views.open" | "views.update" => &["view"],
        "views.publish" => &["user_id", "view"],
        "files.getUploadURLExternal" => &["length", "filename"],
        "files.completeUploadExternal" => &["files"],
        "users.info" => &["user"],
        "usergroups.users.list" => &["usergroup"],
        _ => &[],
    }
}

fn scope(method: &str) -> &'static str {
    match method {
        "chat.postMessage" | "chat.update" | "chat.postEphemeral" => "chat:write",
        "files.getUploadURLExternal" | "files.completeUploadExternal" => "files:write",
        "users.info" | "bots.info" => "users:read",
        "usergroups.users.list" => "usergroups:read",
        _ => "",
    }
}

/// The scopes by one of which a conversation of some kind can be read.
const READ_SCOPES: [&str; 4] = ["channels:read", "groups:read", "im:read", "mpim:read"];

/// What `missing_scope` says is needed. Of a conversation that depends on its kind, if it can be told.
fn needed(method: &str, arguments: Option<&Value>, state: &State) -> String {
    if method != "conversations.info" {
        return scope(method).to_owned();
    }
    let channel = arguments.and_then(|arguments| state.directory.channel(text(arguments, "channel")));
    match channel.filter(|_| READ_SCOPES.iter().any(|scope| granted(state, scope))) {
        Some(channel) => channel.read_scope().to_owned(),
        None => READ_SCOPES.join(","),
    }
}

fn call(method: &str, arguments: &Value, state: &mut State, now: Timestamp) -> Success {
    let needed = scope(method);
    if !needed.is_empty() && !granted(state, needed) {
        return Err("missing_scope".into());
    }
    let missing = required(method).iter().filter(|&&name| arguments[name].is_null());
    let missing: Vec<_> = missing.map(|name| format!("[ERROR] missing required field: {name}")).collect();
    if !missing.is_empty() {
        return Err(Failure("invalid_arguments", missing));
    }
    match method {
        "auth.test" => Ok(auth_test(state.directory.organisation)),
        "chat.postMessage" => post_message(arguments, state, now),
        "chat.update" => update(arguments, state),
        "chat.postEphemeral" => post_ephemeral(arguments, state, now),
        "views.open" => views_open(arguments, state, now),
        "views.update" => views_update(arguments, state, now),
        "views.publish" => views_publish(arguments, state, now),
        "files.getUploadURLExternal" => upload_url(arguments, state),
        "files.completeUploadExternal" => complete_upload(arguments, state, now),
        "bots.info" => bots_info(arguments, state),
        "users.info" => match state.directory.user(text(arguments, "user")) {
            Some(user) => Ok(json!({ "user": user.to_json(state.directory.organisation) })),
            None => Err("user_not_found".into()),
        },
        "conversations.info" => conversations_info(arguments, state),
        "usergroups.users.list" => match state.directory.groups.get(text(arguments, "usergroup")) {
            Some(members) => Ok(json!({ "users": members })),
            None => Err("no_such_subteam".into()),
        },
        _ => Err("unknown_method".into()),
    }
}

/// Whose the token is. <https://docs.slack.dev/reference/methods/auth.test>
fn auth_test(organisation: Organisation) -> Value {
    let mut answer = json!({
        "url": format!("https://{TEAM_DOMAIN}.slack.com/"), "team": "Sandbox",
        "user": "connect-card", "team_id": TEAM_ID, "user_id": BOT_USER_ID, "bot_id": BOT_ID,
        "is_enterprise_install": organisation == Organisation::Whole,
    });
    if organisation != Organisation::None {
        answer["enterprise_id"] = json!(ENTERPRISE_ID);
    }
    if organisation == Organisation::Whole {
        answer["team_id"] = json!(ENTERPRISE_ID);
    }
    answer
}

/// The app's own bot; there is no other. <https://docs.slack.dev/reference/methods/bots.info>
fn bots_info(arguments: &Value, state: &State) -> Success {
    match text(arguments, "bot") {
        BOT_ID => Ok(json!({ "bot": {
            "id": BOT_ID, "deleted": false, "name": "connect-card", "updated": 1_790_000_000,
            "app_id": state.bot_app, "user_id": BOT_USER_ID,
        } })),
        _ => Err("bot_not_found".into()),
    }
}

fn post_message(arguments: &Value, state: &mut State, now: Timestamp) -> Success {
    let channel = writable_channel(arguments, state)?;
    check_content(arguments)?;
    let message = state.post(&channel, None, Via::PostMessage, payload(arguments), now);
    Ok(json!({ "channel": channel, "ts": message.ts, "message": shown(&message.payload, &message.ts) }))
}

fn post_ephemeral(arguments: &Value, state: &mut State, now: Timestamp) -> Success {
    let channel = writable_channel(arguments, state)?;
    let user = text(arguments, "user");
    if state.directory.user(user).is_none() {
        return Err("user_not_found".into());
    }
    let visible = state.directory.channel(&channel);
    if !visible.is_some_and(|channel| state.directory.sees(user, channel)) {
        return Err("user_not_in_channel".into());
    }
    check_content(arguments)?;
    let message = state.post(&channel, Some(user), Via::PostEphemeral, payload(arguments), now);
    Ok(json!({ "message_ts": message.ts }))
}

fn update(arguments: &Value, state: &mut State) -> Success {
    let (channel, ts) = (text(arguments, "channel"), text(arguments, "ts"));
    match state.directory.channel(channel) {
        None => return Err("channel_not_found".into()),
        Some(known) if known.is_private && !known.has_bot => return Err("channel_not_found".into()),
        Some(known) if known.is_archived => return Err("is_inactive".into()),
        Some(_) => {}
    }
    check_content(arguments)?;
    if text(arguments, "text").chars().count() > LONGEST_UPDATE {
        return Err("msg_too_long".into());
    }
    let message = state.message_at(channel, ts).ok_or("message_not_found")?;
    if message.visibility == Visibility::Ephemeral {
        return Err("cant_update_message".into());
    }
    let mut payload = payload(arguments);
    // docs.slack.dev, chat.update: attachments stay where they are not mentioned, metadata too, and
    // blocks where the text is not either.
    for field in ["attachments", "metadata", "blocks"] {
        let stays = payload[field].is_null() && (field != "blocks" || payload["text"].is_null());
        if stays && !message.payload[field].is_null() {
            payload[field] = message.payload[field].clone();
        }
    }
    let id = message.id;
    let answer = json!({
        "channel": channel, "ts": ts, "text": text(arguments, "text"), "message": shown(&payload, ts),
    });
    state.edit(id, payload);
    Ok(answer)
}

fn views_open(arguments: &Value, state: &mut State, now: Timestamp) -> Success {
    // docs.slack.dev, views.open: "before getting to any possible validation errors".
    let trigger = arguments["trigger_id"].as_str();
    let trigger =
        trigger.ok_or_else(|| Failure("invalid_arguments", vec!["invalid `trigger_id`".to_owned()]))?;
    state.exchangeable(trigger, now)?;
    let view = &arguments["view"];
    check_view(view)?;
    if view["type"] != "modal" {
        return Err(Failure("invalid_arguments", vec!["view: only a modal can be opened".to_owned()]));
    }
    let external = &view["external_id"];
    if external.is_string() && state.views.values().any(|known| known["external_id"] == *external) {
        return Err("duplicate_external_id".into());
    }
    let user = state.exchange(trigger, now)?;
    Ok(json!({ "view": state.open_view(arguments["view"].clone(), &user, now) }))
}

/// The home that the app shows one person. <https://docs.slack.dev/reference/methods/views.publish>
fn views_publish(arguments: &Value, state: &mut State, now: Timestamp) -> Success {
    let (user, view) = (text(arguments, "user_id"), &arguments["view"]);
    check_view(view)?;
    if view["type"] != "home" {
        return Err(Failure("invalid_arguments", vec!["view: only a home can be published".to_owned()]));
    }
    if state.directory.user(user).is_none() {
        return Err("user_not_found".into());
    }
    let shown = state.homes.get(user);
    let hash = &arguments["hash"];
    if hash.is_string() && shown.is_some_and(|shown| shown["hash"] != *hash) {
        return Err("hash_conflict".into());
    }
    // One person's Home keeps its id, whatever is published in it.
    let id = shown.map(|shown| shown["id"].clone());
    let mut view = view.clone();
    view["id"] = id.unwrap_or_else(|| json!(format!("V0{:08}", state.number())));
    view["hash"] = json!(state.view_hash(now));
    view["team_id"] = json!(TEAM_ID);
    view["app_id"] = json!(APP_ID);
    view["app_installed_team_id"] = json!(TEAM_ID);
    view["bot_id"] = json!(BOT_ID);
    view["root_view_id"] = view["id"].clone();
    view["state"] = json!({ "values": {} });
    name_blocks(&mut view);
    state.homes.insert(user.to_owned(), view.clone());
    Ok(json!({ "view": view }))
}

/// <https://docs.slack.dev/reference/methods/files.getUploadURLExternal>
fn upload_url(arguments: &Value, state: &mut State) -> Success {
    // A number, or one in a form.
    let length = &arguments["length"];
    let length = length.as_u64().or_else(|| length.as_str()?.parse().ok()).filter(|length| *length > 0);
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or("invalid_arguments")?;
    let number = state.number();
    let (id, path) = state.files.announce(number, text(arguments, "filename"), length);
    Ok(json!({ "upload_url": format!("{}{path}", state.base), "file_id": id }))
}

/// <https://docs.slack.dev/reference/methods/files.completeUploadExternal>
fn complete_upload(arguments: &Value, state: &mut State, now: Timestamp) -> Success {
    let asked = arguments["files"].as_array().ok_or("invalid_arguments")?;
    // "If not specified the file will be private."
    let channel = match &arguments["channel_id"] {
        Value::Null => None,
        id => Some(writable_channel(&json!({ "channel": id }), state)?),
    };
    let mut shared = Vec::new();
    for asked in asked {
        let file = state.files.waiting(text(asked, "id")).ok_or("file_not_found")?;
        file.channel.clone_from(&channel);
        let title = asked["title"].as_str().unwrap_or(&file.name);
        shared.push(json!({ "id": file.id, "title": title, "name": file.name }));
    }
    if let Some(channel) = &channel {
        let payload = json!({ "text": arguments["initial_comment"], "files": shared });
        state.post(channel, None, Via::PostMessage, payload, now);
    }
    Ok(json!({ "files": shared }))
}

fn views_update(arguments: &Value, state: &mut State, now: Timestamp) -> Success {
    check_view(&arguments["view"])?;
    let (id, external) = (text(arguments, "view_id"), text(arguments, "external_id"));
    if id.is_empty() && external.is_empty() {
        return Err(Failure("invalid_arguments", vec!["view_id or external_id is required".to_owned()]));
    }
    let known = state
        .views
        .values()
        .find(|view| view["id"] == id || (!external.is_empty() && view["external_id"] == external));
    let known = known.ok_or("not_found")?;
    let hash = &arguments["hash"];
    if hash.is_string() && *hash != known["hash"] {
        return Err("hash_conflict".into());
    }
    let mut view = known.clone();
    for (field, value) in arguments["view"].as_object().into_iter().flatten() {
        view[field] = value.clone();
    }
    name_blocks(&mut view);
    view["hash"] = json!(state.view_hash(now));
    let id = view["id"].as_str().unwrap_or_default().to_owned();
    state.views.insert(id, view.clone());
    Ok(json!({ "view": view }))
}

/// <https://docs.slack.dev/reference/methods/conversations.info>
fn conversations_info(arguments: &Value, state: &State) -> Success {
    if !READ_SCOPES.iter().any(|scope| granted(state, scope)) {
        return Err("missing_scope".into());
    }
    let channel = state.directory.channel(text(arguments, "channel"));
    let channel = channel.ok_or("channel_not_found")?;
    if channel.is_private && !channel.has_bot {
        return Err("channel_not_found".into());
    }
    if !granted(state, channel.read_scope()) {
        return Err("missing_scope".into());
    }
    Ok(json!({ "channel": channel.to_json(state.directory.organisation) }))
}

/// The id of the channel meant, when the bot may write there.
fn writable_channel(arguments: &Value, state: &mut State) -> Result<String, Failure> {
    let everywhere = granted(state, "chat:write.public");
    let channel = state.directory.open(text(arguments, "channel")).ok_or("channel_not_found")?;
    match (channel.has_bot, channel.is_private) {
        (true, _) if channel.is_archived => Err("is_archived".into()),
        (true, _) => Ok(channel.id.clone()),
        (false, true) => Err("channel_not_found".into()),
        (false, false) if everywhere => Ok(channel.id.clone()),
        (false, false) => Err("not_in_channel".into()),
    }
}

fn check_content(arguments: &Value) -> Result<(), Failure> {
    if !has_content(arguments) {
        return Err("no_text".into());
    }
    if !matches!(arguments["blocks"], Value::Null | Value::Array(_)) {
        return Err("invalid_blocks_format".into());
    }
    if arguments["attachments"].as_array().is_some_and(|attachments| attachments.len() > MOST_ATTACHMENTS) {
        return Err("too_many_attachments".into());
    }
    match block_faults(arguments) {
        faults if faults.is_empty() => Ok(()),
        faults => Err(Failure("invalid_blocks", faults)),
    }
}

fn check_view(view: &Value) -> Result<(), Failure> {
    if view.to_string().len() > LARGEST_VIEW {
        return Err("view_too_large".into());
    }
    if !matches!(view["type"].as_str(), Some("modal" | "home")) {
        return Err(Failure("invalid_arguments", vec!["view: type is required".to_owned()]));
    }
    match block_faults(view) {
        faults if faults.is_empty() => Ok(()),
        faults => Err(Failure("invalid_arguments", faults)),
    }
}

/// What was sent, without what only addresses it.
fn payload(arguments: &Value) -> Value {
    let mut payload = arguments.clone();
    if let Some(fields) = payload.as_object_mut() {
        for address in ["channel", "token", "ts", "user"] {
            fields.remove(address);
        }
    }
    if let Some((end, _)) = text(arguments, "text").char_indices().nth(LONGEST_TEXT) {
        payload["text"] = json!(text(arguments, "text").get(..end));
    }
    payload
}

fn shown(payload: &Value, ts: &str) -> Value {
    json!({
        "type": "message", "user": BOT_USER_ID, "bot_id": BOT_ID, "app_id": APP_ID,
        "team": TEAM_ID, "ts": ts, "text": payload["text"], "blocks": payload["blocks"],
    })
}

fn granted(state: &State, scope: &str) -> bool {
    state.scopes.iter().any(|granted| granted == scope)
}

fn text<'a>(arguments: &'a Value, name: &str) -> &'a str {
    arguments[name].as_str().unwrap_or_default()
}
