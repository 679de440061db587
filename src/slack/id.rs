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
}
