//! Which change of a form is its newest, as far as this process has heard of them.
//!
//! Owns their order, by which a form is not left showing what was chosen before. Nothing that is made hangs
//! on it: whoever submits a form is shown what they have not seen. Must not know what a form shows.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Forms that are remembered. People change one in seconds.
const FORMS: usize = 64;

/// A change of a form, as Slack tells it.
pub(super) struct Change {
    /// When it was made.
    pub(super) ts: String,
    /// Which publication of the form it was made in.
    pub(super) hash: String,
}

struct Form {
    view_id: String,
    /// When it was changed last.
    newest: String,
    /// Whether anything else was ever to be shown for a change of it.
    was_shown_anew: bool,
    /// The publication that the answer to a submission took the place of.
    replaced: Option<String>,
}

/// What is known of each form, the form that was changed last at the end.
#[derive(Default)]
pub struct Changes(Mutex<VecDeque<Form>>);

impl Changes {
    /// Notes a change, which `shows` something else in the form or leaves it as it is. Whether the form is to
    /// be shown anew: not for a change that was noted before or that a newer one has overtaken, and for one
    /// that leaves it as it is only if an earlier one did not, whose update may be on its way still.
    pub(super) fn note(&self, view_id: &str, change: &Change, shows: bool) -> bool {
        self.with(view_id, |form| {
            if form.newest >= change.ts {
                return false;
            }
            form.newest.clone_from(&change.ts);
            form.was_shown_anew |= shows;
            form.was_shown_anew
        })
    }

    /// Notes that a submission from this publication of a form was answered with another one.
    pub(super) fn replaced(&self, view_id: &str, hash: &str) {
        self.with(view_id, |form| form.replaced = Some(hash.to_owned()));
    }

    /// Whether nothing newer is known of: neither a change, nor the answer to a submission.
    pub(super) fn is_newest(&self, view_id: &str, change: &Change) -> bool {
        let forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !forms.iter().any(|form| {
            form.view_id == view_id
                && (form.newest > change.ts || form.replaced.as_ref() == Some(&change.hash))
        })
    }

    fn with<T>(&self, view_id: &str, look: impl FnOnce(&mut Form) -> T) -> T {
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = forms.iter().position(|form| form.view_id == view_id);
        let mut form = at.and_then(|at| forms.remove(at)).unwrap_or_else(|| Form {
            view_id: view_id.to_owned(),
            newest: String::new(),
            was_shown_anew: false,
            replaced: None,
        });
        let found = look(&mut form);
        forms.push_back(form);
        if forms.len() > FORMS {
            forms.pop_front();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(ts: &str, hash: &str) -> Change {
        Change { ts: ts.to_owned(), hash: hash.to_owned() }
    }

    #[test]
    fn the_newest_change_of_each_form_is_known_in_whatever_order_they_come() {
        let changes = Changes::default();
        let [older, newer] = ["1000000001.000009", "1000000002.000001"].map(|ts| change(ts, "1.a"));
        assert!(changes.note("V1", &newer, true));
        assert!(!changes.note("V1", &older, true), "overtaken");
        assert!(!changes.note("V1", &newer, true), "told twice");
        assert!(changes.note("V2", &older, true));
        assert!(!changes.is_newest("V1", &older));
        assert!(changes.is_newest("V1", &newer));
        assert!(changes.is_newest("V2", &older));
        for n in 0..2 * FORMS {
            changes.note(&format!("W{n}"), &newer, true);
        }
        assert_eq!(changes.0.lock().unwrap().len(), FORMS);
    }

    #[test]
    fn a_change_that_shows_nothing_else_undoes_an_earlier_one_that_did() {
        let changes = Changes::default();
        assert!(!changes.note("V1", &change("1000000001.000001", "1.a"), false));
        assert!(!changes.note("V1", &change("1000000002.000001", "1.a"), false));
        assert!(changes.note("V1", &change("1000000003.000001", "1.a"), true));
        assert!(changes.note("V1", &change("1000000004.000001", "1.a"), false));
    }

    #[test]
    fn what_answered_a_submission_stays_until_it_is_changed_itself() {
        let changes = Changes::default();
        let before = change("1000000001.000001", "1.a");
        changes.note("V1", &before, true);
        changes.replaced("V1", "1.a");
        assert!(!changes.is_newest("V1", &before));
        let after = change("1000000002.000001", "2.b");
        assert!(changes.note("V1", &after, true));
        assert!(changes.is_newest("V1", &after));
    }
}
