//! What a look at Fivetran means for a connection.
//!
//! Owns when an answer is believed: that a customer has finished, at once; that a connection is gone,
//! only after two answers minutes apart, and never of many at a time.

use jiff::{SignedDuration, Timestamp};

use super::{Change, Connection, Link, News, Purpose, State, Trouble, later};
use crate::fivetran::listed::Listed;
use crate::fivetran::model::{self, SetupState, Status};

/// How many other connections may be missing while one is believed to be gone. When more are, it is
/// rather the key that sees another account, and somebody has to look.
pub const FEW: u64 = 3;
/// Shortest time between the first answer and the second question that make a connection gone.
const SURE_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// When one that is missing is asked about again.
const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(3);

/// What Fivetran shows of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is there.
    Setup {
        /// How far its setup is.
        state: SetupState,
        /// What is wrong with it, if it does not work.
        trouble: Trouble,
        /// Whether its first sync is under way.
        first_sync: bool,
    },
    /// Fivetran's own word that it is not there.
    Missing {
        /// How many others of ours it says the same of.
        others: u64,
        /// When it was asked. Its answer may have waited, and tells of no later moment.
        asked_at: Timestamp,
    },
}

impl From<&model::Connection> for Seen {
    fn from(found: &model::Connection) -> Self {
        Self::of(&found.status, found.setup_tests.as_deref())
    }
}

impl From<&Listed> for Seen {
    fn from(item: &Listed) -> Self {
        Self::of(&item.status, item.setup_tests.as_deref())
    }
}

impl Seen {
    /// What an answer shows; `tests` are those of the setup, if it has them.
    #[must_use]
    pub fn of(status: &Status, tests: Option<&[model::SetupTest]>) -> Self {
        let (state, first_sync) = (status.setup_state, status.is_historical_sync);
        Self::Setup { state, trouble: Trouble::of(status, tests), first_sync }
    }

    /// What was seen, in short: as long as it is the same, and no moment of the link's own has come,
    /// there is nothing to think about.
    #[must_use]
    pub fn digest(&self) -> String {
        match self {
            Self::Missing { .. } => "missing".to_owned(),
            Self::Setup { state: SetupState::Incomplete, .. } => "incomplete".to_owned(),
            Self::Setup { state: SetupState::Connected, .. } => "connected".to_owned(),
            // What it says is shown, so a change of it counts.
            Self::Setup { state, trouble, .. } => {
                let kind = if *state == SetupState::Broken { "broken" } else { "unknown" };
                format!("{kind} {:016x}", fingerprint(&format!("{trouble:?}")))
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
            Seen::Missing { others, asked_at } => self.missing(*others, *asked_at, reminders, now),
            Seen::Setup { state, trouble, first_sync } => {
                self.connection.missing_since = None;
                self.setup(*state, trouble, *first_sync, reminders, now);
            }
        }
        self.connection.seen = Some(digest);
    }

    fn missing(&mut self, others: u64, asked_at: Timestamp, reminders: bool, now: Timestamp) {
        let connection = &mut self.connection;
        if connection.link.state == State::Gone {
            connection.look_at = None;
            return;
        }
        let since = connection.missing_since.filter(|&since| since <= now);
        connection.missing_since = Some(since.unwrap_or(now));
        connection.look_at = Some(later(now, ASK_AGAIN));
        match since {
            Some(since) if asked_at.duration_since(since) >= SURE_AFTER && others <= FEW => {
                self.becomes(State::Gone, now);
                self.news = Some(News::Gone);
            }
            _ => self.passed(reminders, now),
        }
    }

    fn setup(
        &mut self,
        state: SetupState,
        trouble: &Trouble,
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
            SetupState::Connected if before == State::Lapsed && !link.was_used_in_time() => {
                (State::Lapsed, None)
            }
            SetupState::Connected if link.has_lapsed(now) => (State::Lapsed, Some(News::Lapsed)),
            SetupState::Connected => {
                let news = match before {
                    // Its customer was not told that anything was wrong.
                    State::Broken if !link.asks_customer() => News::Recovered,
                    State::Broken | State::Gone => News::Fixed,
                    _ => News::Connected { first_sync },
                };
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
        if after != before {
            let trouble = (after == State::Broken).then(|| trouble.clone());
            self.becomes(after, now);
            self.news = news;
            self.connection.link.purpose = None;
            self.connection.link.is_troubled_by(trouble);
        } else {
            match after {
                State::Broken => self.goes_on_broken(trouble),
                _ => self.passed(reminders, now),
            }
        }
    }

    /// What is wrong may change while it goes on, and so may whose turn it is to do something.
    fn goes_on_broken(&mut self, trouble: &Trouble) {
        let before = self.connection.link.clone();
        let link = &mut self.connection.link;
        let trouble = trouble.clone().or_as_tested(before.trouble.as_ref());
        let differs = before.trouble.as_ref().is_none_or(|known| trouble.differs_from(known));
        link.is_troubled_by(Some(trouble));
        let (asked, asks) = (before.asks_customer(), link.asks_customer());
        // What Fivetran says is part of the message that asks the customer, and of no other.
        if asked != asks || (asks && link.detail != before.detail) {
            self.show.push(link.message_id.clone());
        }
        // Whoever reads the thread reads that in the message; the person who asked is told each time.
        self.news = Some(News::Broken).filter(|_| if asks { !asked } else { differs });
    }
}

impl Link {
    fn is_troubled_by(&mut self, trouble: Option<Trouble>) {
        self.detail = trouble.as_ref().and_then(Trouble::words);
        self.trouble = trouble;
    }

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

    /// Whether its customer came back while it worked, though nobody may have been able to ask about that then.
    pub(super) fn was_used_in_time(&self) -> bool {
        self.landed_at.is_some_and(|landed| landed < self.expires_at)
    }

    /// Whether it was to authorise a connection again and its time is over, unused.
    fn has_lapsed(&self, now: Timestamp) -> bool {
        self.purpose == Some(Purpose::Reauthorise)
            && self.state_at(now) == State::Lapsed
            && self.landed_at.is_none()
    }
}
