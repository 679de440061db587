//! `/connect-card list`: the links of this channel that are not over.
//!
//! Owns their order and the pages. Pure; the words are [`crate::reply::list`]'s.

use jiff::Timestamp;

use crate::command::Verb;
use crate::life::Link;

/// Its line in help.
pub const VERB: Verb =
    Verb { usage: "list", does: "lists this channel's links, most urgent first", example: "list" };

/// Links on a page.
pub const PER_PAGE: usize = 10;
/// How many links of a channel are counted and can be turned to.
pub const MOST: usize = 500;

/// Some of a channel's links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those on this page, each in its state of now.
    pub links: Vec<Link>,
    /// Which page this is, from 0.
    pub number: usize,
    /// How many pages there are; at least 1.
    pub pages: usize,
    /// How many links there are, up to [`MOST`].
    pub total: usize,
}

/// The number of a page, or that of the last one if there are not so many: the list may have become
/// shorter since its buttons were made.
#[must_use]
pub fn number(number: usize, total: usize) -> usize {
    number.min(total.div_ceil(PER_PAGE).max(1) - 1)
}

/// The page that shows these of `total` links.
#[must_use]
pub fn page(links: Vec<Link>, number: usize, total: usize, now: Timestamp) -> Page {
    // What has expired since it was looked at is more urgent than its row says.
    let mut links: Vec<_> = links.into_iter().map(|link| link.as_of(now)).collect();
    links.sort_by_cached_key(Link::rank);
    Page { links, number, pages: total.div_ceil(PER_PAGE).max(1), total }
}
