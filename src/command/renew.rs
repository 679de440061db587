//! `/connect-card renew SCHEMA`, and the button of an expired link: a new link for the same
//! connection, in the same message.
//!
//! The button and the typed verb end in the same command; the link itself is made and posted as
//! any other, by [`crate::worker`]. For a source of an onboarding, it is shown to whoever asks, alone.

use crate::command::Verb;
use crate::journal::{Progress, Stage};
use crate::life::{Link, State};
use crate::work::Work;

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "renew SCHEMA",
    does: "replaces this channel's link for SCHEMA with a new one",
    example: "renew customer_schema",
};

/// Why there is nothing to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRenewable {
    /// It is connected and in order.
    Connected,
    /// It was cancelled.
    Cancelled,
    /// Nobody asked for it, and it is not for its channel any more.
    LetGo,
}

/// The command that renews a link, and where it begins: the connection is known.
///
/// # Errors
/// [`NotRenewable`].
pub fn work(link: &Link) -> Result<(Work, Progress), NotRenewable> {
    match link.state {
        // One that was taken back for a newer link which never came may be had again where it stood.
        State::Waiting | State::Expired | State::Broken | State::Replaced => {}
        State::Connected | State::Lapsed => return Err(NotRenewable::Connected),
        State::Unposted if link.requester.is_none() => return Err(NotRenewable::LetGo),
        State::Cancelled | State::Gone | State::Unposted => return Err(NotRenewable::Cancelled),
    }
    let (id, requester, request) = (link.id.clone(), None, link.request.clone());
    let work = match link.onboarding {
        // No link stands in its message: each is shown to whoever asks for it.
        Some(_) => Work::Open { link: id, requester, request },
        None => Work::Renew { link: id, requester, unasked: false, request },
    };
    Ok((work, Progress::of(Stage::Deliver { connection: link.connection_id.clone(), existed: true })))
}

/// The same at the press of the button in the link's own message, which everybody there may press.
///
/// # Errors
/// [`NotRenewable`].
pub fn pressed(link: &Link, user: &str) -> Result<(Work, Progress), NotRenewable> {
    let (mut work, progress) = work(link)?;
    if let Work::Renew { requester, .. } | Work::Open { requester, .. } = &mut work
        && link.requester.as_deref() != Some(user)
    {
        requester.clone_from(&link.requester);
    }
    if let Work::Renew { unasked, .. } = &mut work {
        *unasked = link.requester.is_none();
    }
    Ok((work, progress))
}
