//! The rows of messages and of news, with their leases.

use super::Store;
use crate::life::{Link, News as Told, Place};
use crate::onboarding::simulation::CALL_TIMEOUT;

/// How long the lease of a message lasts, in ms.
const MESSAGE_LEASE: i64 = 90_000;
/// As in `store::messages`, in ms.
pub(in crate::onboarding::simulation) const LINGERS: i64 = 5_000;
pub(in crate::onboarding::simulation) const ON_ITS_WAY: i64 = CALL_TIMEOUT + LINGERS;

pub(super) struct Row {
    pub(super) id: String,
    name: usize,
    link: String,
    requester: String,
    pub(super) onboarding: Option<String>,
    pub(super) place: Option<Place>,
    pub(super) wanted: i64,
    pub(super) shown: i64,
    due: Option<i64>,
    tries: u32,
    fence: i64,
    pub(super) owner: usize,
    pub(super) lease_until: i64,
}

pub(super) struct News {
    id: usize,
    message: String,
    name: usize,
    news: Told,
}

/// A message of which a process holds the lease.
#[derive(Clone)]
pub(in crate::onboarding::simulation) struct ClaimedMessage {
    pub(in crate::onboarding::simulation) id: String,
    pub(in crate::onboarding::simulation) name: usize,
    pub(in crate::onboarding::simulation) link: String,
    pub(in crate::onboarding::simulation) requester: String,
    pub(in crate::onboarding::simulation) onboarding: Option<String>,
    pub(in crate::onboarding::simulation) place: Option<Place>,
    pub(in crate::onboarding::simulation) wanted: i64,
    pub(in crate::onboarding::simulation) shown: i64,
    pub(in crate::onboarding::simulation) tries: u32,
    pub(in crate::onboarding::simulation) fence: i64,
    due: Option<i64>,
    pub(in crate::onboarding::simulation) until: i64,
}

/// Something that a thread is still to be told.
#[derive(Clone)]
pub(in crate::onboarding::simulation) struct PendingNews {
    pub(in crate::onboarding::simulation) id: usize,
    pub(in crate::onboarding::simulation) name: usize,
    pub(in crate::onboarding::simulation) news: Told,
}

/// `store::messages::Brought`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onboarding::simulation) enum Brought {
    Shown,
    OutOfReach,
    Again(i64),
    Unanswered(i64),
}

impl Brought {
    /// `Brought::unclear`.
    pub(in crate::onboarding::simulation) fn unclear(took: i64, again: i64) -> Self {
        if took >= CALL_TIMEOUT { Self::Unanswered(again) } else { Self::Again(again) }
    }

    /// `Brought::is_not_yet`.
    pub(in crate::onboarding::simulation) fn is_not_yet(self) -> bool {
        matches!(self, Self::Again(_) | Self::Unanswered(_))
    }
}

/// `store::change::MessageWrite`.
pub(in crate::onboarding::simulation) enum MessageWrite<'a> {
    None,
    New,
    Placed(Option<&'a Place>),
    Shown(&'a ClaimedMessage),
    Untouched(&'a ClaimedMessage),
}

impl Store {
    /// `new_messages` and `place_messages`, as a change brings them along.
    pub(super) fn place(&mut self, message: &MessageWrite<'_>, link: &Link, name: usize, now: i64) {
        let (fence, place, shown) = match message {
            MessageWrite::None => return,
            MessageWrite::New => {
                if !self.messages.iter().any(|row| row.id == link.message_id) {
                    self.messages.push(Row {
                        id: link.message_id.clone(),
                        name,
                        link: link.id.clone(),
                        requester: link.requester.clone().unwrap_or_default(),
                        onboarding: None,
                        place: None,
                        wanted: 1,
                        shown: 1,
                        due: None,
                        tries: 0,
                        fence: 0,
                        owner: 0,
                        lease_until: 0,
                    });
                }
                return;
            }
            MessageWrite::Placed(place) => (None, *place, None),
            MessageWrite::Shown(held) => (Some(held.fence), held.place.as_ref(), Some(held.wanted)),
            MessageWrite::Untouched(held) => (Some(held.fence), held.place.as_ref(), None),
        };
        self.place_message(&link.message_id, fence, place, shown, now);
    }

    fn place_message(
        &mut self,
        id: &str,
        fence: Option<i64>,
        place: Option<&Place>,
        shown: Option<i64>,
        at: i64,
    ) {
        let Some(row) = self.messages.iter_mut().find(|row| row.id == id) else { return };
        if fence.is_some_and(|fence| fence != row.fence) {
            // Who came last is not known.
            row.wanted += 1;
            row.due = Some(at);
            return;
        }
        row.shown = shown.unwrap_or(row.shown);
        match fence {
            Some(_) => row.lease_until = 0,
            None => row.place = place.cloned(),
        }
        let told_of = self.news.iter().any(|news| news.message == id);
        if place.is_some() && (row.wanted > row.shown || told_of) {
            row.due = Some(at);
        }
    }

    /// `show_messages`.
    pub(super) fn want(&mut self, id: &str, changed: bool, private: bool, now: i64) {
        if let Some(row) = self.messages.iter_mut().find(|row| row.id == id) {
            row.wanted += i64::from(changed);
            if row.place.is_some() || private {
                row.due = Some(if row.due == Some(now) { now + 1 } else { now });
            }
        }
    }

    /// `tell`.
    pub(super) fn keep_news(&mut self, message: &str, name: usize, news: Told) {
        let id = self.news.last().map_or(0, |last| last.id) + 1;
        self.news.push(News { id, message: message.to_owned(), name, news });
    }

    /// `claim_messages`.
    pub(in crate::onboarding::simulation) fn claim_messages(
        &mut self,
        owner: usize,
        clock: i64,
        now: i64,
    ) -> Vec<ClaimedMessage> {
        self.changed = true;
        let due = |row: &&mut Row| row.due.is_some_and(|due| due <= clock) && row.lease_until <= now;
        self.messages.iter_mut().filter(due).map(|row| row.claim(owner, now)).collect()
    }

    /// `claim_message`.
    pub(in crate::onboarding::simulation) fn claim_message(
        &mut self,
        id: &str,
        owner: usize,
        now: i64,
    ) -> Option<ClaimedMessage> {
        self.changed = true;
        let row = self.messages.iter_mut().find(|row| row.id == id && row.lease_until <= now)?;
        Some(row.claim(owner, now))
    }

    /// `record_message`.
    pub(in crate::onboarding::simulation) fn record_message(
        &mut self,
        message: &ClaimedMessage,
        brought: Brought,
        clock: i64,
        now: i64,
    ) -> bool {
        self.changed = true;
        let (shown, due, gone, tries) = match brought {
            Brought::Shown => (message.wanted, None, false, 0),
            Brought::OutOfReach => (message.wanted, None, true, 0),
            Brought::Again(at) | Brought::Unanswered(at) => {
                (message.shown, Some(at), false, message.tries + 1)
            }
        };
        let kept = if matches!(brought, Brought::Unanswered(_)) { now + LINGERS } else { 0 };
        let row = self.messages.iter_mut().find(|row| row.id == message.id);
        let Some(row) = row.filter(|row| row.fence == message.fence) else { return false };
        (row.shown, row.tries, row.lease_until) = (shown, tries, kept);
        row.due = match due {
            None if row.due != message.due => row.due,
            _ if gone => None,
            None if row.wanted > shown => Some(clock),
            due => due,
        };
        if gone {
            row.place = None;
        }
        true
    }

    /// `disturb_message`.
    pub(in crate::onboarding::simulation) fn disturb_message(&mut self, id: &str, clock: i64) {
        self.changed = true;
        if let Some(row) = self.messages.iter_mut().find(|row| row.id == id && row.place.is_some()) {
            row.wanted += 1;
            row.due = Some(clock);
        }
    }

    /// `begin_message`.
    pub(super) fn begin_message(&mut self, id: &str, onboarding: &str, requester: &str) {
        if self.messages.iter().any(|row| row.id == id) {
            return;
        }
        self.messages.push(Row {
            id: id.to_owned(),
            // No connection is called so.
            name: usize::MAX,
            link: onboarding.to_owned(),
            requester: requester.to_owned(),
            onboarding: Some(onboarding.to_owned()),
            place: None,
            wanted: 1,
            shown: 1,
            due: None,
            tries: 0,
            fence: 0,
            owner: 0,
            lease_until: 0,
        });
    }

    /// `found_message`.
    pub(in crate::onboarding::simulation) fn found_message(&mut self, id: &str, place: &Place, clock: i64) {
        self.changed = true;
        let Some(row) = self.messages.iter_mut().find(|row| row.id == id) else { return };
        // Whoever has its lease keeps it, and what they note down does not undo this.
        row.place = Some(place.clone());
        row.wanted += 1;
        row.due = Some(clock);
    }

    /// `placed_message`; whether it stands there.
    pub(in crate::onboarding::simulation) fn placed_message(
        &mut self,
        id: &str,
        place: &Place,
        clock: i64,
    ) -> bool {
        if self.messages.iter().any(|row| row.id == id && row.place.is_none()) {
            self.found_message(id, place, clock);
        }
        self.messages.iter().any(|row| row.id == id && row.place.as_ref() == Some(place))
    }

    /// `news`.
    pub(in crate::onboarding::simulation) fn news_of(&self, message: &str) -> Vec<PendingNews> {
        let of_message = self.news.iter().filter(|news| news.message == message);
        of_message.map(|news| PendingNews { id: news.id, name: news.name, news: news.news }).collect()
    }

    /// `forget_news`.
    pub(in crate::onboarding::simulation) fn forget_news(&mut self, id: usize) {
        self.news.retain(|news| news.id != id);
    }

    /// Whether somebody will look at the news of every message that they can be told in.
    pub(in crate::onboarding::simulation) fn news_are_looked_at(&self) -> bool {
        let waits = |row: &Row| row.place.is_some() && row.due.is_none();
        !self.news.iter().any(|news| self.messages.iter().any(|row| row.id == news.message && waits(row)))
    }

    pub(in crate::onboarding::simulation) fn message_due(&self, ahead: i64) -> i64 {
        let due = |row: &Row| row.due.map(|due| row.lease_until.max(due - ahead));
        self.messages.iter().filter_map(due).min().unwrap_or(i64::MAX)
    }

    /// Whether the fence is the message's last one.
    pub(in crate::onboarding::simulation) fn holds_message(&self, message: &ClaimedMessage) -> bool {
        self.messages.iter().any(|row| row.id == message.id && row.fence == message.fence)
    }
}

impl Row {
    fn claim(&mut self, owner: usize, now: i64) -> ClaimedMessage {
        self.owner = owner;
        self.fence += 1;
        self.lease_until = now + MESSAGE_LEASE;
        ClaimedMessage {
            id: self.id.clone(),
            name: self.name,
            link: self.link.clone(),
            requester: self.requester.clone(),
            onboarding: self.onboarding.clone(),
            place: self.place.clone(),
            wanted: self.wanted,
            shown: self.shown,
            tries: self.tries,
            fence: self.fence,
            due: self.due,
            until: self.lease_until,
        }
    }
}

impl ClaimedMessage {
    /// What it is surely ours for counts from when it was asked for.
    pub(in crate::onboarding::simulation) fn counted_from(mut self, asked: i64) -> Self {
        self.until = asked + MESSAGE_LEASE;
        self
    }
}
