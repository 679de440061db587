//! What is shown of several connections that are asked for at once, before the person agrees to their names.
//!
//! Which names those are is [`crate::command::several`]'s; what is said once they are being made is
//! `onboarding`'s.

use std::fmt::Write as _;

use slack_morphism::prelude::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonStyle, SlackBlockPlainText,
    SlackMessageContent,
};

use super::ask::{DISMISS, MAKE, button};
use super::markup::{Mrkdwn, content, context, cut, plain_section, sections};
use crate::command::proposal::Proposal;
use crate::command::several::Several;
use crate::work::{Onboard, Request};

/// Longest name of a service that is shown, in characters.
const NAME_LIMIT: usize = 60;

/// Shows the person alone what would be made, with the button that makes it.
#[must_use]
pub fn preview(several: &Several, slash: &str, user: &str, channel: &str) -> SlackMessageContent {
    let Several { onboard, line, .. } = several;
    let title = format!("Create {}?", counted(onboard));
    let destination = onboard.sources.iter().find_map(|source| source.destination.as_deref());
    let mut shown = vec![Mrkdwn::default().bold(&title).section()];
    shown.extend(sections(onboard.sources.iter().map(source_line)));
    let mut text = title;
    for source in &onboard.sources {
        let _ = write!(text, "\n{}", source_words(source));
    }
    if let Some(destination) = destination {
        let whose = if onboard.sources.len() == 1 { "Its" } else { "Their" };
        let said = format!("{whose} data goes to the destination {}.", cut(destination, NAME_LIMIT));
        let _ = write!(text, "\n{said}");
        shown.push(plain_section(&said));
    }
    let note = match onboard.sources.len() {
        1 => "This name can't be changed later. Nothing has been created yet.",
        _ => "These names can't be changed later. Nothing has been created yet.",
    };
    let make = Proposal { user, channel, slash, line }.value();
    match make {
        Some(value) => {
            shown.push(context(vec![SlackBlockPlainText::new(note.to_owned()).into()]));
            shown.push(buttons(onboard.sources.len(), &value));
        }
        None => shown.push(plain_section(&format!(
            "{note} The command is too long for a button to repeat, so type fewer services at a time."
        ))),
    }
    content(&text, shown)
}

/// `these 3 connections for acme`.
fn counted(onboard: &Onboard) -> String {
    let what = match onboard.sources.len() {
        1 => "this connection".to_owned(),
        count => format!("these {count} connections"),
    };
    match &onboard.customer {
        Some(customer) => format!("{what} for {customer}"),
        None => what,
    }
}

fn source_line(source: &Request) -> Mrkdwn {
    let (name, target) = (cut(&source.service_name, NAME_LIMIT), source.target.connection_name());
    Mrkdwn::default().raw("• ").text(&name).raw(": ").code(&target)
}

fn source_words(source: &Request) -> String {
    format!("{}: {}", cut(&source.service_name, NAME_LIMIT), source.target.connection_name())
}

fn buttons(count: usize, value: &str) -> SlackBlock {
    let label = match count {
        1 => "Create it".to_owned(),
        2 => "Create both".to_owned(),
        count => format!("Create all {count}"),
    };
    let make = button(MAKE, &label, value).with_style(SlackBlockButtonStyle::Primary);
    let not_now = button(DISMISS, "Not now", MAKE);
    SlackActionsBlock::new(vec![
        SlackActionBlockElement::Button(make),
        SlackActionBlockElement::Button(not_now),
    ])
    .into()
}
