//! What the stand-in says that is not so: of a connection that is there, that it is not; what
//! became of one a moment late; or everything of another account.
//!
//! Owns which answers lie, and how often. The objects stay as they are. Must not know HTTP; an
//! answer that does not come, or is no answer, is [`crate::fault`]'s.

use std::collections::HashMap;

/// For a lie that is told until it is ended.
pub const ALWAYS: usize = usize::MAX;

/// Which answers lie.
#[derive(Debug, Default)]
pub struct Lies {
    denied: HashMap<String, usize>,
    omitted: HashMap<String, usize>,
    late: HashMap<String, (String, usize)>,
    stranger: Option<Stranger>,
    endless: bool,
    told: usize,
}

/// What a key of another account sees in place of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// No connection, and empty lists.
    Empty,
    /// No connection, and no group.
    NoGroup,
}

impl Lies {
    /// The next `times` calls about this one connection, whatever they want of it, are answered
    /// `NotFound_Connection`; none of them does its work.
    pub fn deny(&mut self, id: &str, times: usize) {
        self.denied.insert(id.to_owned(), times);
    }

    /// The next `times` pages of a list on which this connection would be leave it out.
    pub fn omit(&mut self, id: &str, times: usize) {
        self.omitted.insert(id.to_owned(), times);
    }

    /// The next `times` pages of a list with this connection show it in this `setup_state`.
    pub fn list_as(&mut self, id: &str, setup_state: &str, times: usize) {
        self.late.insert(id.to_owned(), (setup_state.to_owned(), times));
    }

    /// The key is of another account from now on: right, but nothing of ours is there.
    pub fn be_of_another_account(&mut self, stranger: Stranger) {
        self.stranger = Some(stranger);
    }

    /// Every page of a list names a page after it: the second one is followed by itself.
    pub fn never_end(&mut self) {
        self.endless = true;
    }

    /// From now on everything is told as it is.
    pub fn end(&mut self) {
        *self = Self { told: self.told, ..Self::default() };
    }

    /// How many lies have been told so far. A page is one for each connection it lies about, and for
    /// being of another account.
    #[must_use]
    pub fn told(&self) -> usize {
        self.told
    }

    pub(crate) fn denies(&mut self, id: &str) -> bool {
        let denies = self.stranger.is_some() || take(self.denied.get_mut(id));
        self.tell(denies)
    }

    pub(crate) fn omits(&mut self, id: &str) -> bool {
        let omits = take(self.omitted.get_mut(id));
        self.tell(omits)
    }

    pub(crate) fn lists_as(&mut self, id: &str) -> Option<String> {
        let (state, times) = self.late.get_mut(id)?;
        let state = state.clone();
        let late = take(Some(times));
        self.tell(late).then_some(state)
    }

    pub(crate) fn hides_everything(&mut self) -> bool {
        let empty = self.stranger == Some(Stranger::Empty);
        self.tell(empty)
    }

    pub(crate) fn never_ends(&mut self) -> bool {
        let endless = self.endless;
        self.tell(endless)
    }

    /// Whether there are no groups; lists, which are of a group, may be empty instead.
    pub(crate) fn hides_groups(&mut self, list: bool) -> bool {
        let hides = match self.stranger {
            Some(Stranger::Empty) => !list,
            Some(Stranger::NoGroup) => true,
            None => false,
        };
        self.tell(hides)
    }

    fn tell(&mut self, lie: bool) -> bool {
        self.told += usize::from(lie);
        lie
    }
}

/// Uses one of these up, if there is one.
fn take(times: Option<&mut usize>) -> bool {
    match times {
        None | Some(0) => false,
        Some(&mut ALWAYS) => true,
        Some(times) => {
            *times -= 1;
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lie_is_told_so_often_or_until_it_ends() {
        let mut lies = Lies::default();
        lies.deny("a", 1);
        lies.omit("b", ALWAYS);
        assert_eq!([lies.denies("a"), lies.denies("a"), lies.denies("b")], [true, false, false]);
        assert!((0..3).all(|_| lies.omits("b")));
        lies.list_as("c", "incomplete", 1);
        assert_eq!((lies.lists_as("c").as_deref(), lies.lists_as("c")), (Some("incomplete"), None));
        lies.end();
        assert!(!lies.omits("b"));
        assert_eq!(lies.told(), 5);
    }

    #[test]
    fn another_account_knows_nothing_of_ours() {
        for (stranger, no_group_for_a_list) in [(Stranger::Empty, false), (Stranger::NoGroup, true)] {
            let mut lies = Lies::default();
            lies.be_of_another_account(stranger);
            assert!(lies.denies("a") && lies.hides_groups(false));
            assert_eq!(lies.hides_groups(true), no_group_for_a_list);
            assert_eq!(lies.hides_everything(), !no_group_for_a_list);
        }
    }
}
