//! What `list` answers: a channel's links in words, a page at a time.

use slack_morphism::prelude::{SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackMessageContent};

use super::ask::button;
use super::markup::{Mrkdwn, content, context, cut, plain_section, sentences};
use super::state::{asked_by, mark, state_words, when};
use crate::command::VERBS;
use crate::command::list::{PER_PAGE, Page};
use crate::life::Link;

/// The button that leads to the next page; its value is the page.
pub const NEXT: &str = "list_next";
/// The button that leads back; its value is the page.
pub const BACK: &str = "list_back";

/// A page of a channel's links; for the person alone. `slash` is the slash command, if it is known.
#[must_use]
pub fn list(page: &Page, slash: Option<&str>) -> SlackMessageContent {
    let Page { links, number, pages, total } = page;
    let slash = slash.or_else(|| links.first().map(|link| link.request.slash.as_str()));
    if links.is_empty() {
        let how = slash.map(|slash| format!(" Make one with {slash} {}", VERBS[0].usage));
        return sentences(&format!("No open links in this channel.{}", how.unwrap_or_default()));
    }
    let mut head = match total {
        1 => "One link in this channel:".to_owned(),
        total => format!("{total} links in this channel, most urgent first:"),
    };
    if *pages > 1 {
        let first = number * PER_PAGE + 1;
        head = format!(
            "{total} links in this channel, most urgent first; showing {first} to {}:",
            first + links.len() - 1
        );
    }
    let mut blocks = vec![plain_section(&head)];
    blocks.extend(links.iter().map(row));
    blocks.extend(slash.map(commands));
    blocks.extend(turn(*number, *pages));
    content(&head, blocks)
}

fn row(link: &Link) -> SlackBlock {
    let schema = link.request.target.connection_name();
    let line = Mrkdwn::default().raw(mark(link.state)).raw(" ").bold(&cut(&link.request.service_name, 100));
    let line = line.raw(" into ").code(&schema).raw("\n").raw(state_words(link));
    asked_by(when(line, link), link).section()
}

fn commands(slash: &str) -> SlackBlock {
    let line = Mrkdwn::default().raw("For details or changes, type ").code(&format!("{slash} status SCHEMA"));
    let line = line.raw(", ").code(&format!("{slash} renew SCHEMA")).raw(" or ");
    context(vec![line.code(&format!("{slash} cancel SCHEMA")).object().into()])
}

fn turn(number: usize, pages: usize) -> Option<SlackBlock> {
    let back = number.checked_sub(1).map(|page| button(BACK, "Back", &page.to_string()));
    let next = Some(number + 1).filter(|&page| page < pages);
    let next = next.map(|page| button(NEXT, "Next", &page.to_string()));
    let buttons: Vec<_> = back.into_iter().chain(next).map(SlackActionBlockElement::Button).collect();
    (!buttons.is_empty()).then(|| SlackActionsBlock::new(buttons).into())
}
