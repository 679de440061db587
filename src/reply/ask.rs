//! What is asked privately before something is done, and what is said to those who may not.
//!
//! The buttons carry nothing but the reference of what they are about; who may press them is
//! decided where the press arrives.

use slack_morphism::prelude::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonElement, SlackBlockButtonStyle,
    SlackBlockConfirmItem, SlackBlockPlainText, SlackMessageContent,
};

use super::status::RENEW_HERE;
use super::{Mrkdwn, content, cut, plain_section, sentences};
use crate::command::renew::NotRenewable;
use crate::command::status::Choices;
use crate::journal::{Origin, Problem};
use crate::links::{Link, State};

/// Posts a link in this channel though it was posted in another.
pub const POST_HERE: &str = "post_here";
/// Posts a link for a connection that has been connected.
pub const REAUTHORISE: &str = "reauthorise";
/// Deletes an unfinished connection.
pub const CANCEL: &str = "cancel_connection";
/// Does nothing.
pub const DISMISS: &str = "dismiss";

/// The blocks that ask about a problem that a person can decide: where and by whom the connection
/// was made, and the buttons. `reference` is the command's.
pub(super) fn about(problem: &Problem, reference: &str) -> Vec<SlackBlock> {
    match problem {
        Problem::AlreadyConnected { origin } => {
            let mut blocks: Vec<_> = origin.iter().map(made_by).collect();
            blocks.push(actions(button(REAUTHORISE, "Re-authorise here", reference), reference));
            blocks
        }
        Problem::Elsewhere { origin } => {
            vec![made_by(origin), actions(button(POST_HERE, "Post a fresh link here", reference), reference)]
        }
        _ => Vec::new(),
    }
}

fn made_by(origin: &Origin) -> SlackBlock {
    let Origin { channel_id, user_id } = origin;
    Mrkdwn::default()
        .raw("It was asked for in <#")
        .text(channel_id)
        .raw("> by <@")
        .text(user_id)
        .raw(">.")
        .section()
}

pub(super) fn button(action: &str, label: &str, value: &str) -> SlackBlockButtonElement {
    SlackBlockButtonElement::new(SlackBlockPlainText::new(label.to_owned()).into())
        .with_action_id(action.into())
        .with_value(value.to_owned())
}

fn actions(first: SlackBlockButtonElement, reference: &str) -> SlackBlock {
    let dismiss = button(DISMISS, "Never mind", reference);
    SlackActionsBlock::new(vec![
        SlackActionBlockElement::Button(first),
        SlackActionBlockElement::Button(dismiss),
    ])
    .into()
}

/// Asks before a connection is deleted.
#[must_use]
pub fn cancel(link: &Link) -> SlackMessageContent {
    let (name, schema) = (&link.request.service_name, link.request.target.connection_name());
    let text = format!(
        "Delete the connection for {name} into {schema}? Its link becomes void. Nothing else is deleted: what is in \
         the destination stays there."
    );
    content(&text, vec![plain_section(&text), actions(delete(link), &link.id)])
}

fn delete(link: &Link) -> SlackBlockButtonElement {
    let (name, schema) = (&link.request.service_name, link.request.target.connection_name());
    let what = format!("{name} into {schema}. What is in the destination stays there.");
    button(CANCEL, "Delete the connection", &link.id).with_style(SlackBlockButtonStyle::Danger).with_confirm(
        confirm("Delete the connection?", &what, "Delete", "Keep").with_style("danger".to_owned()),
    )
}

fn confirm(title: &str, what: &str, yes: &str, no: &str) -> SlackBlockConfirmItem {
    let plain = |text: &str| SlackBlockPlainText::new(text.to_owned());
    SlackBlockConfirmItem::new(
        plain(title).into(),
        plain(&cut(what, 300)).into(),
        plain(yes).into(),
        plain(no).into(),
    )
}

/// The buttons for what can be done about a link, for a private message.
pub(super) fn choices(link: &Link, choices: Choices) -> Option<SlackBlock> {
    let renew = choices.renew.then(|| {
        let label = if link.state == State::Broken { "Fix the connection" } else { "Get a new link" };
        let what = "A new link takes the place of this one; whoever sees it can sign in by it.";
        button(RENEW_HERE, label, &link.id)
            .with_style(SlackBlockButtonStyle::Primary)
            .with_confirm(confirm(label, what, label, "Not now"))
    });
    let buttons = renew.into_iter().chain(choices.cancel.then(|| delete(link)));
    let buttons: Vec<_> = buttons.map(SlackActionBlockElement::Button).collect();
    (!buttons.is_empty()).then(|| SlackActionsBlock::new(buttons).into())
}

/// There is no link of that schema in this channel.
#[must_use]
pub fn no_link(schema: &str, slash: &str) -> SlackMessageContent {
    sentences(&format!(
        "No link for {schema} was posted in this channel. {slash} list shows those that were."
    ))
}

/// A link that was renewed a moment ago is asked for again.
#[must_use]
pub fn renewed_already() -> SlackMessageContent {
    sentences("There is a new link already: it is in the message above.")
}

/// Why a link is not renewed.
#[must_use]
pub fn not_renewable(why: NotRenewable, link: &Link) -> SlackMessageContent {
    let name = &link.request.service_name;
    sentences(&match why {
        NotRenewable::Connected => format!("{name} is connected, so it needs no new link."),
        NotRenewable::Cancelled => {
            format!("The request to connect {name} was cancelled. Ask for it anew if you need it.")
        }
        NotRenewable::Replaced => format!("A newer link for {name} has been posted since; use that one."),
    })
}

/// Why a connection is not cancelled.
#[must_use]
pub fn not_cancellable(link: &Link) -> SlackMessageContent {
    sentences(&format!(
        "{} has been connected, so I delete nothing. A connection in use is deleted in Fivetran.",
        link.request.service_name
    ))
}

/// A button was pressed that this person may not press, or that does not fit its message.
#[must_use]
pub fn not_yours() -> SlackMessageContent {
    sentences(
        "This button is not for you, or not for this message any more, so nothing was done. Type the command yourself if you need it.",
    )
}

/// What would keep a link's message up to date in a channel that the bot is not a member of.
#[must_use]
pub fn invite() -> SlackMessageContent {
    sentences(
        "The link is posted. I am not a member of this channel, so that message will not show when your customer has \
         finished. /invite me, and the next ones will.",
    )
}

/// A question that was answered, or dismissed.
#[must_use]
pub fn dismissed() -> SlackMessageContent {
    sentences("All right, nothing was done.")
}

/// The question is too old to be answered.
#[must_use]
pub fn too_old() -> SlackMessageContent {
    sentences("That was too long ago, so nothing was done. Type the command again.")
}
