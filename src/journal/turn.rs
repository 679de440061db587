//! The one driver of a command: an outcome and the time go in; what to record and what to do come
//! out, each action with everything it needs.
//!
//! Owns the order of record and action, and which journal goes on when a command is taken up. The
//! worker, `connect-card link` and the simulator all turn by this and nothing else; what a turn
//! decides is [`super`]'s.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::pause::after;
use super::{Due, Ending, Journal, LATE, Next, Notice, Outcome, Progress, Stage, Terms, Waiting, WaitsFor};
use crate::clock::Moment;
use crate::life::Purpose;

/// The fence of a command that was never taken from the store.
pub const FIRST_FENCE: i64 = 1;

/// What follows from an outcome.
#[derive(Debug)]
pub struct Turn<C> {
    /// What must be on disk before the action is taken. Without the record, drop the command:
    /// somebody else has it.
    pub record: Option<Record>,
    /// What to do then.
    pub act: Act<C>,
    /// Whether the action repeats one that failed.
    pub again: bool,
}

/// What to store of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// How it stands.
    pub progress: Progress,
    /// What becomes of its lease.
    pub then: Then,
}

/// What happens to the lease when progress is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// This process goes on.
    GoOn,
    /// Whoever is free at that time goes on.
    WaitUntil(Timestamp),
    /// Nobody: the command ended at that time.
    End(Timestamp),
}

/// What to do now; report what comes of it to [`Journal::next`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act<C> {
    /// Take a step at Fivetran.
    Provision(Step),
    /// Ask Slack who else is in the channel; then report [`Outcome::Company`], or [`Outcome::NotHere`].
    Company,
    /// Send a message to Slack.
    Deliver(Message<C>),
    /// Tell the person that the command waits, once and in a moment; then report [`Outcome::Noted`],
    /// whatever came of it.
    Note(Waiting),
    /// Nothing for so long; then report [`Outcome::Woken`].
    Rest(Duration),
    /// The same with the command in hand: whoever else took it up could not know since when it waits.
    Stay(Duration),
    /// Nothing more.
    End(Ending),
}

/// A step at Fivetran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Create the connection.
    Create,
    /// Look for the connection by its name.
    Look,
    /// Make a card for the connection.
    Mint {
        /// Its id.
        connection: String,
    },
    /// Have the connection synced.
    Sync {
        /// Its id.
        connection: String,
    },
    /// Delete the connection, if nobody has finished it.
    Cancel {
        /// Its id.
        connection: String,
    },
}

/// A message to Slack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<C> {
    /// The card's link, for the channel.
    Link {
        /// The connection's id.
        connection: String,
        /// Whether it was there before this command.
        existed: bool,
        /// What the link is for, if the connection had been set up when Fivetran was asked last.
        purpose: Option<Purpose>,
        /// The card.
        card: C,
    },
    /// What came of the command instead, for the person.
    Notice(Notice),
}

impl<C: Clone> Journal<C> {
    /// Takes note of what happened and says what to do next.
    pub fn next(&mut self, outcome: Outcome<C>, moment: Moment) -> Turn<C> {
        let now = self.hear(moment);
        let (then, act) = match self.judge(outcome, now) {
            Next::Act => (Then::GoOn, self.act()),
            Next::Note(waiting) => (Then::GoOn, Act::Note(waiting)),
            Next::Rest(pause) => {
                (Then::WaitUntil(moment.at.saturating_add(pause).unwrap_or(moment.at)), Act::Rest(pause))
            }
            Next::Stay(pause) => (Then::GoOn, Act::Stay(pause)),
            Next::End(ending) => {
                self.card = None;
                (Then::End(moment.at), Act::End(ending))
            }
        };
        let record = (then != Then::GoOn || self.progress != self.stored).then(|| {
            self.stored.clone_from(&self.progress);
            Record { progress: self.progress.clone(), then }
        });
        Turn { record, act, again: self.progress.tries > 0 }
    }

    /// Takes note that the person is being told that the command waits, while a step is under way: what
    /// must be on disk before they are, and what to tell. `doing` is what it waits for if nothing has
    /// failed. `None`: it is too late for that.
    pub fn note(&mut self, doing: WaitsFor, moment: Moment) -> Option<(Record, Waiting)> {
        let now = self.hear(moment);
        let waiting = self.noted(doing, now)?;
        self.stored.clone_from(&self.progress);
        Some((Record { progress: self.progress.clone(), then: Then::GoOn }, waiting))
    }

    /// The action that is due, with what the stage knows.
    fn act(&self) -> Act<C> {
        Act::Provision(match &self.progress.stage {
            Stage::Create if self.due == Due::Company => return Act::Company,
            Stage::Create if self.due == Due::Create => Step::Create,
            Stage::Create => Step::Look,
            Stage::Sync { connection } => Step::Sync { connection: connection.clone() },
            Stage::Cancel { connection } => Step::Cancel { connection: connection.clone() },
            Stage::Deliver { connection, existed } => {
                let connection = connection.clone();
                match (self.due, &self.card) {
                    (Due::Company, _) => return Act::Company,
                    (Due::Post, Some((card, _))) => {
                        let (existed, purpose, card) = (*existed, self.purpose, card.clone());
                        return Act::Deliver(Message::Link { connection, existed, purpose, card });
                    }
                    (Due::Look, _) => Step::Look,
                    _ => Step::Mint { connection },
                }
            }
            Stage::Tell { notice, .. } => return Act::Deliver(Message::Notice(notice.clone())),
            Stage::Over { ending, .. } => return Act::End(*ending),
        })
    }
}

impl<C> Journal<C> {
    /// How late it is by the journal's own time, which nobody sets.
    fn hear(&mut self, moment: Moment) -> Timestamp {
        let began = *self.began.get_or_insert(moment);
        let passed = moment.steady.saturating_sub(began.steady);
        let now = began.at.saturating_add(passed).unwrap_or(began.at);
        self.set_by = moment.at.duration_since(now);
        now
    }

    /// A time of the journal's by the wall clock, as that was set at the last turn.
    pub(super) fn by_wall_clock(&self, time: Timestamp) -> Timestamp {
        after(time, self.set_by)
    }
}

/// The journals of commands that this process has put down. A command that comes back with the next
/// fence has been in no other hands, so its journal still knows what was sent.
#[derive(Debug)]
pub struct Resting<C>(HashMap<String, (i64, Journal<C>, Timestamp)>);

impl<C> Default for Resting<C> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<C> Resting<C> {
    /// Puts a journal down that was carried under this fence, until then. To be done before its rest is recorded:
    /// from then on anyone may take the command, this process too.
    pub fn put_down(&mut self, id: &str, fence: i64, journal: Journal<C>, until: Timestamp) {
        self.0.insert(id.to_owned(), (fence, journal, until));
    }

    /// Takes a command up under its new fence: the journal to go on with, and its first outcome.
    pub fn take_up(
        &mut self,
        id: &str,
        fence: i64,
        terms: Terms,
        progress: Progress,
    ) -> (Journal<C>, Outcome<C>) {
        match self.0.remove(id) {
            Some((rested, journal, _)) if rested + 1 == fence => (journal, Outcome::Woken),
            _ if fence == FIRST_FENCE => (Journal::new(terms, progress), Outcome::Accepted),
            _ => (Journal::new(terms, progress), Outcome::TakenOver),
        }
    }

    /// How many of them are to rest until after a moment. One whose rest was over long before has been taken
    /// by somebody else.
    #[must_use]
    pub fn until_after(&self, moment: Timestamp) -> usize {
        self.0.values().filter(|(.., until)| *until > moment).count()
    }

    /// Forgets a command that somebody else has taken.
    pub fn forget(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// Forgets the commands whose time is over, which another process has ended. Not at once: they are due then.
    pub fn forget_old(&mut self, now: Timestamp) {
        self.0.retain(|_, (_, journal, _)| after(journal.deadline(), LATE) > now);
    }
}
