//! What Slack tells of its own accord, by the Events API: that somebody opened the app's Home.
//!
//! Owns which fields are read, each by itself as in [`super::interaction`], and that over HTTP and over a
//! socket the same object comes. Must not know what the bot makes of it.
//!
//! <https://docs.slack.dev/apis/events-api>

use serde_json::Value;

use super::id;
use super::interaction::{View, Workspace, text, word};
use crate::outbound::json;

/// Something that Slack tells.
pub enum Event {
    /// Slack asks whether the bot is at this address, which answers with this text.
    /// <https://docs.slack.dev/reference/events/url_verification>
    Verification(String),
    /// Somebody looks at the app's Home.
    HomeOpened(HomeOpened),
    /// Anything else, by its kind as it may stand in the log.
    Another(String),
}

/// Somebody looks at the app's Home.
/// <https://docs.slack.dev/reference/events/app_home_opened>
pub struct HomeOpened {
    /// Who.
    pub user_id: String,
    /// Where the app is installed.
    pub workspace: Workspace,
    /// The direct message between the person and the app.
    pub channel_id: Option<String>,
    /// What the Home shows, if one was published before.
    pub view: Option<Box<View>>,
}

impl Event {
    /// Reads the body of a request; `None` if it is no JSON object.
    #[must_use]
    pub fn decode(body: &[u8]) -> Option<Self> {
        json::of_bytes(body).ok().filter(Value::is_object).map(|payload| Self::of_payload(&payload))
    }

    /// Reads a payload; of one that is no object nothing is known.
    #[must_use]
    pub fn of_payload(payload: &Value) -> Self {
        let text = |path: &str| text(payload, path);
        let kind = text("/type").unwrap_or_default();
        if kind == "url_verification" {
            return Self::Verification(text("/challenge").unwrap_or_default());
        }
        let inner = text("/event/type").unwrap_or_default();
        let user_id = text("/event/user").filter(|it| id::is_id(it));
        // The other tab of the app's own place has its messages, which need nothing from the bot.
        let is_home = text("/event/tab").is_none_or(|tab| tab == "home");
        match (kind.as_str(), inner.as_str(), user_id) {
            ("event_callback", "app_home_opened", Some(user_id)) if is_home => {
                let view = payload.pointer("/event/view").filter(|view| view.is_object());
                let installed = text("/event/view/app_installed_team_id");
                let enterprise = text("/enterprise_id").or_else(|| text("/authorizations/0/enterprise_id"));
                Self::HomeOpened(HomeOpened {
                    user_id,
                    workspace: Workspace::new(installed.or_else(|| text("/team_id")), enterprise),
                    channel_id: text("/event/channel").filter(|it| id::is_id(it)),
                    view: view.map(View::read).map(Box::new),
                })
            }
            _ => Self::Another(word(if inner.is_empty() { &kind } else { &inner }).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As Slack sends it to an app that has published a Home.
    fn opened() -> Value {
        json!({
            "token": "x", "team_id": "T1", "enterprise_id": null, "api_app_id": "A1", "type": "event_callback",
            "authorizations": [{ "enterprise_id": null, "team_id": "T1", "user_id": "U9", "is_bot": true,
                "is_enterprise_install": false }],
            "is_ext_shared_channel": false, "event_id": "Ev1", "event_time": 1_790_000_000,
            "event": {
                "type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home",
                "event_ts": "1790000000.000100",
                "view": { "id": "V1", "type": "home", "hash": "1.a", "private_metadata": "ours",
                    "app_installed_team_id": "T1" },
            },
        })
    }

    fn read(payload: &Value) -> Option<HomeOpened> {
        match Event::decode(payload.to_string().as_bytes())? {
            Event::HomeOpened(opened) => Some(opened),
            Event::Verification(_) | Event::Another(_) => None,
        }
    }

    #[test]
    fn who_opened_the_home_and_what_it_shows_is_read() {
        let it = read(&opened()).unwrap();
        assert_eq!(
            (it.user_id.as_str(), it.workspace.id(), it.channel_id.as_deref()),
            ("U1", Some("T1"), Some("D1"))
        );
        let view = it.view.unwrap();
        assert_eq!((view.hash.as_str(), view.private_metadata.as_str()), ("1.a", "ours"));
    }

    #[test]
    fn a_field_in_another_shape_spoils_no_other() {
        for path in
            ["/event/view", "/event/channel", "/enterprise_id", "/authorizations", "/event/tab", "/team_id"]
        {
            for shape in [json!([]), json!(null), json!(7), json!({})] {
                let mut payload = opened();
                *payload.pointer_mut(path).unwrap() = shape;
                assert_eq!(read(&payload).map(|it| it.user_id).as_deref(), Some("U1"), "{path}");
            }
        }
        for path in ["/type", "/event", "/event/user", "/event/type"] {
            let mut payload = opened();
            *payload.pointer_mut(path).unwrap() = json!([]);
            assert!(read(&payload).is_none(), "{path}");
        }
        assert!(
            Event::decode(b"[]").is_none()
                && Event::decode(b"x").is_none()
                && Event::decode(b"\xFF").is_none()
        );
    }

    #[test]
    fn the_tab_of_messages_and_what_is_unknown_are_none_of_it() {
        let mut messages = opened();
        messages["event"]["tab"] = json!("messages");
        for (payload, kind) in [
            (messages, "app_home_opened"),
            (json!({ "type": "event_callback", "event": { "type": "tokens_revoked" } }), "tokens_revoked"),
            (json!({ "type": "app_rate_limited" }), "app_rate_limited"),
            (json!({ "type": "event_callback", "event": { "type": "<U1 wrote>" } }), "another"),
        ] {
            assert!(
                matches!(Event::of_payload(&payload), Event::Another(known) if known == kind),
                "{payload}"
            );
        }
    }

    #[test]
    fn an_address_is_confirmed_by_the_text_that_came() {
        let asked = json!({ "type": "url_verification", "challenge": "3eZbrw1a", "token": "x" });
        assert!(matches!(Event::of_payload(&asked), Event::Verification(text) if text == "3eZbrw1a"));
    }
}
