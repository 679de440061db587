//! What whoever runs the bot has to be told about Slack's refusals: each once, with what to do, until
//! Slack has given in.
//!
//! Owns what was told. Must not know what was called for.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::refusal::{self, Fix, Sort};
use super::respond::PostError;

/// What was told: the method, and Slack's word; no method where every call meets the same.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<BTreeSet<(String, String)>>);

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// Nothing will change until somebody does this.
    Fix(Fix),
    /// A word that is not in the table.
    Unknown,
}

impl Complaints {
    /// A call failed. `reads`: it only asked something; what follows from a scope or a user group that
    /// is missing there is told at the start.
    pub(super) fn failed(&self, method: &str, reads: bool, error: &PostError) {
        let PostError::Refused(word) = error else { return };
        match self.line(method, reads, word) {
            Some(Line::Fix(fix)) => tracing::error!(
                method,
                slack_says = word,
                "Slack refuses, and will until somebody does something: {}",
                fix.advice()
            ),
            Some(Line::Unknown) => {
                tracing::warn!(
                    method,
                    slack_says = word,
                    "Slack refuses in a word that this version does not know"
                );
            }
            None => {}
        }
    }

    /// A call worked.
    pub(super) fn worked(&self, method: &str) {
        let mut told = self.told();
        if told.is_empty() {
            return;
        }
        let token = told.len();
        told.retain(|(about, _)| !about.is_empty());
        if told.len() < token {
            tracing::info!("Slack takes the token again");
        }
        told.retain(|(about, _)| about != method);
    }

    fn line(&self, method: &str, reads: bool, word: &str) -> Option<Line> {
        let (about, line) = match refusal::sort(word) {
            Sort::Operator(fix) if fix.concerns_the_token() => ("", Line::Fix(fix)),
            Sort::Operator(Fix::Scope | Fix::UserGroup) if reads => return None,
            Sort::Operator(fix) => (method, Line::Fix(fix)),
            Sort::Unknown => (method, Line::Unknown),
            _ => return None,
        };
        self.told().insert((about.to_owned(), word.to_owned())).then_some(line)
    }

    fn told(&self) -> MutexGuard<'_, BTreeSet<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_until_slack_gives_in() {
        let complaints = Complaints::default();
        let line = |method, reads, word| complaints.line(method, reads, word);
        assert_eq!(line("chat.update", false, "token_revoked"), Some(Line::Fix(Fix::Token)));
        assert_eq!(line("chat.postMessage", false, "token_revoked"), None, "it is the same token");
        assert_eq!(line("chat.postMessage", false, "missing_scope"), Some(Line::Fix(Fix::Scope)));
        assert_eq!(line("chat.postMessage", false, "missing_scope"), None);
        assert_eq!(line("users.info", true, "missing_scope"), None, "an optional one");
        assert_eq!(line("chat.update", false, "is_inactive"), None, "nobody has to do anything");
        assert_eq!(line("chat.update", false, "a_word_of_tomorrow"), Some(Line::Unknown));
        complaints.worked("auth.test");
        assert_eq!(line("chat.postMessage", false, "missing_scope"), None);
        assert_eq!(line("users.info", true, "token_revoked"), Some(Line::Fix(Fix::Token)));
        complaints.worked("chat.postMessage");
        assert_eq!(line("chat.postMessage", false, "missing_scope"), Some(Line::Fix(Fix::Scope)));
    }
}
