//! How a link stands, in a few words and a sign; for `status` and `list` alike.

use jiff::Timestamp;

use super::markup::{Mrkdwn, local_time};
use crate::life::{Link, State};

/// A state's sign.
pub(super) fn mark(state: State) -> &'static str {
    match state {
        State::Broken => ":warning:",
        State::Expired => ":hourglass:",
        State::Waiting => ":hourglass_flowing_sand:",
        State::Connected | State::Lapsed => ":white_check_mark:",
        State::Cancelled | State::Gone | State::Replaced | State::Unposted => ":no_entry_sign:",
    }
}

/// A state in words.
pub(super) fn state_words(link: &Link) -> &'static str {
    match link.state {
        State::Broken if link.asks_customer() => "needs to be connected again",
        State::Broken => "not getting new data; your customer isn't asked to do anything",
        State::Expired if link.onboarding.is_some() => "still waiting for your customer",
        State::Expired => "the link has expired",
        State::Waiting => "waiting for your customer",
        State::Connected => "connected",
        State::Lapsed => "connected; the link to sign in again has expired",
        State::Cancelled => "cancelled; its link no longer works",
        State::Gone => "removed in Fivetran; its link no longer works",
        State::Replaced => "no longer in use; a newer link was requested",
        State::Unposted => "no link could be posted",
    }
}

/// Who asked for a link, where several people's are listed.
pub(super) fn asked_by(line: Mrkdwn, link: &Link) -> Mrkdwn {
    match &link.requester {
        Some(requester) => line.raw(" · requested by <@").text(requester).raw(">"),
        None => line.raw(" · not requested here"),
    }
}

/// What the clock says about a link.
pub(super) fn when(line: Mrkdwn, link: &Link) -> Mrkdwn {
    let moment = |words: &str, moment: Timestamp| format!(" · {words} {}", local_time(moment));
    line.raw(&match link.state {
        // No link of it stands anywhere.
        State::Waiting | State::Expired if link.onboarding.is_some() => moment("asked for", link.posted_at),
        State::Waiting => moment("works until", link.expires_at),
        State::Expired => moment("worked until", link.expires_at),
        State::Connected
        | State::Lapsed
        | State::Broken
        | State::Cancelled
        | State::Gone
        | State::Replaced
        | State::Unposted => moment("since", link.changed_at),
    })
}
