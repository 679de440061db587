//! The button *Sync now* of a private message: has Fivetran sync a connection that does not work, which
//! may be all that it takes. It cannot be typed: whoever needs it is told of it.

use crate::journal::{Progress, Stage};
use crate::life::{Link, State};
use crate::work::Work;

/// Why there is nothing to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSynced {
    /// It works by now.
    Works,
    /// Its customer has not finished it, or not again.
    Unfinished,
    /// It was deleted.
    Gone,
}

/// The command that has a link's connection synced, and where it begins: the connection is known.
///
/// # Errors
/// [`NotSynced`].
pub fn work(link: &Link) -> Result<(Work, Progress), NotSynced> {
    match link.state {
        State::Broken => {}
        State::Connected | State::Lapsed => return Err(NotSynced::Works),
        State::Waiting | State::Expired | State::Replaced => return Err(NotSynced::Unfinished),
        State::Cancelled | State::Gone | State::Unposted => return Err(NotSynced::Gone),
    }
    let work = Work::Sync { link: link.id.clone(), request: link.request.clone() };
    Ok((work, Progress::of(Stage::Sync { connection: link.connection_id.clone() })))
}
