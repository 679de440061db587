//! `/connect-card doctor`: whether the bot is well, at one glance.
//!
//! Owns what is looked at and from when on something is amiss. Pure: whoever looks hands in what was
//! found; the words are [`crate::reply::doctor`]'s.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::command::Verb;
use crate::command::naming::Schema;

/// Its line in help.
pub const VERB: Verb =
    Verb { usage: "doctor", does: "checks, for you alone, whether the bot is well", example: "doctor" };

/// How long a command is open, or a message untrue, before that is amiss. Both take seconds where Fivetran
/// and Slack answer.
pub const LONG: SignedDuration = SignedDuration::from_secs(120);
/// How long ago a destination may have been listed: longer than any rest between two lists that only
/// saves calls.
pub const UNLISTED: SignedDuration = SignedDuration::from_mins(15);
/// How far the clock may be off, in seconds: Slack's signatures fail from 300 on.
pub const SKEW_LIMIT_S: f64 = 60.0;
/// How long before its end a key is spoken of, as in the log.
pub const NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The part of an hour's calls below which the account runs short. Lists and looks take up to half and a
/// tenth of them, and of a trial account's 500 a burst more: what they leave is more than this.
pub const FEW_CALLS: f64 = 0.1;

/// All that was found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// When.
    pub now: Timestamp,
    /// What runs.
    pub version: &'static str,
    /// Since when.
    pub started_at: Timestamp,
    /// Whether the database takes writes in time.
    pub takes_writes: bool,
    /// What it holds; `None`: that could not be read, or not in time.
    pub database: Option<Backlog>,
    /// The last list of the channel's destination; `None`: there is none, or that could not be read.
    pub listed: Option<Listed>,
    /// By how many seconds the clock is ahead of Slack's, if Slack has told its time.
    pub skew_s: Option<f64>,
    /// The token.
    pub slack: Slack,
    /// Whether the bot is in this channel.
    pub presence: Presence,
    /// Whether requests, which have signatures, reach the bot.
    pub by_http: bool,
    /// How many sockets hear, of how many; without Socket Mode none are wanted.
    pub sockets: Option<(usize, usize)>,
    /// Fivetran.
    pub fivetran: Fivetran,
    /// The variable that the key in use comes from, and when it expires, as far as is known.
    pub key: (&'static str, Option<Timestamp>),
    /// How many calls Fivetran last said are left in this hour, and of how many.
    pub calls: Option<(u32, Option<u64>)>,
    /// What is configured for this channel.
    pub channel: Configured,
}

/// What is still to be done.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// Commands that are open.
    pub open: i64,
    /// Since when the oldest of them is.
    pub oldest: Option<Timestamp>,
    /// Messages that do not show what they should.
    pub behind: i64,
    /// Since when one of them does not.
    pub behind_since: Option<Timestamp>,
    /// Commands of the last day whose person could not be told what came of them.
    pub undeliverable: i64,
    /// Since when the oldest line for the audit channel waits.
    pub line_since: Option<Timestamp>,
}

/// When a destination was listed last.
#[derive(Clone, Copy, Debug)]
pub enum Listed {
    /// Nothing in it is watched.
    NotWatched,
    /// It is yet to be listed for the first time, perhaps known since when.
    NotYet(Option<Timestamp>),
    /// Then.
    At(Timestamp),
}

/// What Slack says to the bot's token.
#[derive(Clone, Debug)]
pub enum Slack {
    /// There is none.
    NoToken,
    /// It takes it; what is missing of its scopes, if it says which there are.
    Works(Option<Vec<Missing>>),
    /// It says no, in this word.
    Refuses(String),
    /// It asks for a pause.
    Pauses,
    /// It cannot be reached.
    Unreachable,
    /// There was no clear answer in time.
    Silent,
}

/// What follows from a scope that was not granted, and what to do.
#[derive(Clone, Debug)]
pub struct Missing {
    /// That, without a capital and a full stop.
    pub sentence: &'static str,
    /// Whether something does not work for it, or works for fewer people.
    pub is_needed: bool,
}

/// Whether the bot is in a channel, by what came of posting there last.
#[derive(Clone, Copy, Debug)]
pub enum Presence {
    /// It could post as itself.
    In(Timestamp),
    /// It could not.
    Out(Timestamp),
    /// It has not tried since it was started, and shows no link there.
    Unknown,
    /// Nobody needs to invite it here, or it has no token to be invited with.
    DoesNotMatter,
}

/// What Fivetran says.
#[derive(Clone, Debug)]
pub enum Fivetran {
    /// It takes the key, and calls the channel's destination so; `None` where there is no such one.
    Works(Option<String>),
    /// It rejects the key.
    KeyRejected,
    /// The key may not read the destination.
    Forbidden,
    /// It has no such destination.
    NoDestination,
    /// It asks for a pause, perhaps for how long.
    Pauses(Option<Duration>),
    /// It cannot be reached.
    Unreachable,
    /// There was no clear answer in time.
    Silent,
}

/// What is configured for a channel.
#[derive(Clone, Debug)]
pub struct Configured {
    /// The name of its destination, if that has one.
    pub destination: Option<String>,
    /// What its schemas are called where none is typed.
    pub schema: Option<Schema>,
    /// The services that may be asked for; 0: all.
    pub services: usize,
    /// People and groups that may use the bot; both 0: every member.
    pub who: (usize, usize),
    /// Channels in which it may be used; 0: all.
    pub channels: usize,
}

impl Findings {
    /// How long ago something was.
    #[must_use]
    pub fn since(&self, moment: Timestamp) -> SignedDuration {
        self.now.duration_since(moment).max(SignedDuration::ZERO)
    }

    /// Whether something has lasted for too long.
    #[must_use]
    pub fn is_long(&self, since: Option<Timestamp>) -> bool {
        since.is_some_and(|since| self.since(since) > LONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bundle::NO_BUNDLES;
    use crate::command::places::{Destinations, NO_DEFAULTS};
    use crate::command::surface::Surface;
    use crate::command::{Command, Doubt, UsageError, Vocabulary, parse};
    use crate::fivetran::catalog::Catalog;

    #[test]
    fn it_is_understood_and_is_nobodys_schema_unless_it_is_quoted() {
        let catalog = Catalog::built_in();
        let destinations =
            Destinations { default_group: Some("group".to_owned()), ..Destinations::default() };
        let slash = Surface::of("/connect-card");
        let vocabulary = Vocabulary {
            slash,
            catalog: &catalog,
            destinations: &destinations,
            channel: &NO_DEFAULTS,
            bundles: &NO_BUNDLES,
        };
        let read = |typed| parse(typed, &vocabulary);
        for typed in ["doctor", " Doctor ", "DOCTOR please"] {
            assert_eq!(read(typed), Ok(Command::Doctor), "{typed}");
        }
        for typed in ["docter", "health", "ping", "diagnose"] {
            let slip = read(typed);
            assert!(matches!(&slip, Err(UsageError::MisspeltVerb { verb, .. }) if *verb == VERB), "{slip:?}");
        }
        let schema = read("google_ads doctor");
        assert!(matches!(&schema, Err(UsageError::Doubtful { what: Doubt::Verb, .. })), "{schema:?}");
        assert!(matches!(read("google_ads \"doctor\""), Ok(Command::Connect(_))));
    }

    #[test]
    fn what_lasts_is_amiss_and_a_clock_that_was_set_back_makes_nothing_old() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let findings = |now| Findings {
            now: at(now),
            version: "1.2.3",
            started_at: at(0),
            takes_writes: true,
            database: None,
            listed: None,
            skew_s: None,
            slack: Slack::NoToken,
            presence: Presence::Unknown,
            by_http: true,
            sockets: None,
            fivetran: Fivetran::Silent,
            key: ("FIVETRAN_API_KEY", None),
            calls: None,
            channel: Configured { destination: None, schema: None, services: 0, who: (0, 0), channels: 0 },
        };
        assert!(!findings(1120).is_long(Some(at(1000))) && findings(1121).is_long(Some(at(1000))));
        assert!(!findings(1121).is_long(None));
        assert_eq!(findings(900).since(at(1000)), SignedDuration::ZERO);
    }
}
