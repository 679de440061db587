//! A page of a channel's links.
//!
//! Owns how many are counted and which are read, so that a channel with very many costs no more.

use jiff::Timestamp;

use crate::command::list::{self, MOST, PER_PAGE, Page};
use crate::store::{Store, StoreError};

/// The page of that number, or the last one if there are not so many.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn page(
    store: &Store,
    team: &str,
    channel: &str,
    number: usize,
    now: Timestamp,
) -> Result<Page, StoreError> {
    let total = store.count_links_of_channel(team, channel, MOST).await?;
    let number = list::number(number, total);
    let links = store.links_of_channel(team, channel, number * PER_PAGE, PER_PAGE).await?;
    Ok(list::page(links, number, total, now))
}
