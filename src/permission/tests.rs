//! The rule as tables, and what is decided without asking Slack anything; what it tells is in
//! [`asked`].

mod asked;

use super::*;
use crate::slack::interaction::Workspace;

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

/// By rows of what somebody is: on the list by name; where there is no list; in a listed group; in none;
/// where it is not told whether in one.
#[test]
fn who_may_use_the_bot() {
    use Reason::{Deleted, Guest, NotListed, Outsider, Unseen};
    let silent = || Unclear::Silent;
    let (unclear, unplaced) = (Reason::Unclear(silent()), Reason::Unplaced(Unclear::Untold));
    let own = || Own::untold();
    for (standing, expected) in [
        (Standing::Member, [None, None, None, Some(NotListed), Some(unclear.clone())]),
        (Standing::FromHere, [None, None, None, Some(NotListed), Some(unclear)]),
        (Standing::Guest, [None, Some(Guest), Some(Guest), Some(Guest), Some(Guest)]),
        (
            Standing::Unplaced,
            [None, Some(unplaced.clone()), Some(unplaced.clone()), Some(unplaced.clone()), Some(unplaced)],
        ),
        (
            Standing::Outsider,
            [Some(Outsider), Some(Outsider), Some(Outsider), Some(Outsider), Some(Outsider)],
        ),
        (Standing::Unseen, [Some(Unseen), Some(Outsider), Some(Outsider), Some(Outsider), Some(Outsider)]),
        (Standing::Deleted, [Some(Deleted), Some(Deleted), Some(Deleted), Some(Deleted), Some(Deleted)]),
    ] {
        let lists = [
            (true, false, Ok(true)),
            (false, true, Ok(true)),
            (false, false, Ok(true)),
            (false, false, Ok(false)),
            (false, false, Err(silent())),
        ];
        for ((named, anybody, in_a_group), refused) in lists.into_iter().zip(expected) {
            let known = Known { own: own(), standing, unclear: None };
            let row = format!("{standing:?} {named} {anybody} {in_a_group:?}");
            assert_eq!(judge(known, named, anybody, in_a_group).err(), refused, "{row}");
        }
    }
    // A member of a group may be a guest for all that is known, unless nobody will ever know here.
    for (unclear, refused) in [
        (Unclear::NoToken, None),
        (Unclear::MissingScope("users:read"), None),
        (silent(), Some(Reason::Unknown(silent()))),
        (Unclear::Throttled, Some(Reason::Unknown(Unclear::Throttled))),
    ] {
        let known = || Known { own: own(), standing: Standing::FromHere, unclear: Some(unclear.clone()) };
        assert_eq!(judge(known(), false, false, Ok(true)).err(), refused);
        assert_eq!(judge(known(), false, true, Ok(true)), Ok(()), "without a list everybody may");
    }
}

#[test]
fn what_passes_by_itself_is_told_from_what_somebody_has_to_mend() {
    for (unclear, passes) in [
        (Unclear::NoToken, false),
        (Unclear::MissingScope("users:read"), false),
        (Unclear::NoUserGroups, false),
        (Unclear::NoSuchGroup, false),
        (Unclear::Refused("token_revoked".to_owned()), false),
        (Unclear::Silent, true),
        (Unclear::Throttled, true),
        (Unclear::Unreachable, true),
        (Unclear::Unusable(None), true),
        (Unclear::Untold, true),
    ] {
        assert_eq!(unclear.may_pass(), passes, "{unclear:?}");
    }
}

fn identity(body: serde_json::Value) -> Identity {
    serde_json::from_value(body).unwrap()
}

/// What is decided without asking Slack anything: by the lists, and by whose the token was before.
#[tokio::test]
async fn without_a_token_the_lists_decide() {
    let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
    let here = || Workspace::new(Some("T1".to_owned()), None);
    let (now, limit) = (Timestamp::UNIX_EPOCH, Instant::now() + Duration::from_secs(60));
    for (users, groups, channels, reason, ask) in [
        (&[][..], &[][..], &[][..], None, &[][..]),
        (&["U1"], &[], &[], None, &[]),
        (&["U2", "U3", "U4", "U5"], &[], &[], Some(Reason::NotListed), &["U2", "U3", "U4"]),
        (&["U2"], &["S1"], &[], Some(Reason::Unclear(Unclear::NoToken)), &["U2"]),
        (&["U1"], &["S1"], &[], None, &[]),
        (&[], &[], &["C1"], None, &[]),
        (&[], &[], &["C2", "C1"], None, &[]),
        (&["U1"], &[], &["C2"], Some(Reason::Channel), &["U1"]),
    ] {
        let permissions =
            Permissions { users: ids(users), user_groups: ids(groups), channels: ids(channels) };
        let gate = Gate::new(permissions.clone(), None);
        assert_eq!(gate.permissions(), &permissions);
        let person = Person { user_id: "U1".to_owned(), workspace: here(), home: Home::Here };
        let authorized = gate.authorize(&person, "C1", now, limit).await;
        let expected = reason.map_or(Ok("T1".to_owned()), |reason| Err(Refused { reason, ask: ids(ask) }));
        assert_eq!(authorized, expected, "{permissions:?}");
        // Where no channel is concerned, it matters none.
        let admission = gate.admit(&person, now, limit).await;
        let refused = expected.err().filter(|refused| refused.reason != Reason::Channel);
        assert_eq!(admission, Admission { team_id: "T1".to_owned(), refused, is_placed: false });
    }
}

#[tokio::test]
async fn whose_the_token_was_is_believed_while_slack_says_nothing() {
    let (now, limit) = (Timestamp::UNIX_EPOCH, Instant::now() + Duration::from_secs(60));
    let gate = Gate::new(Permissions::default(), None);
    assert_eq!((gate.own_id(now).await, gate.site()), (None, None));
    let told =
        serde_json::json!({ "team_id": "T1", "enterprise_id": "E1", "url": "https://acme.slack.com/" });
    gate.recall(Some(identity(told)), now).await;
    assert_eq!(gate.own_id(now).await.as_deref(), Some("E1"));
    assert_eq!(gate.site().map(String::from).as_deref(), Some("https://acme.slack.com/"));
    assert!(gate.identities().has_changed().unwrap(), "also what was told at the start");
    for (team, organisation, home, refused, is_placed) in [
        ("T1", None, Home::Here, None, false),
        ("T2", Some("E1"), Home::Here, None, false),
        ("T2", Some("E2"), Home::Here, Some(Reason::Outsider), false),
        ("T1", None, Home::Told(Some("T1".to_owned())), None, true),
    ] {
        let workspace = Workspace::new(Some(team.to_owned()), organisation.map(str::to_owned));
        let person = Person { user_id: "U1".to_owned(), workspace, home };
        let admission = gate.admit(&person, now, limit).await;
        assert_eq!((admission.team_id.as_str(), admission.is_placed), ("E1", is_placed), "{person:?}");
        assert_eq!(admission.refused.map(|refused| refused.reason), refused, "{person:?}");
    }
}
