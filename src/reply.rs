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
pub mod form;
pub mod list;
pub mod live;
mod refused;
pub mod services;
pub mod status;
mod usage;

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use slack_morphism::prelude::{
    SlackBlock, SlackBlockMarkDownText, SlackBlockPlainText, SlackContextBlock, SlackContextBlockElement,
    SlackMessageContent, SlackSectionBlock,
};

use crate::command::connect::Request;
use crate::command::{VERBS, Work, to_destination};
use crate::fivetran::model::Said;
use crate::fivetran::schema::Target;
use crate::journal::Problem;

pub use refused::refused;
use usage::misfit_words;
pub use usage::{usage, usage_sentence};

/// Slack's limit for a button's label, in characters.
const BUTTON_LIMIT: usize = 75;
/// What [`Problem::CannotPost`] says when Slack never said anything clear.
const UNCONFIRMED: &str = "no clear answer";
/// Slack's limit for a text object, in characters.
const TEXT_LIMIT: usize = 3000;

/// Text for Slack's `mrkdwn` in which nothing a person typed is markup. The only way to make one
/// from foreign text escapes it.
#[derive(Clone, Debug, Default)]
struct Mrkdwn(String);

impl Mrkdwn {
    /// Adds our own markup as it is.
    fn raw(mut self, markup: &str) -> Self {
        self.0.push_str(markup);
        self
    }

    /// Adds foreign text, escaped. <https://docs.slack.dev/messaging/formatting-message-text#escaping>
    fn text(mut self, text: &str) -> Self {
        self.0.push_str(&escape(text));
        self
    }

    /// Adds foreign text as code: escaped, and without the backticks that would end it.
    fn code(self, text: &str) -> Self {
        let text = text.replace('`', "'");
        self.raw("`").text(&text).raw("`")
    }

    fn bold(self, text: &str) -> Self {
        let text = text.replace(['*', '\n'], " ");
        self.raw("*").text(&text).raw("*")
    }

    /// As a text object that Slack must not look for links, channels or mentions in.
    fn object(self) -> SlackBlockMarkDownText {
        SlackBlockMarkDownText::new(cut(&self.0, TEXT_LIMIT)).with_verbatim(true)
    }

    fn section(self) -> SlackBlock {
        SlackSectionBlock::new().with_text(self.object().into()).into()
    }
}

/// Foreign text with the three characters escaped that start Slack's markup.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn plain_section(text: &str) -> SlackBlock {
    SlackSectionBlock::new().with_text(SlackBlockPlainText::new(cut(text, TEXT_LIMIT)).into()).into()
}

fn context(elements: Vec<SlackContextBlockElement>) -> SlackBlock {
    SlackContextBlock::new(elements).into()
}

fn content(text: &str, blocks: Vec<SlackBlock>) -> SlackMessageContent {
    SlackMessageContent::new().with_text(cut(&escape(text), TEXT_LIMIT)).with_blocks(blocks)
}

/// A message of plain sentences.
fn sentences(text: &str) -> SlackMessageContent {
    content(text, vec![plain_section(text)])
}

/// The acknowledgement of a command that was accepted; for the person alone.
#[must_use]
pub fn accepted(work: &Work, reference: &str) -> SlackMessageContent {
    let request = work.request();
    let name = &request.service_name;
    let mut text = match work {
        Work::Connect(_) => format!("Making a link for {name} now. It will appear in this channel."),
        Work::Renew { .. } => {
            format!("Making a new link for {name} now. It will replace the old one in its message.")
        }
        Work::Cancel { .. } => {
            format!("Cancelling the connection for {name} now. I'll tell you when it's done.")
        }
    };
    if let (Work::Connect(_), Some(retired)) = (work, &request.retired) {
        let _ = write!(text, " {}", renamed(retired, request));
    }
    content(&text, vec![plain_section(&text), reference_line(reference)])
}

/// The acknowledgement of a command that is already under way.
#[must_use]
pub fn already_on_it(work: &Work) -> SlackMessageContent {
    let Request { service_name, target, .. } = work.request();
    sentences(&match work {
        Work::Connect(_) => format!(
            "Already on it: I'm making a link for {service_name} into {} right now. If it doesn't appear in this channel, it was requested in another one.",
            target.connection_name()
        ),
        Work::Renew { .. } => format!("Already on it: I'm making a new link for {service_name}."),
        Work::Cancel { .. } => {
            format!("Already on it: I'm cancelling the connection for {service_name}.")
        }
    })
}

/// The acknowledgement when the database did not accept the command.
#[must_use]
pub fn not_accepted() -> SlackMessageContent {
    sentences("I couldn't save your request, so nothing was created. Please try again in a minute.")
}

/// Everything that can be typed, after `slash` (the slash command as this workspace calls it).
#[must_use]
pub fn help(slash: &str) -> SlackMessageContent {
    let mut text = String::from("What you can type:");
    let mut lines = Mrkdwn::default().raw("*What you can type*");
    for verb in VERBS {
        let _ = write!(text, "\n{slash} {}: {}", verb.usage, verb.does);
        lines = lines.raw("\n• ").code(&format!("{slash} {}", verb.usage)).raw("  ").text(verb.does);
    }
    lines = lines.raw("\n\n*For example*");
    for verb in VERBS {
        lines = lines.raw("\n• ").code(&format!("{slash} {}", verb.example));
    }
    let notes =
        "Services that fill a single table need SCHEMA.TABLE. A schema's name can't be changed later.";
    content(&text, vec![lines.section(), context(vec![SlackBlockPlainText::new(notes.to_owned()).into()])])
}

fn renamed(retired: &str, request: &Request) -> String {
    format!("({retired} is called {} now; I used that.)", request.service)
}

/// A moment in the reader's own time zone, and in UTC where Slack cannot tell it.
/// <https://docs.slack.dev/messaging/formatting-message-text#date-formatting>
fn local_time(moment: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{}>", moment.as_second(), utc(moment))
}

/// A moment as `2026-11-22 14:05 UTC`.
#[must_use]
pub fn utc(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Why there is no link; for the person alone.
#[must_use]
pub fn problem(problem: &Problem, request: &Request, reference: &str) -> SlackMessageContent {
    let text = problem_sentence(problem, request);
    let mut blocks = vec![plain_section(&text)];
    blocks.extend(ask::about(problem, reference));
    blocks.push(reference_line(reference));
    content(&format!("{text} (ref {reference})"), blocks)
}

/// [`problem`] without questions and without where the connection was requested.
#[must_use]
pub fn problem_plainly(problem: &Problem, request: &Request, reference: &str) -> SlackMessageContent {
    let text = problem_sentence(problem, request);
    content(&format!("{text} (ref {reference})"), vec![plain_section(&text), reference_line(reference)])
}

fn reference_line(reference: &str) -> SlackBlock {
    context(vec![Mrkdwn::default().raw("Ref ").code(reference).object().into()])
}

/// [`problem`] as plain sentences: what happened, then what to do.
#[must_use]
pub fn problem_sentence(problem: &Problem, request: &Request) -> String {
    let slash = request.slash.as_str();
    let name = request.service_name.as_str();
    let schema = request.target.connection_name();
    match problem {
        Problem::KeyRejected => "Fivetran rejected the API key. Whoever runs connect-card needs to set \
            FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key."
            .to_owned(),
        Problem::Forbidden(said) => format!(
            "The Fivetran API key isn't allowed to do this{}. Its role needs permission to create connections in \
             this destination.",
            quoted(said)
        ),
        Problem::GroupUnknown(said) => format!(
            "Fivetran doesn't know this destination{}. Whoever runs connect-card needs to check {}.",
            quoted(said),
            match &request.destination {
                Some(name) => format!("the group_id of {} in the CONFIG file", cut(name, 60)),
                None => "FIVETRAN_GROUP_ID".to_owned(),
            }
        ),
        Problem::Refused(said) => {
            let log = if slash.starts_with('/') {
                " If both are right, whoever runs connect-card can look up the reference in the log."
            } else {
                ""
            };
            format!(
                "Fivetran refused to create a connection for {name}{}, so there's no link. Check the service and the \
                 schema ({schema}).{log}",
                quoted(said)
            )
        }
        Problem::SchemaTaken { service } => format!(
            "The schema {schema} belongs to a connection for another service ({service}). Choose another schema, for \
             example: {slash} {} {}{}",
            request.service,
            another(&request.target),
            to_destination(request.destination.as_deref(), slash)
        ),
        Problem::NameTaken(said) => format!(
            "Fivetran says {schema} is taken{}, by a connection that this API key can't see. Choose another \
             schema.",
            quoted(said)
        ),
        Problem::AlreadyConnected { .. } => format!(
            "{name} is already connected to {schema}, so I didn't post a link here: it would let anyone in \
             this channel sign in again. If you meant another customer, choose another schema."
        ),
        Problem::Elsewhere { .. } => format!(
            "{name} for {schema} was already requested in another channel, so I didn't post a link here: it could \
             reach the wrong customer. If you meant another customer, choose another schema."
        ),
        Problem::Gone => format!(
            "The connection for {name} into {schema} was deleted in Fivetran, so I can't make a new link for it. To \
             start over: {slash} {} {schema}",
            request.service
        ),
        Problem::Cancelled => format!(
            "The connection for {name} into {schema} is deleted, and its link no longer works. Nothing else was \
             deleted: data already in the destination stays there."
        ),
        Problem::NotCancelled => format!(
            "{name} is connected to {schema} now, so I didn't delete anything. A connection in use can only be deleted in Fivetran."
        ),
        Problem::Misfit(fault) => {
            let id = request.service.as_str();
            misfit_words(name, id, &request.target, request.kind, *fault, slash)
                + &to_destination(request.destination.as_deref(), slash)
        }
        Problem::RateLimited { retry_after_s: Some(seconds) } => {
            format!("Fivetran's rate limit has been reached. Try again in {}.", pause(*seconds))
        }
        Problem::RateLimited { retry_after_s: None } => {
            "Fivetran's rate limit has been reached. Try again in an hour.".to_owned()
        }
        Problem::NoAnswer => format!(
            "Fivetran couldn't be reached, or didn't answer in time. Try the same command again in a while: if the \
             connection for {name} was created after all, you'll get a link for it, not a second connection."
        ),
        Problem::CannotPost { slack_says } => cannot_post(name, slack_says),
    }
}

/// Fivetran was never reached, so nothing can have happened; for a shell, where the address is not a
/// secret.
#[must_use]
pub fn unreachable(api_url: &str) -> String {
    format!(
        "Fivetran is not reachable (no connection) at {api_url}; nothing was created. Check the network and \
         FIVETRAN_API_URL."
    )
}

/// Why the link is not in the channel, by Slack's word for it.
fn cannot_post(name: &str, slack_says: &str) -> String {
    let ready = format!("The connection for {name} is ready, but");
    let word = cut(slack_says, 60);
    match slack_says {
        UNCONFIRMED => format!(
            "{ready} Slack never confirmed the message with its link. The link may already be in the channel; if it \
             isn't, type the command again for a fresh one."
        ),
        "not_in_channel" | "channel_not_found" => format!(
            "{ready} Slack wouldn't let me post here ({word}). If I'm not in this channel, invite me with \
             /invite; then type the command again for a fresh link."
        ),
        "is_archived" | "channel_is_archived" => format!(
            "{ready} this channel is archived ({word}), so I couldn't post its link. Type the command again in \
             an active channel."
        ),
        _ => format!(
            "{ready} Slack rejected the message with its link ({word}). Type the command again for a fresh link; \
             if that fails too, ask whoever runs connect-card to look up the reference in the log."
        ),
    }
}

/// Fivetran's own words, where there are any.
fn quoted(said: &Said) -> String {
    if said.message.is_empty() {
        String::new()
    } else {
        format!(" (“{}”)", cut(said.message.trim_end_matches('.'), 300))
    }
}

/// A valid target close to one that is taken.
fn another(target: &Target) -> String {
    let schema = cut_ascii(target.schema.as_str(), 61);
    match &target.table {
        Some(table) => format!("{schema}_2.{table}"),
        None => format!("{schema}_2"),
    }
}

fn cut_ascii(text: &str, limit: usize) -> &str {
    text.get(..limit).unwrap_or(text)
}

/// A pause as people say it: seconds up to two minutes, then minutes.
fn pause(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=120 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.min(86_400).div_ceil(60)),
    }
}
