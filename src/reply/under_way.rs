//! The sentences for somebody who wants something of a connection for which something is under way.
//!
//! Owns their wording: each says no more than is known. Must not know how it was found out.

use slack_morphism::prelude::SlackMessageContent;

use super::markup::{cut, sentences};
use crate::work::{Request, Work};

/// What is under way for a connection already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnderWay {
    /// The same, in this channel.
    Same,
    /// Something else in this channel: what was asked for.
    Another(Box<Request>),
    /// Something, in a channel that is nobody's business here.
    Elsewhere,
    /// It has ended meanwhile, or cannot be told.
    Unknown,
}

/// The acknowledgement when nothing was begun, since something is under way.
#[must_use]
pub fn already_on_it(work: &Work, under_way: &UnderWay) -> SlackMessageContent {
    sentences(&already_on_it_sentence(work, under_way))
}

/// The same as one sentence or two.
#[must_use]
pub fn already_on_it_sentence(work: &Work, under_way: &UnderWay) -> String {
    let request = work.request();
    let service_name = cut(&request.service_name, 100);
    match (under_way, work) {
        (UnderWay::Same, Work::Connect(_)) => {
            format!("Already on it: I'm making a link for {}.", of(request))
        }
        (UnderWay::Same, Work::Renew { .. }) => {
            format!("Already on it: I'm making a new link for {service_name}.")
        }
        (UnderWay::Same, Work::Open { .. }) => {
            format!("Already on it: I'm getting a link for {service_name}. Only you will see it.")
        }
        (UnderWay::Same, Work::Cancel { .. }) => {
            format!("Already on it: I'm cancelling the connection for {service_name}.")
        }
        (UnderWay::Same, Work::Sync { .. }) => {
            format!("Already on it: I'm asking Fivetran to sync {service_name}.")
        }
        (UnderWay::Another(open), _) => format!(
            "I'm still working on an earlier request for {} here. Please try again when it's done.",
            of(open)
        ),
        (UnderWay::Elsewhere, _) => format!(
            "A request for the same connection (schema {}) is in progress in another channel. Please try again in a \
             minute.",
            request.target.connection_name()
        ),
        (UnderWay::Unknown, _) => format!(
            "An earlier request for {} is being finished, or just has been. If you don't see what came of it in a \
             minute, please try again.",
            of(request)
        ),
    }
}

fn of(request: &Request) -> String {
    format!("{} (schema {})", cut(&request.service_name, 100), request.target.connection_name())
}
