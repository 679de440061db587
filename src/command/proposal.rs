//! A line that a button types for the one person to whom it was proposed.
//!
//! Owns what the button's value carries and how it is read again. Pure: what the line does is what it
//! would do if it were typed; who presses is judged where the press arrives.

/// Slack's limit for a button's value, in characters.
/// <https://docs.slack.dev/reference/block-kit/block-elements/button-element>
const VALUE_LIMIT: usize = 2000;

/// A line, for whom and for where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// The person it was proposed to.
    pub user: &'a str,
    /// The channel in which they typed.
    pub channel: &'a str,
    /// The slash command, as this workspace calls it.
    pub slash: &'a str,
    /// What follows it.
    pub line: &'a str,
}

impl<'a> Proposal<'a> {
    /// As a button carries it; `None` if no button can: it is too long, or would not be read as it is.
    #[must_use]
    pub fn value(&self) -> Option<String> {
        let Self { user, channel, slash, line } = self;
        let value = format!("{user} {channel} {slash} {line}");
        (Proposal::parse(&value).as_ref() == Some(self)).then_some(value)
    }

    /// Reads a value. It was ours once, but whatever it is, it is nothing but text.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        if value.chars().nth(VALUE_LIMIT).is_some() || value.chars().any(char::is_control) {
            return None;
        }
        let mut parts = value.splitn(4, ' ');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let proposal = Self { user: part()?, channel: part()?, slash: part()?, line: part()? };
        (proposal.slash.starts_with('/') && proposal.line.trim() == proposal.line).then_some(proposal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(line: &str) -> Proposal<'_> {
        Proposal { user: "U0ALICE", channel: "C0CUSTOMER", slash: "/connect-card", line }
    }

    #[test]
    fn a_line_comes_back_as_it_was_proposed() {
        for line in ["google_ads acme", "s3 lake.my_table to staging", "list"] {
            let value = proposal(line).value().unwrap();
            assert_eq!(Proposal::parse(&value), Some(proposal(line)));
        }
    }

    #[test]
    fn what_no_button_can_carry_gets_none() {
        assert_eq!(proposal(&"a".repeat(VALUE_LIMIT)).value(), None);
        assert_eq!(Proposal { user: "U0 C0", ..proposal("list") }.value(), None);
        assert_eq!(Proposal { slash: "connect-card link", ..proposal("list") }.value(), None);
        assert_eq!(proposal("a\nb").value(), None);
    }

    #[test]
    fn a_value_of_another_making_is_refused() {
        for value in [
            "",
            "U0ALICE",
            "U0ALICE C0CUSTOMER /connect-card",
            "U0ALICE C0CUSTOMER /connect-card ",
            "U0ALICE  C0CUSTOMER /connect-card list",
            "U0ALICE C0CUSTOMER connect-card list",
            "U0ALICE C0CUSTOMER /connect-card  list",
            "U0ALICE C0CUSTOMER /connect-card list\u{0}",
        ] {
            assert_eq!(Proposal::parse(value), None, "{value:?}");
        }
    }
}
