//! How the process speaks to its operator: log lines and metrics.
//!
//! Owns the log format, the filter and, in its folder, every metric. Knows nothing of what is logged;
//! the rule that no secret is ever a field is kept by the types that hold secrets, and, for what other
//! crates log, by the cap in [`start`].

mod hour;
mod labels;
mod metrics;
mod sets;
mod skew;

use std::io::IsTerminal;

pub use labels::{Answer, CallOutcome, Ending, OpenStage, Operation, Party, SocketEnd, SweepOutcome, Writer};
pub use metrics::{Calling, Metrics};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, ParseError, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The default of `RUST_LOG`.
pub const LOG_FILTER: &str = "info";
const LOG_LEVEL: LevelFilter = LevelFilter::INFO;

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `LOG_FORMAT` and `RUST_LOG`.
#[derive(Debug)]
pub struct LogConfig {
    /// `LOG_FORMAT`; on a terminal `text`, else `json`.
    pub format: LogFormat,
    /// `RUST_LOG`; `info`.
    pub filter: String,
}

/// Lets through everything of our own, and of other crates only warnings and errors that say something
/// new.
///
/// HTTP crates print header blocks and paths at DEBUG and TRACE; a response_url is nothing but a
/// path. No value of `RUST_LOG` may turn that on.
fn ours_or_harmless(line: &Metadata<'_>) -> bool {
    // The pool says every hundredth of a second that a session was rejected; the store says it once.
    let repeats = line.target().starts_with("sqlx_core::pool");
    line.target().starts_with("connect_card") || (*line.level() <= Level::WARN && !repeats)
}

/// Starts logging to standard error. `filter` has the syntax of `RUST_LOG`; one that cannot be read
/// is taken for `info`, and that is said. Errors of our own are logged whatever it says: a filter
/// meant for something else must not hide why the bot doesn't start.
///
/// Starting twice in a process keeps the first.
pub fn start(format: LogFormat, filter: &str) {
    let read = targets(filter);
    let broken = read.is_err();
    let filter = read.unwrap_or_else(|_| Targets::new().with_default(LOG_LEVEL)).or(filter_fn(our_error));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let layer = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter_fn(ours_or_harmless)).with_filter(filter))
        .try_init();
    if broken {
        tracing::warn!("RUST_LOG cannot be read, so the log is that of {LOG_FILTER}; {FILTER_REMEDY}");
    }
}

fn our_error(line: &Metadata<'_>) -> bool {
    *line.level() == Level::ERROR && line.target().starts_with("connect_card")
}

/// A filter as it was meant: targets have underscores where packages have hyphens, and one that
/// speaks of others alone leaves our own lines as they are without it.
fn meant(filter: &str) -> String {
    let mut ours_said = false;
    let mut directives: Vec<String> = Vec::new();
    for directive in filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let end = directive.find(['=', '[']).unwrap_or(directive.len());
        let (target, rest) = directive.split_at(end);
        let target = target.trim().replace('-', "_");
        ours_said |= target.is_empty() || target.starts_with("connect_card") || is_level(&target);
        directives.push(format!("{target}{}", rest.trim_end()));
    }
    if !ours_said {
        directives.push(format!("connect_card={LOG_FILTER}"));
    }
    directives.join(",")
}

/// What a filter lets through. Spans have no say in it: we open none, and to read their part of the
/// syntax takes a whole engine of regular expressions.
fn targets(filter: &str) -> Result<Targets, ParseError> {
    meant(filter).parse()
}

fn is_level(word: &str) -> bool {
    word.parse::<LevelFilter>().is_ok()
}

/// What to do about a filter that cannot be read.
pub const FILTER_REMEDY: &str = "use for example info, or connect_card=debug";

/// Whether a text is a filter. A single word that is neither a level nor a part of this program
/// would silence it, and so would a sign in the place of a part: both are taken for a slip.
#[must_use]
pub fn is_filter(text: &str) -> bool {
    let text = text.trim().replace("connect-card", "connect_card");
    let is_path = |it: &str| {
        !it.is_empty()
            && it
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-' | b'.' | b'/'))
    };
    let bare = text.is_empty() || is_path(&text);
    let known = is_level(&text) || text.starts_with("connect_card");
    let mut directives = text.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    let parts = directives.all(|it| it.split(['=', '[']).next().is_some_and(|part| is_path(part.trim())));
    (!bare || known) && parts && targets(&text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_taken_as_it_was_meant() {
        for (typed, taken) in [
            ("info", "info"),
            ("DEBUG", "DEBUG"),
            ("connect-card=debug", "connect_card=debug"),
            ("connect-card", "connect_card"),
            ("warn, connect-card::worker=debug", "warn,connect_card::worker=debug"),
            ("connect-card[a-b]=debug", "connect_card[a-b]=debug"),
            ("tower-http=debug", "tower_http=debug,connect_card=info"),
            ("sqlx=warn,hyper=off", "sqlx=warn,hyper=off,connect_card=info"),
            ("off", "off"),
            ("", "connect_card=info"),
        ] {
            assert_eq!(meant(typed), taken, "{typed}");
            assert!(typed.is_empty() || is_filter(typed), "{typed}");
        }
        for slip in [
            "verbose",
            "connect-cart",
            "info,connect_card=loud",
            "a=b=c",
            "hyper",
            "[",
            "[a]",
            "=debug",
            "*",
            "info,?",
        ] {
            assert!(!is_filter(slip), "{slip}");
        }
    }
}
