//! Which change of a form is its newest, as far as this process has heard of them.
//!
//! Owns their order, by which a form is not left showing what was chosen before. Nothing that is made hangs
//! on it: whoever submits a form is shown what they have not seen. Must not know what a form shows.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Forms that are remembered. People change one in seconds.
const FORMS: usize = 64;

/// The newest change of each form, the form that was changed last at the end.
#[derive(Default)]
pub struct Changes(Mutex<VecDeque<(String, String)>>);

impl Changes {
    /// Notes a change of a form, by the time that Slack gave it.
    pub(super) fn note(&self, view_id: &str, ts: &str) {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = changes.iter().position(|(id, _)| id == view_id);
        let known = at.and_then(|at| changes.remove(at)).map(|(_, known)| known);
        let newest = known.filter(|known| known.as_str() > ts).unwrap_or_else(|| ts.to_owned());
        changes.push_back((view_id.to_owned(), newest));
        if changes.len() > FORMS {
            changes.pop_front();
        }
    }

    /// Whether nothing newer is known of.
    pub(super) fn is_newest(&self, view_id: &str, ts: &str) -> bool {
        let changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !changes.iter().any(|(id, newest)| id == view_id && newest.as_str() > ts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_change_of_each_form_is_known_in_whatever_order_they_come() {
        let changes = Changes::default();
        changes.note("V1", "1000000002.000001");
        changes.note("V1", "1000000001.000009");
        changes.note("V2", "1000000001.000009");
        assert!(!changes.is_newest("V1", "1000000001.000009"));
        assert!(changes.is_newest("V1", "1000000002.000001"));
        assert!(changes.is_newest("V2", "1000000001.000009"));
        for n in 0..2 * FORMS {
            changes.note(&format!("W{n}"), "1000000003.000001");
        }
        assert_eq!(changes.0.lock().unwrap().len(), FORMS);
    }
}
