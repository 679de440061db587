//! The outbox: brings what Slack shows to what it should show.
//!
//! Owns the edits of messages whose link has moved on; what their threads are told is `outbox/tell.rs`'s. The
//! rows say which messages are behind, so that nothing is forgotten, and edits need no answer of Fivetran's.
//! Must not call Fivetran, and never shows a link: that only the command can that made it.

mod bring_up;
mod onboardings;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::crash::crash_point;
use crate::life::{self, Event, Link, State};
use crate::onboarding::Onboarding;
use crate::reply::{live, onboarding};
use crate::side_by_side::SideBySide;
use crate::slack::refusal::{self, Sort};
use crate::slack::respond::PostError;
use crate::slack::web_api::WebApi;
use crate::store::{
    Brought, ClaimedMessage, LINGERS, LONGEST_PAUSE_OF_AN_EDIT, MessageWrite, ON_ITS_WAY, Recorded, Store,
    StoreError, Stored, Write, Written,
};
use crate::telemetry::Metrics;
use crate::trail::Entry;
use crate::unasked::Unasked;
pub use tell::Unheard;

/// How often the database is asked for messages that are behind.
const POLL: Duration = Duration::from_secs(1);
/// Messages at work at a time, each of which waits for its own answers of Slack's.
const AT_A_TIME: usize = 16;
/// Longest pause before a message is tried again.
const PAUSE_LIMIT: i64 = 300;
/// The same where Slack refuses until somebody does something, or nobody knows why.
const RARELY: i64 = LONGEST_PAUSE_OF_AN_EDIT.as_secs();
/// Tries, over the better part of a day, after which a message is left as it is that Slack refuses to
/// edit in a word that nobody knows, and a person counts as told.
const UNKNOWN_TRIES: u32 = 32;
/// The pause that a rate limit without one is given.
const THROTTLED_PAUSE: Duration = Duration::from_secs(30);
/// How long a person is left alone who may have been told or not, before they are told again; after these
/// they count as told. Together they outlast an outage of Slack's of a quarter of an hour.
const UNCLEAR_PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(30), Duration::from_secs(300), Duration::from_secs(600)];
/// Shortest pause before the database is asked again to write down what was shown.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest of those pauses.
const RETRY_LIMIT: Duration = Duration::from_secs(2);
/// How long edits in flight may take at a shutdown before they are abandoned.
const FINISH_LIMIT: Duration = Duration::from_secs(12);

/// Whether a message shows what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It does, as far as it can be edited at all.
    Yes,
    /// It will.
    NotYet,
    /// Slack refuses the edit, in this word; somebody may have to do something about it.
    Refused(String),
}

/// Whoever edits messages. No `Debug`: it holds the token.
pub struct Outbox {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// The messages.
    pub store: Store,
    /// Slack's Web API, with a bot token.
    pub web_api: Option<WebApi>,
    /// Who knows in which channel what was made elsewhere is brought up, if anything is.
    pub unasked: Arc<Unasked>,
    /// What people were told, and may not have heard.
    pub unheard: Unheard,
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
}

/// An outbox at work.
pub struct Handle {
    working: JoinHandle<()>,
    abandon: CancellationToken,
}

/// Starts bringing messages up to date. `failed` is set if that ends before the bot stops: messages
/// would become untrue.
#[must_use]
pub fn start(outbox: Arc<Outbox>, failed: CancellationToken) -> Handle {
    let abandon = CancellationToken::new();
    let working = tokio::spawn({
        let abandon = abandon.clone();
        async move {
            let run = tokio::spawn(async move {
                let _ = abandon.run_until_cancelled(outbox.run()).await;
            });
            if run.await.is_err() {
                tracing::error!("the outbox has ended");
                failed.cancel();
            }
        }
    });
    Handle { working, abandon }
}

impl Handle {
    /// Lets the edits in flight finish, within 12 s. `stopping` must have been set.
    pub async fn stop(mut self) {
        if tokio::time::timeout(FINISH_LIMIT, &mut self.working).await.is_err() {
            tracing::warn!("leaving messages to the next process");
            self.abandon.cancel();
            let _ = self.working.await;
        }
    }
}

impl Outbox {
    /// Until the bot stops. An edit that hangs keeps no other one waiting.
    async fn run(self: Arc<Self>) {
        let mut edits = SideBySide::new(AT_A_TIME);
        while !self.stopping.is_cancelled() {
            let room = edits.room();
            let messages = if room > 0 { self.take(room).await } else { Vec::new() };
            let more = messages.len() == room;
            for message in messages {
                let outbox = Arc::clone(&self);
                edits.begin(async move {
                    outbox.bring(&message).await;
                });
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = edits.half_is_free(), if more => {}
                () = self.store.behind() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        edits.finish().await;
    }

    /// Brings some of the messages that are behind to what they should show. Returns how many were
    /// taken.
    pub async fn step(&self) -> usize {
        let claimed = self.take(AT_A_TIME).await;
        futures_util::future::join_all(claimed.iter().map(|message| self.bring(message))).await;
        claimed.len()
    }

    /// Takes up to so many of the messages that are behind.
    async fn take(&self, room: usize) -> Vec<ClaimedMessage> {
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        match self.store.claim_messages(self.clock.now(), room).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "could not ask for messages that are behind");
                Vec::new()
            }
        }
    }

    /// Brings one message to what it should show, now.
    pub async fn show_now(&self, message: &str) -> Shown {
        match self.store.claim_message(message).await {
            Ok(Some(claimed)) => self.bring(&claimed).await,
            // Somebody is at work on it, or the database is busy.
            Ok(None) | Err(_) => Shown::NotYet,
        }
    }

    async fn bring(&self, message: &ClaimedMessage) -> Shown {
        let (brought, refused) = match self.edit(message).await {
            Ok(edited) => edited,
            Err(error) => {
                tracing::warn!(message = message.id, %error, "could not look up what a message should show");
                (self.again(message, None), None)
            }
        };
        match self.record(message, brought).await {
            Some(Recorded::Committed) => self.count(message, brought),
            Some(Recorded::LeaseLost) => {
                // What makes it good must not come to lie under it.
                if matches!(brought, Brought::Unanswered(_)) {
                    tokio::time::sleep(LINGERS).await;
                }
                self.make_good(message).await;
                return Shown::NotYet;
            }
            None => return Shown::NotYet,
        }
        match (brought, refused) {
            (_, Some(word)) => Shown::Refused(word),
            (Brought::Again(_) | Brought::Unanswered(_) | Brought::Waits(_), None) => Shown::NotYet,
            (Brought::Shown | Brought::OutOfReach, None) => Shown::Yes,
        }
    }

    /// Keeps how long it took to show what had changed.
    fn count(&self, message: &ClaimedMessage, brought: Brought) {
        if let (Brought::Shown, Some(since)) = (brought, message.behind_since()) {
            self.metrics.message_shown(self.clock.now().duration_since(since).as_secs_f64().max(0.0));
        }
    }

    /// Records what a message shows. Only the answer tells whether it was still ours, and what came too
    /// late has to be made good: so until there is one, or the bot stops.
    async fn record(&self, message: &ClaimedMessage, brought: Brought) -> Option<Recorded> {
        let mut pause = RETRY_FIRST;
        loop {
            let error = match self.store.record_message(message, brought, self.clock.now()).await {
                Ok(recorded) => return Some(recorded),
                Err(error) => error,
            };
            if pause == RETRY_FIRST || self.stopping.is_cancelled() {
                tracing::warn!(message = message.id, %error, "could not record what a message shows");
            }
            if self.stopping.is_cancelled() {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LIMIT);
        }
    }

    /// Edits a message and tells its thread; with the word of Slack's that forbids the edit until
    /// somebody does something about it.
    async fn edit(&self, message: &ClaimedMessage) -> Result<(Brought, Option<String>), StoreError> {
        let Some(place) = &message.place else {
            let brought = match &message.post_in {
                Some(channel) => self.bring_up(message, channel).await?,
                None => self.tell_of_lost(message).await?,
            };
            return Ok((brought, None));
        };
        // Started without a token, for once: the next start may have one.
        let Some(web_api) = &self.web_api else { return Ok((self.again(message, None), None)) };
        let onboarding = self.onboarding(message).await?;
        let content = match &onboarding {
            Some(onboarding) => Some(onboarding::message(onboarding)),
            None => {
                let connections = self.store.connections_of(message).await?;
                shown_by(message, &connections).map(|link| live::settled(&link))
            }
        };
        if message.wanted > message.shown
            && let Some(content) = content
        {
            if message.lease_left() < ON_ITS_WAY {
                return Ok((self.again(message, None), None));
            }
            crash_point("edit: before the call");
            let sent = Instant::now();
            if let Err(error) = web_api.update(place, &content).await {
                let refused = match &error {
                    PostError::Refused(word) if !error.message_is_out_of_reach() => Some(word.clone()),
                    _ => None,
                };
                let brought = match self.failed(message, &error) {
                    Brought::Again(at) if error.may_be_done() => Brought::unclear(sent.elapsed(), at),
                    brought => brought,
                };
                if brought.is_not_yet() {
                    return Ok((brought, refused));
                }
                // What the message cannot show, its person can be told all the same.
                let told = match brought {
                    Brought::OutOfReach => self.tell_of_lost(message).await?,
                    _ => self.tell(message, None, web_api).await?,
                };
                let brought = if told.is_not_yet() { told } else { brought };
                return Ok((brought, refused));
            }
        }
        let left_out = if onboarding.as_ref().is_some_and(Onboarding::is_news) {
            self.said_at_the_end(message).await?
        } else {
            Vec::new()
        };
        let told = self.tell_but(&left_out, message, Some(place), web_api).await?;
        let told = match (told, onboarding) {
            (Brought::Shown, Some(onboarding)) => {
                self.tell_done(message, &onboarding, &left_out, place, web_api).await?
            }
            (told, _) => told,
        };
        Ok((told, None))
    }

    fn failed(&self, message: &ClaimedMessage, error: &PostError) -> Brought {
        match error {
            PostError::Refused(word) if error.message_is_out_of_reach() => {
                tracing::info!(
                    message = message.id,
                    slack_says = word,
                    "a message cannot be edited any more"
                );
                // A channel may be opened again, and then the next change is shown.
                if error.message_is_gone() { Brought::OutOfReach } else { Brought::Shown }
            }
            PostError::Refused(word)
                if refusal::sort(word) == Sort::Unknown && message.tries >= UNKNOWN_TRIES =>
            {
                tracing::warn!(
                    message = message.id,
                    slack_says = word,
                    "Slack goes on refusing to edit a message; it is left as it is"
                );
                Brought::Shown
            }
            // A token that is being replaced, say: it will work again.
            error => {
                tracing::debug!(message = message.id, %error, "a message could not be edited");
                match error {
                    PostError::Refused(_) => self.rest(message, None, RARELY),
                    PostError::Later { pause, .. } => self.again(message, Some(*pause)),
                    PostError::Throttled(pause) => {
                        self.again(message, Some(pause.unwrap_or(THROTTLED_PAUSE)))
                    }
                    _ => self.again(message, None),
                }
            }
        }
    }

    fn again(&self, message: &ClaimedMessage, pause: Option<Duration>) -> Brought {
        self.rest(message, pause, PAUSE_LIMIT)
    }

    /// Puts a message off: for twice as long as the last time, up to `limit` seconds. One that is still to be
    /// posted is put off for as long as it has waited, which comes to the same and is no try.
    fn rest(&self, message: &ClaimedMessage, pause: Option<Duration>, limit: i64) -> Brought {
        let now = self.clock.now();
        let waits = message.post_in.is_some();
        let doubled = if waits {
            now.duration_since(message.since).as_secs().max(1)
        } else {
            1 << message.tries.min(12)
        };
        let doubled = SignedDuration::from_secs(doubled.min(limit));
        // No shorter than the backoff: whoever goes on asking for nothing must not be asked without a rest.
        let pause =
            pause.and_then(|pause| SignedDuration::try_from(pause).ok()).unwrap_or(doubled).max(doubled);
        // After a longer one of Slack's, it is asked again.
        let pause = pause.min(LONGEST_PAUSE_OF_AN_EDIT);
        let at = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        if waits { Brought::Waits(at) } else { Brought::Again(at) }
    }

    /// Somebody else has had the message since: what they showed may lie under what we have shown.
    async fn make_good(&self, message: &ClaimedMessage) {
        tracing::info!(message = message.id, "somebody else is at work on this message");
        let mut pause = RETRY_FIRST;
        while let Err(error) = self.try_to_make_good(message).await {
            if self.stopping.is_cancelled() {
                tracing::error!(message = message.id, %error, "a message may show what is not so");
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LIMIT);
        }
    }

    async fn try_to_make_good(&self, message: &ClaimedMessage) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.store.disturb_message(&message.id, now).await?;
        // No link is on show there: drawn again, it is true.
        if message.onboarding.is_some() {
            return Ok(());
        }
        for stored in self.store.connections_of(message).await? {
            let mut stored = stored;
            while stored.connection.link.message_id == message.id {
                // The link is not to be had any more: the message offers another one.
                let change = life::next(&stored.connection, Event::Hidden, false, now);
                if change.connection == stored.connection {
                    break;
                }
                let entry = Entry::of_change(&stored.connection.link, &change.connection.link, now);
                let write = Write {
                    change: &change,
                    version: stored.version,
                    held: None,
                    progress: None,
                    message: MessageWrite::None,
                    trail: entry.as_ref(),
                    reminders: false,
                    now,
                };
                match self.store.write(write).await? {
                    Written::Committed | Written::LeaseLost => break,
                    Written::Conflict => match self.store.connection(&stored.connection.key).await? {
                        Some(again) => stored = again,
                        None => break,
                    },
                }
            }
        }
        Ok(())
    }
}

/// What a message should show; `None` if that is a link, which stands there already.
fn shown_by(message: &ClaimedMessage, connections: &[Stored]) -> Option<Link> {
    let links = connections.iter().map(|stored| &stored.connection.link);
    if let Some(link) = links.clone().find(|link| link.message_id == message.id) {
        return (link.state != State::Waiting).then(|| link.clone());
    }
    // It has moved on, or was posted by a try that nobody waited for.
    let mut left = links.clone().next()?.clone();
    left.state = State::Replaced;
    left.id.clone_from(&message.link);
    left.requester.clone_from(&message.requester);
    Some(left)
}
