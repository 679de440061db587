//! App Home: what somebody wants to see there, and the page of links that it shows.
//!
//! Owns which states a filter lets through, the pages, and who can act on what from there. It cannot be
//! typed: it is a place in Slack. Pure; the words are [`crate::reply::home`]'s.

use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::status::Choices;
use crate::life::{Link, State};

/// Entries on a page. Each takes two blocks, three at most, of the hundred that a Home may have.
pub const PER_PAGE: usize = 15;
/// How many entries are counted, can be turned to, and are exported.
pub const MOST: usize = 1000;

/// Whose links are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Those that the person asked for.
    #[default]
    Mine,
    /// Everybody's.
    All,
}

/// Which of them, by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// All that are not over.
    #[default]
    All,
    /// Those with which something is wrong.
    Attention,
    /// Those whose customer has not finished.
    Waiting,
    /// Those that work.
    Connected,
}

impl Filter {
    /// Every one, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::All, Self::Attention, Self::Waiting, Self::Connected];

    /// The states that it lets through, by [`State::urgency`].
    #[must_use]
    pub fn urgencies(self) -> Range<usize> {
        let (first, last) = match self {
            Self::All => (State::Broken, State::Lapsed),
            Self::Attention => (State::Broken, State::Expired),
            Self::Waiting => (State::Waiting, State::Waiting),
            Self::Connected => (State::Connected, State::Lapsed),
        };
        first.urgency()..last.urgency() + 1
    }
}

/// What somebody wants to see. A Home brings it back with each press, so nothing of it is kept elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Whose.
    pub whose: Whose,
    /// Which of them.
    pub filter: Filter,
    /// Which page, from 0.
    pub page: usize,
    /// The direct message with the person, where files can be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<String>,
}

impl Wish {
    /// Reads what a Home brings back; one of another version, or none, wishes for nothing in particular.
    #[must_use]
    pub fn read(kept: &str) -> Self {
        serde_json::from_str(kept).unwrap_or_default()
    }

    /// As a Home brings it back.
    #[must_use]
    pub fn kept(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// One thing in a Home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A link, by itself.
    Link(Box<Link>),
}

impl Entry {
    /// The link in its state of `now`.
    #[must_use]
    pub fn link(link: Link, now: Timestamp) -> Self {
        let state = link.state_at(now);
        Self::Link(Box::new(Link { state, ..link }))
    }

    fn order(&self) -> (usize, Timestamp, &str) {
        let Self::Link(link) = self;
        (link.state.urgency(), link.expires_at, &link.id)
    }
}

/// What can be done about a link from the Home of this person: whatever a channel's members can do about
/// it there, its requester can from here. Whether anybody else is in its channel is not known. A source of
/// an onboarding has its button in that message, which shows a link to whoever presses it there, alone.
#[must_use]
pub fn choices(link: &Link, user: &str) -> Choices {
    if link.requester.as_deref() != Some(user) {
        return Choices::default();
    }
    let choices = Choices::of(link);
    Choices { renew: choices.renew && link.onboarding.is_none(), ..choices }
}

/// Some of the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those on this page, the most urgent first.
    pub entries: Vec<Entry>,
    /// Which page this is, from 0.
    pub number: usize,
    /// How many pages there are; at least 1.
    pub pages: usize,
    /// How many entries there are, up to [`MOST`].
    pub total: usize,
}

impl Page {
    /// The page that shows these of `total` links.
    #[must_use]
    pub fn of(links: Vec<Link>, number: usize, total: usize, now: Timestamp) -> Self {
        Self { entries: entries(links, now), number, pages: pages(total), total }
    }
}

/// Links as entries. One that has expired since it was looked at is more urgent than its row says.
#[must_use]
pub fn entries(links: Vec<Link>, now: Timestamp) -> Vec<Entry> {
    let mut entries: Vec<_> = links.into_iter().map(|link| Entry::link(link, now)).collect();
    entries.sort_by(|a, b| a.order().cmp(&b.order()));
    entries
}

/// The number of a page, or that of the last one if there are not so many.
#[must_use]
pub fn number(number: usize, total: usize) -> usize {
    number.min(pages(total) - 1)
}

fn pages(total: usize) -> usize {
    total.div_ceil(PER_PAGE).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_is_not_over_is_let_through_by_one_filter_besides_all() {
        for state in State::ALL {
            let by = |filter: Filter| usize::from(filter.urgencies().contains(&state.urgency()));
            let others: usize = Filter::ALL[1..].iter().map(|&filter| by(filter)).sum();
            let expected = usize::from(!state.is_over());
            assert_eq!((by(Filter::All), others), (expected, expected), "{state:?}");
        }
    }

    #[test]
    fn a_wish_comes_back_as_it_was_and_anything_else_is_none() {
        let wish =
            Wish { whose: Whose::All, filter: Filter::Waiting, page: 3, direct: Some("D1".to_owned()) };
        assert_eq!(Wish::read(&wish.kept()), wish);
        for other in ["", "x", "[]", r#"{"whose":"another"}"#] {
            assert_eq!(Wish::read(other), Wish::default(), "{other}");
        }
        assert_eq!(Wish::read(r#"{"page":2}"#).page, 2);
    }

    #[test]
    fn a_page_that_is_not_there_any_more_is_the_last_one() {
        for (asked, total, there) in [(0, 0, 0), (5, 0, 0), (1, 15, 0), (1, 16, 1), (9, 31, 2)] {
            assert_eq!(number(asked, total), there, "{asked} of {total}");
        }
    }
}
