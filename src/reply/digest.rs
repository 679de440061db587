//! The weekly digest: what is still unfinished, in a customer's channel or for those who run the bot.
//!
//! There is no link in it and no button: it is as true as the moment at which it was posted, and what can
//! be done stands in the messages that it is about. In a channel it says no more than those do.

use jiff::Timestamp;
use slack_morphism::prelude::SlackMessageContent;

use super::markup::{Mrkdwn, content, context, cut, local_time, sections};
use super::onboarding::names;
use super::state::{mark, state_words, when};
use crate::life::{Link, State};
use crate::onboarding::{Onboarding, Source};
use crate::slack::id;

/// Most lines of one message.
pub const LINES: usize = 20;
/// Longest name that is shown whole, in characters.
const NAME_LIMIT: usize = 100;

/// One thing that is unfinished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A link, in its state of now.
    Link(Box<Link>),
    /// Sources that share a message.
    Onboarding(Box<Onboarding>),
}

impl Item {
    fn channel_id(&self) -> &str {
        match self {
            Self::Link(link) => &link.channel_id,
            Self::Onboarding(onboarding) => &onboarding.channel_id,
        }
    }

    fn is_in_direct_message(&self) -> bool {
        match self {
            Self::Link(link) => link.request.in_direct_message,
            Self::Onboarding(onboarding) => {
                let mut links = onboarding.sources.iter().filter_map(|source| source.link.as_ref());
                links.any(|link| link.request.in_direct_message)
            }
        }
    }
}

/// How many are not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct More {
    /// So many.
    pub count: usize,
    /// And perhaps others, which nobody has counted.
    pub at_least: bool,
}

/// The digest of a customer's channel, the most urgent first.
#[must_use]
pub fn for_channel(items: &[Item], more: More, now: Timestamp) -> SlackMessageContent {
    let text = "What's still to be connected here";
    let lines = items.iter().map(|item| match item {
        Item::Link(link) => link_line(link),
        Item::Onboarding(onboarding) => onboarding_line(onboarding, now),
    });
    let head = Mrkdwn::default().bold(text);
    let mut blocks = sections(std::iter::once(head).chain(lines).chain(rest(more)));
    let why = "This comes once a week, and only while something is left to do.";
    blocks.push(context(vec![Mrkdwn::default().raw(why).object().into()]));
    content(&format!("{text}. Open this in Slack to see it."), blocks)
}

/// What a customer can do about a link.
fn link_line(link: &Link) -> Mrkdwn {
    let name = cut(&link.request.service_name, NAME_LIMIT);
    let said = Mrkdwn::default().raw(mark(link.state)).raw(" ").bold(&name);
    let of = local_time(message_of(link).unwrap_or(link.posted_at));
    let press = |said: Mrkdwn, button: &str| said.raw(&format!(" Press “{button}” in its message of {of}."));
    match link.state {
        State::Broken => press(said.raw(": its access has stopped working."), "Get a link to fix it"),
        State::Expired => press(said.raw(": its link has expired."), "Get a new link"),
        _ => {
            let until = local_time(link.expires_at);
            said.raw(&format!(
                " is waiting to be connected. Its link is in the message of {of} and works until {until}."
            ))
        }
    }
}

/// When the message that shows a link was posted.
fn message_of(link: &Link) -> Option<Timestamp> {
    let seconds = id::posted_at(&link.message.as_ref()?.ts)?;
    Timestamp::from_second(seconds).ok()
}

/// What a customer can do about the sources of one message.
fn onboarding_line(onboarding: &Onboarding, now: Timestamp) -> Mrkdwn {
    let said = progress(Mrkdwn::default().raw(":clipboard: "), onboarding, now);
    let posted = onboarding.message.as_ref().and_then(|place| id::posted_at(&place.ts));
    let at = posted.and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(onboarding.opened_at);
    let buttons = if left(onboarding, now).count() == 1 { "Its button is" } else { "Their buttons are" };
    said.raw(&format!(" {buttons} in the message of ")).raw(&local_time(at)).raw(".")
}

/// "3 of 5 connected; still waiting: HubSpot and Stripe."
fn progress(said: Mrkdwn, onboarding: &Onboarding, now: Timestamp) -> Mrkdwn {
    let (connected, all) = onboarding.progress();
    if let (1, Some(only)) = (all, left(onboarding, now).next()) {
        let is_broken = only.link.as_ref().is_some_and(|link| link.state == State::Broken);
        let words =
            if is_broken { " needs to be connected again." } else { " is still waiting to be connected." };
        return said.bold(&cut(&only.service_name, NAME_LIMIT)).raw(words);
    }
    let mut said = said.bold(&format!("{connected} of {all} connected"));
    let is_broken = |source: &&Source| source.link.as_ref().is_some_and(|link| link.state == State::Broken);
    let (broken, waiting): (Vec<_>, Vec<_>) = left(onboarding, now).partition(is_broken);
    for (words, sources) in [("still waiting", waiting), ("to be connected again", broken)] {
        if !sources.is_empty() {
            said = names(said.raw("; ").raw(words).raw(": "), &sources);
        }
    }
    said.raw(".")
}

/// Whether an item has something left to do.
#[must_use]
pub fn is_left(item: &Item, now: Timestamp) -> bool {
    match item {
        Item::Link(_) => true,
        Item::Onboarding(onboarding) => left(onboarding, now).next().is_some(),
    }
}

/// The sources for which their customer has something left to do, as far as that is known: of one that
/// nobody watches any more it is not.
fn left(onboarding: &Onboarding, now: Timestamp) -> impl Iterator<Item = &Source> {
    let is_open = move |link: &Link| {
        link.watch_until().is_some_and(|until| until > now) && !link.is_only_to_reauthorise()
    };
    let sources = onboarding.sources.iter().filter(|source| source.counts() && !source.is_connected());
    sources.filter(move |source| source.is_being_made() || source.link.as_ref().is_none_or(is_open))
}

fn rest(more: More) -> Option<Mrkdwn> {
    let line = match more {
        More { count: 0, at_least: false } => return None,
        More { count: 0, at_least: true } => "… and more.".to_owned(),
        More { count, at_least: false } => format!("… and {count} more."),
        More { count, at_least: true } => format!("… and more than {count} more."),
    };
    Some(Mrkdwn::default().raw(&line))
}

/// The digest for those who run the bot: everything, channel by channel, that with the most urgent first.
#[must_use]
pub fn for_us(items: &[Item], more: More, now: Timestamp) -> SlackMessageContent {
    let mut channels: Vec<&str> = Vec::new();
    for item in items {
        if !channels.contains(&item.channel_id()) {
            channels.push(item.channel_id());
        }
    }
    let text = "What's still unfinished this week";
    let mut lines = vec![Mrkdwn::default().bold(text)];
    for channel in channels {
        let mut here = items.iter().filter(|item| item.channel_id() == channel);
        lines.push(match id::is_of_two(channel) || here.clone().any(Item::is_in_direct_message) {
            true => Mrkdwn::default().raw("In a direct message:"),
            false => Mrkdwn::default().raw("In <#").text(channel).raw(">:"),
        });
        lines.extend(here.by_ref().map(|item| line_for_us(item, now)));
    }
    lines.extend(rest(more));
    let mut blocks = sections(lines.into_iter());
    let what = "My Home tab has all of it, with what can be done.";
    blocks.push(context(vec![Mrkdwn::default().raw(what).object().into()]));
    content(&format!("{text}. Open this in Slack to see it."), blocks)
}

fn line_for_us(item: &Item, now: Timestamp) -> Mrkdwn {
    match item {
        Item::Link(link) => {
            let said = Mrkdwn::default().raw(mark(link.state)).raw(" ");
            let said = said.bold(&cut(&link.request.service_name, NAME_LIMIT)).raw(" into ");
            let said = said.code(&link.request.target.connection_name()).raw(": ");
            let said = match link.is_only_to_reauthorise() {
                true => said.raw("connected; the link to sign in again is waiting for your customer"),
                false => said.raw(state_words(link)),
            };
            let said = when(said, link);
            let said = match &link.requester {
                Some(requester) => said.raw(" · by ").code(requester),
                None => said.raw(" · not requested here"),
            };
            said.raw(" · Ref ").code(&link.id)
        }
        Item::Onboarding(onboarding) => {
            let said = Mrkdwn::default().raw(":clipboard: ");
            let said = match &onboarding.customer {
                Some(customer) => said.text(customer).raw(": "),
                None => said,
            };
            let said = progress(said, onboarding, now);
            let said = match onboarding.message {
                Some(_) => said,
                None => said.raw(" I know of no message that shows it."),
            };
            let said = said.raw(" Asked for ").raw(&local_time(onboarding.opened_at));
            said.raw(" · by ").code(&onboarding.requester).raw(" · Ref ").code(&onboarding.id)
        }
    }
}
