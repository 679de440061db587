//! What a command sets out with, and what does not change during its life.

use jiff::Timestamp;

/// What does not change during a command's life.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Whether there is a bot token.
    pub web_api: bool,
    /// How it begins.
    pub first: First,
    /// What to do with a connection that the customer has already finished.
    pub finished: Finished,
    /// Any number that differs between commands; spreads their retries.
    pub spread: u64,
}

/// How a command begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// By creating a connection.
    Create,
    /// By looking for one that is known to have been there.
    Look,
    /// By cancelling one.
    Cancel,
}

/// What to do with a connection that has been connected before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Post nothing: a link for it must not reach a channel by a typo.
    Refuse,
    /// Make a link only if it is broken.
    Fix,
    /// Make a link by which it can be authorised again.
    Relink,
}
