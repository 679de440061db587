//! The list of a group's connections, page by page.
//!
//! Owns that it comes to an end. Must not know which of the connections are ours, nor how fast the
//! pages may be asked for.

use std::collections::HashSet;

use crate::fivetran::Fivetran;
use crate::fivetran::error::Error;
use crate::fivetran::listed::Page;
use crate::outbound::CallError;

/// A list that is being read. Each page is one call, made when it is asked for.
pub struct List<'a> {
    fivetran: &'a Fivetran,
    group_id: &'a str,
    place: Place,
}

impl<'a> List<'a> {
    pub(super) fn new(fivetran: &'a Fivetran, group_id: &'a str) -> Self {
        Self { fivetran, group_id, place: Place::default() }
    }

    /// The next page; `None` once the last one has been had. After an error the same page can be
    /// asked for again.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Unclear`] also where the pages go round in a circle, for then they never
    /// end and never were the list.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        if self.place.ended {
            return Ok(None);
        }
        let page = self.fivetran.connections_of(self.group_id, self.place.cursor.as_deref()).await?;
        self.place.go_on(page.next_cursor.clone())?;
        Ok(Some(page))
    }
}

/// How far a list has been read.
#[derive(Default)]
struct Place {
    /// `None` is the beginning.
    cursor: Option<String>,
    /// Every cursor so far.
    followed: HashSet<String>,
    ended: bool,
}

impl Place {
    fn go_on(&mut self, next: Option<String>) -> Result<(), Error> {
        if let Some(next) = &next
            && !self.followed.insert(next.clone())
        {
            self.ended = true;
            return Err(Error::Unclear(CallError::Unanswered("a list without an end")));
        }
        self.ended = next.is_none();
        self.cursor = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_followed_once() {
        for circle in [vec!["a", "a"], vec!["a", "b", "a"], vec!["a", "b", "c", "b"]] {
            let mut place = Place::default();
            let (last, first) = circle.split_last().unwrap();
            for cursor in first {
                place.go_on(Some((*cursor).to_owned())).unwrap();
                assert!(!place.ended && place.cursor.as_deref() == Some(cursor));
            }
            assert!(matches!(place.go_on(Some((*last).to_owned())), Err(Error::Unclear(_))), "{circle:?}");
            assert!(place.ended);
        }
        let mut place = Place::default();
        place.go_on(Some("a".to_owned())).unwrap();
        place.go_on(None).unwrap();
        assert!(place.ended);
    }
}
