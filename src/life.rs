//! The life of a posted link: waiting, connected, expired, broken, cancelled.
//!
//! Owns what a look at Fivetran means for a link's message, and when to look again. Pure: must not
//! know a clock, a socket, a database or a sentence.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fivetran::model::{Connection, SetupState, Status};
// The database keeps a link's place with it, and must not know Slack.
pub use crate::slack::Place;
use crate::work::Request;

/// Share of Fivetran's hourly rate limit that watching may use: a tenth and a bit less, so that
/// the 20,000 requests of a paying account leave it at about 1,800.
const SHARE_OF_LIMIT: u64 = 11;
/// Fivetran's hourly limit where it has not said its own yet.
/// <https://fivetran.com/docs/rest-api/rate-limiting>
pub const USUAL_LIMIT: u64 = 20_000;
/// How long an unfinished link is looked at after it has expired: somebody may finish the setup
/// in Fivetran's dashboard.
const AFTER_EXPIRY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a connected one is watched for breaking.
const AFTER_CONNECTED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long before a link expires its reminder is due.
const REMINDER_BEFORE: SignedDuration = SignedDuration::from_hours(4);
/// How long after it has expired the other one is due.
const REMINDER_AFTER: SignedDuration = SignedDuration::from_hours(2);

/// Longest text of Fivetran's tasks that is kept, in characters: a message shows less.
const TASKS_LIMIT: usize = 1000;

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It works, and the customer has not finished.
    Waiting,
    /// The customer has finished.
    Connected,
    /// It does not work any more, and the customer had not finished.
    Expired,
    /// The connection was set up and needs to be fixed.
    Broken,
    /// The connection was deleted before it was finished.
    Cancelled,
    /// A newer link for the same connection stands elsewhere.
    Replaced,
}

impl State {
    /// Every state, the most urgent first: the order of a list.
    pub const ALL: [Self; 6] =
        [Self::Broken, Self::Expired, Self::Waiting, Self::Connected, Self::Cancelled, Self::Replaced];

    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connected => "connected",
            Self::Expired => "expired",
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
            Self::Replaced => "replaced",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Replaced)
    }
}

/// Which reminders were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reminded {
    /// The one before the link expires.
    pub before: bool,
    /// The one after.
    pub after: bool,
}

/// What a link was made for, if its connection had been set up before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To repair one that is broken.
    Repair,
    /// To authorise again one that works.
    Reauthorise,
}

impl Purpose {
    /// Its name in the database: the state in which the connection was.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Repair => "broken",
            Self::Reauthorise => "connected",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Repair, Self::Reauthorise].into_iter().find(|purpose| purpose.name() == name)
    }
}

/// A posted link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its reference, and the last part of the landing page's address.
    pub id: String,
    /// Its connection.
    pub connection_id: String,
    /// The workspace.
    pub team_id: String,
    /// The channel in which it was asked for.
    pub channel_id: String,
    /// Who asked.
    pub requester: String,
    /// What was asked for.
    pub request: Request,
    /// Where its message stands, if that can be edited.
    pub message: Option<Place>,
    /// How it stands.
    pub state: State,
    /// What Fivetran says of a broken one.
    pub detail: Option<String>,
    /// When it was posted or last renewed.
    pub posted_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When its state changed last.
    pub changed_at: Timestamp,
    /// Which reminders were sent.
    pub reminded: Reminded,
    /// Whether the message does not show the state yet.
    pub stale: bool,
    /// What the link was made for, if its connection had been set up before.
    pub purpose: Option<Purpose>,
}

impl Link {
    /// How it stands at `now`, where that follows from the clock: a link whose time is over does not
    /// wait any more, whether or not anybody has looked since.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> State {
        match self.state {
            State::Waiting if now >= self.expires_at => State::Expired,
            state => state,
        }
    }
}

/// What Fivetran shows of a link's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The connection.
    Setup {
        /// How far its setup is.
        state: SetupState,
        /// What Fivetran asks for, in its own words.
        tasks: Option<String>,
        /// Whether its first sync is under way.
        first_sync: bool,
    },
    /// It is gone.
    Gone,
}

impl From<&Connection> for Seen {
    fn from(connection: &Connection) -> Self {
        Self::from(&connection.status)
    }
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

/// Something that the thread of a link's message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The customer has finished.
    Connected {
        /// Whether the first sync is under way.
        first_sync: bool,
    },
    /// The link has expired unfinished.
    Expired,
    /// The connection needs to be fixed.
    Broken,
    /// It works again.
    Fixed,
    /// The connection is gone.
    Gone,
    /// It will expire soon.
    ReminderBefore,
    /// It expired a while ago.
    ReminderAfter,
}

/// Takes note of what was seen. Returns what there is to tell, if anything has changed; the
/// message has to be edited then, except for a reminder. `landed`: the customer's browser has just
/// come back.
pub fn observe(link: &mut Link, seen: &Seen, landed: bool, reminders: bool, now: Timestamp) -> Option<News> {
    let before = link.state;
    if is_what_it_was_made_for(link, seen, landed, now) {
        return if reminders { remind(link, now) } else { None };
    }
    let (state, detail, news) = match seen {
        _ if before.is_over() => return None,
        Seen::Gone => (State::Cancelled, None, News::Gone),
        Seen::Setup { state: SetupState::Connected, first_sync, .. } => {
            let news = if before == State::Broken {
                News::Fixed
            } else {
                News::Connected { first_sync: *first_sync }
            };
            (State::Connected, None, news)
        }
        Seen::Setup { state: SetupState::Broken, tasks, .. } => (State::Broken, tasks.clone(), News::Broken),
        Seen::Setup { state: SetupState::Unknown, .. } if before != State::Waiting => return None,
        // It was set up once and is not now, whatever Fivetran calls that.
        Seen::Setup { tasks, .. } if matches!(before, State::Connected | State::Broken) => {
            (State::Broken, tasks.clone(), News::Broken)
        }
        Seen::Setup { .. } if now >= link.expires_at => (State::Expired, None, News::Expired),
        // Only from waiting: a link that has expired stays so until it is renewed.
        Seen::Setup { .. } => return if reminders { remind(link, now) } else { None },
    };
    if state == before {
        link.detail = detail;
        return if reminders { remind(link, now) } else { None };
    }
    link.state = state;
    link.detail = detail;
    link.changed_at = now;
    link.purpose = None;
    Some(news)
}

/// Whether what is seen is just what the link was made to change, so that nothing has happened yet.
/// Of a connection that works and is authorised again, only its customer's return says that it was.
fn is_what_it_was_made_for(link: &Link, seen: &Seen, landed: bool, now: Timestamp) -> bool {
    let Seen::Setup { state, .. } = seen else { return false };
    if link.state != State::Waiting || now >= link.expires_at {
        return false;
    }
    match (link.purpose, state) {
        (Some(_), SetupState::Broken) => true,
        (Some(Purpose::Reauthorise), SetupState::Connected) => !landed,
        _ => false,
    }
}

/// The reminder that is due, if one is: one before the link expires, one after, never more.
fn remind(link: &mut Link, now: Timestamp) -> Option<News> {
    match link.state {
        State::Waiting if !link.reminded.before && now >= later(link.expires_at, -REMINDER_BEFORE) => {
            link.reminded.before = true;
            Some(News::ReminderBefore)
        }
        State::Expired if !link.reminded.after && now >= later(link.expires_at, REMINDER_AFTER) => {
            link.reminded.after = true;
            Some(News::ReminderAfter)
        }
        _ => None,
    }
}

/// Requests an hour that watching may use of a `limit`.
#[must_use]
pub fn share(limit: u64) -> u64 {
    (limit / SHARE_OF_LIMIT).max(1)
}

/// When to look for the first time.
#[must_use]
pub fn first_look(now: Timestamp) -> Timestamp {
    later(now, SignedDuration::from_secs(20))
}

/// When to look next; `None`: never again. `watched` is how many links are being watched in all,
/// `limit` the requests an hour that Fivetran grants: together the links never use more than their
/// share of it.
#[must_use]
pub fn next_look(
    link: &Link,
    reminders: bool,
    watched: u64,
    limit: u64,
    now: Timestamp,
) -> Option<Timestamp> {
    let age = now.duration_since(link.posted_at);
    let since = now.duration_since(link.changed_at);
    let base = match link.state {
        State::Cancelled | State::Replaced => return None,
        State::Expired if now > later(link.expires_at, AFTER_EXPIRY) => return None,
        State::Connected if since > AFTER_CONNECTED => return None,
        State::Waiting if age < SignedDuration::from_mins(10) => Duration::from_secs(20),
        State::Waiting if age < SignedDuration::from_hours(1) => Duration::from_secs(60),
        State::Waiting if age < SignedDuration::from_hours(6) => Duration::from_secs(5 * 60),
        State::Waiting => Duration::from_secs(15 * 60),
        State::Broken if since < SignedDuration::from_hours(1) => Duration::from_secs(60),
        State::Broken => Duration::from_secs(30 * 60),
        State::Expired => Duration::from_secs(6 * 60 * 60),
        State::Connected if since < SignedDuration::from_hours(24) => Duration::from_secs(60 * 60),
        State::Connected => Duration::from_secs(12 * 60 * 60),
    };
    let fair = Duration::from_millis((watched.max(1) * 3_600_000).div_ceil(share(limit)));
    let next = later(now, SignedDuration::try_from(base.max(fair)).unwrap_or(SignedDuration::MAX));
    // The moments at which something is due without Fivetran having done anything.
    let mut due = vec![];
    if link.state == State::Waiting {
        due.push(link.expires_at);
        if reminders && !link.reminded.before {
            due.push(later(link.expires_at, -REMINDER_BEFORE));
        }
    }
    if link.state == State::Expired && reminders && !link.reminded.after {
        due.push(later(link.expires_at, REMINDER_AFTER));
    }
    Some(due.into_iter().filter(|&moment| moment > now).fold(next, Timestamp::min))
}

/// Makes a link that was renewed wait again.
pub fn renewed(link: &mut Link, expires_at: Timestamp, now: Timestamp) {
    link.purpose = (link.state == State::Broken).then_some(Purpose::Repair);
    link.state = State::Waiting;
    link.stale = false;
    link.detail = None;
    link.posted_at = now;
    link.changed_at = now;
    link.expires_at = expires_at;
    link.reminded = Reminded::default();
}

fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(moment)
}
