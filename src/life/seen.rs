//! What a look at Fivetran means for a connection.
//!
//! Owns when an answer is believed: that a customer has finished, at once; that a connection is gone,
//! only after two answers minutes apart, and never of many at a time.

use jiff::{SignedDuration, Timestamp};

use super::{Change, Connection, Link, News, Purpose, State, later};
use crate::fivetran::model::{SetupState, Status};

/// How many other connections may be missing while one is believed to be gone. When more are, it is
/// rather the key that sees another account, and somebody has to look.
pub const FEW: u64 = 3;
/// Shortest time between the two answers that make a connection gone.
const SURE_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// When one that is missing is asked about again.
const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(3);
/// Longest text of Fivetran's tasks that is kept, in characters: a message shows less.
const TASKS_LIMIT: usize = 1000;

/// What Fivetran shows of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is there.
    Setup {
        /// How far its setup is.
        state: SetupState,
        /// What Fivetran asks for, in its own words.
        tasks: Option<String>,
        /// Whether its first sync is under way.
        first_sync: bool,
    },
    /// Fivetran's own word that it is not there.
    Missing {
        /// How many others of ours it says the same of.
        others: u64,
    },
}

impl From<&Status> for Seen {
    fn from(status: &Status) -> Self {
        let tasks: Vec<_> = status.tasks.iter().map(|task| task.message.as_str()).collect();
        // Kept in the database and shown: no control characters, and no more than can be read.
        let tasks: String = tasks.join("; ").chars().filter(|c| !c.is_control()).take(TASKS_LIMIT).collect();
        Self::Setup {
            state: status.setup_state,
            tasks: (!tasks.is_empty()).then_some(tasks),
            first_sync: status.is_historical_sync,
        }
    }
}

impl Seen {
    /// What was seen, in short: as long as it is the same, and no moment of the link's own has come,
    /// there is nothing to think about.
    #[must_use]
    pub fn digest(&self) -> String {
        match self {
            Self::Missing { .. } => "missing".to_owned(),
            Self::Setup { state: SetupState::Incomplete, .. } => "incomplete".to_owned(),
            Self::Setup { state: SetupState::Connected, .. } => "connected".to_owned(),
            // What it says is shown, so a change of it counts.
            Self::Setup { state, tasks, .. } => {
                let kind = if *state == SetupState::Broken { "broken" } else { "unknown" };
                format!("{kind} {:016x}", fingerprint(tasks.as_deref().unwrap_or_default()))
            }
        }
    }
}

/// A number that differs between texts (FNV-1a).
fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Connection {
    /// An absence is still to be confirmed, whatever came of a look.
    pub(super) fn ask_again_if_missing(&mut self, now: Timestamp) {
        if self.missing_since.is_some() && !self.link.state.is_over() {
            let next = later(now, ASK_AGAIN);
            self.look_at = Some(self.look_at.map_or(next, |at| at.min(next)));
        }
    }
}

impl Change {
    /// Takes note of what was seen.
    pub(super) fn seen(&mut self, seen: &Seen, reminders: bool, now: Timestamp) {
        self.connection.look_again(now);
        if matches!(self.connection.link.state, State::Unposted | State::Cancelled | State::Replaced) {
            self.connection.look_at = None;
            return;
        }
        let digest = seen.digest();
        match seen {
            Seen::Missing { others } => self.missing(*others, reminders, now),
            Seen::Setup { state, tasks, first_sync } => {
                self.connection.missing_since = None;
                self.setup(*state, tasks.as_deref(), *first_sync, reminders, now);
            }
        }
        self.connection.seen = Some(digest);
    }

    fn missing(&mut self, others: u64, reminders: bool, now: Timestamp) {
        let connection = &mut self.connection;
        if connection.link.state == State::Gone {
            connection.look_at = None;
            return;
        }
        let since = connection.missing_since.filter(|&since| since <= now);
        connection.missing_since = Some(since.unwrap_or(now));
        connection.look_at = Some(later(now, ASK_AGAIN));
        match since {
            Some(since) if now.duration_since(since) >= SURE_AFTER && others <= FEW => {
                self.becomes(State::Gone, now);
                self.news = Some(News::Gone);
            }
            _ => self.passed(reminders, now),
        }
    }

    fn setup(
        &mut self,
        state: SetupState,
        tasks: Option<&str>,
        first_sync: bool,
        reminders: bool,
        now: Timestamp,
    ) {
        if self.connection.link.purpose == Some(Purpose::Reauthorise) {
            // Unless it works, there is nothing to go back to when nobody uses the link.
            self.connection.link.purpose = match state {
                SetupState::Incomplete => None,
                SetupState::Broken => Some(Purpose::Repair),
                SetupState::Connected | SetupState::Unknown => Some(Purpose::Reauthorise),
            };
        }
        let link = &self.connection.link;
        let before = link.state;
        if link.is_what_it_was_made_for(state, now) {
            return self.passed(reminders, now);
        }
        let (after, news) = match state {
            SetupState::Connected if before == State::Lapsed => (State::Lapsed, None),
            SetupState::Connected if link.has_lapsed(now) => (State::Lapsed, Some(News::Lapsed)),
            SetupState::Connected => {
                let fixed = matches!(before, State::Broken | State::Gone);
                let news = if fixed { News::Fixed } else { News::Connected { first_sync } };
                (State::Connected, Some(news))
            }
            SetupState::Broken => (State::Broken, Some(News::Broken)),
            SetupState::Unknown if !matches!(before, State::Waiting | State::Expired) => return,
            // It was set up once and is not now, whatever Fivetran calls that.
            _ if matches!(before, State::Connected | State::Lapsed | State::Broken) => {
                (State::Broken, Some(News::Broken))
            }
            // It is back; the link that its message showed is not.
            _ if before == State::Gone => {
                let link = &mut self.connection.link;
                link.expires_at = link.expires_at.min(now);
                (State::Expired, None)
            }
            // Only from waiting: a link that has expired stays so until it is renewed.
            _ => return self.passed(reminders, now),
        };
        let detail = tasks.filter(|_| after == State::Broken).map(str::to_owned);
        if after != before {
            self.becomes(after, now);
            self.news = news;
            self.connection.link.purpose = None;
        } else if self.connection.link.detail != detail {
            // What Fivetran asks for is part of the message.
            self.show.push(self.connection.link.message_id.clone());
        }
        self.connection.link.detail = detail;
        if after == before {
            self.passed(reminders, now);
        }
    }
}

impl Link {
    /// Whether what is seen is just what the link was made to change, so that nothing has happened
    /// yet. Of a connection that works and is authorised again, only its customer's return says that
    /// it was.
    fn is_what_it_was_made_for(&self, seen: SetupState, now: Timestamp) -> bool {
        if self.state != State::Waiting || now >= self.expires_at {
            return false;
        }
        match (self.purpose, seen) {
            (Some(_), SetupState::Broken) => true,
            (Some(Purpose::Reauthorise), SetupState::Connected) => self.landed_at.is_none(),
            _ => false,
        }
    }

    /// Whether it was to authorise a connection again and its time is over, unused.
    fn has_lapsed(&self, now: Timestamp) -> bool {
        self.purpose == Some(Purpose::Reauthorise)
            && self.state_at(now) == State::Lapsed
            && self.landed_at.is_none()
    }
}
