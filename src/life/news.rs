//! What is told when something has become of a link: to the thread of its message, or to the person who
//! asked for it alone.
//!
//! Owns which news there are, whom they are for, and whether they are still so. Knows no sentence.

use serde::{Deserialize, Serialize};

use super::{Link, State};

/// Something that is told of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// The customer has finished.
    Connected {
        /// Whether the first sync is under way.
        first_sync: bool,
    },
    /// The link has expired unfinished.
    Expired,
    /// The link by which a connection could be authorised again has expired unused.
    Lapsed,
    /// The connection does not work, or another reason for that is known.
    Broken,
    /// It works again.
    Fixed,
    /// It works again, and its customer never had to do anything about it.
    Recovered,
    /// The connection is gone.
    Gone,
    /// It will expire soon.
    ReminderBefore,
    /// It expired a while ago.
    ReminderAfter,
    /// It is one more source in a message that stood before.
    Added,
}

impl News {
    /// Whether it is still so: what has been overtaken is not told any more.
    #[must_use]
    pub fn holds(self, link: &Link) -> bool {
        match self {
            Self::Connected { .. } | Self::Fixed | Self::Recovered => link.state == State::Connected,
            Self::Expired | Self::ReminderAfter => link.state == State::Expired,
            Self::Lapsed => link.state == State::Lapsed,
            Self::Broken => link.state == State::Broken,
            Self::Gone => link.state == State::Gone,
            Self::ReminderBefore => link.state == State::Waiting,
            Self::Added => link.state == State::Waiting && link.onboarding.is_some(),
        }
    }

    /// Whether it is for the person who asked for the link alone. The thread is read by the customer,
    /// who can do nothing about a trouble that no sign-in ends.
    #[must_use]
    pub fn is_private(self, link: &Link) -> bool {
        match self {
            Self::Recovered => true,
            Self::Broken => !link.asks_customer(),
            _ => false,
        }
    }

    /// Whether it is told to that person at least where no message can tell it to all: nobody else would
    /// ask the customer.
    #[must_use]
    pub fn needs_no_place(self, link: &Link) -> bool {
        self == Self::Broken || self.is_private(link)
    }

    /// As it is kept: a name that the release before knows, and whether it is private all the same.
    #[must_use]
    pub fn kept(self) -> (Self, bool) {
        match self {
            Self::Recovered => (Self::Fixed, true),
            news => (news, false),
        }
    }

    /// From how it is kept.
    #[must_use]
    pub fn of_kept(news: Self, private: bool) -> Self {
        match (news, private) {
            (Self::Fixed, true) => Self::Recovered,
            (news, _) => news,
        }
    }
}
