//! Mirrors `outbox`: bringing what Slack shows to what it should show.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use jiff::SignedDuration;

use super::planted::Fault;
use super::process::{Bot, StoreError, Written};
use super::slack::is_out_of_reach;
use super::store::{Brought, ClaimedMessage, LINGERS, MessageWrite, ON_ITS_WAY, PendingNews, Stored, Write};
use super::world::Chore;
use super::{CALL_TIMEOUT, span};
use crate::journal::PostFailure;
use crate::life::{self, Event, Link, Place, State};
use crate::slack::refusal;

/// As in `outbox`, in s.
const PAUSE_LIMIT: i64 = 300;
const RARELY: i64 = 3600;
const THROTTLED_PAUSE: Duration = Duration::from_secs(30);
const UNKNOWN_TRIES: u32 = 32;
const UNCLEAR_PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(30), Duration::from_secs(300), Duration::from_secs(600)];

impl Bot {
    /// `Outbox::step`.
    pub(super) async fn bring_due(self) {
        let (clock, life, asked) = (self.clock(), self.life, self.moment());
        let claimed = self.db(|store, now| store.claim_messages(life, clock, now)).await.unwrap_or_default();
        if claimed.is_empty() {
            return self.world().rest(self.replica, self.life, Chore::Messages);
        }
        let left = Rc::new(Cell::new(claimed.len()));
        for message in claimed {
            let (left, message) = (Rc::clone(&left), message.counted_from(asked));
            self.spawn(|bot| async move {
                bot.bring(&message).await;
                left.set(left.get() - 1);
                if left.get() == 0 {
                    bot.world().rest(bot.replica, bot.life, Chore::Messages);
                }
            });
        }
    }

    /// `Outbox::show_now`.
    pub(super) async fn show_now(&self, message: &str) -> bool {
        match self.claim_message(message).await {
            Ok(Some(claimed)) => self.bring(&claimed).await,
            Ok(None) | Err(StoreError) => false,
        }
    }

    /// `Outbox::bring`.
    async fn bring(&self, message: &ClaimedMessage) -> bool {
        let brought = match self.edit(message).await {
            Ok(brought) => brought,
            Err(StoreError) => self.again(message, None),
        };
        let given_up = self.world().store.has(Fault::EditGivenUp);
        let brought = if given_up { Brought::Shown } else { brought };
        self.trace(|| format!("message {}: {brought:?}", message.id));
        if !self.write_down(message, brought).await {
            self.world().statistics.messages_lost += 1;
            if matches!(brought, Brought::Unanswered(_)) {
                self.sleep(LINGERS).await;
            }
            self.make_good(message).await;
            return false;
        }
        !brought.is_not_yet()
    }

    /// `Outbox::record`.
    async fn write_down(&self, message: &ClaimedMessage, brought: Brought) -> bool {
        let mut pause = 50;
        loop {
            let clock = self.clock();
            match self.db(|store, now| store.record_message(message, brought, clock, now)).await {
                Ok(recorded) => return recorded,
                Err(StoreError) => self.sleep(pause).await,
            }
            pause = (pause * 2).min(2_000);
        }
    }

    /// `Outbox::edit`.
    async fn edit(&self, message: &ClaimedMessage) -> Result<Brought, StoreError> {
        let web_api = self.world().slack.web_api;
        let place = message.place.as_ref();
        if !web_api {
            return Ok(Brought::Shown);
        }
        let Some(place) = place else { return self.tell_thread(message, None).await };
        let onboarding = self.onboarding_shown(message).await?;
        let connections = self.connections_of(message).await?;
        let link = if onboarding.is_none() { shown_by(message, &connections) } else { None };
        if message.wanted > message.shown && (link.is_some() || onboarding.is_some()) {
            if self.lease_left(message) < ON_ITS_WAY {
                return Ok(self.again(message, None));
            }
            let sent = self.moment();
            let put = match (&onboarding, &link) {
                (Some(onboarding), _) => self.put_sources(place, message, onboarding).await,
                (None, Some(link)) => self.put_settled(place, message, link).await,
                (None, None) => Ok(()),
            };
            if let Err(error) = put {
                let brought = match (self.failed(message, &error), &error) {
                    (Brought::Again(at), PostFailure::Unclear) => Brought::unclear(self.moment() - sent, at),
                    (brought, _) => brought,
                };
                if brought.is_not_yet() {
                    return Ok(brought);
                }
                let told = self.tell_thread(message, None).await?;
                return Ok(if told.is_not_yet() { told } else { brought });
            }
        }
        let told = self.tell_thread(message, Some(place)).await?;
        match (told, onboarding) {
            (Brought::Shown, Some(onboarding)) => Ok(match self.tell_done(&onboarding, place).await? {
                Ok(()) => Brought::Shown,
                Err(pause) => self.again(message, Some(pause)),
            }),
            (told, _) => Ok(told),
        }
    }

    async fn connections_of(&self, message: &ClaimedMessage) -> Result<Vec<Stored>, StoreError> {
        self.db(|store, _| store.connections_of(&message.id, message.name)).await
    }

    /// `Outbox::tell`.
    async fn tell_thread(
        &self,
        message: &ClaimedMessage,
        place: Option<&Place>,
    ) -> Result<Brought, StoreError> {
        loop {
            let news = self.db(|store, _| store.news_of(&message.id)).await?;
            if news.is_empty() {
                return Ok(Brought::Shown);
            }
            let connections = self.connections_of(message).await?;
            let brought = self.tell_some(message, place, news, &connections).await?;
            if brought.is_not_yet() {
                return Ok(brought);
            }
        }
    }

    /// `Outbox::tell_some`.
    async fn tell_some(
        &self,
        message: &ClaimedMessage,
        place: Option<&Place>,
        news: Vec<PendingNews>,
        connections: &[Stored],
    ) -> Result<Brought, StoreError> {
        let mut told = Vec::new();
        for pending in news {
            let again = told.contains(&(pending.name, pending.news));
            let about = connections
                .iter()
                .find(|stored| super::name_of(&stored.connection.key) == pending.name)
                .filter(|stored| pending.news.holds(&stored.connection.link) && !again);
            if let Some(Stored { connection, .. }) = about {
                if self.lease_left(message) < CALL_TIMEOUT * 3 {
                    return Ok(self.again(message, None));
                }
                match self.put_news(place, pending.news, &connection.link).await {
                    Ok(()) => {}
                    Err(PostFailure::Unclear) => {
                        if let Some(pause) = self.unheard(pending.id, message.tries) {
                            return Ok(self.again(message, Some(pause)));
                        }
                    }
                    Err(error) if is_out_of_reach(&error) => {}
                    Err(error) => {
                        let brought = self.failed(message, &error);
                        if brought.is_not_yet() {
                            return Ok(brought);
                        }
                    }
                }
                told.push((pending.name, pending.news));
            } else {
                self.world().statistics.overtaken_news += 1;
            }
            self.db(|store, _| store.forget_news(pending.id)).await?;
        }
        Ok(Brought::Shown)
    }

    /// `Unheard::pause`.
    fn unheard(&self, news: usize, tries: u32) -> Option<Duration> {
        let mut world = self.world();
        let times = world.replicas[self.replica].unheard.entry(news).or_default();
        *times += 1;
        let pause = UNCLEAR_PAUSES.get(*times - 1).copied();
        pause.filter(|_| *times < 2 || tries < UNKNOWN_TRIES)
    }

    /// `Outbox::failed`.
    fn failed(&self, message: &ClaimedMessage, error: &PostFailure) -> Brought {
        if is_out_of_reach(error) {
            self.world().statistics.edits_refused += 1;
            let gone = matches!(error, PostFailure::Refused(word) if refusal::is_about_the_message(word));
            return if gone { Brought::OutOfReach } else { Brought::Shown };
        }
        match error {
            PostFailure::Refused(_) => {
                let brought = self.rest(message, None, RARELY);
                // What is somebody's to mend is not tried again before, however soon they mend it.
                if let Brought::Again(due) = brought {
                    self.world().is_troubled(due);
                }
                brought
            }
            PostFailure::Later { pause, .. } => self.again(message, Some(*pause)),
            PostFailure::Throttled(pause) => self.again(message, Some(pause.unwrap_or(THROTTLED_PAUSE))),
            _ => self.again(message, None),
        }
    }

    /// `Outbox::again`.
    fn again(&self, message: &ClaimedMessage, pause: Option<Duration>) -> Brought {
        self.rest(message, pause, PAUSE_LIMIT)
    }

    /// `Outbox::rest`.
    fn rest(&self, message: &ClaimedMessage, pause: Option<Duration>, limit: i64) -> Brought {
        let doubled = (1_i64 << message.tries.min(12)).min(limit) * 1000;
        // A pause that no clock can hold is none, and one of nothing must not be the only rest.
        let pause = pause.filter(|pause| SignedDuration::try_from(*pause).is_ok());
        Brought::Again(self.clock() + pause.map_or(doubled, |pause| span(pause).max(doubled)))
    }

    /// `Outbox::make_good`.
    async fn make_good(&self, message: &ClaimedMessage) {
        self.world().statistics.made_good += 1;
        self.trace(|| format!("message {} is somebody else's; made good", message.id));
        let mut pause = 50;
        while self.try_to_make_good(message).await.is_err() {
            self.sleep(pause).await;
            pause = (pause * 2).min(2_000);
        }
    }

    /// `Outbox::try_to_make_good`.
    async fn try_to_make_good(&self, message: &ClaimedMessage) -> Result<(), StoreError> {
        let clock = self.clock();
        self.db(|store, _| store.disturb_message(&message.id, clock)).await?;
        if message.onboarding.is_some() {
            return Ok(());
        }
        for mut stored in self.connections_of(message).await? {
            while stored.connection.link.message_id == message.id {
                let change = life::next(&stored.connection, Event::Hidden, false, self.now());
                if change.connection == stored.connection {
                    break;
                }
                let write = Write {
                    change: &change,
                    version: stored.version,
                    held: None,
                    progress: None,
                    message: MessageWrite::None,
                    reminders: false,
                    now: clock,
                };
                match self.write(write).await? {
                    Written::Committed | Written::LeaseLost => break,
                    Written::Conflict => match self.connection(super::name_of(&stored.connection.key)).await?
                    {
                        Some(again) => stored = again,
                        None => break,
                    },
                }
            }
        }
        Ok(())
    }
}

/// `outbox::shown_by`.
fn shown_by(message: &ClaimedMessage, connections: &[Stored]) -> Option<Link> {
    let links = connections.iter().map(|stored| &stored.connection.link);
    if let Some(link) = links.clone().find(|link| link.message_id == message.id) {
        return (link.state != State::Waiting).then(|| link.clone());
    }
    let mut left = links.clone().next()?.clone();
    left.state = State::Replaced;
    left.id.clone_from(&message.link);
    left.requester = Some(message.requester.clone());
    Some(left)
}
