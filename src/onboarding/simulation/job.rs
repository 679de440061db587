//! A command in hand, as those see it who work on it, and Slack's names for where it was typed.

use std::rc::Rc;

use super::{CHANNELS, PEOPLE};
use crate::work::{Onboard, Work};

/// A command in hand: `worker::deliver::Job`.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) hand: usize,
    pub(super) command: usize,
    pub(super) fence: i64,
    pub(super) name: usize,
    pub(super) channel: usize,
    pub(super) user: usize,
    pub(super) work: Rc<Work>,
    /// What a command of several sources asks for.
    pub(super) several: Option<Rc<Onboard>>,
}

impl Job {
    pub(super) fn id(&self) -> String {
        format!("c{}", self.command)
    }

    pub(super) fn channel_id(&self) -> String {
        place_name(self.channel)
    }

    pub(super) fn held(&self) -> Option<(usize, i64)> {
        Some((self.command, self.fence))
    }
}

/// Slack's name for a channel, or for the direct messages of a person.
pub(super) fn place_name(place: usize) -> String {
    match place.checked_sub(CHANNELS.len()) {
        None => CHANNELS[place].to_owned(),
        Some(person) => format!("D{person}"),
    }
}

/// Slack's name for a person.
pub(super) fn person(user: usize) -> &'static str {
    PEOPLE[user]
}
