//! Where a link stands in a list.
//!
//! Owns the one order of links: the most urgent first, and of those the one whose time is over first. Several
//! that were asked for together have one time, so names decide then, and a list reads the same each time.

use jiff::Timestamp;

use super::{Link, Purpose, State};
use crate::work::Key;

/// A link, as far as its place in a list hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InShort {
    /// What names its connection.
    pub key: Key,
    /// The onboarding whose message it is part of, by its reference.
    pub onboarding: Option<String>,
    /// How it stood when somebody looked last.
    pub state: State,
    /// What it was made for, if its connection had been set up before.
    pub purpose: Option<Purpose>,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// A place in a list: the urgency, when the link stops working, the connection's name, its group.
pub type Rank = (usize, Timestamp, String, String);

impl InShort {
    /// Its place at `now`: one that has expired since it was looked at is more urgent than it was.
    #[must_use]
    pub fn rank(&self, now: Timestamp) -> Rank {
        let state = self.state.at(self.purpose, self.expires_at, now);
        (state.urgency(), self.expires_at, self.key.name.clone(), self.key.group_id.clone())
    }
}

impl Link {
    /// Its place in the state that it has.
    #[must_use]
    pub fn rank(&self) -> Rank {
        let Self { state, expires_at, request, .. } = self;
        (state.urgency(), *expires_at, request.target.connection_name(), request.group_id.clone())
    }

    /// How it stands at `now`, where that follows from the clock: a link whose time is over does not
    /// wait any more, whether or not anybody has looked since.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> State {
        self.state.at(self.purpose, self.expires_at, now)
    }

    /// The link in its state of `now`.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        Self { state: self.state_at(now), ..self }
    }
}

impl State {
    fn at(self, purpose: Option<Purpose>, expires_at: Timestamp, now: Timestamp) -> Self {
        match self {
            Self::Waiting if now >= expires_at => match purpose {
                Some(Purpose::Reauthorise) => Self::Lapsed,
                _ => Self::Expired,
            },
            state => state,
        }
    }
}
