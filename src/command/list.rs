//! `/connect-card list`: the links of this channel that are not over.
//!
//! Owns their order and the pages. Pure; the words are [`crate::reply::list`]'s.

use jiff::Timestamp;

use crate::command::Verb;
use crate::life::{Link, State};

/// Its line in help.
pub const VERB: Verb =
    Verb { usage: "list", does: "lists this channel's links, most urgent first", example: "list" };

/// Links on a page.
pub const PER_PAGE: usize = 10;

/// Some of a channel's links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those on this page, each in its state of now.
    pub links: Vec<Link>,
    /// Which page this is, from 0.
    pub number: usize,
    /// How many pages there are; at least 1.
    pub pages: usize,
    /// How many links there are.
    pub total: usize,
}

/// The page of that number, or the last one if there are not so many: the list may have become
/// shorter since its buttons were made.
#[must_use]
pub fn page(mut links: Vec<Link>, number: usize, now: Timestamp) -> Page {
    for link in &mut links {
        link.state = link.state_at(now);
    }
    links.retain(|link| !link.state.is_over());
    links.sort_by(|a, b| {
        (urgency(a.state), a.expires_at, &a.id).cmp(&(urgency(b.state), b.expires_at, &b.id))
    });
    let total = links.len();
    let pages = total.div_ceil(PER_PAGE).max(1);
    let number = number.min(pages - 1);
    let links = links.into_iter().skip(number * PER_PAGE).take(PER_PAGE).collect();
    Page { links, number, pages, total }
}

fn urgency(state: State) -> usize {
    State::ALL.iter().position(|&other| other == state).unwrap_or(State::ALL.len())
}
