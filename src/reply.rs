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
pub mod live;
mod refused;

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use slack_morphism::prelude::{
    SlackBlock, SlackBlockMarkDownText, SlackBlockPlainText, SlackContextBlock, SlackContextBlockElement,
    SlackMessageContent, SlackSectionBlock,
};

use crate::command::connect::Request;
use crate::command::{UsageError, VERBS, Work};
use crate::fivetran::catalog::Service;
use crate::fivetran::model::Said;
use crate::fivetran::schema::{BadName, SchemaKind, Target, Why};
use crate::journal::{MisfitKind, Problem};

pub use refused::refused;

/// Slack's limit for a button's label, in characters.
const BUTTON_LIMIT: usize = 75;
/// Slack's limit for a text object, in characters.
const TEXT_LIMIT: usize = 3000;
/// How many services are named where there may be many.
const SERVICES_SHOWN: usize = 8;

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

/// Foreign text with the three characters replaced by which Slack's markup begins.
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
            format!("Making a new link for {name} now. It will appear in the message of the old one.")
        }
        Work::Cancel { .. } => {
            format!("Cancelling the connection for {name} now. I will tell you when it is done.")
        }
    };
    if let (Work::Connect(_), Some(retired)) = (work, &request.retired) {
        let _ = write!(text, " {}", renamed(retired, request));
    }
    content(&text, vec![plain_section(&text), reference_line(reference)])
}

/// The acknowledgement of a command that is under way already.
#[must_use]
pub fn already_on_it(work: &Work) -> SlackMessageContent {
    let Request { service_name, target, .. } = work.request();
    sentences(&match work {
        Work::Connect(_) => format!(
            "Already on it: a link for {service_name} into {} is being made for this channel. Nothing more to do.",
            target.connection_name()
        ),
        Work::Renew { .. } => format!("Already on it: a new link for {service_name} is being made."),
        Work::Cancel { .. } => {
            format!("Already on it: the connection for {service_name} is being cancelled.")
        }
    })
}

/// The acknowledgement when the database did not take the command.
#[must_use]
pub fn not_accepted() -> SlackMessageContent {
    sentences(
        "I could not note this down, so nothing was created and nothing will be. Please try again in a minute.",
    )
}

/// All that can be typed, after `slash` (the slash command as this workspace calls it).
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
    let notes = "Services that fill one table want SCHEMA.TABLE. A schema's name is permanent.";
    content(&text, vec![lines.section(), context(vec![SlackBlockPlainText::new(notes.to_owned()).into()])])
}

/// What is wrong with what was typed, and what to type instead.
#[must_use]
pub fn usage(error: &UsageError, slash: &str) -> SlackMessageContent {
    match error {
        UsageError::Incomplete => help(slash),
        error => sentences(&usage_sentence(error, slash)),
    }
}

/// [`usage`] as one plain sentence or two.
#[must_use]
pub fn usage_sentence(error: &UsageError, slash: &str) -> String {
    match error {
        UsageError::Incomplete => format!("Type a service and a schema: {slash} {}", VERBS[0].example),
        UsageError::SchemaWanted(verb) => format!("Type one schema: {slash} {}", verb.example),
        UsageError::NotASchema(name) => match &name.nearest {
            Some(nearest) => {
                format!("“{}” cannot be a schema. Did you mean {nearest}?", cut(&name.typed, 40))
            }
            None => format!("“{}” cannot be a schema.", cut(&name.typed, 40)),
        },
        UsageError::UnknownService { typed, suggestions } if suggestions.is_empty() => {
            format!(
                "I know no service called “{typed}”. Use its id from Fivetran's documentation, for example google_ads."
            )
        }
        UsageError::UnknownService { typed, suggestions } => {
            format!("I know no service called “{typed}”. Did you mean {}?", alternatives(suggestions))
        }
        UsageError::ServiceNotAllowed { service, allowed } => format!(
            "This channel is not set up for {}, so I made nothing. Allowed here: {}.",
            cut(&service.name, 60),
            some(allowed)
        ),
        UsageError::SchemaMissing(service) => format!(
            "Where should the data of {} land? Add a schema: {slash} {} {}",
            service.name,
            service.id,
            example_target(service.kind, "customer_schema")
        ),
        UsageError::BadName { service, name } => bad_name(service, name, slash),
        UsageError::Misfit { service, target, misfit } => {
            misfit_words(&service.name, service.id.as_str(), target, service.kind, (*misfit).into(), slash)
        }
        UsageError::UnknownDestination { typed, known } if known.is_empty() => {
            format!(
                "I know no destination called “{typed}”; there is only the default one. Leave out “to {typed}”."
            )
        }
        UsageError::UnknownDestination { typed, known } => {
            format!("I know no destination called “{typed}”. There is {}.", listed(known))
        }
        UsageError::NoDestination { known } => {
            format!("Say where the data should land: add “to” and one of these: {}.", listed(known))
        }
    }
}

fn alternatives(services: &[Service]) -> String {
    let names: Vec<_> = services.iter().map(|service| format!("{} ({})", service.id, service.name)).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The first of many services, and how many more there are.
fn some(services: &[Service]) -> String {
    let shown = services.iter().take(SERVICES_SHOWN);
    let mut names: Vec<_> = shown.map(|it| format!("{} ({})", it.id, cut(&it.name, 60))).collect();
    if services.len() > SERVICES_SHOWN {
        names.push(format!("{} more", services.len() - SERVICES_SHOWN));
    }
    listed(&names)
}

fn listed(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn bad_name(service: &Service, name: &BadName, slash: &str) -> String {
    let typed = cut(&name.typed, 40);
    let why = match name.why {
        Why::Empty => "there is nothing in it".to_owned(),
        Why::TooLong => "it is longer than 63 characters".to_owned(),
        Why::StartsWithDigit => "it starts with a digit".to_owned(),
        Why::BadCharacter(c) if c.is_ascii_uppercase() => "it has capital letters".to_owned(),
        Why::BadCharacter(c) => format!("it has “{c}” in it"),
    };
    let rule = "a schema is made of a–z, 0–9 and _";
    match &name.nearest {
        Some(nearest) => format!(
            "“{typed}” cannot be a schema: {why} ({rule}). Try: {slash} {} {}",
            service.id,
            example_target(service.kind, nearest)
        ),
        None => format!("“{typed}” cannot be a schema: {why} ({rule})."),
    }
}

/// `schema`, with a table after it where the service wants one and none is there.
fn example_target(kind: Option<SchemaKind>, schema: &str) -> String {
    match kind {
        Some(kind) if kind.wants_table() && !schema.contains('.') => format!("{schema}.my_table"),
        _ => schema.to_owned(),
    }
}

fn misfit_words(
    name: &str,
    id: &str,
    target: &Target,
    kind: Option<SchemaKind>,
    fault: MisfitKind,
    slash: &str,
) -> String {
    let schema = &target.schema;
    match fault {
        MisfitKind::TableMissing => {
            let what = if kind == Some(SchemaKind::TableGroup) { "a table group" } else { "one table" };
            format!("{name} fills {what}, so it needs a name for it too. Try: {slash} {id} {schema}.my_table")
        }
        MisfitKind::TableNotWanted => {
            format!("{name} names its tables itself, so it takes only a schema. Try: {slash} {id} {schema}")
        }
    }
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

/// [`problem`] without questions and without where the connection was asked for.
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
        Problem::KeyRejected => {
            "Fivetran rejects the API key, so nothing was created. Whoever runs this must set \
            FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a key that is still valid."
                .to_owned()
        }
        Problem::Forbidden(said) => format!(
            "The Fivetran API key has no permission for this{}. Its role must be allowed to create connections in \
             this destination.",
            quoted(said)
        ),
        Problem::GroupUnknown(said) => format!(
            "Fivetran does not know this destination{}. Whoever runs this must check {}.",
            quoted(said),
            match &request.destination {
                Some(name) => format!("the group_id of {} in the file CONFIG", cut(name, 60)),
                None => "FIVETRAN_GROUP_ID".to_owned(),
            }
        ),
        Problem::Refused(said) => {
            format!("Fivetran would not create a connection for {name}{}. Nothing was posted.", quoted(said))
        }
        Problem::SchemaTaken { service } => format!(
            "The schema {schema} belongs to a connection of another service ({service}). Choose another schema, for \
             example: {slash} {} {}",
            request.service,
            another(&request.target)
        ),
        Problem::NameTaken(said) => format!(
            "Fivetran says that {schema} is taken{}, by a connection that this API key cannot see. Choose another \
             schema.",
            quoted(said)
        ),
        Problem::AlreadyConnected { .. } => format!(
            "{name} is already connected to {schema}, so I posted nothing here: a link for it would let anyone in \
             this channel sign in again. If you meant another customer, choose another schema."
        ),
        Problem::Elsewhere { .. } => format!(
            "{name} for {schema} was asked for in another channel already, so I posted nothing here: the link could \
             reach the wrong customer. If you meant another customer, choose another schema."
        ),
        Problem::Gone => format!(
            "The connection for {name} into {schema} was deleted in Fivetran, so there is no new link for it. Ask for \
             it anew: {slash} {} {schema}",
            request.service
        ),
        Problem::Cancelled => format!(
            "The connection for {name} into {schema} is deleted, and its link is void. Nothing else was deleted; what \
             is in the destination stays there."
        ),
        Problem::NotCancelled => format!(
            "{name} is connected to {schema} by now, so I deleted nothing. A connection in use is deleted in Fivetran."
        ),
        Problem::Misfit(fault) => {
            misfit_words(name, request.service.as_str(), &request.target, request.kind, *fault, slash)
        }
        Problem::RateLimited { retry_after_s: Some(seconds) } => {
            format!(
                "Fivetran's rate limit is reached, so nothing was created. Try again in {}.",
                pause(*seconds)
            )
        }
        Problem::RateLimited { retry_after_s: None } => {
            "Fivetran's rate limit is reached, so nothing was created. Try again in an hour.".to_owned()
        }
        Problem::NoAnswer => format!(
            "Fivetran did not answer in time. Try again in a while with the same words: if the connection for {name} \
             was made after all, the next link will be for it, not for a second one."
        ),
        Problem::CannotPost { slack_says } => format!(
            "The connection for {name} is ready, but Slack would not let me post here ({}). Invite me to the channel \
             with /invite, and type the command again for a fresh link.",
            cut(slack_says, 60)
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

/// Another good target close to one that is taken.
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
