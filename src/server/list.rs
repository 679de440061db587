//! A page of a channel's links.
//!
//! Owns how many are counted and which are read, so that a channel with very many costs no more.

use jiff::Timestamp;

use super::deadline::Deadline;
use crate::command::list::{self, MOST, PER_PAGE, Page};
use crate::store::{Store, StoreError};

/// The page of that number, or the last one if there are not so many, of a workspace's channel.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn page(
    store: &Store,
    (team, channel): (&str, &str),
    number: usize,
    now: Timestamp,
    deadline: Deadline,
) -> Result<Page, StoreError> {
    let (store, team, channel) = (store.clone(), team.to_owned(), channel.to_owned());
    let read = async move {
        let total = store.count_links_of_channel(&team, &channel, MOST).await?;
        let number = list::number(number, total);
        let links = store.links_of_channel(&team, &channel, number * PER_PAGE, PER_PAGE).await?;
        Ok(list::page(links, number, total, now))
    };
    deadline.wait_for(read).await.unwrap_or(Err(StoreError::Unanswered))
}
