//! Where a reply is read: in Slack or at a shell.
//!
//! Owns what differs between the two in a line to type. The words around it are
//! [`crate::reply`]'s.

use std::fmt;

/// Where a reply is read, and what stands there before the arguments. Printing it gives that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface<'a> {
    /// In Slack, after this slash command.
    Slack(&'a str),
    /// At a shell, after this program and its subcommand.
    Shell(&'a str),
}

impl<'a> Surface<'a> {
    /// Tells by what stands before the arguments, which is stored with a command: only Slack's has
    /// a slash.
    #[must_use]
    pub fn of(prefix: &'a str) -> Self {
        if prefix.starts_with('/') { Self::Slack(prefix) } else { Self::Shell(prefix) }
    }

    /// How a destination is said at the end of a line to paste, with a space before it.
    #[must_use]
    pub fn to_destination(self, destination: Option<&str>) -> String {
        let to = match self {
            Self::Slack(_) => "to",
            Self::Shell(_) => "--destination",
        };
        destination.map(|name| format!(" {to} {name}")).unwrap_or_default()
    }
}

impl fmt::Display for Surface<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Slack(prefix) | Self::Shell(prefix)) = self;
        f.write_str(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_to_paste_is_one_of_where_it_is_read() {
        for (prefix, surface, to) in [
            ("/connect-card", Surface::Slack("/connect-card"), " to staging"),
            ("connect-card link", Surface::Shell("connect-card link"), " --destination staging"),
        ] {
            assert_eq!(Surface::of(prefix), surface);
            assert_eq!(surface.to_string(), prefix);
            assert_eq!(surface.to_destination(Some("staging")), to);
            assert_eq!(surface.to_destination(None), "");
        }
    }
}
