//! `/connect-card cancel SCHEMA`: deletes a connection that nobody has finished, after its person
//! has confirmed it.

use crate::command::Verb;
use crate::journal::{Progress, Stage};
use crate::life::{Link, State};
use crate::work::Work;

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "cancel SCHEMA",
    does: "cancels the connection for SCHEMA if your customer hasn't finished it",
    example: "cancel customer_schema",
};

/// Why there is nothing to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCancellable {
    /// It has been connected.
    Connected,
    /// It was cancelled, or removed at Fivetran.
    Over,
}

/// Why a link is not cancelled, as far as that is known without Fivetran.
#[must_use]
pub fn refused(link: &Link) -> Option<NotCancellable> {
    match link.state {
        State::Connected | State::Broken | State::Lapsed => Some(NotCancellable::Connected),
        State::Cancelled | State::Gone | State::Unposted => Some(NotCancellable::Over),
        // A link to sign in again.
        _ if link.purpose.is_some() => Some(NotCancellable::Connected),
        State::Waiting | State::Expired | State::Replaced => None,
    }
}

/// The command that cancels a link, and where it begins: the connection is known.
#[must_use]
pub fn work(link: &Link) -> (Work, Progress) {
    let work = Work::Cancel { link: link.id.clone(), request: link.request.clone() };
    (work, Progress::of(Stage::Cancel { connection: link.connection_id.clone() }))
}
