//! With which organisations a channel is shared, as Slack's Web API tells it.
//!
//! Owns which fields are read, each by itself, as of people, and which of the ids in them are others than the
//! bot's own. Must not know what follows from that.
//!
//! What Slack documents: `is_ext_shared` is a channel that another organisation shares, `is_shared` also one of
//! several workspaces of the same; `is_pending_ext_shared` is to be treated as if it were shared already. An
//! organisation on Enterprise is one party with an id of its own (`E…`), any other is its workspace (`T…`). Which
//! of the lists names whom is not documented in full, and samples differ: so all of them are read, and what is
//! the bot's own is left out.
//! <https://docs.slack.dev/reference/objects/conversation-object>
//! <https://docs.slack.dev/apis/slack-connect#detecting>

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::people::{Identity, is_yes, text};

/// What `conversations.info` tells of a channel, as far as the bot asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Conversation {
    /// Whether another organisation shares it; `None` if Slack does not say.
    is_ext_shared: Option<bool>,
    /// Whether one is about to.
    is_pending_ext_shared: bool,
    /// Where the bot's token looks at it from.
    context: Option<String>,
    /// Everybody who is in it, by the ids of organisations and workspaces, the bot's own among them.
    parties: BTreeSet<String>,
    /// The workspaces of the bot's own organisation.
    internal: BTreeSet<String>,
    /// Who was invited and has not accepted yet.
    invited: BTreeSet<String>,
}

/// An answer without a channel in it: nothing is known then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no channel in the answer")]
pub struct Nothing;

impl TryFrom<Value> for Conversation {
    type Error = Nothing;

    fn try_from(channel: Value) -> Result<Self, Nothing> {
        if text(&channel, "/id").is_none() {
            return Err(Nothing);
        }
        let flag = |name: &str| channel.get(name).filter(|it| !it.is_null()).map(is_yes);
        let ids = |names: &[&str]| {
            let lists = names.iter().filter_map(|name| channel.get(name)?.as_array()).flatten();
            lists.filter_map(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned).collect()
        };
        let mut parties: BTreeSet<_> = ids(&["connected_team_ids", "shared_team_ids"]);
        parties.extend(text(&channel, "/conversation_host_id"));
        Ok(Self {
            is_ext_shared: flag("is_ext_shared"),
            is_pending_ext_shared: flag("is_pending_ext_shared").unwrap_or_default(),
            context: text(&channel, "/context_team_id"),
            parties,
            internal: ids(&["internal_team_ids"]),
            invited: ids(&["pending_connected_team_ids", "pending_shared"]),
        })
    }
}

impl Conversation {
    /// How many other organisations' people are in it, and how many were invited besides. `own` is the
    /// token's, if that is known. Whatever is not known to be the bot's own counts as another.
    #[must_use]
    pub fn others(&self, own: Option<&Identity>) -> (u32, u32) {
        let is_own = |id: &str| {
            let of_token = match own {
                Some(own) => id == own.team_id || own.enterprise_id.as_deref() == Some(id),
                None => self.context.as_deref() == Some(id),
            };
            of_token || self.internal.contains(id)
        };
        let others = self.parties.iter().filter(|id| !is_own(id)).count();
        let connected = match self.is_ext_shared {
            Some(false) => 0,
            // There is one at least, whether it is named or not.
            Some(true) => others.max(1),
            None => others,
        };
        let invited =
            self.invited.iter().filter(|id| !is_own(id) && (connected == 0 || !self.parties.contains(*id)));
        let invited = invited.count().max(self.is_pending_ext_shared.into());
        let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        (count(connected), count(invited))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn others(own: Option<&Identity>, channel: Value) -> (u32, u32) {
        let mut whole = json!({ "id": "C1", "context_team_id": "T1" });
        whole.as_object_mut().unwrap().extend(channel.as_object().unwrap().clone());
        Conversation::try_from(whole).unwrap().others(own)
    }

    fn own(team: &str, organisation: Option<&str>) -> Identity {
        let organisation = organisation.map(str::to_owned);
        Identity { team_id: team.to_owned(), enterprise_id: organisation, ..Identity::default() }
    }

    #[test]
    fn other_organisations_are_counted_however_they_are_listed() {
        let own = own("T1", None);
        for (channel, expected) in [
            (json!({}), (0, 0)),
            (json!({ "is_ext_shared": false, "shared_team_ids": ["T1"] }), (0, 0)),
            // Of several lists, any may leave somebody out.
            (
                json!({ "is_ext_shared": true, "connected_team_ids": ["T1", "T2"], "shared_team_ids": ["T2"],
                "conversation_host_id": "T2" }),
                (1, 0),
            ),
            (
                json!({ "is_ext_shared": true, "connected_team_ids": ["T2"], "conversation_host_id": "E3" }),
                (2, 0),
            ),
            (json!({ "is_ext_shared": true, "shared_team_ids": ["T1", "T2", "T3"] }), (2, 0)),
            (json!({ "is_ext_shared": true }), (1, 0)),
            (json!({ "is_ext_shared": 1, "connected_team_ids": null, "shared_team_ids": {} }), (1, 0)),
            // What is said outright holds; what is not said is read from the lists.
            (json!({ "is_ext_shared": false, "connected_team_ids": ["T1", "T2"] }), (0, 0)),
            (json!({ "is_ext_shared": null, "connected_team_ids": ["T1", "T2", "T3"] }), (2, 0)),
            (json!({ "is_ext_shared": true, "connected_team_ids": ["T1", "T2", 7, ""] }), (1, 0)),
        ] {
            assert_eq!(others(Some(&own), channel.clone()), expected, "{channel}");
        }
    }

    #[test]
    fn who_is_invited_counts_beside_those_who_are_in_it() {
        let own = own("T1", None);
        for (channel, expected) in [
            (json!({ "is_pending_ext_shared": true }), (0, 1)),
            (json!({ "is_pending_ext_shared": true, "pending_shared": ["T2", "T3"] }), (0, 2)),
            (
                json!({ "is_ext_shared": true, "connected_team_ids": ["T2"], "pending_connected_team_ids": ["T2", "T3"],
                "pending_shared": ["T3"] }),
                (1, 1),
            ),
            (
                json!({ "is_ext_shared": true, "connected_team_ids": ["T2"], "is_pending_ext_shared": true }),
                (1, 1),
            ),
        ] {
            assert_eq!(others(Some(&own), channel.clone()), expected, "{channel}");
        }
    }

    #[test]
    fn workspaces_of_the_own_organisation_are_no_others() {
        let shared = json!({ "is_ext_shared": true, "is_org_shared": true, "internal_team_ids": ["T1", "T8"],
            "shared_team_ids": ["T1", "T8"], "connected_team_ids": ["E1", "T2"], "conversation_host_id": "E1" });
        for own in [own("T1", Some("E1")), own("E1", Some("E1")), own("", Some("E1"))] {
            assert_eq!(others(Some(&own), shared.clone()), (1, 0), "{own:?}");
            let within = json!({ "is_shared": true, "is_org_shared": true, "is_ext_shared": false,
                "shared_team_ids": ["T1", "T8"] });
            assert_eq!(others(Some(&own), within), (0, 0), "{own:?}");
        }
        // Whose the token is, is not known: what cannot be told apart is taken for another.
        assert_eq!(others(None, shared), (2, 0));
        let plain = json!({ "is_ext_shared": true, "connected_team_ids": ["T1", "T2"] });
        assert_eq!(others(None, plain), (1, 0));
    }

    #[test]
    fn an_answer_without_a_channel_tells_nothing() {
        for channel in [json!([]), json!(null), json!({}), json!({ "id": "" })] {
            assert_eq!(Conversation::try_from(channel.clone()), Err(Nothing), "{channel}");
        }
    }
}
