//! Slack's ids: what can be one, and of what.
//!
//! Owns the one check of them. Whether there is such a person or channel only Slack knows.
//! <https://docs.slack.dev/reference/objects/>

/// Longest id that is believed to be Slack's; theirs have 9 to 11 characters.
const LIMIT: usize = 64;

/// What an id that an operator wrote down is to be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person; `W` is one of an Enterprise organisation.
    User,
    /// A user group.
    UserGroup,
    /// A channel: public, private, or a direct message.
    Channel,
}

impl Kind {
    /// Whether a text is an id of this kind: capital letters and digits after a letter for the kind.
    #[must_use]
    pub fn has(self, text: &str) -> bool {
        let letters = match self {
            Self::User => "UW",
            Self::UserGroup => "S",
            Self::Channel => "CGD",
        };
        is_id(text)
            && text.len() > 1
            && text.starts_with(|first| letters.contains(first))
            && !text.contains(|c: char| c.is_ascii_lowercase())
    }
}

/// Whether a text can be any id of Slack's. In a request of Slack's own, the first letter says
/// nothing of the kind, and small letters are let pass.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=LIMIT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// When a message was posted, in seconds since 1970: its id begins with that.
#[must_use]
pub fn posted_at(ts: &str) -> Option<i64> {
    ts.split('.').next()?.parse().ok()
}

/// Whether an id that stands where a workspace's should is an Enterprise organisation's.
/// <https://docs.slack.dev/enterprise/developing-for-enterprise-orgs>
#[must_use]
pub fn is_organisation(team_id: &str) -> bool {
    team_id.starts_with('E')
}

/// Whether what is kept under one id of a workspace or organisation may belong with what is kept under
/// another: they are the same, or one is an organisation, and the other may be a workspace of it. Which
/// conversation is meant, that one's own id tells.
#[must_use]
pub fn may_be_one(one: &str, other: &str) -> bool {
    one == other || is_organisation(one) != is_organisation(other)
}

/// Whether a conversation is between one person and another, be that a bot.
/// <https://docs.slack.dev/reference/objects/conversation-object>
#[must_use]
pub fn is_of_two(channel_id: &str) -> bool {
    channel_id.starts_with('D')
}

/// Whether a conversation is a direct message, between two people or several: nobody can invite a bot
/// into one. Of several people's, only the name tells, which Slack makes up.
/// <https://docs.slack.dev/reference/objects/conversation-object>
#[must_use]
pub fn is_direct(channel_id: &str, name: Option<&str>) -> bool {
    is_of_two(channel_id) || name.is_some_and(|name| name == "directmessage" || name.starts_with("mpdm-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_letters_and_digits() {
        for good in ["T1", "x", "USLACKBOT", &"C".repeat(LIMIT)] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "C1\n", "C 1", "<@U1>", "Ü1", "C1/..", &"C".repeat(LIMIT + 1)] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    #[test]
    fn an_operators_id_is_of_its_kind() {
        for (kind, good) in [
            (Kind::User, "U0123ABC"),
            (Kind::User, "W1"),
            (Kind::UserGroup, "S0123ABC"),
            (Kind::Channel, "C0123ABC"),
            (Kind::Channel, "G1"),
            (Kind::Channel, "D1"),
        ] {
            assert!(kind.has(good), "{good}");
        }
        for (kind, bad) in [
            (Kind::User, "U"),
            (Kind::User, "S0123ABC"),
            (Kind::User, "u0123abc"),
            (Kind::UserGroup, "S0123abc"),
            (Kind::Channel, "#general"),
            (Kind::Channel, ""),
        ] {
            assert!(!kind.has(bad), "{kind:?} {bad}");
        }
    }

    #[test]
    fn an_organisation_may_be_any_workspaces_but_no_other_organisation() {
        for (one, other, expected) in [
            ("T1", "T1", true),
            ("T1", "T2", false),
            ("E1", "E1", true),
            ("E1", "E9", false),
            ("E1", "T1", true),
            ("T1", "E1", true),
        ] {
            assert_eq!(may_be_one(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_direct_message_is_known_by_its_id_or_its_name() {
        for (id, name) in [
            ("D1", None),
            ("D1", Some("directmessage")),
            ("C1", Some("directmessage")),
            ("G1", Some("mpdm-a--b-1")),
        ] {
            assert!(is_direct(id, name), "{id} {name:?}");
        }
        for (id, name) in
            [("C1", None), ("C1", Some("direct")), ("G1", Some("privategroup")), ("C1", Some("our-mpdm-"))]
        {
            assert!(!is_direct(id, name), "{id} {name:?}");
        }
    }
}
