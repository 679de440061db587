//! Who somebody is, as Slack's Web API tells it: the bot itself, and a person.
//!
//! Owns which fields are read, each by itself: one in another shape counts as absent, since who may
//! use the bot must not hang on a field that nobody needs. Must not know who is allowed what.

use serde::Deserialize;
use serde_json::Value;

use super::interaction::Workspace;

/// Who a token is, by `auth.test`.
/// <https://docs.slack.dev/reference/methods/auth.test>
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub struct Identity {
    /// The workspace's name.
    pub team: String,
    /// The workspace's id; of an app that is installed in a whole organisation, that one's, or empty.
    pub team_id: String,
    /// The Enterprise organisation of the workspace, if it is in one.
    pub enterprise_id: Option<String>,
    /// The bot's user name.
    pub user: String,
    /// The bot's own user id, if Slack told it.
    pub user_id: Option<String>,
    /// The address of the workspace, if Slack told one that a link can lead to.
    pub site: Option<url::Url>,
}

impl Identity {
    /// Where the token is good; nowhere, if Slack's answer does not tell that in any form that is known.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        Workspace::new(Some(self.team_id.clone()), self.enterprise_id.clone())
    }

    /// Whether that may be the same bot in the same workspace, as far as is known.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let same_bot =
            self.user_id.as_ref().zip(other.user_id.as_ref()).is_none_or(|(one, other)| one == other);
        same_bot && self.workspace() == other.workspace()
    }
}

impl From<Value> for Identity {
    fn from(answer: Value) -> Self {
        let text = |name: &str| text(&answer, &format!("/{name}"));
        Self {
            team: text("team").unwrap_or_default(),
            team_id: text("team_id").unwrap_or_default(),
            enterprise_id: text("enterprise_id"),
            user: text("user").unwrap_or_default(),
            user_id: text("user_id"),
            site: text("url").and_then(|it| it.parse().ok()).filter(|it: &url::Url| it.scheme() == "https"),
        }
    }
}

/// What `users.info` tells of a person, as far as the bot asks.
/// <https://docs.slack.dev/reference/objects/user-object>
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct UserInfo {
    /// The person's own workspace, or with Enterprise the organisation; there, also absent.
    pub team_id: Option<String>,
    /// The organisation of the person, within Enterprise.
    pub enterprise_id: Option<String>,
    /// The workspaces of that organisation that the person is in.
    pub teams: Vec<String>,
    /// No longer a member.
    pub deleted: bool,
    /// A guest, of several channels or of one.
    pub is_guest: bool,
    /// From another workspace, and in no channel together with the bot's. False says nothing: people
    /// of another workspace with whom a channel is shared are none.
    pub is_stranger: bool,
    /// Slack says that there is nobody, or nobody whom the bot may see.
    pub is_unseen: bool,
}

/// An answer without a person in it: nothing is known then, and nobody is taken for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no person in the answer")]
pub struct Nobody;

impl TryFrom<Value> for UserInfo {
    type Error = Nobody;

    fn try_from(user: Value) -> Result<Self, Nobody> {
        if text(&user, "/id").is_none() {
            return Err(Nobody);
        }
        let yes = |name: &str| user.get(name).is_some_and(is_yes);
        let either = |name: &str| {
            text(&user, &format!("/enterprise_user/{name}")).or_else(|| text(&user, &format!("/{name}")))
        };
        let teams = |path: &str| user.pointer(path).and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            team_id: text(&user, "/team_id"),
            enterprise_id: either("enterprise_id"),
            teams: teams("/enterprise_user/teams")
                .chain(teams("/teams"))
                .filter_map(|team| team.as_str().map(str::to_owned))
                .collect(),
            deleted: yes("deleted"),
            is_guest: yes("is_restricted") || yes("is_ultra_restricted"),
            is_stranger: yes("is_stranger"),
            is_unseen: false,
        })
    }
}

/// Whether a flag is set, however it is written: a guest must not pass for a member by a 1.
pub(super) fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(set) => *set,
        Value::String(text) => text == "true" || text == "1",
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => false,
    }
}

/// A text that is not empty.
pub(super) fn text(value: &Value, path: &str) -> Option<String> {
    value.pointer(path)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_good_where_slack_says_so_in_ids() {
        for (answer, id) in [
            (json!({ "team_id": "T1", "enterprise_id": null }), Some("T1")),
            (json!({ "team_id": "E1" }), Some("E1")),
            (json!({ "team_id": "", "enterprise_id": "E1" }), Some("E1")),
            (json!({}), None),
            (json!({ "team_id": "", "enterprise_id": "-" }), None),
            (json!({ "team_id": "not an id", "enterprise_id": "" }), None),
        ] {
            assert_eq!(Identity::from(answer.clone()).workspace().id(), id, "{answer}");
        }
    }

    #[test]
    fn an_organisations_answers_are_read() {
        let own: Identity = serde_json::from_value(json!({
            "ok": true, "team": null, "team_id": null, "enterprise_id": "E1", "is_enterprise_install": true,
        }))
        .unwrap();
        assert_eq!((own.team_id.as_str(), own.enterprise_id.as_deref()), ("", Some("E1")));
        for user in [
            json!({ "id": "W1", "enterprise_user": { "enterprise_id": "E1", "teams": ["T1", "T2"] } }),
            json!({ "id": "W1", "enterprise_id": "E1", "teams": ["T1", "T2"], "enterprise_user": [] }),
        ] {
            let user: UserInfo = serde_json::from_value(user).unwrap();
            let expected = UserInfo {
                enterprise_id: Some("E1".to_owned()),
                teams: vec!["T1".to_owned(), "T2".to_owned()],
                ..UserInfo::default()
            };
            assert_eq!(user, expected);
        }
    }

    #[test]
    fn a_field_in_another_shape_spoils_no_other() {
        let user = json!({ "id": "U1", "team_id": "T1", "deleted": null, "is_restricted": 1, "is_ultra_restricted": "",
            "is_stranger": [], "enterprise_user": null, "teams": {}, "profile": 7 });
        let user: UserInfo = serde_json::from_value(user).unwrap();
        assert_eq!(user, UserInfo { team_id: Some("T1".to_owned()), is_guest: true, ..UserInfo::default() });
    }

    #[test]
    fn an_answer_without_a_person_tells_nothing() {
        for user in [json!([]), json!(null), json!(""), json!({}), json!({ "id": "" })] {
            assert!(serde_json::from_value::<UserInfo>(user.clone()).is_err(), "{user}");
        }
    }
}
