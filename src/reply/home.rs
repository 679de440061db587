//! App Home: somebody's links over all channels, or everybody's, and what can be done about them there.
//!
//! A Home is as true as the moment that it names: nobody edits it when something changes. It shows no link
//! of a Connect Card, and its buttons carry no more than a reference, a filter or a page.

use jiff::Timestamp;
use slack_morphism::prelude::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonElement, SlackBlockButtonStyle,
    SlackDividerBlock, SlackHomeView, SlackMessageContent, SlackView,
};

use super::Audience;
use super::ask::{button, choices as buttons};
use super::markup::{Mrkdwn, content, context, cut, local_time, plain_section, sentences};
use super::state::{asked_by, mark, state_words, when};
use crate::command::home::{Entry, Filter, MOST, PER_PAGE, Page, Whose, Wish, choices};
use crate::life::Link;
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
    /// The links; `None`: the database did not answer.
    pub page: Option<&'a Page>,
    /// Why the person may not use the bot, if that is so. Then only links of their own are on the page.
    pub refused: Option<&'a Refused>,
    /// What came of the press before, if there is anything to say.
    pub notice: Option<&'a SlackMessageContent>,
}

/// A Home as it is at `now`.
#[must_use]
pub fn home(home: &Home<'_>, now: Timestamp) -> SlackView {
    let Home { user, wish, page, refused, notice } = home;
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
            let may = refused.is_none();
            blocks.extend(page.entries.iter().flat_map(|entry| row(entry, wish.whose, may.then_some(*user))));
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
        (1, _) => "One link".to_owned(),
        (total, _) => {
            let many = if total >= MOST { format!("More than {}", MOST - 1) } else { total.to_string() };
            let first = page.number * PER_PAGE + 1;
            let last = first + page.entries.len().max(1) - 1;
            let part =
                if page.pages > 1 { format!("; showing {first} to {last}") } else { String::new() };
            format!("{many} links, most urgent first{part}")
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

/// An entry, with what can be done about it by `user`, who may use the bot.
fn row(entry: &Entry, whose: Whose, user: Option<&str>) -> Vec<SlackBlock> {
    let Entry::Link(link) = entry;
    let mut blocks = vec![line(link, whose)];
    blocks.extend(user.and_then(|user| buttons(link, choices(link, user))));
    blocks
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

fn turn(page: &Page) -> Option<SlackBlock> {
    let back = page.number.checked_sub(1).map(|to| button(BACK, "Back", &to.to_string()));
    let next = Some(page.number + 1).filter(|&to| to < page.pages);
    let next = next.map(|to| button(NEXT, "Next", &to.to_string()));
    let buttons: Vec<_> = back.into_iter().chain(next).collect();
    (!buttons.is_empty()).then(|| actions(buttons))
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
