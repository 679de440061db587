//! App Home: somebody's links over all channels, or everybody's, and what can be done about them there.
//!
//! A Home is as true as the moment that it names: nobody edits it when something changes. It shows no link
//! of a Connect Card, and its buttons carry no more than a reference, a filter, a page or the address of a
//! message. Sources that share a message are one entry, which leads there: their buttons are in it.

use jiff::Timestamp;
use slack_morphism::prelude::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonElement, SlackBlockButtonStyle,
    SlackDividerBlock, SlackHomeView, SlackMessageContent, SlackSectionBlock, SlackView,
};
use url::Url;

use super::Audience;
use super::ask::{OPEN_MESSAGE, button, choices as buttons};
use super::markup::{Mrkdwn, content, context, cut, local_time, plain_section, sentences};
use super::onboarding::{names, progress};
use super::state::{asked_by, mark, state_words, when};
use crate::command::home::{Entry, Filter, PER_PAGE, Page, Whose, Wish, choices};
use crate::life::{Link, State};
use crate::onboarding::{Onboarding, Source};
use crate::permission::Refused;

/// The buttons that filter, in the order of [`Filter::ALL`].
pub const FILTERS: [&str; 4] = ["home_all", "home_attention", "home_waiting", "home_connected"];
/// The button that shows everybody's links.
pub const EVERYBODYS: &str = "home_everybodys";
/// The button that shows one's own again.
pub const MINE: &str = "home_mine";
/// The button that shows the same as it is now.
pub const REFRESH: &str = "home_refresh";
/// The button that sends the list as a file.
pub const EXPORT: &str = "home_export";
/// The button that leads to the next page; its value is the page.
pub const NEXT: &str = "home_next";
/// The button that leads back; its value is the page.
pub const BACK: &str = "home_back";

/// What a list is called as a file.
pub const FILE: &str = "links.csv";

/// Everything in a Home.
pub struct Home<'a> {
    /// Whose it is.
    pub user: &'a str,
    /// What the person wants to see.
    pub wish: &'a Wish,
    /// The entries; `None`: the database did not answer.
    pub page: Option<&'a Page>,
    /// The workspace's address, if it is known: messages can be led to by it.
    pub site: Option<Url>,
    /// Why the person may not use the bot, if that is so. Then only links of their own are on the page.
    pub refused: Option<&'a Refused>,
    /// What came of the press before, if there is anything to say.
    pub notice: Option<&'a SlackMessageContent>,
}

/// A Home as it is at `now`.
#[must_use]
pub fn home(home: &Home<'_>, now: Timestamp) -> SlackView {
    let Home { user, wish, page, site, refused, notice } = home;
    let mut blocks = Vec::new();
    for said in notice.iter().copied().chain(refused.map(super::refused).iter()) {
        blocks.extend(said.blocks.iter().flatten().cloned());
        blocks.push(SlackDividerBlock::new().into());
    }
    match page {
        Some(page) => {
            blocks.push(head(wish, page, now));
            // Whoever has nothing needs no filters.
            if page.total > 0 || wish.filter != Filter::All || refused.is_none() {
                blocks.push(filters(wish.filter));
            }
            blocks.push(others(wish.whose, refused.is_none(), page.total > 0));
            let user = refused.is_none().then_some(*user);
            for entry in &page.entries {
                match entry {
                    Entry::Link(link) => {
                        blocks.push(line(link, wish.whose));
                        blocks.extend(user.and_then(|user| buttons(link, choices(link, user))));
                    }
                    Entry::Onboarding(onboarding) => {
                        blocks.push(together(onboarding, wish.whose, site.as_ref()));
                    }
                }
            }
            blocks.extend(user.and_then(|_| in_their_channel(&page.entries)));
            blocks.extend(turn(page));
            if wish.whose == Whose::All {
                blocks.push(whose_to_act());
            }
        }
        None => {
            blocks.push(plain_section("I couldn't look your links up just now. Nothing was changed."));
            blocks.push(actions(vec![button(REFRESH, "Try again", "-")]));
        }
    }
    SlackView::Home(SlackHomeView::new(blocks).with_private_metadata(wish.kept()))
}

fn head(wish: &Wish, page: &Page, now: Timestamp) -> SlackBlock {
    let title = match wish.whose {
        Whose::Mine => "*Your links*",
        Whose::All => "*All links in this workspace*",
    };
    let shown = match (page.total, wish.filter) {
        (0, Filter::All) if wish.whose == Whose::Mine => {
            "No open links. Use the slash command in the channel that your customer is in, and its link will be \
             listed here."
                .to_owned()
        }
        (0, Filter::All) => "No open links.".to_owned(),
        (0, Filter::Attention) => "Nothing needs attention.".to_owned(),
        (0, Filter::Waiting) => "No link is waiting for a customer.".to_owned(),
        (0, Filter::Connected) => "Nothing is connected.".to_owned(),
        (1, _) if !page.more => if page.onboardings { "One entry" } else { "One link" }.to_owned(),
        (total, _) => {
            let many = if page.more { format!("More than {total}") } else { total.to_string() };
            let what = if page.onboardings { "entries" } else { "links" };
            let first = page.number * PER_PAGE + 1;
            // By what its number says: an entry may have been left out.
            let last = (first + PER_PAGE - 1).min(total);
            let part =
                if page.pages > 1 { format!("; showing {first} to {last}") } else { String::new() };
            format!("{many} {what}, most urgent first{part}")
        }
    };
    let as_of = Mrkdwn::default().raw("As of ").raw(&local_time(now)).raw(".");
    Mrkdwn::default().raw(title).raw("\n").raw(&shown).raw("\n").add(as_of).section()
}

fn filters(chosen: Filter) -> SlackBlock {
    let label = |filter| match filter {
        Filter::All => "All",
        Filter::Attention => "Needs attention",
        Filter::Waiting => "Waiting",
        Filter::Connected => "Connected",
    };
    let offered = FILTERS.into_iter().zip(Filter::ALL);
    actions(
        offered
            .map(|(action, filter)| {
                let button = button(action, label(filter), "-");
                if filter == chosen { button.with_style(SlackBlockButtonStyle::Primary) } else { button }
            })
            .collect(),
    )
}

fn others(whose: Whose, may_see_all: bool, has_some: bool) -> SlackBlock {
    let switch = match whose {
        Whose::Mine => may_see_all.then(|| button(EVERYBODYS, "Show everybody's links", "-")),
        Whose::All => Some(button(MINE, "Show only mine", "-")),
    };
    let refresh = button(REFRESH, "Refresh", "-");
    let export = has_some.then(|| button(EXPORT, "Send me this as CSV", "-"));
    actions(switch.into_iter().chain([refresh]).chain(export).collect())
}

fn line(link: &Link, whose: Whose) -> SlackBlock {
    let line = Mrkdwn::default().raw(mark(link.state)).raw(" ").bold(&cut(&link.request.service_name, 100));
    let line = line.raw(" into ").code(&link.request.target.connection_name());
    let line = when(line.raw("\n").raw(state_words(link)), link).raw("\n");
    let line = if link.request.in_direct_message {
        line.raw("in a direct message")
    } else {
        line.raw("in <#").text(&link.channel_id).raw(">")
    };
    match whose {
        Whose::Mine => line,
        Whose::All => asked_by(line, link),
    }
    .section()
}

/// An onboarding in one block: how far it is, what is left of it, the most urgent first, and where its message is.
fn together(onboarding: &Onboarding, whose: Whose, site: Option<&Url>) -> SlackBlock {
    let unfinished = unfinished(onboarding);
    let finished = if onboarding.progress().1 == 0 { State::Cancelled } else { State::Connected };
    let state = unfinished.first().map_or(finished, |source| stands(source));
    let said = Mrkdwn::default().raw(mark(state)).raw(" ");
    let said = said.bold(&cut(onboarding.customer.as_deref().unwrap_or("Several sources"), 100));
    let said = said.raw(": ").raw(&progress(onboarding));
    let since = onboarding.done_at.filter(|_| unfinished.is_empty());
    let mut said = said.raw(&since.map(|at| format!(" · since {}", local_time(at))).unwrap_or_default());
    for (place, alike) in unfinished.chunk_by(|one, other| words(one) == words(other)).enumerate() {
        said = names(said.raw("\n"), alike);
        said = said.raw(": ").raw(alike.first().map_or("", |source| words(source)));
        // Since when at least one of them stands so.
        let standing = alike.iter().filter(|source| !is_set_up(source));
        let oldest = standing.filter_map(|source| source.link.as_ref()).min_by_key(|link| link.changed_at);
        said = match oldest.filter(|_| place == 0) {
            Some(link) => when(said, link),
            None => said,
        };
    }
    let said = said.raw("\nin <#").text(&onboarding.channel_id).raw(">");
    let said = match &onboarding.message {
        Some(_) => said,
        None => said.raw(" · its message isn't there yet"),
    };
    let said = match whose {
        Whose::Mine => said,
        Whose::All => said.raw(" · requested by <@").text(&onboarding.requester).raw(">"),
    };
    let section = SlackSectionBlock::new().with_text(said.object().into());
    let address = onboarding.message.as_ref().zip(site).and_then(|(place, site)| place.permalink(site));
    match address {
        Some(address) => section
            .with_accessory(button(OPEN_MESSAGE, "Open the message", "-").with_url(address).into())
            .into(),
        None => section.into(),
    }
}

/// The sources that are not connected or do not work, the most urgent first.
fn unfinished(onboarding: &Onboarding) -> Vec<&Source> {
    let is_left = |source: &&Source| {
        let works = matches!(stands(source), State::Connected | State::Lapsed);
        !works && source.counts()
    };
    let mut left: Vec<_> = onboarding.sources.iter().filter(is_left).collect();
    // The order of the message among those of which the same is to be said.
    left.sort_by_key(|source| (stands(source).urgency(), source.link.is_none(), words(source)));
    left
}

/// Whether it is being set up, for the first time or after it was cancelled or removed.
fn is_set_up(source: &Source) -> bool {
    source.link.is_none() || source.is_being_made()
}

/// How a source stands. One that is being set up waits, and so does one that was to get a link of its own which
/// never came.
fn stands(source: &Source) -> State {
    match source.link.as_ref().map(|link| link.state).filter(|_| !is_set_up(source)) {
        None | Some(State::Replaced) => State::Waiting,
        Some(state) => state,
    }
}

fn words(source: &Source) -> &'static str {
    match source.link.as_ref().filter(|_| !is_set_up(source)) {
        None => "being set up",
        Some(link) if link.state == State::Replaced => "waiting for your customer",
        Some(link) => state_words(link),
    }
}

fn turn(page: &Page) -> Option<SlackBlock> {
    let back = page.number.checked_sub(1).map(|to| button(BACK, "Back", &to.to_string()));
    let next = Some(page.number + 1).filter(|&to| to < page.pages);
    let next = next.map(|to| button(NEXT, "Next", &to.to_string()));
    let buttons: Vec<_> = back.into_iter().chain(next).collect();
    (!buttons.is_empty()).then(|| actions(buttons))
}

/// Where to act on one of several sources that share a message, if there are any: they have no buttons here.
fn in_their_channel(entries: &[Entry]) -> Option<SlackBlock> {
    let slash = entries.iter().find_map(|entry| match entry {
        Entry::Onboarding(onboarding) => onboarding.sources.iter().find_map(|source| source.link.as_ref()),
        Entry::Link(_) => None,
    });
    let slash = &slash?.request.slash;
    let line = Mrkdwn::default().raw(
        "To cancel one of several sources that share a message, or to see what else can \
                                      be done about it, type ",
    );
    let line = line.code(&format!("{slash} status SCHEMA")).raw(" in its channel.");
    Some(context(vec![line.object().into()]))
}

fn whose_to_act() -> SlackBlock {
    let line = "From here you can change only links that you asked for. To change somebody else's, type the command \
                in its channel.";
    context(vec![Mrkdwn::default().raw(line).object().into()])
}

fn actions(buttons: Vec<SlackBlockButtonElement>) -> SlackBlock {
    SlackActionsBlock::new(buttons.into_iter().map(SlackActionBlockElement::Button).collect()).into()
}

/// The file was sent. `total`: how many links are in it; whether there are more.
#[must_use]
pub fn exported(total: usize, more: bool) -> SlackMessageContent {
    let links = if total == 1 { "one link".to_owned() } else { format!("{total} links") };
    let rest = if more {
        format!(" There are more than fit: it has the {total} most urgent.")
    } else {
        String::new()
    };
    sentences(&format!("I've sent you a file with {links} as a direct message.{rest}"))
}

/// What stands above the file in the direct message.
#[must_use]
pub fn with_file(total: usize, more: bool, now: Timestamp) -> String {
    let links = if total == 1 { "One link".to_owned() } else { format!("{total} links") };
    let rest = if more { ", the most urgent; there are more than fit" } else { "" };
    format!("{links}{rest}, as of {}.", super::utc(now))
}

/// The file could not be sent.
#[must_use]
pub fn not_exported(why: NotExported) -> SlackMessageContent {
    sentences(match why {
        NotExported::Scope => {
            "I may not send files in this workspace, so there is none. Ask the people who run this bot to grant it the \
             scope files:write."
        }
        NotExported::Nowhere => {
            "I don't know where to send the file yet. Open another tab of mine, come back to Home, and try again."
        }
        NotExported::Unclear => {
            "Slack didn't confirm the file. If it isn't among our direct messages in a minute, please try again."
        }
        NotExported::Slack => "Slack didn't take the file, so there is none. Please try again in a minute.",
    })
}

/// Why a list could not be sent as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotExported {
    /// The bot's token lacks the scope for it.
    Scope,
    /// It is not known which direct message is the person's.
    Nowhere,
    /// Slack refuses it.
    Slack,
    /// Slack gave no clear answer.
    Unclear,
}

/// A new link is being made for one in a Home, for whom `audience` says.
#[must_use]
pub fn renewing(link: &Link, audience: Audience) -> SlackMessageContent {
    let lead = format!("Making a new link for {} now. ", link.request.service_name);
    let elsewhere = "It will appear where it was asked for; if it can't, I'll tell you in a direct message.";
    match audience {
        Audience::Requester => sentences(&format!("{lead}I'll send it to you in a direct message.")),
        Audience::Channel if link.request.in_direct_message => sentences(&format!("{lead}{elsewhere}")),
        Audience::Channel => {
            let shown = Mrkdwn::default().text(&lead).raw("It will appear in <#").text(&link.channel_id);
            let shown = shown.raw(">; if it can't, I'll tell you in a direct message.");
            content(&format!("{lead}{elsewhere}"), vec![shown.section()])
        }
    }
}
