//! One customer's sources in one message, and what is said around it.
//!
//! No link stands in it: a button has one shown to whoever presses it, alone. So the message is drawn of
//! what is stored, by whoever brings it up to date, and says as little as any other that a customer reads.

use jiff::SignedDuration;
use slack_morphism::prelude::{
    SlackBlock, SlackBlockButtonElement, SlackBlockPlainText, SlackMessageContent, SlackSectionBlock,
};
use url::Url;

use super::ask;
use super::markup::{
    BUTTON_LIMIT, Mrkdwn, content, context, cut, local_time, plain_section, reference_line, sections,
};
use super::problem::{notice_sentence, shared_with};
use super::renamed;
use super::waits_for;
use crate::journal::{Notice, Others, Problem, WaitsFor};
use crate::life::{Link, State};
use crate::onboarding::{Onboarding, Source, Unposted};
use crate::slack::refusal;
use crate::work::{Onboard, Request};

/// The id of the button that has a link for a source shown; its value is the source's reference.
pub const CONNECT: &str = "connect_source";

/// Lines of one message: with the rest of it they stay within the 50 blocks that Slack takes.
/// <https://docs.slack.dev/reference/block-kit/blocks>
const LINES: usize = 45;
/// Longest name of a service in a line, in characters.
const NAME_LIMIT: usize = 100;
/// The same where several stand in one line: with every character escaped they stay within a text's limit.
const SHORT_LIMIT: usize = 40;
/// Names of one kind in one line.
const NAMES: usize = 5;
/// Longest sentence about what could not be set up, in characters: twenty of them fit into a message.
const WHY_LIMIT: usize = 600;

/// The message of an onboarding as it stands.
#[must_use]
pub fn message(onboarding: &Onboarding) -> SlackMessageContent {
    let (lead, text) = lead(onboarding);
    let mut blocks = vec![lead.section()];
    blocks.extend(lines(onboarding));
    let who = Mrkdwn::default().raw("Requested by <@").text(&onboarding.requester).raw(">");
    let reference = Mrkdwn::default().raw("Ref ").code(&onboarding.id);
    blocks.push(context(vec![who.object().into(), reference.object().into()]));
    content(&text, blocks)
}

/// A line for each source, as far as there is room: those that are connected give way first.
fn lines(onboarding: &Onboarding) -> Vec<SlackBlock> {
    let rest = onboarding.shown().count().saturating_sub(LINES);
    let (mut more, mut shown) = (rest, onboarding.shown().collect::<Vec<_>>());
    for connected in [true, false] {
        shown.retain(|source| {
            let goes = more > 0 && source.is_connected() == connected;
            more -= usize::from(goes);
            !goes
        });
    }
    let mut lines: Vec<_> = shown.into_iter().map(line).collect();
    if rest > 0 {
        lines.push(Mrkdwn::default().raw(&format!("… and {rest} more.")).section());
    }
    lines
}

/// What the customer is asked for, or that it is done.
fn lead(onboarding: &Onboarding) -> (Mrkdwn, String) {
    let (connected, all) = onboarding.progress();
    let said = Mrkdwn::default();
    if all == 0 {
        let text = "There's nothing to connect here any more.";
        return (said.raw(text), text.to_owned());
    }
    if connected == all {
        let text = done(onboarding, all, "It's");
        return (said.raw(":tada: ").bold(&text), text);
    }
    let how = " Press a button below, and a link appears that only you can see; then sign in on the page that it opens. \
               Your password stays on that page; neither we nor anyone in this channel can see it.";
    if connected == 0 {
        let text = match all {
            1 => "Please connect this source.".to_owned(),
            _ => format!("Please connect these {all} sources."),
        };
        return (said.bold(&text).raw(how), text);
    }
    let text = format!("{connected} of {all} connected.");
    let rest = if all - connected == 1 { " One is left." } else { " Please connect the others too." };
    (said.bold(&text).raw(rest).raw(how), format!("{text}{rest}"))
}

/// That all of them are connected; `one_is`: what it begins with if there is only one.
fn done(onboarding: &Onboarding, all: usize, one_is: &str) -> String {
    let what = match all {
        1 => format!("{one_is} connected."),
        2 => "Both are connected.".to_owned(),
        _ => format!("All {all} are connected."),
    };
    match onboarding.done_at {
        Some(at) => format!("{what} It took {}.", span(at.duration_since(onboarding.opened_at))),
        None => what,
    }
}

/// How many of its sources are connected, in few words.
pub(super) fn progress(onboarding: &Onboarding) -> String {
    match onboarding.progress() {
        (_, 0) => "nothing to connect any more".to_owned(),
        (0, 1) => "not connected yet".to_owned(),
        (1, 1) => "connected".to_owned(),
        (2, 2) => "both connected".to_owned(),
        (connected, all) if connected == all => format!("all {all} connected"),
        (connected, all) => format!("{connected} of {all} connected"),
    }
}

/// The names of sources in one line.
pub(super) fn names(mut said: Mrkdwn, sources: &[&Source]) -> Mrkdwn {
    for (place, source) in sources.iter().take(NAMES).enumerate() {
        said = if place == 0 { said } else { said.raw(", ") };
        said = said.bold(&cut(&source.service_name, SHORT_LIMIT));
    }
    match sources.len().saturating_sub(NAMES) {
        0 => said,
        more => said.raw(&format!(" and {more} more")),
    }
}

/// How long something took, in the largest unit that says it.
fn span(took: SignedDuration) -> String {
    let (minutes, hours) = (took.as_mins(), took.as_hours());
    let (count, unit) = match (minutes, hours) {
        (..1, _) => return "less than a minute".to_owned(),
        (..120, _) => (minutes, "minute"),
        (_, ..48) => (hours, "hour"),
        _ => (hours / 24, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A source in one line, with what can be done about it.
fn line(source: &Source) -> SlackBlock {
    let name = cut(&source.service_name, NAME_LIMIT);
    let said = Mrkdwn::default();
    let Some(link) = source.link.as_ref().filter(|_| !source.is_being_made()) else {
        return said.raw(":hourglass_flowing_sand: ").bold(&name).raw(" is being set up …").section();
    };
    let (said, label) = match link.state {
        // One that was to get a link of its own, which never came, is where it was.
        State::Waiting | State::Replaced | State::Unposted => {
            (said.raw(":white_circle: ").bold(&name), Some("Connect"))
        }
        State::Expired => {
            (said.raw(":white_circle: ").bold(&name).raw(" is still waiting for you"), Some("Connect"))
        }
        State::Connected => {
            let said = said.raw(":white_check_mark: ").bold(&name).raw(" is connected (since ");
            (said.raw(&local_time(link.changed_at)).raw(")"), None)
        }
        State::Lapsed => (said.raw(":white_check_mark: ").bold(&name).raw(" is connected as before"), None),
        State::Broken if link.asks_customer() => {
            let said = said.raw(":warning: ").bold(&name);
            (
                said.raw(" was connected, but its access has stopped working. Please sign in again"),
                Some("Fix"),
            )
        }
        State::Broken => {
            let said = said.raw(":information_source: ").bold(&name);
            let calm = " is set up, but isn't getting new data right now. There's nothing you need to do";
            (said.raw(calm), None)
        }
        State::Cancelled => (said.raw(":no_entry_sign: ").bold(&name).raw(" was cancelled"), None),
        State::Gone => (said.raw(":no_entry_sign: ").bold(&name).raw(" was removed"), None),
    };
    let section = SlackSectionBlock::new().with_text(said.raw(".").add(fills(link)).object().into());
    // By this, a press tells one button from the others.
    let section = section.with_block_id(link.id.clone().into());
    let button = label.map(|label| {
        let label = cut(&format!("{label} {name}"), BUTTON_LIMIT);
        SlackBlockButtonElement::new(SlackBlockPlainText::new(label).into())
            .with_action_id(CONNECT.into())
            .with_value(link.id.clone())
    });
    match button {
        Some(button) => section.with_accessory(button.into()).into(),
        None => section.into(),
    }
}

/// Where its data goes.
fn fills(link: &Link) -> Mrkdwn {
    // There is none of what was cancelled.
    if matches!(link.state, State::Cancelled | State::Gone) {
        return Mrkdwn::default();
    }
    let said = Mrkdwn::default().raw(" The data goes to ").code(&link.request.target.connection_name());
    match &link.request.destination {
        Some(destination) => said.raw(" in ").text(destination).raw("."),
        None => said.raw("."),
    }
}

/// What the thread of its message tells once nothing is left to do.
#[must_use]
pub fn finished(onboarding: &Onboarding) -> SlackMessageContent {
    let (_, all) = onboarding.progress();
    let only = onboarding.sources.iter().find(|source| source.counts());
    let one_is = only.map(|only| format!("{} is", cut(&only.service_name, NAME_LIMIT)));
    let text = done(onboarding, all, one_is.as_deref().unwrap_or("It's"));
    let shown = Mrkdwn::default().text(&text).raw(" (Requested by <@").text(&onboarding.requester).raw(">.)");
    content(&text, vec![shown.section()])
}

/// Asks before sources are set up where several other organisations could get links for them.
#[must_use]
pub fn for_all(others: Others, sources: usize, reference: &str) -> SlackMessageContent {
    let text = format!(
        "{}, and everyone in it could get links for these {sources} sources to sign in, so I didn't set any of them up. \
         If they're for only one of them, type the command in a channel that you share with them alone.",
        shared_with(others)
    );
    let mut blocks = vec![plain_section(&text)];
    blocks.extend(ask::about(&Problem::Shared(others), reference));
    blocks.push(reference_line(reference));
    content(&text, blocks)
}

/// That none of it was made, since it was taken up too late.
#[must_use]
pub fn out_of_time(sources: usize, reference: &str) -> SlackMessageContent {
    let text = format!(
        "I couldn't finish this in time, so none of the {sources} sources was set up. Type the same command again."
    );
    content(&text, vec![plain_section(&text), reference_line(reference)])
}

/// What whoever asked is told while some of it takes long, alone.
#[must_use]
pub fn waits(onboarding: &Onboarding, parent: &str, why: WaitsFor) -> SlackMessageContent {
    let under_way = onboarding.of(parent).filter(|source| source.under_way).count();
    let (all, why) = (onboarding.of(parent).count(), waits_for(why));
    let (count, rest) = match under_way {
        1 => ("one".to_owned(), "it"),
        count => (count.to_string(), "they"),
    };
    let verb = if under_way == 1 { "appears" } else { "appear" };
    let text = format!(
        "Still setting up {count} of the {all} sources: {why}. I'll keep trying: {rest} {verb} in the message, or \
         I'll tell you why not. You don't need to do anything, or to type it again."
    );
    content(&text, vec![plain_section(&text), reference_line(parent)])
}

/// What whoever asked has to know besides the message, alone: which of the sources of this command are not
/// in it, that it is not there, or that it is an older one; `None` if there is nothing to tell.
#[must_use]
pub fn report(
    onboarding: &Onboarding,
    parent: &str,
    unposted: Option<&Unposted>,
) -> Option<SlackMessageContent> {
    let missing: Vec<&Source> = onboarding.missing(parent).collect();
    let all = onboarding.of(parent).count();
    let mut said = Vec::new();
    if let Some(why) = unposted {
        said.push(no_message(all - missing.len(), why));
    } else if onboarding.id != parent && missing.len() < all {
        said.push("The message above that this customer has in the channel shows them too.".to_owned());
    }
    said.extend(match missing.len() {
        0 => None,
        count if count == all => Some(format!("None of the {all} sources could be added:")),
        1 => Some(format!("One of the {all} sources isn't in the message:")),
        count => Some(format!("{count} of the {all} sources aren't in the message:")),
    });
    let text = said.first()?.replace(':', ". Open this in Slack to see why.");
    let mut blocks: Vec<_> = said.iter().map(|said| plain_section(said)).collect();
    for source in missing {
        let said = Mrkdwn::default().bold(&cut(&source.service_name, NAME_LIMIT));
        let said = said.raw(" into ").code(&source.key.name).raw(": ").text(&why(source));
        blocks.push(said.section());
    }
    blocks.push(reference_line(parent));
    Some(content(&text, blocks))
}

/// Why a source is not in the message, and what to do.
fn why(source: &Source) -> String {
    let Some((notice, work)) = &source.refused else {
        return "another request for it was being worked on at that moment. If you don't see what came of it, ask for \
                it by itself."
            .to_owned();
    };
    let said = cut(&notice_sentence(notice, work), WHY_LIMIT);
    match notice {
        // By itself it is a question with a button.
        Notice::Problem(Problem::AlreadyConnected { .. } | Problem::Elsewhere { .. }) => {
            let Request { service, target, slash, .. } = work.request();
            let line = format!("{slash} {service} {}", target.connection_name());
            format!("{said} To post a link for it all the same, type {line}")
        }
        _ => said,
    }
}

/// That there is no message, or may be none.
fn no_message(ready: usize, why: &Unposted) -> String {
    let (ready, their) = match ready {
        1 => ("1 source is ready".to_owned(), "its"),
        ready => (format!("{ready} sources are ready"), "their"),
    };
    let again = "type the same command again. Nothing is made twice.";
    match why {
        Unposted::Refused(word) => {
            let remedy = match refusal::is_about_membership(word) {
                true => "/invite me to this channel",
                false => "ask whoever runs this bot to look into it",
            };
            format!(
                "{ready}, but Slack doesn't let me post {their} message here ({word}). To get it, {remedy}; then {again}"
            )
        }
        Unposted::Unclear => format!(
            "{ready}, but Slack never confirmed {their} message. It may already be in the channel; if it isn't, {again}"
        ),
        Unposted::Silent => {
            format!("{ready}, but I couldn't reach Slack to post {their} message. To get it, {again}")
        }
    }
}

/// That a source which was asked for by itself is in the message of its customer's others.
#[must_use]
pub fn added(service_name: &str, reference: &str) -> SlackMessageContent {
    let name = cut(service_name, NAME_LIMIT);
    let text = format!("{name} is in the message above, with the other sources of this customer.");
    content(&text, vec![plain_section(&text), reference_line(reference)])
}

/// The acknowledgement of a source that is added to the message of its customer's others; for the person alone.
/// Nobody typed what it is called. `address`: that of the message.
#[must_use]
pub fn joining(request: &Request, address: Option<Url>, reference: &str) -> SlackMessageContent {
    let target = request.target.connection_name();
    let lead = format!("Adding {} now, into ", cut(&request.service_name, NAME_LIMIT));
    let mut rest = ", to the message that this customer has above.".to_owned();
    if let Some(retired) = &request.retired {
        rest = format!("{rest} {}", renamed(retired, request));
    }
    let shown = Mrkdwn::default().text(&lead).code(&target).text(&rest);
    let section = SlackSectionBlock::new().with_text(shown.object().into());
    let section = match address {
        Some(address) => {
            let button = ask::button(ask::OPEN_MESSAGE, "Open the message", "-").with_url(address);
            section.with_accessory(button.into())
        }
        None => section,
    };
    content(&format!("{lead}{target}{rest}"), vec![section.into(), reference_line(reference)])
}

/// The acknowledgement of several sources; for the person alone. What nobody typed is shown here.
#[must_use]
pub fn accepted(onboard: &Onboard, reference: &str) -> SlackMessageContent {
    let count = onboard.sources.len();
    let whose = onboard.customer.as_deref().map(|it| format!(" for {it}")).unwrap_or_default();
    let lead = format!("Setting up {count} sources{whose} now. They will appear here in one message.");
    let line = |source: &Request| {
        let (name, target) = (cut(&source.service_name, NAME_LIMIT), source.target.connection_name());
        Mrkdwn::default().raw("• ").text(&name).raw(" into ").code(&target)
    };
    let first = Mrkdwn::default().text(&lead);
    let mut blocks = sections(std::iter::once(first).chain(onboard.sources.iter().map(line)));
    let retired = onboard.sources.iter().find_map(|it| Some(renamed(it.retired.as_ref()?, it)));
    blocks.extend(retired.map(|renamed| plain_section(&renamed)));
    blocks.push(reference_line(reference));
    content(&lead, blocks)
}

/// Why several sources cannot share a message here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// Without a bot token no message can be kept true.
    NoToken,
    /// Links are shown to whoever asked, and nobody else may press a button.
    Private,
    /// Nobody can invite the bot to a direct message.
    Direct,
}

/// That several sources cannot be asked for at once here, and what to do.
#[must_use]
pub fn one_at_a_time(why: Alone) -> SlackMessageContent {
    super::markup::sentences(match why {
        Alone::NoToken => {
            "Without a bot token I can't keep one message for several sources up to date, so I didn't do anything. Ask \
             for one source at a time, or ask whoever runs this bot to set SLACK_BOT_TOKEN."
        }
        Alone::Private => {
            "Links are only shown to the person who asks for them here, so several sources can't share a message, and I \
             didn't do anything. Ask for one source at a time."
        }
        Alone::Direct => {
            "I can't keep a message up to date in a direct message, so I didn't do anything. Ask for one source at a time, \
             or for all of them in your customer's channel."
        }
    })
}

/// That one customer's sources are being set up in this channel already.
#[must_use]
pub fn already(customer: Option<&str>) -> SlackMessageContent {
    let whose = customer.map(|customer| format!(" for {customer}")).unwrap_or_default();
    super::markup::sentences(&format!(
        "I'm setting up sources{whose} in this channel already, or just have. If you don't see them in a minute, please \
         type the command again."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_took_is_said_in_one_unit() {
        for (seconds, said) in [
            (59, "less than a minute"),
            (60, "1 minute"),
            (119 * 60, "119 minutes"),
            (2 * 3600, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (-5, "less than a minute"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), said);
        }
    }
}
