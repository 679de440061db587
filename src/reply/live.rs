//! The message of a posted link through its whole life, and what its thread tells.
//!
//! The link itself is in the button of a waiting message alone.

use std::fmt::Write as _;

use jiff::Timestamp;
use slack_morphism::prelude::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonElement, SlackBlockButtonStyle,
    SlackBlockConfirmItem, SlackBlockPlainText, SlackMessageContent,
};

use super::Audience;
use super::markup::{BUTTON_LIMIT, Mrkdwn, content, context, cut, local_time, unstopped, utc};
use crate::fivetran::model::ConnectCard;
use crate::fivetran::schema::SchemaKind;
use crate::life::{Link, News, State};
use crate::work::{Confirmed, Request, Work};

/// The id of the button that opens the Connect Card; Slack reports each press of it.
pub const OPEN_CARD: &str = "open_connect_card";
/// The id of the button that asks for a new link.
pub const RENEW: &str = "renew_link";

/// Everything in the message with a link that works.
pub struct Waiting<'a> {
    /// What was asked for.
    pub request: &'a Request,
    /// The Slack id of who asked, if anybody did.
    pub requester: Option<&'a str>,
    /// The card behind the button.
    pub card: &'a ConnectCard,
    /// What there is to say of the link besides.
    pub note: Note,
    /// Who sees the message.
    pub audience: Audience,
    /// The command's short reference.
    pub reference: &'a str,
}

/// What there is to say of a link besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Nothing: it is the first for a new connection.
    None,
    /// The connection was there before, never finished.
    Existed,
    /// The connection has been connected before.
    Reauthorise,
    /// This is a fresh one in the place of one that had expired.
    Renewed,
    /// The message of the one before it cannot be edited, and may still offer that.
    Beside,
}

impl Note {
    /// What there is to say of the link that a command has come to. `existed`: the connection was there;
    /// `stays`: the link before it stands in a message that nobody can edit; `requested`: somebody has asked
    /// for its connection here, and not only for a link where that was found broken.
    #[must_use]
    pub fn of(work: &Work, existed: bool, stays: bool, requested: bool) -> Self {
        match work {
            Work::Connect(Request { confirmed: Confirmed::Reauthorise, .. }) => Self::Reauthorise,
            Work::Renew { .. } if stays => Self::Beside,
            // There may never have been a link; that it was connected is why it was found.
            Work::Renew { .. } if !requested => Self::Reauthorise,
            Work::Renew { .. } => Self::Renewed,
            _ if existed && stays => Self::Beside,
            _ if existed => Self::Existed,
            _ => Self::None,
        }
    }
}

/// The message with a link that works.
#[must_use]
pub fn waiting(waiting: &Waiting<'_>, now: Timestamp) -> SlackMessageContent {
    let Waiting { request, requester, card, note, audience, reference } = waiting;
    let name = request.service_name.as_str();
    let expires = card.expires_at(now);
    let mut lead = Mrkdwn::default().raw("Please connect ").bold(name).raw(
        ": click the button and sign in on the page that opens. Your password stays on that page; neither we nor anyone in this channel can see it.",
    );
    lead = match note {
        Note::None => lead,
        Note::Existed => {
            lead.raw("\nThis link replaces an earlier one that was never used to finish the setup.")
        }
        Note::Reauthorise => lead
            .raw("\n")
            .text(name)
            .raw(" was connected before. Signing in again replaces the earlier sign-in."),
        Note::Renewed => lead.raw("\nThis is a fresh link; it replaces the earlier one."),
        Note::Beside => {
            lead.raw("\nThis is a fresh link. Please use it, even if an earlier message still shows another.")
        }
    };
    let label = cut(&format!("Connect {name}"), BUTTON_LIMIT);
    let button = SlackBlockButtonElement::new(SlackBlockPlainText::new(label).into())
        .with_action_id(OPEN_CARD.into())
        .with_url(card.expose_link().clone())
        .with_style(SlackBlockButtonStyle::Primary);
    let until = Mrkdwn::default().raw("Works until ").raw(&local_time(expires));
    let who = Mrkdwn::default().raw(match audience {
        Audience::Channel => "Everyone here can see this link, and anyone who has it can use it",
        Audience::Requester => "Only you can see this link; anyone you share it with can use it",
    });
    let mut facts = facts(request, *requester, reference);
    let before_reference = facts.len().saturating_sub(1);
    facts.splice(before_reference..before_reference, [until, who]);
    let text = format!(
        "Please connect {name}. Open this message in Slack for the link; it works until {}.",
        utc(expires)
    );
    content(&text, vec![lead.section(), actions(button), line(facts)])
}

/// The message of a link in any other state. A link that waits cannot be shown without its card:
/// that is [`waiting`].
#[must_use]
pub fn settled(link: &Link) -> SlackMessageContent {
    let name = link.request.service_name.as_str();
    let (lead, text, button) = match link.state {
        State::Connected => {
            let lead = Mrkdwn::default().raw(":white_check_mark: ").bold(name).raw(" is connected (since ");
            let lead = lead.raw(&local_time(link.changed_at)).raw(").");
            (lead, format!("{name} is connected."), None)
        }
        State::Waiting | State::Expired => {
            let lead = Mrkdwn::default().raw(":hourglass: The link for ").bold(name).raw(" expired ");
            // Whether the setup is finished nobody may have been able to ask Fivetran.
            let lead = lead.raw(&local_time(link.expires_at));
            let lead = lead.raw(". If the setup isn't finished yet, get a new link.");
            (lead, format!("The link for {name} has expired."), Some(renew(link, "Get a new link", None)))
        }
        State::Broken if !link.asks_customer() => {
            // Calm, and true whatever it is: the customer can do nothing about it.
            let lead = Mrkdwn::default().raw(":information_source: ").bold(name);
            let lead = lead.raw(
                " is set up, but isn't getting new data right now. There's nothing you need to do; this message will change when it's over.",
            );
            (lead, format!("{name} isn't getting new data right now. There's nothing you need to do."), None)
        }
        State::Broken => {
            let mut lead = Mrkdwn::default()
                .raw(":warning: ")
                .bold(name)
                .raw(" was connected, but its access has stopped working.");
            if let Some(detail) = &link.detail {
                lead = lead.raw(" Fivetran says: ").text(&cut(unstopped(detail), 500)).raw(".");
            }
            lead = lead.raw(" To fix it, get a link and sign in again.");
            let confirm = "A link will appear here that lets anyone in this channel sign in again.";
            (
                lead,
                format!("{name} needs to be connected again."),
                Some(renew(link, "Get a link to fix it", Some(confirm))),
            )
        }
        State::Lapsed => {
            let lead =
                Mrkdwn::default().raw(":white_check_mark: ").bold(name).raw(" is connected as before.");
            let lead = lead.raw(" The link to sign in again expired ").raw(&local_time(link.expires_at));
            (lead.raw("."), format!("{name} is connected as before."), None)
        }
        State::Cancelled => {
            let lead = Mrkdwn::default().raw("The request to connect ").bold(name);
            let lead = lead.raw(" was cancelled, so its link no longer works.");
            (lead, format!("The request to connect {name} was cancelled."), None)
        }
        State::Gone => {
            let lead = Mrkdwn::default().bold(name).raw(" was removed, so its link no longer works.");
            (lead, format!("{name} was removed."), None)
        }
        State::Unposted if link.requester.is_none() => {
            let lead = Mrkdwn::default().raw("This message about ").bold(name).raw(" is out of date.");
            (lead, format!("A message about {name} is out of date."), None)
        }
        // No link may ever have stood in the message of what nobody asked for.
        State::Replaced if link.requester.is_none() => {
            let lead = Mrkdwn::default().raw("A link for ").bold(name);
            let lead = lead.raw(" was requested, so this message is no longer in use.");
            (lead, format!("A link for {name} was requested."), None)
        }
        // True already while the newer link is on its way, and if it never arrives.
        State::Replaced | State::Unposted => {
            let lead = Mrkdwn::default().raw("A newer link for ").bold(name);
            let lead = lead.raw(" was requested, so this one is no longer in use.");
            (lead, format!("A newer link for {name} was requested."), None)
        }
    };
    let mut blocks = vec![lead.section()];
    blocks.extend(button.map(actions));
    blocks.push(line(facts(&link.request, link.requester.as_deref(), &link.id)));
    content(&text, blocks)
}

/// What the thread of a link's message tells. What is for one person alone is told by
/// [`super::trouble`].
#[must_use]
pub fn news(news: News, link: &Link) -> SlackMessageContent {
    let name = link.request.service_name.as_str();
    let mut lead = Mrkdwn::default();
    let mut text = String::new();
    let mut say = |sentence: &str| {
        let _ = write!(text, "{sentence}");
        lead = std::mem::take(&mut lead).text(sentence);
    };
    match news {
        News::Connected { first_sync: true } => {
            say(&format!("{name} is connected, and its first sync has started."))
        }
        News::Connected { first_sync: false } => say(&format!("{name} is connected.")),
        News::Expired => say(&format!(
            "The link for {name} has expired. If the setup isn't finished yet, use the button above to get a new one."
        )),
        News::Lapsed => {
            say(&format!("The link to sign in to {name} again has expired. {name} is connected as before."))
        }
        News::Broken => say(&format!(
            "{name} needs to be connected again: {}.",
            link.detail
                .as_deref()
                .map_or("its access has stopped working".into(), |it| cut(unstopped(it), 300))
        )),
        News::Fixed | News::Recovered => say(&format!("{name} is working again.")),
        News::Gone => say(&format!("{name} was removed.")),
        News::Added => say(&format!("{name} was added. Its button is in the message above.")),
        News::ReminderBefore => say(&format!(
            "Reminder: the link for {name} expires soon. If the setup isn't finished yet, use it before then."
        )),
        News::ReminderAfter => say(&format!(
            "Reminder: the link for {name} has expired. If the setup isn't finished yet, use the button above to get a new one. This is the last reminder."
        )),
    }
    if let (News::Connected { .. } | News::Broken, Some(requester)) = (news, &link.requester) {
        lead = lead.raw(" (Requested by <@").text(requester).raw(">.)");
    }
    content(&text, vec![lead.section()])
}

/// What the thread tells of a new link.
#[must_use]
pub fn renewed_by(user: &str) -> SlackMessageContent {
    let lead =
        Mrkdwn::default().raw("<@").text(user).raw("> asked for a new link; it's in the message above.");
    content("There's a new link in the message above.", vec![lead.section()])
}

/// Who asked for a link.
pub(super) fn requested_by(requester: &str) -> Mrkdwn {
    Mrkdwn::default().raw("Requested by <@").text(requester).raw(">")
}

fn facts(request: &Request, requester: Option<&str>, reference: &str) -> Vec<Mrkdwn> {
    let schema = request.target.schema.as_str();
    let mut fills = Mrkdwn::default().raw("The data goes to ");
    fills = match (&request.target.table, request.kind) {
        (Some(table), Some(SchemaKind::TableGroup)) => {
            fills.raw("table group ").code(table.as_str()).raw(" in ")
        }
        (Some(table), _) => fills.raw("table ").code(table.as_str()).raw(" in "),
        (None, _) => fills,
    };
    fills = match request.kind {
        Some(SchemaKind::Prefix) => fills.raw("schemas starting with ").code(schema),
        _ => fills.code(schema),
    };
    if let Some(destination) = &request.destination {
        fills = fills.raw(" in ").text(destination);
    }
    let mut facts: Vec<_> = requester.map(requested_by).into_iter().collect();
    facts.extend([fills, Mrkdwn::default().raw("Ref ").code(reference)]);
    facts
}

fn line(facts: Vec<Mrkdwn>) -> SlackBlock {
    context(facts.into_iter().map(|fact| fact.object().into()).collect())
}

fn actions(button: SlackBlockButtonElement) -> SlackBlock {
    SlackActionsBlock::new(vec![SlackActionBlockElement::Button(button)]).into()
}

fn renew(link: &Link, label: &str, confirm: Option<&str>) -> SlackBlockButtonElement {
    let confirm = confirm.map(|text| {
        let plain = |text: &str| SlackBlockPlainText::new(text.to_owned());
        SlackBlockConfirmItem::new(
            plain(label).into(),
            plain(text).into(),
            plain(label).into(),
            plain("Not now").into(),
        )
    });
    SlackBlockButtonElement::new(SlackBlockPlainText::new(label.to_owned()).into())
        .with_action_id(RENEW.into())
        .with_value(link.id.clone())
        .opt_confirm(confirm)
        .with_style(SlackBlockButtonStyle::Primary)
}
