//! The life of a connection: which link of it stands where, and how that stands.
//!
//! Owns every rule about a link: where it may be posted, what a look at Fivetran means for it, when to
//! look again, and when its message has to be edited. Pure: must not know a clock, a socket, a
//! database or a sentence.
//!
//! The rule behind the rules: a link may work for whoever sees it, so at most one is on show for each
//! connection, and a connection stays in the channel that it belongs to. Whatever has been sent to
//! Slack without an answer may be there, and nothing that one odd answer says is for good.

mod adopt;
mod intend;
mod join;
mod news;
mod order;
mod seen;
mod trouble;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

// The database keeps a link's place with it, and must not know Slack.
pub use crate::slack::Place;
use crate::work::{Key, Request};
pub use adopt::{Foundling, adopt, let_go};
pub use intend::{Ask, At, Intention, Post, Refusal, intend};
pub use join::{Onboarding, join, offer};
pub use news::News;
pub use order::{InShort, Rank};
pub use seen::{FEW, Seen};
pub use trouble::Trouble;

/// How long an unfinished link is looked at after it has expired: somebody may finish the setup
/// in Fivetran's dashboard.
const AFTER_EXPIRY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a connected one is watched for breaking.
const AFTER_CONNECTED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long one that is gone is watched for coming back: Fivetran may have been wrong.
const AFTER_GONE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a broken one is watched for being fixed: it is what its message asks for.
const AFTER_BROKEN: SignedDuration = SignedDuration::from_hours(365 * 24);
/// How long before a link expires its reminder is due.
const REMINDER_BEFORE: SignedDuration = SignedDuration::from_hours(4);
/// How long after it has expired the other one is due.
const REMINDER_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// For how long after a customer's return Fivetran is asked again and again: it may need a moment
/// to notice what the customer has done.
pub const LANDING_WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// Pauses between the looks after a landing, in seconds; the last one repeats.
const QUICK_LOOKS: [i64; 6] = [1, 2, 4, 8, 15, 30];

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is none: the only post of it was refused, or it was let go.
    Unposted,
    /// It works, and the customer has not finished.
    Waiting,
    /// The customer has finished.
    Connected,
    /// It does not work any more, and the customer had not finished.
    Expired,
    /// It was to authorise a connection again, and nobody used it: the connection works as before.
    Lapsed,
    /// The connection was set up and needs to be fixed.
    Broken,
    /// The connection was deleted at somebody's command.
    Cancelled,
    /// Fivetran says that there is no such connection any more.
    Gone,
    /// The link was taken back for a newer one.
    Replaced,
}

impl State {
    /// Every state, the most urgent first: the order of a list.
    pub const ALL: [Self; 9] = [
        Self::Broken,
        Self::Expired,
        Self::Waiting,
        Self::Connected,
        Self::Lapsed,
        Self::Gone,
        Self::Cancelled,
        Self::Replaced,
        Self::Unposted,
    ];

    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unposted => "unposted",
            Self::Waiting => "waiting",
            Self::Connected => "connected",
            Self::Expired => "expired",
            Self::Lapsed => "lapsed",
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
            Self::Gone => "gone",
            Self::Replaced => "replaced",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Where it stands in a list, from 0, the most urgent.
    #[must_use]
    pub fn urgency(self) -> usize {
        Self::ALL.iter().position(|&other| other == self).unwrap_or(Self::ALL.len())
    }

    /// Whether its customer has something left to do, so that a return may mean that it is done.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Broken | Self::Expired | Self::Lapsed)
    }

    /// Whether there is no link any more that anything could happen to.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Unposted | Self::Cancelled | Self::Gone | Self::Replaced)
    }
}

/// Which reminders were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminded {
    /// The one before the link expires.
    pub before: bool,
    /// The one after.
    pub after: bool,
}

/// What a link was made for, if its connection had been set up before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// A connection's link: the newest one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its reference, and the last part of the landing page's address: that of the command which
    /// posted it first.
    pub id: String,
    /// Its connection at Fivetran.
    pub connection_id: String,
    /// The workspace.
    pub team_id: String,
    /// The channel that the connection belongs to: the one in which the link was asked for.
    pub channel_id: String,
    /// Who asked; nobody of what was found broken at Fivetran and nobody has asked for since.
    pub requester: Option<String>,
    /// What was asked for.
    pub request: Request,
    /// The message that shows it, by its id in the database.
    pub message_id: String,
    /// Where that message stands, if it can be edited.
    #[serde(skip)]
    pub message: Option<Place>,
    /// How it stands.
    pub state: State,
    /// What Fivetran says of a broken one, for its message.
    pub detail: Option<String>,
    /// What is wrong with a broken one; `None` if that was never looked at.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// When it was posted or last renewed.
    pub posted_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When its state changed last.
    pub changed_at: Timestamp,
    /// Which reminders were sent.
    pub reminded: Reminded,
    /// What the link was made for, if its connection had been set up before.
    pub purpose: Option<Purpose>,
    /// When its customer's browser came back last.
    pub landed_at: Option<Timestamp>,
    /// The onboarding whose message it is part of, by its reference. No link stands there: each is shown
    /// to whoever asks for it, alone, and `expires_at` is until when anybody is expected to.
    #[serde(default)]
    pub onboarding: Option<String>,
}

impl Link {
    /// Until when the lists of its group are searched for its connection; `None`: not at all.
    #[must_use]
    pub fn watch_until(&self) -> Option<Timestamp> {
        match self.state {
            State::Unposted | State::Cancelled | State::Replaced => None,
            State::Waiting | State::Expired => Some(later(self.expires_at, AFTER_EXPIRY)),
            State::Connected | State::Lapsed => Some(later(self.changed_at, AFTER_CONNECTED)),
            State::Broken => Some(later(self.changed_at, AFTER_BROKEN)),
            State::Gone => Some(later(self.changed_at, AFTER_GONE)),
        }
    }

    /// Whether it is to authorise a connection again that works all the while.
    #[must_use]
    pub fn is_only_to_reauthorise(&self) -> bool {
        self.state == State::Waiting && self.purpose == Some(Purpose::Reauthorise)
    }

    /// Whether a broken one asks its customer to do something. One of which no more is known than that
    /// it was broken asks as it always has, until the next look.
    #[must_use]
    pub fn asks_customer(&self) -> bool {
        self.state == State::Broken && self.trouble.as_ref().is_none_or(Trouble::asks_customer)
    }

    /// Whether its customer has come back so recently that Fivetran may yet confirm it.
    #[must_use]
    pub fn may_be_confirmed(&self, now: Timestamp) -> bool {
        self.landed_at.is_some_and(|landed| {
            let since = now.duration_since(landed);
            !since.is_negative() && since < LANDING_WINDOW
        })
    }
}

/// A link that is on its way to Slack, or of which it is not known whether it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The command that posts it.
    pub command: String,
    /// Whether an earlier post of it may have arrived.
    pub unclear: bool,
    /// Whether it is put into a message that is there already.
    pub in_place: bool,
    /// The link before it, to go back to if the post was surely refused; `None`: there was none.
    pub before: Option<Box<Link>>,
}

/// A connection, as far as the bot has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What names it; unique at Fivetran.
    pub key: Key,
    /// Its newest link. While that is being posted, already the one that is posted: whoever sees it
    /// may ask about it at once.
    pub link: Link,
    /// How many links there were; what was begun for one is nothing to the next.
    pub generation: i64,
    /// The post that is not settled yet.
    pub posting: Option<Posting>,
    /// When to look at this one connection alone.
    pub look_at: Option<Timestamp>,
    /// Looks since the customer's browser came back.
    pub looks: u32,
    /// Since when Fivetran says that it is not there.
    pub missing_since: Option<Timestamp>,
    /// What was seen last, in short; what looks the same needs no second thought.
    pub seen: Option<String>,
}

/// Something that happens to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The post that was intended has arrived.
    Posted,
    /// It surely has not.
    NotPosted,
    /// Nobody tries any more, and it may have.
    MaybePosted,
    /// The customer's browser has come back: a hint, which Fivetran has to confirm.
    Landed,
    /// Somebody wants to know.
    Asked,
    /// What Fivetran says, of this one connection or in a list.
    Seen(Seen),
    /// Fivetran was asked about this one connection and did not answer.
    NotSeen,
    /// Time has passed, and Fivetran can't or mustn't be asked.
    Passed,
    /// The connection of this id was deleted at somebody's command.
    Cancelled(String),
    /// The message was put back to what it showed before the link that works.
    Hidden,
}

/// What became of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The connection from now on.
    pub connection: Connection,
    /// The messages that have to be edited, by their ids.
    pub show: Vec<String>,
    /// What the thread of the link's message is told.
    pub news: Option<News>,
}

/// What becomes of a connection to which something happens. `reminders`: whether its channel wants
/// them.
#[must_use]
pub fn next(connection: &Connection, event: Event, reminders: bool, now: Timestamp) -> Change {
    let mut change = Change { connection: connection.clone(), show: Vec::new(), news: None };
    match event {
        Event::Posted => change.connection.posting = None,
        Event::NotPosted => change.not_posted(now),
        Event::MaybePosted => change.maybe_posted(now),
        Event::Landed => change.connection.landed(now),
        Event::Asked => change.connection.look_soon(now),
        Event::Seen(seen) => change.seen(&seen, reminders, now),
        Event::NotSeen => {
            change.connection.look_again(now);
            change.connection.ask_again_if_missing(now);
        }
        Event::Passed => change.passed(reminders, now),
        Event::Cancelled(id) => change.cancelled(&id, now),
        Event::Hidden => change.hide(now),
    }
    change
}

impl Change {
    /// The link that stood before stands again.
    fn not_posted(&mut self, now: Timestamp) {
        match self.connection.posting.take() {
            // An earlier try may be there all the same, which whoever tries next has to know: what has
            // failed in between says nothing of it.
            Some(posting) if posting.unclear => {
                if posting.in_place {
                    self.hide(now);
                }
                self.connection.posting = Some(posting);
            }
            Some(Posting { before: Some(before), .. }) => {
                // Fivetran gives a name again only when whatever had it is gone.
                let made_way = before.connection_id != self.connection.link.connection_id;
                self.connection.link = *before;
                if made_way {
                    self.becomes(State::Gone, now);
                } else {
                    self.show.push(self.connection.link.message_id.clone());
                }
                // What was seen meanwhile was judged for the other link.
                self.connection.seen = None;
            }
            Some(Posting { before: None, .. }) => self.connection.link.state = State::Unposted,
            None => {}
        }
    }

    fn maybe_posted(&mut self, now: Timestamp) {
        // A message of its own can only be waited for; one that is there can be put right.
        if self.connection.posting.take().is_some_and(|posting| posting.in_place) {
            self.hide(now);
        }
    }

    /// What bears the name by now may be another one, with a link that works.
    fn cancelled(&mut self, id: &str, now: Timestamp) {
        if self.connection.link.connection_id == id {
            self.connection.posting = None;
            self.becomes(State::Cancelled, now);
        }
    }

    /// A link that nobody can see any more has no use: its message offers another one.
    fn hide(&mut self, now: Timestamp) {
        let link = &mut self.connection.link;
        if link.state == State::Waiting {
            link.expires_at = link.expires_at.min(now);
            let state = link.state_at(now);
            self.ends_unused(state, now);
        }
    }

    fn ends_unused(&mut self, state: State, now: Timestamp) {
        self.becomes(state, now);
        // What a look said of a link that waited may mean something else now.
        self.connection.seen = None;
    }

    fn becomes(&mut self, state: State, now: Timestamp) {
        let link = &mut self.connection.link;
        link.state = state;
        link.changed_at = now;
        link.detail = None;
        link.trouble = None;
        self.show.push(link.message_id.clone());
        if !state.is_open() {
            self.connection.look_at = None;
            self.connection.missing_since = None;
        }
    }

    /// What follows from the clock alone.
    fn passed(&mut self, reminders: bool, now: Timestamp) {
        let link = &self.connection.link;
        let state = link.state_at(now);
        if state != link.state {
            let news = if state == State::Lapsed { News::Lapsed } else { News::Expired };
            // Where no link stands, none has expired: its line still offers one.
            self.news = link.onboarding.is_none().then_some(news);
            self.ends_unused(state, now);
        } else if reminders && link.onboarding.is_none() {
            self.news = self.connection.link.remind(now);
        }
    }
}

impl Connection {
    fn landed(&mut self, now: Timestamp) {
        // Whoever loads the page again does not begin the looks anew: what they cost is shared.
        let again = self.link.may_be_confirmed(now);
        if !again {
            // Whoever came back in time has done so, however often they come back later.
            let in_time = self.link.state == State::Lapsed && self.link.was_used_in_time();
            self.link.landed_at = self.link.landed_at.filter(|_| in_time).or(Some(now));
            self.looks = 0;
            // If no look is answered, the next list tells.
            self.seen = None;
        }
        let next = later(now, SignedDuration::from_secs(QUICK_LOOKS[0]));
        self.look_at = Some(self.look_at.filter(|_| again).map_or(next, |at| at.min(next)));
    }

    /// One look, now, at what is still watched.
    fn look_soon(&mut self, now: Timestamp) {
        if self.link.watch_until().is_some_and(|until| until > now) {
            self.look_at = Some(self.look_at.map_or(now, |at| at.min(now)));
        }
    }

    /// Plans the look after one that has just been made.
    fn look_again(&mut self, now: Timestamp) {
        let pause = QUICK_LOOKS.get(self.looks as usize).or(QUICK_LOOKS.last()).copied();
        let quick = self.link.may_be_confirmed(now) && self.link.state.is_open();
        self.looks = self.looks.saturating_add(1);
        self.look_at = pause.filter(|_| quick).map(|pause| later(now, SignedDuration::from_secs(pause)));
    }

    /// The next moment at which something is due without Fivetran having done anything.
    #[must_use]
    pub fn tick_at(&self, reminders: bool) -> Option<Timestamp> {
        let Link { state, expires_at, reminded, .. } = self.link;
        let reminders = reminders && self.link.onboarding.is_none();
        match state {
            State::Waiting if reminders && !reminded.before => {
                Some(later(expires_at, -REMINDER_BEFORE).min(expires_at))
            }
            State::Waiting => Some(expires_at),
            State::Expired if reminders && !reminded.after => Some(later(expires_at, REMINDER_AFTER)),
            _ => None,
        }
    }
}

impl Link {
    /// The reminder that is due, if one is: one before the link expires, one after, never more.
    fn remind(&mut self, now: Timestamp) -> Option<News> {
        match self.state {
            State::Waiting if !self.reminded.before && now >= later(self.expires_at, -REMINDER_BEFORE) => {
                self.reminded.before = true;
                Some(News::ReminderBefore)
            }
            State::Expired if !self.reminded.after && now >= later(self.expires_at, REMINDER_AFTER) => {
                self.reminded.after = true;
                Some(News::ReminderAfter)
            }
            _ => None,
        }
    }
}

fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(moment)
}

#[cfg(test)]
mod tests;
