//! How far a command has come: the part of it that is stored.

use super::Problem;

/// How far a command has come. This part is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The connection may or may not have been created.
    #[default]
    Create,
    /// The connection is there; its link has to reach the channel.
    Deliver,
    /// There will be no link; the person has to be told why.
    Tell,
    /// Over: the link was posted.
    Delivered,
    /// Over: the person was told.
    Told,
    /// Over: Slack could not be reached in time.
    Undeliverable,
}

impl Stage {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Delivered | Self::Told | Self::Undeliverable)
    }
}

/// Where a command stands; all that a process needs to go on after another one has died.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far it has come.
    pub stage: Stage,
    /// The connection's id, once known.
    pub connection: Option<String>,
    /// Whether the connection was there before this command.
    pub existed: bool,
    /// Why there will be no link.
    pub problem: Option<Problem>,
    /// Tries that failed since the stage began.
    pub tries: u32,
    /// Without a bot token: posts to the response_url that may have used up one of its five. Each
    /// is counted before it is made, so that no crash can hide one.
    pub posts: u32,
}
