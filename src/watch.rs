//! The watcher: keeps every posted link's message true for as long as it matters.
//!
//! Owns asking Fivetran how a connection stands, and bringing what changed to Slack. What a change
//! means, and when to ask again, is [`crate::life`]'s decision; the words are [`crate::reply`]'s.
//! The rows say when each link is due, so that replicas share the work and a restart loses none.

mod pace;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::command::places::Channels;
use crate::fivetran::error::Error;
use crate::fivetran::model::SetupState;
use crate::life::{self, Link, News, Seen, State, USUAL_LIMIT};
use crate::provision::Provision;
use crate::reply::live;
use crate::slack::respond::PostError;
use crate::slack::web_api::WebApi;
use crate::store::{ClaimedLink, Recorded, Store};
use pace::Pace;

/// How often the database is asked for due links.
const POLL: Duration = Duration::from_secs(1);
/// Links taken at a time, each of which waits for one answer of Fivetran's.
const CLAIM: i64 = 16;
/// When to try again what an outside party did not do.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// The pause that a rate limit without one is given.
const THROTTLED_PAUSE: Duration = Duration::from_secs(60);
/// How soon after a look for a customer's browser the same link is looked at for one again.
const SPACING: SignedDuration = SignedDuration::from_secs(2);
/// Links whose last such look is remembered.
const REMEMBERED: usize = 10_000;
/// Longest that a customer's browser is kept waiting for Fivetran.
const HASTY_LIMIT: Duration = Duration::from_millis(2500);

/// How long looks in flight may take at a shutdown before they are abandoned.
const FINISH_LIMIT: Duration = Duration::from_secs(12);

/// What the watcher works with. No `Debug`: it holds secrets.
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// The links.
    pub store: Store,
    /// Fivetran.
    pub provision: Provision,
    /// Slack's Web API, with a bot token.
    pub web_api: Option<WebApi>,
    /// What holds in which channel.
    pub channels: Arc<Channels>,
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
}

/// Whoever keeps the messages of posted links true.
pub struct Watcher {
    parts: Parts,
    /// How fast due links may be looked at.
    pace: Mutex<Pace>,
    /// How fast links may be looked at ahead of time.
    hasty_pace: Mutex<Pace>,
    /// When each link was last looked at for its customer's browser.
    landings: Mutex<HashMap<String, Timestamp>>,
}

/// A watcher at work.
pub struct Handle {
    watching: JoinHandle<()>,
    abandon: CancellationToken,
}

/// Starts watching. `failed` is set if that ends before the bot stops: messages would become untrue.
#[must_use]
pub fn start(watcher: Arc<Watcher>, failed: CancellationToken) -> Handle {
    let abandon = CancellationToken::new();
    let watching = tokio::spawn({
        let abandon = abandon.clone();
        async move {
            let run = tokio::spawn(async move {
                let _ = abandon.run_until_cancelled(watcher.run()).await;
            });
            if run.await.is_err() {
                tracing::error!("the watcher has ended");
                failed.cancel();
            }
        }
    });
    Handle { watching, abandon }
}

impl Handle {
    /// Lets the looks in flight finish, within 12 s: cut off, they would have been told to
    /// Slack and forgotten. `stopping` must have been set.
    pub async fn stop(mut self) {
        if tokio::time::timeout(FINISH_LIMIT, &mut self.watching).await.is_err() {
            tracing::warn!("leaving links to the next process");
            self.abandon.cancel();
            let _ = self.watching.await;
        }
    }
}

impl Watcher {
    /// A watcher that does not watch yet; [`start`] it.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, pace: Pace::steady(), hasty_pace: Pace::hasty(), landings: Mutex::default() }
    }

    /// Watches until the bot stops.
    async fn run(&self) {
        let stopping = &self.parts.stopping;
        while !stopping.is_cancelled() {
            self.step().await;
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Looks at the links that are due now, as many as the pace allows. Returns how many.
    pub async fn step(&self) -> usize {
        let Parts { clock, store, stopping, .. } = &self.parts;
        let (now, per_hour) = (clock.now(), life::share(self.limit()));
        let mut looked = 0;
        loop {
            let allowed = lock(&self.pace).take(CLAIM, per_hour, now);
            if allowed == 0 {
                return looked;
            }
            let claimed = match store.claim_links(now, allowed).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    lock(&self.pace).give_back(allowed);
                    tracing::warn!(%error, "could not ask for due links");
                    return looked;
                }
            };
            lock(&self.pace).give_back(allowed - i64::try_from(claimed.len()).unwrap_or(allowed));
            if claimed.is_empty() {
                return looked;
            }
            looked += claimed.len();
            let stopping = stopping.is_cancelled();
            let watched = store.watched_links().await.unwrap_or(0);
            let looks = claimed.into_iter().map(|claimed| self.look(claimed, false, watched));
            futures_util::future::join_all(looks).await;
            if stopping {
                return looked;
            }
        }
    }

    /// Looks at one link now, because its customer's browser has just come back; a hint, which
    /// Fivetran has to confirm. Returns how it stands as far as is known in the time that a browser
    /// waits.
    pub async fn look_now(self: &Arc<Self>, link: &Link) -> State {
        let Parts { clock, store, .. } = &self.parts;
        let now = clock.now();
        {
            let mut seen = lock(&self.landings);
            // Whoever reloads a page must not use up what other customers' looks need.
            if seen.get(&link.id).is_some_and(|last| now.duration_since(*last) < SPACING) {
                return link.state;
            }
            if seen.len() >= REMEMBERED {
                seen.clear();
            }
            seen.insert(link.id.clone(), now);
        }
        if lock(&self.hasty_pace).take(1, life::share(self.limit()), clock.now()) == 0 {
            // Soon, then; with the others.
            if let Err(error) = store.make_link_due(&link.id, clock.now()).await {
                tracing::warn!(link = link.id, %error, "could not look sooner");
            }
            return link.state;
        }
        // A task of its own: neither the end of a browser's patience nor a closed tab may cut off a look
        // between what it shows and what it records.
        let looking = tokio::spawn(Arc::clone(self).look_for_browser(link.clone()));
        match tokio::time::timeout(HASTY_LIMIT, looking).await {
            Ok(Ok(state)) => state,
            Ok(Err(_)) | Err(_) => link.state,
        }
    }

    /// Takes the link and looks at it, or waits for what whoever is at work on it finds.
    async fn look_for_browser(self: Arc<Self>, link: Link) -> State {
        let store = &self.parts.store;
        let end = Instant::now() + HASTY_LIMIT;
        while Instant::now() < end {
            match store.claim_link(&link.id).await {
                Ok(Some(claimed)) => {
                    let watched = store.watched_links().await.unwrap_or(0);
                    return self.look(claimed, true, watched).await;
                }
                // What they find is what we want to know.
                Ok(None) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => {
                    tracing::warn!(link = link.id, %error, "could not look at a link");
                    return link.state;
                }
            }
            if let Ok(Some(other)) = store.link(&link.id).await
                && other.state != link.state
            {
                return other.state;
            }
        }
        link.state
    }

    /// Looks at one link, brings what changed to Slack, and says when to look again. Returns how the
    /// link stands, be Slack told of it yet or not. `landed`: the customer's browser has just come
    /// back.
    async fn look(&self, mut claimed: ClaimedLink, landed: bool, watched: u64) -> State {
        let before = claimed.clone();
        let now = self.parts.clock.now();
        let reminders = self.parts.channels.of(&claimed.link.channel_id).reminders;
        let brought = if claimed.link.stale {
            claimed.link.stale = false;
            self.show(&mut claimed.link).await
        } else {
            let seen = match self.see(&claimed.link).await {
                // A link dies without Fivetran's doing.
                Err(_) if claimed.link.state == State::Waiting && now >= claimed.link.expires_at => {
                    Ok(Seen::Setup { state: SetupState::Incomplete, tasks: None, first_sync: false })
                }
                seen => seen,
            };
            match seen {
                Ok(seen) => match life::observe(&mut claimed.link, &seen, landed, reminders, now) {
                    Some(news) => self.bring(&mut claimed.link, news).await,
                    None => true,
                },
                Err(error) => {
                    tracing::info!(link = claimed.link.id, %error, "could not see how a connection stands");
                    false
                }
            }
        };
        let next = life::next_look(&claimed.link, reminders, watched, self.limit(), now);
        let (kept, next) = if brought { (&claimed, next) } else { (&before, now.saturating_add(AGAIN).ok()) };
        match self.parts.store.record_link(kept, next).await {
            Ok(Recorded::Committed) if kept.link.state != before.link.state => audit(&kept.link),
            Ok(Recorded::Committed) => {}
            // Whoever has it now edits the message after us.
            Ok(Recorded::LeaseLost) => {
                tracing::info!(link = kept.link.id, "somebody else is at work on this link")
            }
            // It is seen again, and brought again, once the lease has ended.
            Err(error) => tracing::warn!(link = kept.link.id, %error, "could not record how a link stands"),
        }
        claimed.link.state
    }

    fn limit(&self) -> u64 {
        self.parts.provision.hourly_limit().unwrap_or(USUAL_LIMIT)
    }

    async fn see(&self, link: &Link) -> Result<Seen, Error> {
        match self.parts.provision.see(&link.connection_id).await {
            Ok(Some(connection)) => Ok(Seen::from(&connection)),
            Ok(None) => Ok(Seen::Gone),
            Err(Error::Throttled(pause)) => {
                // What is left of the account's limit is for commands.
                let pause = SignedDuration::try_from(pause.unwrap_or(THROTTLED_PAUSE)).unwrap_or(AGAIN);
                if let Ok(until) = self.parts.clock.now().checked_add(pause) {
                    lock(&self.pace).pause(until);
                    lock(&self.hasty_pace).pause(until);
                }
                Err(Error::Throttled(None))
            }
            Err(error) => Err(error),
        }
    }

    /// Brings news to Slack: the message first, then its thread. False if it has to be tried again.
    async fn bring(&self, link: &mut Link, news: News) -> bool {
        let reminder = matches!(news, News::ReminderBefore | News::ReminderAfter);
        if !reminder && !self.show(link).await {
            return false;
        }
        let (Some(web_api), Some(place)) = (&self.parts.web_api, &link.message) else { return true };
        match web_api.post_in_thread(place, live::news(news, link)).await {
            Ok(()) => true,
            Err(PostError::Refused(word)) => {
                tracing::info!(link = link.id, slack_says = word, "the thread cannot be told");
                true
            }
            // It may be there; the message says it in any case, and saying it twice would be worse.
            Err(PostError::Unclear(_)) => true,
            Err(error) => {
                tracing::warn!(link = link.id, %error, "the thread could not be told");
                false
            }
        }
    }

    /// Edits a link's message to its state. False if it has to be tried again; a message that cannot
    /// be edited any more is let go.
    async fn show(&self, link: &mut Link) -> bool {
        let (Some(web_api), Some(place)) = (&self.parts.web_api, &link.message) else { return true };
        match web_api.update(place, &live::settled(link)).await {
            Ok(()) => true,
            Err(ref error @ PostError::Refused(ref word)) if error.message_is_out_of_reach() => {
                let id = &link.id;
                tracing::info!(link = id, slack_says = word, "a link's message cannot be edited any more");
                link.message = None;
                true
            }
            // A token that is being replaced, say: it will work again.
            Err(error) => {
                tracing::warn!(link = link.id, %error, "a link's message could not be edited");
                false
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The audit line: what became of a link. Never the link.
fn audit(link: &Link) {
    tracing::info!(
        link = link.id,
        team = link.team_id,
        channel = link.channel_id,
        user = link.requester,
        service = link.request.service.as_str(),
        schema = link.request.target.connection_name(),
        connection = link.connection_id,
        state = link.state.name(),
        "link changed"
    );
}
