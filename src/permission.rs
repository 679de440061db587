//! Who may use the bot, and where.
//!
//! Owns the rule, what of it only Slack can tell, and for how long an answer of Slack's is
//! believed. Must not know what a person wants to do, so that a slash command and a button are
//! judged alike; the words of a refusal are [`crate::reply`]'s.
//!
//! What Slack cannot tell, for want of a token or a scope, counts against a person only where an
//! allow-list needs it: a list of user groups lets nobody in unseen, while without any list a guest
//! gets in. What Slack could tell but does not in time counts against everybody whom
//! `ALLOWED_USERS` does not name.

mod cache;
mod directory;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::slack::web_api::{Identity, UserInfo, WebApi};
use directory::Directory;

/// Longest wait for all that Slack is asked; the acknowledgement is due after three seconds.
const PATIENCE: Duration = Duration::from_millis(800);
/// How many people a refusal names.
const ASKED: usize = 3;

/// Who may use the bot, and where. What is empty allows everybody, and everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// `ALLOWED_USERS`.
    pub users: Vec<String>,
    /// `ALLOWED_USER_GROUPS`.
    pub user_groups: Vec<String>,
    /// `ALLOWED_CHANNELS`.
    pub channels: Vec<String>,
}

/// Somebody who wants something, as Slack's request tells.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// The workspace, or within Enterprise perhaps the organisation.
    pub team_id: &'a str,
    /// The Enterprise organisation of that workspace, where the request tells it. The `enterprise`
    /// of an interaction is not that: it is the bot's own, whoever pressed.
    pub enterprise_id: Option<&'a str>,
    /// The person.
    pub user_id: &'a str,
}

/// A refusal: why, and who could help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// Slack ids of a few people of `ALLOWED_USERS`; empty where there is no such list.
    pub ask: Vec<String>,
}

/// Why a person may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The channel is not one of `ALLOWED_CHANNELS`.
    Channel,
    /// The person is on none of the lists.
    NotListed,
    /// A guest of the workspace.
    Guest,
    /// Of another workspace.
    Outsider,
    /// A member no more.
    Deleted,
    /// Slack did not tell in time whether this is a guest, or anybody of ours.
    Unknown,
    /// A list of user groups needs an answer that Slack did not give.
    Unclear(Unclear),
}

/// Why Slack does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// There is no bot token to ask with.
    NoToken,
    /// The token lacks this scope.
    MissingScope(&'static str),
    /// The workspace's plan has no user groups.
    NoUserGroups,
    /// One of the user groups does not exist.
    NoSuchGroup,
    /// Slack's word for another refusal.
    Refused(String),
    /// No answer in time.
    Silent,
}

/// What a person is to the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Member,
    Guest,
    Outsider,
    Deleted,
}

/// Decides who may. No `Debug`: it holds the token.
pub struct Gate {
    permissions: Permissions,
    directory: Directory,
}

impl Gate {
    /// Without `web_api` nothing is known of people but their ids.
    #[must_use]
    pub fn new(permissions: Permissions, web_api: Option<WebApi>) -> Self {
        Self { permissions, directory: Directory::new(web_api) }
    }

    /// Whether this person may use the bot in this channel. Takes 800 ms at most, and until `limit` at
    /// most.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn authorize(
        &self,
        person: &Person<'_>,
        channel_id: &str,
        now: Timestamp,
        limit: Instant,
    ) -> Result<(), Refused> {
        let end = limit.min(Instant::now() + PATIENCE);
        self.judge(person, channel_id, now, end).await.map_err(|reason| {
            let ask = self.permissions.users.iter().take(ASKED).cloned().collect();
            Refused { reason, ask }
        })
    }

    async fn judge(
        &self,
        person: &Person<'_>,
        channel_id: &str,
        now: Timestamp,
        end: Instant,
    ) -> Result<(), Reason> {
        let Permissions { users, user_groups, channels } = &self.permissions;
        if !channels.is_empty() && !channels.iter().any(|id| id == channel_id) {
            return Err(Reason::Channel);
        }
        let named = users.iter().any(|id| id == person.user_id);
        let anybody = users.is_empty() && user_groups.is_empty();
        if !named && !anybody && user_groups.is_empty() {
            return Err(Reason::NotListed);
        }
        let in_a_group = async {
            if named || anybody {
                return Ok(true);
            }
            let asked = timeout_at(end, self.directory.in_one_of(user_groups, person.user_id, now));
            asked.await.unwrap_or(Err(Unclear::Silent))
        };
        let (standing, in_a_group) = tokio::join!(self.standing(person, end, now), in_a_group);
        match standing {
            // Who is on the list by name is let in even so.
            Err(_) if !named => return Err(Reason::Unknown),
            Err(_) => {}
            Ok(standing) => match standing {
                Some(Standing::Outsider) => return Err(Reason::Outsider),
                Some(Standing::Deleted) => return Err(Reason::Deleted),
                // Whoever put a guest on the list by name meant it.
                Some(Standing::Guest) if !named => return Err(Reason::Guest),
                Some(Standing::Guest | Standing::Member) | None => {}
            },
        }
        match in_a_group {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reason::NotListed),
            Err(unclear) => Err(Reason::Unclear(unclear)),
        }
    }

    /// `None` as far as Slack does not tell at all; an error where it could and does not answer.
    async fn standing(
        &self,
        person: &Person<'_>,
        end: Instant,
        now: Timestamp,
    ) -> Result<Option<Standing>, Unclear> {
        let (own, info) = tokio::join!(
            timeout_at(end, self.directory.identity(now)),
            timeout_at(end, self.directory.user(person.user_id, now)),
        );
        let own = own.ok().and_then(Result::ok);
        let info = match info {
            Ok(Ok(info)) => Some(info),
            Err(_) | Ok(Err(Unclear::Silent)) => return Err(Unclear::Silent),
            Ok(Err(_)) => None,
        };
        Ok(standing(person, own.as_ref(), info.as_ref()))
    }

    /// Says in the log what cannot be known here.
    pub async fn announce(&self) {
        let scopes = match &self.directory.web_api {
            None => None,
            Some(web_api) => match web_api.scopes().await {
                Ok(scopes) if !scopes.is_empty() => Some(scopes),
                // Slack is away, or does not list them; nothing is known to be amiss.
                _ => return,
            },
        };
        for gap in gaps(&self.permissions, scopes.as_deref()) {
            tracing::warn!("{}", gap.sentence);
        }
    }
}

/// What a person is, from the request itself and what Slack tells.
fn standing(person: &Person<'_>, own: Option<&Identity>, info: Option<&UserInfo>) -> Option<Standing> {
    if own.is_some_and(|own| !is_ours(own, person.team_id, person.enterprise_id)) {
        return Some(Standing::Outsider);
    }
    let info = info?;
    // The organisation in the request is that of the place where it was typed; only this one is
    // surely the person's own.
    let enterprise_id = info.enterprise_user.as_ref().map(|user| user.enterprise_id.as_str());
    let elsewhere = |team_id: &String| own.is_some_and(|own| !is_ours(own, team_id, enterprise_id));
    Some(if info.deleted {
        Standing::Deleted
    } else if info.is_stranger || info.team_id.as_ref().is_some_and(elsewhere) {
        Standing::Outsider
    } else if info.is_restricted || info.is_ultra_restricted {
        Standing::Guest
    } else {
        Standing::Member
    })
}

/// Whether a workspace is the bot's own, or of the same Enterprise organisation. In one of those,
/// `team_id` itself may be the organisation's.
fn is_ours(own: &Identity, team_id: &str, enterprise_id: Option<&str>) -> bool {
    let organisation = own.enterprise_id.as_deref().filter(|id| !id.is_empty());
    own.team_id.is_empty()
        || team_id == own.team_id
        || organisation.is_some_and(|ours| team_id == ours || enterprise_id == Some(ours))
}

/// Something that cannot be known with the token and scopes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What follows, and what to do about it.
    pub sentence: &'static str,
    /// Whether people are refused for it who should not be.
    pub shuts_out: bool,
}

/// What cannot be known with these scopes; `None` is no token at all.
#[must_use]
pub fn gaps(permissions: &Permissions, scopes: Option<&[String]>) -> Vec<Gap> {
    let granted = |scope: &str| scopes.is_some_and(|scopes| scopes.iter().any(|known| known == scope));
    let mut gaps = Vec::new();
    // Whoever is on the list by name may be a guest.
    let by_name_alone = !permissions.users.is_empty() && permissions.user_groups.is_empty();
    if !by_name_alone && !granted("users:read") {
        let sentence = match scopes {
            None => {
                "without SLACK_BOT_TOKEN, guests cannot be told from members, so they can use the bot too; \
                 set it and grant the scope users:read, or set ALLOWED_USERS"
            }
            Some(_) => {
                "without the scope users:read, guests cannot be told from members, so they can use the bot \
                 too; add it under OAuth & Permissions and reinstall the app, or set ALLOWED_USERS"
            }
        };
        gaps.push(Gap { sentence, shuts_out: false });
    }
    if !permissions.user_groups.is_empty() && !granted("usergroups:read") {
        let sentence = match scopes {
            None => {
                "ALLOWED_USER_GROUPS lets nobody in without SLACK_BOT_TOKEN; set it and grant the scope \
                 usergroups:read, or use ALLOWED_USERS"
            }
            Some(_) => {
                "ALLOWED_USER_GROUPS lets nobody in without the scope usergroups:read; add it under OAuth & \
                 Permissions and reinstall the app, or use ALLOWED_USERS"
            }
        };
        gaps.push(Gap { sentence, shuts_out: true });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person<'a>(team_id: &'a str, enterprise_id: Option<&'a str>) -> Person<'a> {
        Person { team_id, enterprise_id, user_id: "U1" }
    }

    fn own(team_id: &str, enterprise_id: Option<&str>) -> Identity {
        serde_json::from_value(serde_json::json!({ "team_id": team_id, "enterprise_id": enterprise_id }))
            .unwrap()
    }

    fn info(fields: serde_json::Value) -> UserInfo {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn a_persons_standing_is_what_slack_tells() {
        let own = own("T1", None);
        for (fields, expected) in [
            (serde_json::json!({ "team_id": "T1" }), Standing::Member),
            (serde_json::json!({}), Standing::Member),
            (serde_json::json!({ "team_id": "T1", "is_restricted": true }), Standing::Guest),
            (serde_json::json!({ "team_id": "T1", "is_ultra_restricted": true }), Standing::Guest),
            (serde_json::json!({ "team_id": "T1", "is_stranger": true }), Standing::Outsider),
            (serde_json::json!({ "team_id": "T2" }), Standing::Outsider),
            (
                serde_json::json!({ "team_id": "T1", "deleted": true, "is_restricted": true }),
                Standing::Deleted,
            ),
        ] {
            let found = standing(&person("T1", None), Some(&own), Some(&info(fields.clone())));
            assert_eq!(found, Some(expected), "{fields}");
        }
    }

    #[test]
    fn what_slack_does_not_tell_is_not_held_against_a_person() {
        let member = info(serde_json::json!({ "team_id": "T2" }));
        assert_eq!(standing(&person("T1", None), Some(&own("T1", None)), None), None);
        assert_eq!(standing(&person("T2", None), None, None), None);
        assert_eq!(standing(&person("T2", None), None, Some(&member)), Some(Standing::Member));
        assert_eq!(standing(&person("T2", None), Some(&own("", None)), None), None);
        assert_eq!(standing(&person("T2", None), Some(&own("T1", None)), None), Some(Standing::Outsider));
    }

    #[test]
    fn an_enterprise_organisation_is_one_family() {
        let ours = own("T1", Some("E1"));
        let theirs =
            info(serde_json::json!({ "team_id": "T2", "enterprise_user": { "enterprise_id": "E1" } }));
        let other =
            info(serde_json::json!({ "team_id": "T2", "enterprise_user": { "enterprise_id": "E2" } }));
        assert_eq!(standing(&person("E1", None), Some(&ours), Some(&theirs)), Some(Standing::Member));
        assert_eq!(standing(&person("T2", Some("E1")), Some(&ours), Some(&theirs)), Some(Standing::Member));
        assert_eq!(standing(&person("T2", Some("E2")), Some(&ours), Some(&theirs)), Some(Standing::Outsider));
        assert_eq!(standing(&person("T1", Some("E1")), Some(&ours), Some(&other)), Some(Standing::Outsider));
        assert_eq!(
            standing(&person("T2", Some("E1")), Some(&own("T1", None)), None),
            Some(Standing::Outsider)
        );
    }

    #[test]
    fn gaps_are_named_where_they_matter() {
        let lists = |users: &[&str], groups: &[&str]| Permissions {
            users: users.iter().map(|&id| id.to_owned()).collect(),
            user_groups: groups.iter().map(|&id| id.to_owned()).collect(),
            channels: Vec::new(),
        };
        let both = ["users:read".to_owned(), "usergroups:read".to_owned()];
        let shut = |permissions: &Permissions, scopes: Option<&[String]>| -> Vec<bool> {
            gaps(permissions, scopes).iter().map(|gap| gap.shuts_out).collect()
        };
        for (permissions, scopes, expected) in [
            (lists(&[], &[]), None, vec![false]),
            (lists(&[], &[]), Some(&both[1..]), vec![false]),
            (lists(&[], &[]), Some(&both[..1]), vec![]),
            (lists(&["U1"], &[]), None, vec![]),
            (lists(&["U1"], &["S1"]), None, vec![false, true]),
            (lists(&[], &["S1"]), Some(&both[..1]), vec![true]),
            (lists(&[], &["S1"]), Some(&both[..]), vec![]),
        ] {
            assert_eq!(shut(&permissions, scopes), expected, "{permissions:?} {scopes:?}");
        }
    }
}
