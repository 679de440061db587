//! `help`: what can be typed. The reply itself is made from the table in [`crate::command`].

use crate::command::Verb;

/// Its line in help.
pub const VERB: Verb = Verb { usage: "help", does: "shows this", example: "help" };

/// Whether a word asks for help, in any of the ways people ask for it.
#[must_use]
pub fn is_help(word: &str) -> bool {
    ["help", "-h", "--help", "?", "hilfe", "aide", "ayuda"].iter().any(|ask| word.eq_ignore_ascii_case(ask))
}
