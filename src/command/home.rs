//! App Home: what somebody wants to see there, and the page of entries that it shows.
//!
//! Owns which states a filter lets through, what is one entry, the pages, and who can act on what from there.
//! It cannot be typed: it is a place in Slack. Pure; the words are [`crate::reply::home`]'s.

use std::collections::HashSet;
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::status::Choices;
use crate::life::{InShort, Link, State};
use crate::onboarding::{Onboarding, Source};
use crate::work::Key;

/// Entries on a page. Each takes two blocks, three at most, of the hundred that a Home may have.
pub const PER_PAGE: usize = 15;
/// How many entries are counted and can be turned to, and how many links are exported.
pub const MOST: usize = 1000;
/// How many links entries are made of: five sources for each, if all were onboardings.
pub const MOST_LINKS: usize = 5 * MOST;

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

/// Which of them, by how they stand. An onboarding is let through with any of its sources.
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
    /// Whether it is known where the person is from, now or since a press: before, they see nothing of others'.
    pub placed: bool,
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
    /// The sources of one customer that share a message.
    Onboarding(Box<Onboarding>),
}

impl Entry {
    /// The link in its state of `now`.
    #[must_use]
    pub fn link(link: Link, now: Timestamp) -> Self {
        Self::Link(Box::new(link.as_of(now)))
    }

    /// The onboarding with each source in its state of `now`; `only`: of these, what this person asked for.
    /// `None` if nothing in it is theirs.
    #[must_use]
    pub fn onboarding(mut onboarding: Onboarding, only: Option<&str>, now: Timestamp) -> Option<Self> {
        let is_theirs = |source: &Source, user: &str| {
            source.link.as_ref().is_some_and(|link| link.requester.as_deref() == Some(user))
        };
        if let Some(user) = only {
            onboarding.sources.retain(|source| is_theirs(source, user));
            if onboarding.sources.is_empty() {
                return None;
            }
        }
        for source in &mut onboarding.sources {
            source.link = source.link.take().map(|link| link.as_of(now));
        }
        Some(Self::Onboarding(Box::new(onboarding)))
    }
}

/// What an entry is about, before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// The link of this connection.
    Link(Key),
    /// The onboarding with this reference.
    Onboarding(String),
}

/// All that a Home lists, before any of it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its entries, the most urgent first; [`MOST`] of them at the most.
    pub entries: Vec<About>,
    /// Whether there are others.
    pub more: bool,
}

impl Listed {
    /// The entries of these links. An onboarding is one, in the place of its most urgent source among them.
    #[must_use]
    pub fn of(mut links: Vec<InShort>, now: Timestamp) -> Self {
        let unread = links.len() > MOST_LINKS;
        links.truncate(MOST_LINKS);
        links.sort_by_cached_key(|link| link.rank(now));
        let mut seen = HashSet::new();
        let about = |link: InShort| match link.onboarding {
            Some(id) => seen.insert(id.clone()).then_some(About::Onboarding(id)),
            None => Some(About::Link(link.key)),
        };
        let mut entries: Vec<_> = links.into_iter().filter_map(about).collect();
        let more = unread || entries.len() > MOST;
        entries.truncate(MOST);
        Self { entries, more }
    }

    /// Those on the page with this number.
    pub fn on(&self, number: usize) -> impl Iterator<Item = &About> {
        self.entries.iter().skip(number.saturating_mul(PER_PAGE)).take(PER_PAGE)
    }

    /// The page with this number, of which these entries were read.
    #[must_use]
    pub fn page(&self, number: usize, entries: Vec<Entry>) -> Page {
        let onboardings = self.entries.iter().any(|entry| matches!(entry, About::Onboarding(_)));
        let total = self.entries.len();
        Page { entries, number, pages: pages(total), total, more: self.more, onboardings }
    }
}

/// What can be done about a link from the Home of this person: whatever a channel's members can do about
/// it there, its requester can from here. Whether anybody else is in its channel is not known.
#[must_use]
pub fn choices(link: &Link, user: &str) -> Choices {
    if link.requester.as_deref() == Some(user) { Choices::of(link) } else { Choices::default() }
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
    /// Whether there are more.
    pub more: bool,
    /// Whether some entries of all pages are onboardings.
    pub onboardings: bool,
}

/// Links in their states of `now`, the most urgent first.
#[must_use]
pub fn links(links: Vec<Link>, now: Timestamp) -> Vec<Link> {
    let mut links: Vec<_> = links.into_iter().map(|link| link.as_of(now)).collect();
    links.sort_by_cached_key(Link::rank);
    links
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
        let wish = Wish {
            whose: Whose::All,
            filter: Filter::Waiting,
            page: 3,
            direct: Some("D1".to_owned()),
            placed: true,
        };
        assert_eq!(Wish::read(&wish.kept()), wish);
        for other in ["", "x", "[]", r#"{"whose":"another"}"#] {
            assert_eq!(Wish::read(other), Wish::default(), "{other}");
        }
        assert_eq!(Wish::read(r#"{"page":2}"#).page, 2);
    }

    fn in_short(name: &str, onboarding: Option<&str>, state: State, expires_at: Timestamp) -> InShort {
        let key = Key { group_id: "g".to_owned(), name: name.to_owned() };
        InShort { key, onboarding: onboarding.map(str::to_owned), state, purpose: None, expires_at }
    }

    #[test]
    fn an_onboarding_is_one_entry_where_its_most_urgent_source_stands() {
        let (now, late) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let listed = Listed::of(
            vec![
                in_short("hubspot", Some("o"), State::Waiting, late),
                in_short("b", None, State::Waiting, late),
                in_short("a", None, State::Waiting, late),
                in_short("stripe", Some("p"), State::Waiting, late),
                in_short("ads", Some("o"), State::Connected, late),
                // Nobody has looked since it expired.
                in_short("c", None, State::Waiting, now),
                in_short("shopify", Some("o"), State::Broken, late),
            ],
            now,
        );
        let link = |name: &str| About::Link(Key { group_id: "g".to_owned(), name: name.to_owned() });
        let onboarding = |id: &str| About::Onboarding(id.to_owned());
        assert_eq!(listed.entries, [onboarding("o"), link("c"), link("a"), link("b"), onboarding("p")]);
        assert!(!listed.more);
    }

    #[test]
    fn so_many_entries_are_listed_and_no_more() {
        let sources = |onboardings: usize, each: usize| {
            let names = (0..onboardings).flat_map(|o| (0..each).map(move |n| (o.to_string(), n.to_string())));
            let links = names.map(|(o, n)| in_short(&n, Some(&o), State::Waiting, Timestamp::UNIX_EPOCH));
            let listed = Listed::of(links.collect(), Timestamp::UNIX_EPOCH);
            (listed.entries.len(), listed.more)
        };
        assert_eq!(sources(MOST, 5), (MOST, false));
        assert_eq!(sources(MOST + 1, 1), (MOST, true));
        assert_eq!(sources(MOST - 1, 6), (MOST_LINKS.div_ceil(6), true));
    }

    #[test]
    fn a_page_that_is_not_there_any_more_is_the_last_one() {
        for (asked, total, there) in [(0, 0, 0), (5, 0, 0), (1, 15, 0), (1, 16, 1), (9, 31, 2)] {
            assert_eq!(number(asked, total), there, "{asked} of {total}");
        }
    }
}
