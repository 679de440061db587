//! What people do with messages, forms and menus, as Slack tells it: an interaction's payload.
//!
//! Owns which fields are read, and that each is read by itself: Slack's backend sends an empty map
//! as a list, leaves fields out, and has `null` or a text where others have an object. So a field in
//! another shape counts as absent, and spoils no other. Must not know what the bot makes of it.
//!
//! <https://docs.slack.dev/reference/interaction-payloads>

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ResponseUrl, id};
use crate::outbound::json;

/// What of a payload is read. Everything may be absent: fields come and go between the kinds.
///
/// No `Debug`: it holds the response_url.
#[derive(Default)]
pub struct Interaction {
    /// `block_actions`, `view_submission`, …; new ones appear. Empty if it cannot be read.
    pub kind: String,
    /// Who.
    pub user_id: Option<String>,
    /// The person's own workspace, or organisation: in an organisation always the same one, wherever
    /// the person is at work.
    pub user_team: Option<String>,
    /// Where the app is installed.
    pub workspace: Workspace,
    /// The channel.
    pub channel_id: Option<String>,
    /// Its name, by which a conversation of several people is known, see [`id::is_direct`].
    pub channel_name: Option<String>,
    /// The id of the message in it.
    pub message_ts: Option<String>,
    /// What was pressed.
    pub action: Option<Action>,
    /// The view that was submitted, or in which somebody types.
    pub view: Option<View>,
    /// The select in which somebody types: its id, or its block's.
    pub typed_into: Option<String>,
    /// What was typed there so far.
    pub typed: String,
    response_url: Option<String>,
}

/// A payload of which nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Whether it looks like a form that was submitted, whose person waits for an answer in it.
    pub is_form: bool,
}

/// Where an app is installed, as far as a request tells: in a workspace, in a whole Enterprise
/// organisation (then there may be no workspace), or in a workspace of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workspace {
    /// The workspace; never an organisation's id.
    pub team_id: Option<String>,
    /// The organisation.
    pub enterprise_id: Option<String>,
}

impl Workspace {
    /// Sorts out the two ids of a request: where an app is installed in an organisation, Slack tells
    /// that one's id in the place of a workspace's.
    #[must_use]
    pub fn new(team_id: Option<String>, enterprise_id: Option<String>) -> Self {
        let enterprise_id = enterprise_id.filter(|id| id::is_id(id));
        match team_id.filter(|id| id::is_id(id)) {
            Some(team) if id::is_organisation(&team) => {
                Self { team_id: None, enterprise_id: enterprise_id.or(Some(team)) }
            }
            team_id => Self { team_id, enterprise_id },
        }
    }

    /// One id for it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.team_id.as_deref().or(self.enterprise_id.as_deref())
    }

    /// Whether what is kept under the id `kept` may be from here. Which channel, message or person is
    /// meant, other ids decide.
    #[must_use]
    pub fn may_be(&self, kept: &str) -> bool {
        let Self { team_id, enterprise_id } = self;
        [team_id, enterprise_id].into_iter().flatten().any(|it| id::may_be_one(it, kept))
    }
}

/// One press. The value was ours once; it is looked up, never believed.
#[derive(Clone, Debug, Default)]
pub struct Action {
    /// Which button.
    pub id: String,
    /// What it is about.
    pub value: Option<String>,
    /// When it was pressed, as Slack has it: what was pressed later has a greater one.
    pub ts: String,
}

/// A view, and what was put into its inputs.
///
/// <https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload>
#[derive(Default)]
pub struct View {
    /// By which it can be changed.
    pub id: String,
    /// Which of ours; empty if it is none.
    pub callback_id: String,
    /// What we gave it to bring back.
    pub private_metadata: String,
    /// `modal` or `home`.
    pub kind: String,
    /// Which publication of it this is: Slack puts another in its place only where that is asked for.
    pub hash: String,
    /// By the id of each input's block.
    inputs: BTreeMap<String, Vec<String>>,
}

impl View {
    /// What was typed into, or chosen in, the input of that block; `None` if it was left empty or is
    /// not there.
    #[must_use]
    pub fn input(&self, block_id: &str) -> Option<&str> {
        self.inputs.get(block_id)?.first().map(String::as_str)
    }

    /// The same of an input in which several can be chosen.
    #[must_use]
    pub fn chosen(&self, block_id: &str) -> Vec<&str> {
        self.inputs.get(block_id).into_iter().flatten().map(String::as_str).collect()
    }

    pub(super) fn read(view: &Value) -> Self {
        let values = view.pointer("/state/values").and_then(Value::as_object);
        let inputs = values.into_iter().flatten().filter_map(|(block, inputs)| {
            // One block has one input, under an id of its own.
            let input = entries(inputs).next()?;
            let one = text(input, "/value").or_else(|| text(input, "/selected_option/value"));
            let several = input.get("selected_options").into_iter().flat_map(entries);
            let mut held: Vec<_> =
                one.into_iter().chain(several.filter_map(|it| text(it, "/value"))).collect();
            held.retain(|value| !value.trim().is_empty());
            (!held.is_empty()).then(|| (block.clone(), held))
        });
        Self {
            id: text(view, "/id").unwrap_or_default(),
            callback_id: text(view, "/callback_id").unwrap_or_default(),
            private_metadata: text(view, "/private_metadata").unwrap_or_default(),
            kind: text(view, "/type").unwrap_or_default(),
            hash: text(view, "/hash").unwrap_or_default(),
            inputs: inputs.collect(),
        }
    }
}

impl Interaction {
    /// Reads the `payload` field of a form.
    ///
    /// # Errors
    /// [`Unreadable`] when it is not there or is no JSON object.
    pub fn decode(body: &[u8]) -> Result<Self, Unreadable> {
        let payload = form_urlencoded::parse(body).find(|(name, _)| name == "payload");
        let (_, payload) = payload.ok_or(Unreadable { is_form: false })?;
        match json::of_text::<Value>(&payload) {
            Ok(payload) if payload.is_object() => Ok(Self::of_payload(&payload)),
            _ => Err(Unreadable { is_form: payload.contains("\"view_submission\"") }),
        }
    }

    /// Reads a payload; one that is no object has nothing in it.
    #[must_use]
    pub fn of_payload(payload: &Value) -> Self {
        let text = |path: &str| text(payload, path);
        let id = |name: &str| id_at(payload, &format!("/{name}"));
        let view = payload.get("view").filter(|view| view.is_object());
        // In a shared channel the `team` of a form is the person's; only this one is surely the app's.
        let installed = view.and_then(|_| text("/view/app_installed_team_id"));
        let action = payload.get("actions").and_then(|actions| entries(actions).next());
        Self {
            kind: text("/type").unwrap_or_default(),
            user_id: id("user").filter(|it| id::is_id(it)),
            user_team: text("/user/team_id").filter(|it| id::is_id(it)),
            workspace: Workspace::new(installed.or_else(|| id("team")), id("enterprise")),
            channel_id: id("channel").or_else(|| text("/container/channel_id")).filter(|it| id::is_id(it)),
            channel_name: text("/channel/name"),
            message_ts: text("/container/message_ts").or_else(|| text("/message/ts")),
            action: action.map(Action::read),
            view: view.map(View::read),
            typed_into: text("/action_id").or_else(|| text("/block_id")),
            typed: text("/value").unwrap_or_default(),
            response_url: text("/response_url"),
        }
    }

    /// The kind as it may stand in the log: new ones are words, too.
    #[must_use]
    pub fn known_kind(&self) -> &str {
        word(&self.kind)
    }

    /// The Home in which something was pressed, if it was in one: then there is neither a channel nor a
    /// response_url. <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>
    #[must_use]
    pub fn home(&self) -> Option<&View> {
        self.view.as_ref().filter(|view| view.kind == "home")
    }

    /// Where to answer it, if that is one of Slack's `origins`.
    #[must_use]
    pub fn response_url(&self, origins: &[url::Origin]) -> Option<ResponseUrl> {
        ResponseUrl::parse(self.response_url.as_deref()?, origins)
    }
}

impl Action {
    fn read(action: &Value) -> Self {
        Self {
            id: text(action, "/action_id").unwrap_or_default(),
            value: text(action, "/value"),
            ts: text(action, "/action_ts").unwrap_or_default(),
        }
    }
}

/// A kind of Slack's as it may stand in the log.
pub(super) fn word(kind: &str) -> &str {
    let is_word = kind.len() <= 40 && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_word { kind } else { "another" }
}

/// A text that is not empty.
pub(super) fn text(value: &Value, path: &str) -> Option<String> {
    value.pointer(path)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// An id, given as it is or as an object's.
fn id_at(value: &Value, path: &str) -> Option<String> {
    text(value, path).or_else(|| text(value, &format!("{path}/id")))
}

/// What is in a list, or in an object whatever its keys.
fn entries(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every field that is read, as Slack usually sends it.
    fn usual() -> Value {
        json!({
            "type": "block_actions",
            "user": { "id": "U1", "team_id": "T1" },
            "team": { "id": "T1", "domain": "sandbox" },
            "enterprise": null,
            "is_enterprise_install": false,
            "channel": { "id": "C1", "name": "customer-acme" },
            "container": { "type": "message", "message_ts": "1.2", "channel_id": "C1" },
            "message": { "ts": "1.2", "blocks": [] },
            "actions": [{ "action_id": "renew", "value": "R1" }],
            "view": {
                "callback_id": "form", "private_metadata": "sealed",
                "state": { "values": {
                    "service": { "service": { "selected_option": { "value": "google_ads" } } },
                    "schema": { "schema": { "value": "acme" } },
                } },
            },
            "state": { "values": {} },
            "action_id": "service", "block_id": "service", "value": "goo",
            "response_url": "https://hooks.slack.com/actions/1",
        })
    }

    /// All that was read, as text.
    fn read(payload: &Value) -> BTreeMap<&'static str, String> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &payload.to_string())
            .finish();
        let it = Interaction::decode(form.as_bytes()).expect("an object is always readable");
        let view = it.view.unwrap_or_default();
        let action = it.action.unwrap_or_default();
        let of = |text: Option<&str>| text.unwrap_or("-").to_owned();
        [
            ("kind", it.kind),
            ("user", of(it.user_id.as_deref())),
            ("user_team", of(it.user_team.as_deref())),
            ("team", of(it.workspace.team_id.as_deref())),
            ("enterprise", of(it.workspace.enterprise_id.as_deref())),
            ("channel", of(it.channel_id.as_deref())),
            ("channel_name", of(it.channel_name.as_deref())),
            ("ts", of(it.message_ts.as_deref())),
            ("action", action.id),
            ("action_value", of(action.value.as_deref())),
            ("callback", view.callback_id.clone()),
            ("metadata", view.private_metadata.clone()),
            ("service", of(view.input("service"))),
            ("schema", of(view.input("schema"))),
            ("typed_into", of(it.typed_into.as_deref())),
            ("typed", it.typed),
            ("answer_at", of(it.response_url.as_deref())),
        ]
        .into()
    }

    #[test]
    fn every_field_is_read_where_it_is() {
        let read = read(&usual());
        assert_eq!(read.values().filter(|value| *value == "-").count(), 1, "{read:?}");
        assert_eq!(read["enterprise"], "-");
        assert_eq!((read["service"].as_str(), read["schema"].as_str()), ("google_ads", "acme"));
    }

    #[test]
    fn a_field_in_another_shape_spoils_no_other() {
        let whole = read(&usual());
        // Each place in the payload, and what is lost without it.
        for (path, lost) in [
            ("/type", &["kind"][..]),
            ("/user", &["user", "user_team"]),
            ("/user/id", &["user"]),
            ("/user/team_id", &["user_team"]),
            ("/team", &["team"]),
            ("/team/domain", &[]),
            ("/enterprise", &[]),
            ("/is_enterprise_install", &[]),
            // Its container has it, too.
            ("/channel", &["channel_name"]),
            ("/channel/name", &["channel_name"]),
            ("/container", &[]),
            ("/container/message_ts", &[]),
            ("/message", &[]),
            ("/actions", &["action", "action_value"]),
            ("/actions/0/value", &["action_value"]),
            ("/view", &["callback", "metadata", "service", "schema"]),
            ("/view/callback_id", &["callback"]),
            ("/view/private_metadata", &["metadata"]),
            ("/view/state", &["service", "schema"]),
            ("/view/state/values", &["service", "schema"]),
            ("/view/state/values/service", &["service"]),
            ("/view/state/values/service/service", &["service"]),
            ("/view/state/values/service/service/selected_option", &["service"]),
            ("/view/state/values/schema/schema/value", &["schema"]),
            ("/state", &[]),
            ("/state/values", &[]),
            // The block's id is the same.
            ("/action_id", &[]),
            ("/value", &["typed"]),
            ("/response_url", &["answer_at"]),
        ] {
            for shape in [json!([]), json!(null), json!(""), json!({}), json!(7), json!(true), json!([[]])] {
                let mut payload = usual();
                *payload.pointer_mut(path).unwrap() = shape.clone();
                let read = read(&payload);
                let changed: Vec<_> = whole.keys().filter(|name| read[*name] != whole[*name]).collect();
                assert!(changed.iter().all(|name| lost.contains(name)), "{path} {shape}: {changed:?}");
            }
        }
    }

    #[test]
    fn an_id_is_taken_as_it_is_or_from_its_object() {
        let mut payload = usual();
        for (name, id) in [("user", "U2"), ("team", "T2"), ("channel", "C2"), ("enterprise", "E2")] {
            payload[name] = json!(id);
        }
        payload["actions"] = json!({ "0": { "action_id": "cancel", "value": "R2" } });
        let read = read(&payload);
        assert_eq!(
            ["user", "team", "channel", "enterprise", "action", "action_value"].map(|name| &read[name]),
            ["U2", "T2", "C2", "E2", "cancel", "R2"]
        );
    }

    #[test]
    fn an_organisation_stands_in_for_a_workspace_and_is_told_apart() {
        for (team, enterprise, expected) in [
            (json!({ "id": "T1" }), json!(null), ("T1", "-")),
            (json!({ "id": "T1" }), json!({ "id": "E1" }), ("T1", "E1")),
            (json!({ "id": "E1" }), json!(null), ("-", "E1")),
            (json!(null), json!({ "id": "E1" }), ("-", "E1")),
            (json!(null), json!(null), ("-", "-")),
        ] {
            let mut payload = usual();
            (payload["team"], payload["enterprise"]) = (team, enterprise);
            let read = read(&payload);
            assert_eq!((read["team"].as_str(), read["enterprise"].as_str()), expected);
        }
        let mut payload = usual();
        payload["view"]["app_installed_team_id"] = json!("T9");
        assert_eq!(read(&payload)["team"], "T9", "in a shared channel, `team` is the person's");
    }

    #[test]
    fn what_is_kept_is_from_here_by_the_workspace_or_the_organisation() {
        let at = |team: Option<&str>, enterprise: Option<&str>| {
            Workspace::new(team.map(str::to_owned), enterprise.map(str::to_owned))
        };
        for (workspace, kept, expected) in [
            (at(Some("T1"), None), "T1", true),
            (at(Some("T2"), None), "T1", false),
            (at(Some("T2"), Some("E1")), "T1", true),
            (at(None, Some("E1")), "T1", true),
            (at(Some("E1"), None), "T1", true),
            (at(Some("T1"), None), "E1", true),
            (at(Some("E9"), None), "E1", false),
            (at(None, None), "T1", false),
        ] {
            assert_eq!(workspace.may_be(kept), expected, "{workspace:?} {kept}");
        }
    }

    #[test]
    fn what_is_no_payload_is_said_to_be_a_form_where_it_looks_like_one() {
        for (body, is_form) in [
            ("", false),
            ("payload=", false),
            ("payload=x", false),
            ("payload=[]", false),
            ("payload=7", false),
            ("other=%7B%7D", false),
            ("payload=%7B\"type\":\"view_submission\",", true),
        ] {
            let read = Interaction::decode(body.as_bytes());
            assert_eq!(read.err(), Some(Unreadable { is_form }), "{body}");
        }
    }

    #[test]
    fn half_an_emoji_spoils_nothing() {
        for (json, expected) in [
            (r#"{"type":"x","message":{"text":"cut \ud83d"}}"#, "x"),
            (r#"{"type":"\ude00 x","a":"\ud83d\ud83d\ude00"}"#, "\u{FFFD} x"),
            (r#"{"type":"\ud83d\ude00\u0041\\ud83d \"","a":"\ud83dz"}"#, "\u{1F600}A\\ud83d \""),
        ] {
            let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", json).finish();
            assert_eq!(Interaction::decode(body.as_bytes()).ok().unwrap().kind, expected, "{json}");
        }
    }
}
