//! The one sentence for somebody whose command is not done yet: what it waits for, until when it is
//! tried, and that there is nothing to repeat.
//!
//! Owns its wording, which says no more than is known. Must not know when it is told.

use slack_morphism::prelude::SlackMessageContent;

use super::markup::{Mrkdwn, content, cut, local_time, reference_line, utc};
use crate::journal::{Waiting, WaitsFor};
use crate::work::Work;

/// Longest name of a service in it, in characters.
const NAME_LIMIT: usize = 100;

/// What the person is told; for them alone. It holds wherever it arrives while the command goes on,
/// since it says nothing of how far that has come.
#[must_use]
pub fn waits(waiting: &Waiting, work: &Work, reference: &str) -> SlackMessageContent {
    let name = cut(&work.request().service_name, NAME_LIMIT);
    // Whoever pressed a button in a message for all may be of the customer's, to whom the reason is nothing.
    if work.requester().is_some() {
        let lead = format!(
            "Still working on the new link for {name}: it's taking longer than usual. I'll keep trying until"
        );
        let rest = "at the latest. You don't need to do anything.";
        return put_together(&lead, rest, waiting, reference);
    }
    let (at, follows) = match work {
        Work::Connect(_) => (
            format!("Still working on the link for {name}"),
            "you'll see the link here, or I'll tell you why there isn't one",
        ),
        Work::Renew { .. } => (
            format!("Still working on the new link for {name}"),
            "you'll see the new link, or I'll tell you why there isn't one",
        ),
        Work::Open { .. } => (
            format!("Still getting a link for {name}"),
            "you'll see it here, or I'll tell you why there isn't one",
        ),
        Work::Cancel { .. } => {
            (format!("Still cancelling the connection for {name}"), "I'll tell you what came of it")
        }
        Work::Sync { .. } => {
            (format!("Still trying to start a sync of {name}"), "I'll tell you what came of it")
        }
    };
    let why = waits_for(waiting.waits_for);
    let lead = format!("{at}: {why}. I'll keep trying until");
    let rest = format!("at the latest; {follows}. You don't need to do anything, or to type it again.");
    put_together(&lead, &rest, waiting, reference)
}

fn put_together(lead: &str, rest: &str, waiting: &Waiting, reference: &str) -> SlackMessageContent {
    let shown = Mrkdwn::default().text(lead).raw(" ").raw(&local_time(waiting.until)).raw(" ").text(rest);
    let text = format!("{lead} {} {rest} (ref {reference})", utc(waiting.until));
    content(&text, vec![shown.section(), reference_line(reference)])
}

/// What is waited for, as the part of a sentence.
#[must_use]
pub fn waits_for(waits_for: WaitsFor) -> &'static str {
    match waits_for {
        WaitsFor::Limit => "Fivetran's rate limit is used up, and it asks me to wait",
        WaitsFor::Reach => "I can't reach Fivetran right now",
        WaitsFor::Recovery => "Fivetran isn't giving clear answers right now",
        WaitsFor::Certainty => {
            "Fivetran hasn't said clearly whether it made the connection, so I'm checking before I try again"
        }
        WaitsFor::Conflict => {
            "Fivetran refused to make the connection, so I'm checking whether it's there already"
        }
        WaitsFor::Foreign => "something other than Fivetran answers at its address right now",
        WaitsFor::Creation => "Fivetran is taking a long time to make the connection",
        WaitsFor::Answer => "Fivetran is taking a long time to answer",
        WaitsFor::Slack => {
            "the connection is ready, but Slack hasn't confirmed the message with its link, and may not have taken it"
        }
        WaitsFor::Turn => {
            "Fivetran is taking only a few requests at a time right now, and others are ahead of this one"
        }
        WaitsFor::Unknown => "it's taking longer than usual",
    }
}
