//! Every sentence and block that a person can see.
//!
//! Owns the wording, the Block Kit and the only escaping for Slack. Pure: must not know how a
//! message is sent. A failure says what happened, what to do, and a short reference; it is made
//! as plain text, so that it reads the same in Slack and in a terminal, and nothing typed by a
//! person can be markup in it.
//!
//! The Connect Card's link goes into a button's `url` and nowhere else: the `text` of a message
//! goes to notifications and mail, and Slack's crawler opens what it finds there.

pub mod ask;
pub mod audit;
pub mod csv;
pub mod digest;
pub mod doctor;
pub mod form;
pub mod home;
mod in_the_way;
pub mod list;
pub mod live;
mod markup;
pub mod onboarding;
mod problem;
mod refused;
pub mod services;
pub mod several;
mod state;
pub mod status;
pub mod trouble;
mod under_way;
mod unseen;
mod usage;
mod waits;

use std::fmt::Write as _;

use slack_morphism::prelude::{SlackBlockPlainText, SlackMessageContent, SlackSectionBlock};
use url::Url;

use crate::command::VERBS;
use crate::command::surface::Surface;
use crate::life::Link;
use crate::outbound::Obstacle;
use crate::work::{Request, Work};
use markup::{Mrkdwn, content, context, plain_section, reference_line, sentences};
pub use markup::{escape, utc};
pub use problem::{behind, notice, notice_sentence, unreachable};
pub use refused::refused;
pub use under_way::{UnderWay, already_on_it, already_on_it_sentence};
pub use usage::{usage, usage_for, usage_sentence};
pub use waits::{waits, waits_for};

/// Who sees a message: `LINK_VISIBILITY` says it of those with a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everybody in the channel.
    #[default]
    Channel,
    /// The person who asked for it, alone.
    Requester,
}

/// What is said when it is certain that the database did not take a command, and never will.
const NOT_ACCEPTED: &str =
    "I couldn't save your request, so I didn't do anything. Please try again in a minute.";
/// What is said when it may have taken it, or may yet.
const UNSURE: &str = "I couldn't save your request in time, so it may be lost. If nothing comes of it here in a few \
                      minutes, please try again.";

/// More is asked for than the bot takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMuch {
    /// From one person.
    FromPerson(Share),
    /// From all of them.
    FromWorkspace(Share),
    /// Too many are open.
    Waiting,
}

/// What is taken within ten minutes, and what was asked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many commands are taken.
    pub limit: u32,
    /// How many were asked for.
    pub asked: u32,
}

/// Why something was not done that would have been too much; it is certain that nothing was.
fn too_much_sentence(too_much: TooMuch) -> String {
    match too_much {
        TooMuch::FromPerson(share) => format!(
            "I didn't do this: within ten minutes I take {} commands from one person, and this would be more. {}",
            share.limit,
            when_there_is_more(share)
        ),
        TooMuch::FromWorkspace(share) => format!(
            "I didn't do this: within ten minutes I take {} commands in all, and this would be more. {} If that doesn't \
             help, tell the people who run this bot.",
            share.limit,
            when_there_is_more(share)
        ),
        TooMuch::Waiting => "I didn't do this: so many requests are waiting to be done that I take no more for now. Try again \
                             in a few minutes. If that doesn't help, tell the people who run this bot."
            .to_owned(),
    }
}

/// When to try again: once there is as much as was asked for, or all that there ever is.
fn when_there_is_more(Share { limit, asked }: Share) -> String {
    let limit = limit.max(1);
    match (10 * u64::from(asked.min(limit))).div_ceil(limit.into()) {
        0 | 1 => "Try again in a few minutes.".to_owned(),
        minutes => format!("Try again in {minutes} minutes."),
    }
}

/// What takes an obstacle between the bot and Fivetran away.
#[must_use]
pub fn remedy(obstacle: Obstacle) -> &'static str {
    in_the_way::in_the_way(obstacle).1
}

/// The acknowledgement of a command that was accepted; for the person alone.
#[must_use]
pub fn accepted(work: &Work, reference: &str) -> SlackMessageContent {
    let request = work.request();
    let name = &request.service_name;
    let mut text = match work {
        Work::Connect(request) if request.by_channel => return accepted_by_channel(request, reference),
        Work::Connect(_) => format!("Making a link for {name} now. It will appear here."),
        Work::Renew { .. } => {
            format!("Making a new link for {name} now. It will appear here.")
        }
        Work::Open { .. } => format!("Getting a link for {name} now. Only you will see it."),
        Work::Cancel { .. } => {
            format!("Cancelling the connection for {name} now. I'll tell you when it's done.")
        }
        Work::Sync { .. } => format!("Asking Fivetran to sync {name} now. I'll tell you what it says."),
    };
    if let (Work::Connect(_), Some(retired)) = (work, &request.retired) {
        let _ = write!(text, " {}", renamed(retired, request));
    }
    content(&text, vec![plain_section(&text), reference_line(reference)])
}

/// The same of a new link that takes the place of the old one in its message, which may be far up.
#[must_use]
pub fn renewing_in_place(link: &Link, address: Option<&Url>, reference: &str) -> SlackMessageContent {
    let name = &link.request.service_name;
    let text = format!("Making a new link for {name} now. It will appear in its message above.");
    let open = address
        .map(|address| ask::button(ask::OPEN_MESSAGE, "Open the message", "-").with_url(address.clone()));
    let shown = match open {
        Some(open) => SlackSectionBlock::new()
            .with_text(Mrkdwn::default().text(&text).object().into())
            .with_accessory(open.into())
            .into(),
        None => plain_section(&text),
    };
    content(&text, vec![shown, reference_line(reference)])
}

/// The same for a name that nobody typed: it is shown while nothing of it is for good.
fn accepted_by_channel(request: &Request, reference: &str) -> SlackMessageContent {
    let target = request.target.connection_name();
    let lead = format!("Making a link for {} now, into ", request.service_name);
    let mut rest = ". It will appear here.".to_owned();
    if let Some(retired) = &request.retired {
        let _ = write!(rest, " {}", renamed(retired, request));
    }
    let shown = Mrkdwn::default().text(&lead).code(&target).text(&rest);
    content(&format!("{lead}{target}{rest}"), vec![shown.section(), reference_line(reference)])
}

/// The same where it was asked for in a direct message about another conversation.
#[must_use]
pub fn accepted_in(channel_id: &str) -> SlackMessageContent {
    let shown = Mrkdwn::default().raw("OK, I'm on it. You'll see what comes of it in <#").text(channel_id);
    let shown = shown.raw(">, or here if I can't post there.");
    let text = "OK, I'm on it. You'll see what comes of it in the channel that you asked in, or here.";
    content(text, vec![shown.section()])
}

/// The acknowledgement when the database did not take the command.
#[must_use]
pub fn not_accepted() -> SlackMessageContent {
    sentences(NOT_ACCEPTED)
}

/// The acknowledgement of what would have been too much.
#[must_use]
pub fn too_much(too_much: TooMuch) -> SlackMessageContent {
    sentences(&too_much_sentence(too_much))
}

/// The answer to a command that did not arrive as Slack documents it.
#[must_use]
pub fn unreadable() -> SlackMessageContent {
    sentences(
        "I couldn't read this command the way Slack sent it, so I did nothing. Type it again. If it keeps happening, \
         tell the people who run this bot.",
    )
}

/// That a command was given up on which this version could not read, nor any other in time.
#[must_use]
pub fn given_up_on(reference: &str) -> SlackMessageContent {
    let text = "I had to give up on a command of yours: another version of me accepted it, and this one can't read \
                it. Try it again.";
    content(text, vec![plain_section(text), reference_line(reference)])
}

/// The acknowledgement when it is not known whether the database took the command.
#[must_use]
pub fn unsure() -> SlackMessageContent {
    sentences(UNSURE)
}

/// All that can be typed, after `slash` (the slash command as this workspace calls it). `has_form`: whether it opens
/// a form where nothing is typed after it.
#[must_use]
pub fn help(slash: Surface<'_>, has_form: bool) -> SlackMessageContent {
    let mut text = String::from("What you can type:");
    let mut lines = Mrkdwn::default().raw("*What you can type*");
    if has_form {
        let does = "opens a form to choose from";
        let _ = write!(text, "\n{slash}: {does}");
        lines = lines.raw("\n• ").code(&slash.to_string()).raw("  ").text(does);
    }
    for verb in VERBS {
        let _ = write!(text, "\n{slash} {}: {}", verb.usage, verb.does);
        lines = lines.raw("\n• ").code(&format!("{slash} {}", verb.usage)).raw("  ").text(verb.does);
    }
    lines = lines.raw("\n\n*For example*");
    // What has nothing to fill in is its own example.
    for verb in VERBS.iter().filter(|verb| verb.example != verb.usage) {
        lines = lines.raw("\n• ").code(&format!("{slash} {}", verb.example));
    }
    let notes = "Services that fill a single table need SCHEMA.TABLE. A service alone takes the channel's own schema, if it \
                 has one. “to DESTINATION” at the end names another destination. A schema's name can't be changed later.";
    content(&text, vec![lines.section(), context(vec![SlackBlockPlainText::new(notes.to_owned()).into()])])
}

fn renamed(retired: &str, request: &Request) -> String {
    format!("({retired} is now called {}, so I used that.)", request.service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_too_much_hears_when_there_is_as_much_as_they_asked_for() {
        for (limit, asked, when) in [
            (100, 1, "in a few minutes"),
            (10, 1, "in a few minutes"),
            (5, 1, "in 2 minutes"),
            (5, 4, "in 8 minutes"),
            (5, 9, "in 10 minutes"),
            (1, 1, "in 10 minutes"),
        ] {
            for too_much in [TooMuch::FromPerson, TooMuch::FromWorkspace] {
                let told = too_much_sentence(too_much(Share { limit, asked }));
                assert!(told.contains(&format!("Try again {when}.")), "{limit} {asked}: {told}");
            }
        }
    }
}
