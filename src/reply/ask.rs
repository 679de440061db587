//! What is asked privately before something is done, and what is said to those who may not do it.
//!
//! The buttons carry nothing but the reference of what they are about; who may press them is
//! decided where the press arrives.

use slack_morphism::prelude::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonElement, SlackBlockButtonStyle,
    SlackBlockConfirmItem, SlackBlockPlainText, SlackMessageContent,
};

use super::markup::{BUTTON_LIMIT, Mrkdwn, content, cut, plain_section, sentences};
use crate::command::cancel::NotCancellable;
use crate::command::proposal::Proposal;
use crate::command::renew::NotRenewable;
use crate::command::status::Choices;
use crate::command::sync::NotSynced;
use crate::journal::{Origin, Problem};
use crate::life::{Link, State};
use crate::work::Request;

/// Posts a link in this channel though it was posted in another.
pub const POST_HERE: &str = "post_here";
/// Posts a link in a channel that several other organisations share.
pub const POST_FOR_ALL: &str = "post_for_all";
/// Posts a link for a connection that has been connected.
pub const REAUTHORISE: &str = "reauthorise";
/// Deletes an unfinished connection.
pub const CANCEL: &str = "cancel_connection";
/// The button that asks for a new link from a private message; its value is the link's reference.
pub const RENEW_HERE: &str = "renew_here";

/// The button that leads to the message of an onboarding; Slack opens it by itself.
pub const OPEN_MESSAGE: &str = "open_message";

/// The button that has Fivetran sync a connection now; its value is the link's reference.
pub const SYNC_NOW: &str = "sync_now";

/// The buttons that type a line for the person, by their places in the message.
pub const TYPE: [&str; 3] = ["type_first", "type_second", "type_third"];

/// The button that types a line once more for somebody who has seen what would be made of it.
pub const MAKE: &str = "make_several";

/// Does nothing.
pub const DISMISS: &str = "dismiss";

/// Whether a button types a line for the person.
#[must_use]
pub fn types(action: &str) -> bool {
    action == MAKE || TYPE.contains(&action)
}

/// The blocks that ask about a problem that a person can decide: where and by whom the connection
/// was made, and the buttons. `reference` is the command's.
pub(super) fn about(problem: &Problem, reference: &str) -> Vec<SlackBlock> {
    match problem {
        Problem::AlreadyConnected { origin } => {
            let mut blocks: Vec<_> = origin.iter().map(made_by).collect();
            blocks.push(actions(button(REAUTHORISE, "Post a sign-in link here", reference), reference));
            blocks
        }
        Problem::Elsewhere { origin } => {
            vec![made_by(origin), actions(button(POST_HERE, "Post a fresh link here", reference), reference)]
        }
        Problem::Shared(_) => vec![actions(button(POST_FOR_ALL, "Post it here", reference), reference)],
        _ => Vec::new(),
    }
}

fn made_by(origin: &Origin) -> SlackBlock {
    let Origin { channel_id, user_id } = origin;
    let said = Mrkdwn::default();
    match user_id {
        Some(user_id) => {
            said.raw("It was requested in <#").text(channel_id).raw("> by <@").text(user_id).raw(">.")
        }
        // It was made at Fivetran, and found broken there.
        None => said.raw("It belongs to <#").text(channel_id).raw(">."),
    }
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

/// Asks before a connection is cancelled: it is deleted at Fivetran.
#[must_use]
pub fn cancel(link: &Link) -> SlackMessageContent {
    let (name, schema) = (&link.request.service_name, link.request.target.connection_name());
    let text = format!(
        "Cancel the connection for {name} into {schema}? It's removed from Fivetran, and its link stops working. Data \
         already in the destination stays there."
    );
    content(&text, vec![plain_section(&text), actions(cancel_now(link), &link.id)])
}

fn cancel_now(link: &Link) -> SlackBlockButtonElement {
    let (name, schema) = (&link.request.service_name, link.request.target.connection_name());
    let what = format!("{name} into {schema}. Data already in the destination stays there.");
    button(CANCEL, "Cancel the connection", &link.id).with_style(SlackBlockButtonStyle::Danger).with_confirm(
        confirm("Cancel the connection?", &what, "Yes, cancel it", "Keep it").with_style("danger".to_owned()),
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
        let label = if link.state == State::Broken { "Get a link to fix it" } else { "Get a new link" };
        let what = "A new link replaces this one; anyone who sees it can use it to sign in.";
        let button = button(RENEW_HERE, label, &link.id).with_confirm(confirm(label, what, label, "Not now"));
        // The one that is likely to help is the primary one.
        if choices.sync { button } else { button.with_style(SlackBlockButtonStyle::Primary) }
    });
    let sync = choices.sync.then(|| sync_now(link));
    let buttons = sync.into_iter().chain(renew).chain(choices.cancel.then(|| cancel_now(link)));
    let buttons: Vec<_> = buttons.map(SlackActionBlockElement::Button).collect();
    (!buttons.is_empty()).then(|| SlackActionsBlock::new(buttons).into())
}

fn sync_now(link: &Link) -> SlackBlockButtonElement {
    button(SYNC_NOW, "Sync now", &link.id).with_style(SlackBlockButtonStyle::Primary)
}

/// There is no link of that schema in the channel in which this person asked.
#[must_use]
pub fn no_link(schema: &str, slash: &str, user: &str, channel: &str) -> SlackMessageContent {
    let said = sentences(&format!(
        "No link for {schema} has been posted in this channel. {slash} list shows the ones that have."
    ));
    with_proposals(said, [Proposal { user, channel, slash, line: "list" }], |_| "Show the links".to_owned())
}

/// Adds a button to a private message for each line that it proposes. A line that no button can carry
/// has none: it can be copied. `label` says what stands on the button of a line.
pub(super) fn with_proposals<'a>(
    said: SlackMessageContent,
    proposals: impl IntoIterator<Item = Proposal<'a>>,
    label: impl Fn(&str) -> String,
) -> SlackMessageContent {
    let Some(buttons) = type_buttons(proposals, label) else { return said };
    let mut blocks = said.blocks.clone().unwrap_or_default();
    blocks.push(buttons);
    said.with_blocks(blocks)
}

/// The buttons of [`with_proposals`].
pub(super) fn type_buttons<'a>(
    proposals: impl IntoIterator<Item = Proposal<'a>>,
    label: impl Fn(&str) -> String,
) -> Option<SlackBlock> {
    let buttons = TYPE.into_iter().zip(proposals).filter_map(|(action, proposal)| {
        let label = cut(&label(proposal.line), BUTTON_LIMIT);
        Some(SlackActionBlockElement::Button(button(action, &label, &proposal.value()?)))
    });
    let buttons: Vec<_> = buttons.collect();
    (!buttons.is_empty()).then(|| SlackActionsBlock::new(buttons).into())
}

/// A new link is asked for a moment after one was made.
#[must_use]
pub fn renewed_already() -> SlackMessageContent {
    sentences("There's already a new link: it's in the message above.")
}

/// Why a link is not renewed.
#[must_use]
pub fn not_renewable(why: NotRenewable, link: &Link) -> SlackMessageContent {
    let name = &link.request.service_name;
    sentences(&match why {
        NotRenewable::Connected => format!("{name} is connected, so it doesn't need a new link."),
        NotRenewable::Cancelled => {
            // People of the customer's workspace read this too, and they cannot type a command.
            format!(
                "{name} was cancelled or removed, so it can't have a new link. If it's still needed, whoever \
                 requested it can type the command again."
            )
        }
        NotRenewable::LetGo => format!(
            "This message is out of date, so I didn't make a link for {name}. If there's a newer message about it \
             here, use the button there; otherwise ask the people who run this bot."
        ),
    })
}

/// Why a connection is not cancelled.
#[must_use]
pub fn not_cancellable(why: NotCancellable, link: &Link) -> SlackMessageContent {
    let name = &link.request.service_name;
    sentences(&match why {
        NotCancellable::Connected => format!(
            "{name} has been connected, so I didn't cancel it. A connection in use can only be deleted in \
             Fivetran."
        ),
        NotCancellable::Over => {
            format!("{name} was cancelled or removed already, so there's nothing to cancel.")
        }
    })
}

/// Why a connection is not synced.
#[must_use]
pub fn not_synced(why: NotSynced, link: &Link) -> SlackMessageContent {
    let name = &link.request.service_name;
    sentences(&match why {
        NotSynced::Works => format!("{name} is working again, so there's nothing to do."),
        NotSynced::Unfinished => {
            format!(
                "The setup of {name} isn't finished, so there's nothing to sync yet. Its link is where it was asked for."
            )
        }
        NotSynced::Gone => {
            format!("{name} was cancelled or removed in Fivetran, so there's nothing to sync.")
        }
    })
}

/// A button was pressed that this person may not press, or that does not belong to its message.
#[must_use]
pub fn not_yours() -> SlackMessageContent {
    sentences(
        "This button isn't for you, or it's out of date, so I didn't do anything. If you need it, type the command yourself.",
    )
}

/// As [`not_yours`], where the person may be of another workspace: nobody there can type a command.
#[must_use]
pub fn not_yours_outside() -> SlackMessageContent {
    sentences(
        "This button isn't for you, or it's out of date, so I didn't do anything. If you need it, ask whoever posted the link for a new one.",
    )
}

/// A press arrived in a form that cannot be read.
#[must_use]
pub fn unreadable() -> SlackMessageContent {
    sentences(
        "I couldn't read what you pressed, so I didn't do anything. Press it again, or type the command. If it keeps \
         happening, tell the people who run this bot.",
    )
}

/// A button of another version of the bot.
#[must_use]
pub fn unknown() -> SlackMessageContent {
    sentences(
        "I don't know this button: its message is from another version of this bot, so I didn't do anything. Type the \
         command instead.",
    )
}

/// What would keep a link's message up to date where the bot is not a member; in a direct message
/// nothing would.
#[must_use]
pub fn not_a_member(request: &Request) -> SlackMessageContent {
    if request.in_direct_message {
        return sentences(&format!(
            "The link is posted, but I can't be part of a direct message, so the message won't update when your \
             customer finishes. To see how it stands, type {} status {}",
            request.slash,
            request.target.connection_name()
        ));
    }
    sentences(
        "The link is posted, but I'm not in this channel, so the message won't update when your customer finishes. \
         /invite me, and future ones will.",
    )
}

/// A question that was answered, or dismissed.
#[must_use]
pub fn dismissed() -> SlackMessageContent {
    sentences("OK, I didn't do anything.")
}

/// What has the button is too old for it to be pressed: a question, or how a link stood.
#[must_use]
pub fn too_old() -> SlackMessageContent {
    sentences("These buttons have expired, so nothing was done. Type the command again.")
}
