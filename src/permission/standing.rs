//! What a person is to the bot's workspace, from what a request says and what Slack tells.
//!
//! Owns the one rule for that, for commands, buttons, forms and lists of choices alike, also within
//! an Enterprise organisation and in channels that are shared with other companies. Must not
//! know who is allowed what.
//!
//! What Slack documents, and what it was seen to send:
//! - A command can only be typed where the app is installed, but a button can be pressed by everybody
//!   who sees it. <https://docs.slack.dev/apis/slack-connect>
//! - Within an organisation the `team_id` of a person is always the same one of the person's
//!   workspaces, or the organisation itself, wherever the person is at work; `users.info` may leave
//!   it out, and says `enterprise_user` instead.
//!   <https://docs.slack.dev/enterprise/developing-for-enterprise-orgs>

use crate::slack::id;
use crate::slack::interaction::Workspace;
use crate::slack::people::{Identity, UserInfo};

/// Somebody who wants something, as Slack's request tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The person.
    pub user_id: String,
    /// Where the app was used.
    pub workspace: Workspace,
    /// Where the person is from.
    pub home: Home,
}

/// Where a person is from, as a request tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// From where the app was used: nobody else can type a command.
    Here,
    /// From this workspace or organisation, as far as that was told.
    Told(Option<String>),
}

/// What a person is to the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Of the workspace or its organisation.
    Member,
    /// A guest there.
    Guest,
    /// From elsewhere.
    Outsider,
    /// Nobody whom the bot's workspace can see.
    Unseen,
    /// A member no more.
    Deleted,
    /// From here; whether a guest is not told.
    FromHere,
    /// Perhaps from here.
    Unplaced,
}

impl Standing {
    /// Whether it speaks against the person, however old it is.
    pub(super) fn keeps_out(self) -> bool {
        matches!(self, Self::Guest | Self::Outsider | Self::Unseen | Self::Deleted)
    }
}

/// What is the bot's own: a workspace, an organisation, or a workspace of one.
pub(super) struct Own {
    workspace: Workspace,
    /// Whether Slack said so of the token, and not only the request.
    certain: bool,
}

impl Own {
    /// By what Slack says of the token, now or before.
    pub(super) fn told(identity: &Identity) -> Self {
        Self { workspace: identity.workspace(), certain: true }
    }

    /// There is a token, but Slack has never told whose. A request cannot tell that: it may come from
    /// elsewhere.
    pub(super) fn untold() -> Self {
        Self { workspace: Workspace::default(), certain: false }
    }

    /// Without a token nothing but the request tells.
    pub(super) fn of_request(person: &Person) -> Self {
        Self { workspace: person.workspace.clone(), certain: false }
    }

    /// The one id under which everything is kept: the organisation's, if there is one. Of the two, only
    /// that one is the same in each of its workspaces, whoever tells it.
    pub(super) fn id(&self) -> Option<&str> {
        let Workspace { team_id, enterprise_id } = &self.workspace;
        enterprise_id.as_deref().or(team_id.as_deref())
    }

    fn is(&self, team_or_organisation: &str) -> bool {
        let Workspace { team_id, enterprise_id } = &self.workspace;
        [team_id, enterprise_id].into_iter().any(|it| it.as_deref() == Some(team_or_organisation))
    }

    /// Where this is; `None` if it may be of the same organisation or not.
    fn has(&self, place: &Workspace) -> Option<bool> {
        let Workspace { team_id, enterprise_id } = place;
        if [team_id, enterprise_id].into_iter().flatten().any(|it| self.is(it)) {
            return Some(true);
        }
        match (team_id, enterprise_id) {
            (None, None) => None,
            // Whoever tells the organisation, tells it of the place.
            (_, Some(_)) => Some(false),
            (Some(_), None) => self.workspace.enterprise_id.is_none().then_some(false),
        }
    }
}

/// What a person is; `info` is what Slack tells of the person, if it does.
pub(super) fn standing(person: &Person, own: &Own, info: Option<&UserInfo>) -> Standing {
    let placed = match (&person.home, own.certain) {
        (Home::Here, true) => own.has(&person.workspace),
        (Home::Here, false) => Some(true),
        (Home::Told(home), _) => {
            let home = home.as_ref().map(|home| Workspace::new(Some(home.clone()), None));
            // An organisation that is not ours is certain; a workspace may be of ours.
            home.and_then(|home| own.has(&home))
        }
    };
    let placed = placed.filter(|_| own.id().is_some());
    let Some(info) = info else {
        return match placed {
            Some(true) => Standing::FromHere,
            Some(false) => Standing::Outsider,
            None => Standing::Unplaced,
        };
    };
    // Slack's own word for where somebody is from counts for more than the request's; but a command
    // from a workspace that is not ours is none of ours, whoever typed it.
    let from_elsewhere = person.home == Home::Here && placed == Some(false);
    match from(info, own).or(placed) {
        _ if info.is_unseen => Standing::Unseen,
        _ if info.is_stranger || from_elsewhere => Standing::Outsider,
        Some(false) => Standing::Outsider,
        None => Standing::Unplaced,
        Some(true) if info.deleted => Standing::Deleted,
        Some(true) if info.is_guest => Standing::Guest,
        Some(true) => Standing::Member,
    }
}

/// Whether somebody is from here, by what Slack tells of the person; `None` if it does not say.
fn from(info: &UserInfo, own: &Own) -> Option<bool> {
    own.id()?;
    let UserInfo { team_id, enterprise_id, teams, .. } = info;
    let told: Vec<_> = team_id.iter().chain(enterprise_id).chain(teams).collect();
    if told.iter().any(|it| own.is(it)) {
        // Somebody's organisation says more than the workspace that Slack shows the person in.
        let other = enterprise_id.as_deref().filter(|it| id::is_organisation(it) && !own.is(it));
        return Some(own.workspace.enterprise_id.is_none() || other.is_none());
    }
    (!told.is_empty()).then_some(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identity(team_id: &str, enterprise_id: &str) -> Identity {
        serde_json::from_value(json!({ "team_id": team_id, "enterprise_id": enterprise_id })).unwrap()
    }

    fn at(team_id: &str, enterprise_id: &str) -> Workspace {
        let some = |id: &str| (!id.is_empty()).then(|| id.to_owned());
        Workspace::new(some(team_id), some(enterprise_id))
    }

    fn person(workspace: Workspace, home: Home) -> Person {
        Person { user_id: "U1".to_owned(), workspace, home }
    }

    fn from(team_id: &str) -> Home {
        Home::Told((!team_id.is_empty()).then(|| team_id.to_owned()))
    }

    /// What Slack tells of somebody, with an id.
    fn info(mut user: serde_json::Value) -> Option<UserInfo> {
        user["id"] = json!("U1");
        Some(serde_json::from_value(user).unwrap())
    }

    /// Without an identity there is no token.
    fn owner(person: &Person, identity: Option<&Identity>) -> Own {
        identity.map_or_else(|| Own::of_request(person), Own::told)
    }

    fn is(person: &Person, identity: Option<&Identity>, info: Option<UserInfo>) -> Standing {
        standing(person, &owner(person, identity), info.as_ref())
    }

    use Standing::{Deleted, FromHere, Guest, Member, Outsider, Unplaced, Unseen};

    #[test]
    fn what_speaks_against_somebody_does_so_however_old_it_is() {
        for against in [Guest, Outsider, Unseen, Deleted] {
            assert!(against.keeps_out(), "{against:?}");
        }
        for other in [Member, FromHere, Unplaced] {
            assert!(!other.keeps_out(), "{other:?}");
        }
    }

    #[test]
    fn a_command_from_elsewhere_is_none_of_ours_whoever_typed_it() {
        let own = identity("T1", "");
        let member = json!({ "team_id": "T1" });
        let typing = person(at("T2", ""), Home::Here);
        assert_eq!(is(&typing, Some(&own), info(member.clone())), Outsider);
        // A press says where somebody is from less surely than Slack does.
        for (home, workspace) in [(from("T2"), "T1"), (from("T1"), "T2"), (from(""), "T2")] {
            let pressing = person(at(workspace, ""), home);
            assert_eq!(is(&pressing, Some(&own), info(member.clone())), Member, "{pressing:?}");
        }
        // Nobody whom Slack knows is not known, wherever a request is from.
        let unseen = UserInfo { is_unseen: true, ..UserInfo::default() };
        for place in ["T1", "T2"] {
            let typing = person(at(place, ""), Home::Here);
            assert_eq!(is(&typing, Some(&own), Some(unseen.clone())), Unseen, "{place}");
        }
    }

    #[test]
    fn in_a_workspace_people_are_what_slack_tells() {
        let own = identity("T1", "");
        let typing = person(at("T1", ""), Home::Here);
        for (user, expected) in [
            (json!({ "team_id": "T1" }), Member),
            (json!({}), Member),
            (json!({ "team_id": "T1", "is_restricted": true }), Guest),
            (json!({ "team_id": "T1", "is_ultra_restricted": true }), Guest),
            (json!({ "team_id": "T1", "is_stranger": true }), Outsider),
            (json!({ "team_id": "T2" }), Outsider),
            (json!({ "team_id": "T2", "enterprise_user": { "enterprise_id": "E2" } }), Outsider),
            (json!({ "team_id": "T1", "deleted": true, "is_restricted": true }), Deleted),
        ] {
            // Whether or not Slack says whose the token is.
            for own in [Some(&own), None] {
                assert_eq!(is(&typing, own, info(user.clone())), expected, "{user} {own:?}");
                let pressing = person(at("T1", ""), from("T1"));
                assert_eq!(is(&pressing, own, info(user.clone())), expected, "{user} {own:?}");
            }
        }
    }

    #[test]
    fn a_request_alone_tells_who_is_from_elsewhere() {
        let (own, grid) = (identity("T1", ""), identity("T1", "E1"));
        for (workspace, home, own, expected) in [
            // Typed where the app is installed, and where it is not.
            (at("T1", ""), Home::Here, Some(&own), FromHere),
            (at("T1", ""), Home::Here, None, FromHere),
            (at("T2", ""), Home::Here, Some(&own), Outsider),
            (at("T2", "E1"), Home::Here, Some(&own), Outsider),
            (at("T2", "E1"), Home::Here, Some(&grid), FromHere),
            (at("E1", ""), Home::Here, Some(&grid), FromHere),
            (at("", "E1"), Home::Here, Some(&grid), FromHere),
            (at("T2", "E2"), Home::Here, Some(&grid), Outsider),
            (at("T2", ""), Home::Here, Some(&grid), Unplaced),
            // Pressed, in a workspace.
            (at("T1", ""), from("T1"), Some(&own), FromHere),
            (at("T1", ""), from("T2"), Some(&own), Outsider),
            (at("T1", ""), from("E2"), Some(&own), Outsider),
            (at("T1", ""), from("T1"), None, FromHere),
            (at("T1", ""), from("T2"), None, Outsider),
            (at("T1", ""), from(""), Some(&own), Unplaced),
            (at("T1", ""), from(""), None, Unplaced),
            // Pressed, in an organisation: another workspace may be of the same one.
            (at("T1", "E1"), from("T1"), Some(&grid), FromHere),
            (at("T1", "E1"), from("E1"), Some(&grid), FromHere),
            (at("T1", "E1"), from("T2"), Some(&grid), Unplaced),
            (at("T1", "E1"), from("T2"), None, Unplaced),
            (at("", "E1"), from("T2"), Some(&identity("E1", "E1")), Unplaced),
            (at("", "E1"), from("E1"), Some(&identity("", "E1")), FromHere),
            // Nothing says where the app is.
            (at("", ""), from("T1"), None, Unplaced),
            (at("", ""), from("T1"), Some(&own), FromHere),
        ] {
            let person = person(workspace, home);
            assert_eq!(is(&person, own, None), expected, "{person:?} {own:?}");
        }
    }

    #[test]
    fn an_organisation_is_one_family_and_slacks_word_decides() {
        let grid = identity("T1", "E1");
        let ours = json!({ "team_id": "T2", "enterprise_user": { "enterprise_id": "E1" } });
        let theirs = json!({ "team_id": "T2", "enterprise_user": { "enterprise_id": "E2" } });
        for (workspace, home) in [
            (at("T1", "E1"), from("T2")),
            (at("T1", "E1"), from("E1")),
            (at("T1", "E1"), from("")),
            (at("T1", ""), from("T2")),
            (at("", "E1"), from("T2")),
            (at("", ""), from("T2")),
            (at("T2", "E1"), Home::Here),
            (at("E1", ""), Home::Here),
        ] {
            let person = person(workspace, home);
            assert_eq!(is(&person, Some(&grid), info(ours.clone())), Member, "{person:?}");
            assert_eq!(is(&person, Some(&grid), info(theirs.clone())), Outsider, "{person:?}");
        }
        let pressing = person(at("T1", "E1"), from("T2"));
        for (user, expected) in [
            (json!({ "enterprise_user": { "enterprise_id": "E1", "teams": ["T1"] } }), Member),
            (json!({ "enterprise_id": "E1" }), Member),
            (json!({ "teams": ["T2", "T1"] }), Member),
            (json!({ "team_id": "T1" }), Member),
            (json!({ "team_id": "E1" }), Member),
            (json!({ "team_id": "T2" }), Outsider),
            (json!({ "team_id": "T1", "enterprise_id": "E2" }), Outsider),
            (json!({ "enterprise_id": "E1", "is_restricted": true }), Guest),
            (json!({ "enterprise_id": "E1", "is_stranger": true }), Outsider),
            (json!({}), Unplaced),
        ] {
            assert_eq!(is(&pressing, Some(&grid), info(user.clone())), expected, "{user}");
        }
        // Without Slack's word for the token, the request's organisation is the bot's.
        assert_eq!(is(&pressing, None, info(ours)), Member);
        assert_eq!(is(&pressing, None, info(theirs)), Outsider);
    }

    #[test]
    fn everything_is_kept_under_one_id() {
        let here = person(at("T2", "E1"), Home::Here);
        for (own, expected) in [
            (Some(identity("T1", "E1")), "E1"),
            (Some(identity("T1", "")), "T1"),
            (Some(identity("E1", "E1")), "E1"),
            (Some(identity("", "E1")), "E1"),
            (None, "E1"),
        ] {
            assert_eq!(owner(&here, own.as_ref()).id(), Some(expected), "{own:?}");
        }
    }

    #[test]
    fn nobody_is_placed_where_slack_never_told_whose_the_token_is() {
        for (workspace, home) in [
            (at("T9", ""), Home::Here),
            (at("T9", "E9"), Home::Here),
            (at("T9", ""), from("T9")),
            (at("", ""), from("")),
        ] {
            let person = person(workspace, home);
            for user in [None, info(json!({})), info(json!({ "team_id": "T9" }))] {
                assert_eq!(standing(&person, &Own::untold(), user.as_ref()), Unplaced, "{person:?}");
            }
            let stranger = info(json!({ "team_id": "T9", "is_stranger": true }));
            assert_eq!(standing(&person, &Own::untold(), stranger.as_ref()), Outsider, "{person:?}");
        }
    }
}
