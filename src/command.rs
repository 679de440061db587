//! What a person can type, and what it means.
//!
//! Owns the table of verbs, from which help is made, and the reading of the text after the slash
//! command. Pure: knows neither Slack's request nor any outside party; the wording of a usage
//! error is [`crate::reply`]'s.

pub mod bundle;
pub mod cancel;
pub mod connect;
pub mod doctor;
mod error;
pub mod form;
pub mod help;
pub mod home;
mod kept;
pub mod list;
pub mod meant;
pub mod naming;
pub mod owner;
pub mod places;
pub mod proposal;
pub mod proposed;
pub mod renew;
pub mod services;
pub mod several;
pub mod status;
pub mod surface;
pub mod sync;
mod typed;
mod verbs;

use crate::fivetran::catalog::Catalog;
use crate::fivetran::schema::Target;
use crate::work::Request;
use bundle::Bundles;
pub use error::{Doubt, UsageError};
use places::{ChannelDefaults, Destinations};
use several::list::COMMAS;
use several::{Read, Several};
use surface::Surface;

/// A verb's line in help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verb {
    /// What to type after the slash command.
    pub usage: &'static str,
    /// What it does.
    pub does: &'static str,
    /// One that works as it is.
    pub example: &'static str,
}

impl Verb {
    /// The word itself; of the one that has none, what stands in its place.
    fn word(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or_default()
    }
}

/// Everything that can be typed, in the order of help.
pub const VERBS: [Verb; 9] = [
    connect::VERB,
    several::VERB,
    status::VERB,
    list::VERB,
    renew::VERB,
    cancel::VERB,
    services::VERB,
    doctor::VERB,
    help::VERB,
];

/// How many of them, the first ones, have no word of their own.
pub const WORDLESS: usize = 2;

/// A command that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make a connection and post its link.
    Connect(Request),
    /// Make several connections of one customer, in one message.
    Onboard(Several),
    /// Put a new link in the place of the one for a schema.
    Renew(Target),
    /// Delete the connection for a schema, if nobody has finished it.
    Cancel(Target),
    /// Say how the link for a schema stands.
    Status(Target),
    /// Say which links this channel has.
    List,
    /// Say which services there are.
    Services(String),
    /// Say whether the bot is well.
    Doctor,
    /// Say what can be typed.
    Help,
}

impl Command {
    /// The same, where its person has seen what would be made of it, and agreed.
    #[must_use]
    pub fn agreed(self) -> Self {
        match self {
            Self::Onboard(mut several) => match several.onboard.sources.pop() {
                Some(only) if several.onboard.sources.is_empty() => Self::Connect(only),
                last => {
                    several.onboard.sources.extend(last);
                    Self::Onboard(Several { asks: false, ..several })
                }
            },
            other => other,
        }
    }
}

/// What the words of a command can refer to.
#[derive(Clone, Copy)]
pub struct Vocabulary<'a> {
    /// What stands before the arguments, for the examples in replies.
    pub slash: Surface<'a>,
    /// The services.
    pub catalog: &'a Catalog,
    /// The destinations.
    pub destinations: &'a Destinations,
    /// What the channel has for words that are left out.
    pub channel: &'a ChannelDefaults,
    /// Services that have a name together.
    pub bundles: &'a Bundles,
}

/// Longest piece of what was typed that is shown again, in characters.
const ECHO_LIMIT: usize = 40;
/// Longest line that is shown again to be pasted, in characters. What can be carried out is shorter,
/// but for the words of a search.
const LINE_LIMIT: usize = 250;
/// Longest text that is read, in characters: as many services as one command takes, each with the longest
/// name that a schema and its table can have, are 3,500.
const TEXT_LIMIT: usize = 4000;
/// Most words in it, and commas between them: in such a command there are half as many. To tell which of
/// them belong together takes the time of their number's third power: milliseconds for so many, and minutes
/// for what fits into a request.
const WORDS_LIMIT: usize = 300;
/// Words that people put before a schema or a destination. None of them is either.
const LITTLE_WORDS: [&str; 11] = ["to", "into", "onto", "in", "on", "at", "for", "as", "with", "from", "by"];
/// Those that people put before a destination, and the arrows they draw; Slack sends `>` as `&gt;`.
const TO: [&str; 8] = ["to", "into", "onto", "in", "->", "→", "=>", "-&gt;"];

/// What is left of a mention whose name is not told.
const UNTOLD: &str = "@…";
/// What people put behind a request.
const FILLERS: [&str; 5] = ["please", "pls", "thanks", "thx", "now"];
/// What people put before one.
const ASKING: [&str; 12] =
    ["connect", "create", "add", "make", "link", "set", "setup", "request", "get", "start", "want", "need"];
/// Words that stand for a schema, or for none.
const NO_NAMES: [&str; 6] = ["schema", "none", "null", "nil", "new", "default"];

/// Reads what was typed after the slash command.
///
/// People type what their keyboards and chats make of it: smart quotes, non-breaking spaces,
/// doubled spaces, capitals, display names. All of that is understood.
///
/// # Errors
/// [`UsageError`].
pub fn parse(typed: &str, vocabulary: &Vocabulary<'_>) -> Result<Command, UsageError> {
    if is_too_long(typed) {
        return Err(UsageError::TooLong);
    }
    let read = |line: &str| read(line, vocabulary);
    read(typed).map_err(|error| {
        let is_quoted = !typed::quoted(typed).is_empty();
        kept::only(error, &typed::text(typed), is_quoted, vocabulary, &read)
    })
}

fn read(typed: &str, vocabulary: &Vocabulary<'_>) -> Result<Command, UsageError> {
    let text = typed::text(typed);
    let quoted = typed::quoted(typed);
    let command = match parse_text(&text, vocabulary) {
        // What stands in quotes is one name, of which nothing is a service.
        Ok(Command::Onboard(_)) | Err(UsageError::Mixed { .. })
            if quoted.iter().any(|name| several::is_split(name, vocabulary)) =>
        {
            return Err(UsageError::SpacedSchema { instead: None });
        }
        Err(error) if quoted.is_empty() => return Err(several::rather_several(error, &text, vocabulary)),
        read => read?,
    };
    let target = match &command {
        // What the channel calls it, nobody has typed.
        Command::Connect(request) => (!request.by_channel).then_some(&request.target),
        Command::Renew(target) | Command::Cancel(target) | Command::Status(target) => Some(target),
        Command::Onboard(_) | Command::List | Command::Services(_) | Command::Doctor | Command::Help => None,
    };
    // A schema cannot be renamed: before one is made of italics, or of a word that is rather
    // something else, its person is asked.
    if let Some([bare, quoted]) = target.and_then(|target| typed::italic(typed, target)) {
        return Err(UsageError::Italic { bare, quoted });
    }
    match &command {
        Command::Connect(request) => is_meant(typed, request, vocabulary.catalog)
            .map_err(|error| several::or_both(error, &text, vocabulary))?,
        Command::Onboard(several) => all_are_meant(typed, several, vocabulary.catalog)?,
        _ => {}
    }
    Ok(command)
}

/// # Errors
/// [`UsageError::Doubtful`], if a request's schema was typed and is rather something else.
fn is_meant(typed: &str, request: &Request, catalog: &Catalog) -> Result<(), UsageError> {
    if !request.by_channel
        && let Some((word, what)) = doubt(request, catalog)
        && let Some(quoted) = typed::in_quotes(typed, &request.target.connection_name())
    {
        return Err(UsageError::Doubtful { word, what, quoted });
    }
    Ok(())
}

/// The same of several, and of italics.
fn all_are_meant(typed: &str, several: &Several, catalog: &Catalog) -> Result<(), UsageError> {
    // A comma is no part of the word before it.
    let apart = typed.replace(',', " , ");
    let joined = |line: String| line.replace(" , ", ", ");
    for source in several.onboard.sources.iter().filter(|source| !source.by_channel) {
        if let Some(lines) = typed::italic(&apart, &source.target) {
            let [bare, quoted] = lines.map(joined);
            return Err(UsageError::Italic { bare, quoted });
        }
        is_meant(&apart, source, catalog).map_err(|error| match error {
            UsageError::Doubtful { word, what, quoted } => {
                UsageError::Doubtful { word, what, quoted: joined(quoted) }
            }
            other => other,
        })?;
    }
    Ok(())
}

/// What a request's schema is besides a schema.
fn doubt(request: &Request, catalog: &Catalog) -> Option<(String, Doubt)> {
    let word = request.target.schema.to_string();
    let what = if meant::is_verb(&word) {
        Doubt::Verb
    } else if NO_NAMES.contains(&word.as_str()) || meant::is_asking(&word) {
        Doubt::NoName
    } else {
        // Many call a schema after its own service.
        let other = catalog.get(&word).filter(|service| service.id != request.service)?;
        Doubt::Service { name: other.name.clone(), both: None }
    };
    Some((word, what))
}

fn parse_text(text: &str, vocabulary: &Vocabulary<'_>) -> Result<Command, UsageError> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        // Our own line for help, sent as it stands.
        ["SERVICE", rest @ ..] if rest.first().is_none_or(|word| meant::is_placeholder(word)) => {
            Err(UsageError::Incomplete)
        }
        [] => Err(UsageError::Incomplete),
        // A mention alone is nothing that was typed twice.
        [first, rest @ ..]
            if is_the_command(first, vocabulary.slash) && (*first != UNTOLD || !rest.is_empty()) =>
        {
            repeated(rest, vocabulary)
        }
        words if is_help(words, vocabulary.catalog) => Ok(Command::Help),
        [verb, rest @ ..] if verb.eq_ignore_ascii_case("renew") => {
            schema_of(&renew::VERB, rest, vocabulary).map(Command::Renew)
        }
        [verb, rest @ ..] if verb.eq_ignore_ascii_case("cancel") => {
            schema_of(&cancel::VERB, rest, vocabulary).map(Command::Cancel)
        }
        [verb, rest @ ..] if verb.eq_ignore_ascii_case("status") => {
            schema_of(&status::VERB, rest, vocabulary).map(Command::Status)
        }
        [verb, ..] if verb.eq_ignore_ascii_case("list") => Ok(Command::List),
        [verb, ..] if verb.eq_ignore_ascii_case("doctor") => Ok(Command::Doctor),
        [verb, rest @ ..] if verb.eq_ignore_ascii_case("services") => {
            Ok(Command::Services(searched(rest).join(" ")))
        }
        words => named(words, vocabulary),
    }
}

/// One service or several, by their names.
fn named(words: &[&str], vocabulary: &Vocabulary<'_>) -> Result<Command, UsageError> {
    match several::parse(words, vocabulary) {
        Some(read) => read.map(|read| match read {
            Read::One(request) => Command::Connect(request),
            Read::Several(several) => Command::Onboard(several),
        }),
        None => match verbs::misspelt(words, vocabulary) {
            Some(error) => Err(error),
            None => connect::parse(words, vocabulary).map(Command::Connect),
        },
    }
}

/// Whether what was read of a text may mean something else by a newer catalogue: wherever a name of a
/// service is, or may be, that this one does not know.
#[must_use]
pub fn hangs_on_the_catalogue(typed: &str, read: &Result<Command, UsageError>, catalog: &Catalog) -> bool {
    if is_too_long(typed) {
        return false;
    }
    let text = typed::text(typed);
    match read {
        // No name has an underscore, so whatever is behind an id with one is no part of a name: but in
        // `google ads manager` the last word is a schema only where no service is called that.
        Ok(Command::Connect(request)) => may_be_another(request, &text),
        // A bundle's name too, of which no service's id is typed.
        Ok(Command::Onboard(several)) => {
            several.onboard.sources.iter().any(|source| may_be_another(source, &text))
        }
        Ok(Command::Services(words)) => !services::is_known(words, catalog),
        // `help scout`.
        Ok(Command::Help) => text.contains(' '),
        Ok(Command::Renew(_) | Command::Cancel(_) | Command::Status(_) | Command::List | Command::Doctor) => {
            false
        }
        Err(UsageError::SchemaWanted { .. } | UsageError::NotASchema { .. }) => false,
        Err(_) => !text.is_empty(),
    }
}

/// Whether the words for a service may name one that is new.
fn may_be_another(request: &Request, text: &str) -> bool {
    let id = request.service.as_str();
    let is_typed = text.split([' ', ',']).any(|word| word.trim_matches(is_quote).eq_ignore_ascii_case(id));
    request.retired.is_some() || !is_typed || !id.contains('_')
}

/// Whether a text asks for help and nothing else, which everybody may.
#[must_use]
pub fn asks_for_help(typed: &str, catalog: &Catalog) -> bool {
    !is_too_long(typed) && is_help(&typed::text(typed).split(' ').collect::<Vec<_>>(), catalog)
}

/// Whether a text is longer than any command.
fn is_too_long(typed: &str) -> bool {
    let words = typed.split_whitespace().count() + typed.matches(COMMAS).count();
    words > WORDS_LIMIT || typed.chars().nth(TEXT_LIMIT).is_some()
}

/// `help me` is one too, but there is a service called Help Scout.
fn is_help(words: &[&str], catalog: &Catalog) -> bool {
    words.first().is_some_and(|word| help::is_help(word)) && !connect::begins_with_service(words, catalog)
}

/// Whether a word is the command itself, as it is in a line that was pasted whole, or the bot.
fn is_the_command(word: &str, slash: Surface<'_>) -> bool {
    let Surface::Slack(command) = slash else { return false };
    let bare = |word: &str| word.trim_start_matches(['/', '@']).trim_end_matches([':', ',']).to_lowercase();
    bare(word) == bare(command) || word == UNTOLD
}

/// What is behind a command that was typed twice: a line to paste, or what is wrong with it anyway.
fn repeated(rest: &[&str], vocabulary: &Vocabulary<'_>) -> Result<Command, UsageError> {
    // All of them at once: a line may be nothing else.
    let first = rest.iter().position(|word| !is_the_command(word, vocabulary.slash));
    let line = first.and_then(|first| rest.get(first..)).unwrap_or_default().join(" ");
    Err(UsageError::Repeated {
        instead: match parse_text(&line, vocabulary)? {
            // It may be longer, and half of it is another list.
            Command::Onboard(several) => several.line,
            _ => line.chars().take(LINE_LIMIT).collect(),
        },
    })
}

/// Whether people put this word before a schema or a destination, so that it is neither.
#[must_use]
pub fn is_little_word(word: &str) -> bool {
    LITTLE_WORDS.iter().chain(&TO).any(|little| word.eq_ignore_ascii_case(little))
}

/// The words of a search: `for google` looks for Google.
fn searched<'a, 'w>(words: &'w [&'a str]) -> &'w [&'a str] {
    match words {
        [little, rest @ ..] if !rest.is_empty() && is_little_word(little) => searched(rest),
        [rest @ .., little] if !rest.is_empty() && is_little_word(little) => searched(rest),
        words => words,
    }
}

/// The one schema after a verb, or the only one that the channel has.
fn schema_of(verb: &Verb, words: &[&str], vocabulary: &Vocabulary<'_>) -> Result<Target, UsageError> {
    let name = verb.word();
    let instead = |schema: Option<String>| schema.map(|schema| format!("{name} {schema}"));
    match words {
        [] => {
            let wanted = UsageError::SchemaWanted { verb: *verb, instead: None };
            vocabulary.channel.one_schema().cloned().ok_or(wanted)
        }
        // `status for acme` is about acme, and `status for` about nothing.
        [little, schema] if is_little_word(little) && !is_little_word(schema) => {
            schema_of(verb, &[schema], vocabulary)
        }
        [schema] if meant::is_placeholder(schema) => {
            Err(UsageError::SchemaWanted { verb: *verb, instead: None })
        }
        [schema] if !is_little_word(schema) => Target::parse(schema).map_err(|bad| {
            let instead = instead(bad.nearest.clone());
            UsageError::NotASchema { name: bad, instead }
        }),
        words => {
            let instead = instead(meant::schema(words, vocabulary));
            Err(UsageError::SchemaWanted { verb: *verb, instead })
        }
    }
}

/// Reads the arguments of a command line, which come apart already.
///
/// # Errors
/// [`UsageError`].
pub fn parse_arguments(
    service: &str,
    schema: &str,
    destination: Option<&str>,
    vocabulary: &Vocabulary<'_>,
) -> Result<Request, UsageError> {
    let typed = schema;
    let schema = plain(typed);
    // Whoever forgot the schema before a destination.
    if TO.iter().any(|to| schema.eq_ignore_ascii_case(to)) {
        let service = meant::known(&plain(service), vocabulary.catalog);
        return Err(service.map_or(UsageError::Incomplete, UsageError::SchemaMissing));
    }
    let (service, destination) = (plain(service), destination.map(plain));
    let in_quotes =
        typed.trim().len() > 1 && typed.trim().starts_with(is_quote) && typed.trim().ends_with(is_quote);
    let read = connect::request(&service, Some(&schema), destination.as_deref(), vocabulary);
    match read {
        // A schema cannot be renamed, here as little as in Slack.
        Ok(request) if !in_quotes && let Some((word, what)) = doubt(&request, vocabulary.catalog) => {
            let to = vocabulary.slash.to_destination(destination.as_deref());
            let quoted = format!("{} '\"{}\"'{to}", request.service, request.target.connection_name());
            Err(UsageError::Doubtful { word, what, quoted })
        }
        Ok(request) => Ok(request),
        Err(error) => {
            let to = destination.map(|name| format!(" to {name}")).unwrap_or_default();
            let text = format!("{service} {schema}{to}");
            Err(kept::only(error, &text, false, vocabulary, &|line| self::read(line, vocabulary)))
        }
    }
}

/// What was typed where nothing formats it, with single spaces, without invisible characters, and
/// without quotes around a word. A quote within one stays, so that a schema never silently becomes
/// another one.
fn plain(typed: &str) -> String {
    let visible: String = typed.chars().filter(|&character| !is_invisible(character)).collect();
    let words = visible.split_whitespace().map(|word| word.trim_matches(is_quote));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_quote(character: char) -> bool {
    matches!(
        character,
        '"' | '\'' | '`' | '\u{2018}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{2039}' | '\u{203A}'
    )
}

/// Characters that take no space on the screen: joiners, marks of direction, controls.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
        || (character.is_control() && !character.is_whitespace())
}

/// What was typed, cut to what can be shown again.
fn echo(typed: &str) -> String {
    let mut cut: String = typed.chars().filter(|&c| !is_invisible(c)).take(ECHO_LIMIT).collect();
    if typed.chars().nth(ECHO_LIMIT).is_some() {
        cut.push('…');
    }
    cut
}
