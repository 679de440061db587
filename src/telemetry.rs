//! How the process speaks to its operator: log lines and metrics.
//!
//! Owns the log format, the filter and every metric. Knows nothing of what is logged; the rule
//! that no secret is ever a field is kept by the types that hold secrets, and, for what other
//! crates log, by the cap in [`start`].

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// The default of `RUST_LOG`.
pub const LOG_FILTER: &str = "info";

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
    let read = EnvFilter::builder().parse(meant(filter));
    let broken = read.is_err();
    let filter = read.unwrap_or_else(|_| EnvFilter::new(LOG_FILTER)).or(filter_fn(our_error));
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

fn is_level(word: &str) -> bool {
    word.parse::<LevelFilter>().is_ok()
}

/// What to do about a filter that cannot be read.
pub const FILTER_REMEDY: &str = "use for example info, or connect_card=debug";

/// Whether a text is a filter. A single word that is neither a level nor a part of this program
/// would silence it, and is taken for a slip.
#[must_use]
pub fn is_filter(text: &str) -> bool {
    let text = text.trim().replace("connect-card", "connect_card");
    let bare = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-'));
    let known = is_level(&text) || text.starts_with("connect_card");
    (!bare || known) && EnvFilter::builder().parse(meant(&text)).is_ok()
}

/// How a request to one of our routes was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A command was committed and acknowledged.
    Accepted,
    /// The acknowledgement itself was the whole answer (help, a usage error, "already on it").
    Replied,
    /// The database could not take the command in time; the person was told so.
    NotAccepted,
    /// Refused before anything was read from it: signature, size, time, shape.
    Refused,
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The link reached the channel.
    Delivered,
    /// The person was told why there is no link.
    Told,
    /// Slack could not be reached in time.
    Undeliverable,
}

/// The outside party that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// `api.fivetran.com`.
    Fivetran,
    /// Slack's Web API or a response_url.
    Slack,
}

/// One name for each value, in metrics and log lines alike; the endings' are the database's.
macro_rules! labels {
    ($label:ident: $($value:ident = $name:literal),+) => {
        impl $label {
            const ALL: &[Self] = &[$(Self::$value),+];

            /// Its name in metrics and log lines.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$value => $name),+
                }
            }
        }

        impl EncodeLabelValue for $label {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                EncodeLabelValue::encode(&self.name(), encoder)
            }
        }
    };
}

labels!(Answer: Accepted = "accepted", Replied = "replied", NotAccepted = "not_accepted", Refused = "refused");
labels!(Ending: Delivered = "delivered", Told = "told", Undeliverable = "undeliverable");
labels!(Party: Fivetran = "fivetran", Slack = "slack");

/// As it stands in the audit line.
impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Label set of the answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AnswerLabel {
    answer: Answer,
}

/// Label set of the endings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndingLabel {
    ending: Ending,
}

/// Label set of the calls that had to be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PartyLabel {
    party: Party,
}

/// Label set of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KeyLabel {
    key: &'static str,
}

/// Every number that the bot keeps about itself. Clones share the numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    answers: Family<AnswerLabel, Counter>,
    endings: Family<EndingLabel, Counter>,
    retries: Family<PartyLabel, Counter>,
    ack_seconds: Histogram,
    command_seconds: Histogram,
    lease_lost: Counter,
    key_expires: Family<KeyLabel, Gauge>,
    /// The second of the last log line about a request that was not believed.
    refusal_logged_at: Arc<AtomicI64>,
    /// Commands that this process holds and has not finished.
    pub in_hand: Gauge,
    /// Those of them that wait for their turn at Fivetran.
    pub waiting: Gauge,
    /// Commands of the database, at the last count, that nobody could be told about.
    pub undeliverable: Gauge,
    /// Seconds since the oldest unfinished command was accepted, at the last count.
    pub oldest_open_seconds: Gauge<f64, AtomicU64>,
}

/// 1 ms to 3 s, Slack's limit for an acknowledgement.
const ACK_BUCKETS: [f64; 9] = [0.001, 0.002, 0.005, 0.015, 0.05, 0.2, 0.5, 1.0, 3.0];
/// 100 ms to 30 min, the life of a response_url.
const COMMAND_BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 1800.0];

impl Default for Metrics {
    fn default() -> Self {
        let (answers, endings, retries) = (Family::default(), Family::default(), Family::default());
        // Every series is there from the start, so that the first of its events shows as a rise.
        for &answer in Answer::ALL {
            drop(answers.get_or_create(&AnswerLabel { answer }));
        }
        for ending in Ending::ALL.iter().cloned() {
            drop(endings.get_or_create(&EndingLabel { ending }));
        }
        for &party in Party::ALL {
            drop(retries.get_or_create(&PartyLabel { party }));
        }
        Self {
            answers,
            endings,
            retries,
            ack_seconds: Histogram::new(ACK_BUCKETS),
            command_seconds: Histogram::new(COMMAND_BUCKETS),
            lease_lost: Counter::default(),
            key_expires: Family::default(),
            refusal_logged_at: Arc::default(),
            in_hand: Gauge::default(),
            waiting: Gauge::default(),
            undeliverable: Gauge::default(),
            oldest_open_seconds: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Counts an answer and, where the request was genuine, the time it took.
    pub fn answered(&self, answer: Answer, seconds: f64) {
        if answer != Answer::Refused {
            self.ack_seconds.observe(seconds);
        }
        self.answers.get_or_create(&AnswerLabel { answer }).inc();
    }

    /// Whether a request that was not believed may be logged in this second, by the Unix clock:
    /// one a second, so that a stranger cannot fill a disk. All are counted.
    #[must_use]
    pub fn may_log_refusal(&self, second: i64) -> bool {
        self.refusal_logged_at.swap(second, Ordering::Relaxed) != second
    }

    /// Counts the end of a command, `seconds` after it was accepted.
    pub fn ended(&self, ending: Ending, seconds: f64) {
        self.command_seconds.observe(seconds);
        self.endings.get_or_create(&EndingLabel { ending }).inc();
    }

    /// Counts a call that will be made again.
    pub fn retried(&self, party: Party) {
        self.retries.get_or_create(&PartyLabel { party }).inc();
    }

    /// Keeps when the key in use expires, by the Unix clock. Of a key whose end nobody knows there is
    /// no series, nor of one that is not in use any more.
    pub fn key_expires(&self, key: &'static str, second: Option<i64>) {
        self.key_expires.clear();
        if let Some(second) = second {
            self.key_expires.get_or_create(&KeyLabel { key }).set(second);
        }
    }

    /// Counts a result that came after this process had lost its lease on the command.
    pub fn lease_lost(&self) {
        self.lease_lost.inc();
    }

    /// The whole of it in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut registry = Registry::with_prefix("connect_card");
        registry.register("answers", "Requests answered", self.answers.clone());
        registry.register("commands_ended", "Commands ended", self.endings.clone());
        registry.register("retries", "Calls that were repeated", self.retries.clone());
        registry.register("ack_seconds", "Time to acknowledge", self.ack_seconds.clone());
        registry.register("command_seconds", "Time from acceptance to the end", self.command_seconds.clone());
        registry.register("lease_lost", "Results dropped for a lost lease", self.lease_lost.clone());
        registry.register(
            "fivetran_key_expires_timestamp_seconds",
            "When the Fivetran key in use expires",
            self.key_expires.clone(),
        );
        registry.register("in_hand", "Commands held by this process", self.in_hand.clone());
        registry.register("waiting", "Commands that wait for their turn at Fivetran", self.waiting.clone());
        registry.register(
            "undeliverable",
            "Commands whose person could not be told",
            self.undeliverable.clone(),
        );
        registry.register(
            "oldest_open_seconds",
            "Age of the oldest unfinished command",
            self.oldest_open_seconds.clone(),
        );
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
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
        for slip in ["verbose", "connect-cart", "info,connect_card=loud", "a=b=c", "hyper"] {
            assert!(!is_filter(slip), "{slip}");
        }
    }
}
