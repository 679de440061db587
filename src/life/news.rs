//! What the thread of a message is told of a link.
//!
//! Owns which news there are, and whether they are still so. Knows no sentence.

use serde::{Deserialize, Serialize};

use super::{Link, State};

/// Something that the thread of a link's message tells.
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

impl News {
    /// Whether it is still so: what has been overtaken is not told any more.
    #[must_use]
    pub fn holds(self, link: &Link) -> bool {
        match self {
            Self::Connected { .. } | Self::Fixed => link.state == State::Connected,
            Self::Expired | Self::ReminderAfter => link.state == State::Expired,
            Self::Lapsed => link.state == State::Lapsed,
            Self::Broken => link.state == State::Broken,
            Self::Gone => link.state == State::Gone,
            Self::ReminderBefore => link.state == State::Waiting,
        }
    }
}
