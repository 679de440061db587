//! The watcher: knows how connections stand, for as long as it matters.
//!
//! Owns asking Fivetran: whole groups by their lists, one connection alone when something hints at it, and
//! for a customer's browser that waits (`watch/browser.rs`).
//! What an answer means, and when to ask again, is [`crate::life`]'s decision; what changed is
//! brought to Slack by the [`crate::outbox`]. The rows say what is due, so that replicas share the
//! work and a restart loses none. Must not call Slack; who else is in a channel, it asks
//! [`crate::permission`].

mod browser;
mod foreign;
mod pace;
mod sweep;
mod vouch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::command::places::Channels;
use crate::fivetran::error::Error;
use crate::life::{self, Connection, Event, FEW, Link, Seen};
use crate::provision::Provision;
use crate::side_by_side::SideBySide;
use crate::store::{MessageWrite, Store, StoreError, Stored, Write, Written};
use crate::telemetry::Metrics;
use crate::trail::Entry;
use crate::work::Key;
pub use browser::Landing;
pub use foreign::Foreign;
use pace::Pace;
pub use pace::USUAL_LIMIT;
use sweep::GROUPS;
use vouch::Vouched;

/// How often the database is asked for what is due.
const POLL: Duration = Duration::from_secs(1);
/// Looks taken at a time, each of which waits for one answer of Fivetran's.
const LOOKS: usize = 16;
/// Links that time is let pass for at once.
const TICKS: i64 = 16;
/// How long a start leaves to its first lists, which tell of a thousand connections at once, before single ones are
/// looked at for what has come to pass.
const FIRST_LISTS: Duration = Duration::from_secs(5);
/// How long Fivetran may take to say how a connection stands before the clock decides: others wait behind it.
const BEFORE_THE_CLOCK: Duration = Duration::from_secs(3);
/// When a look that was begun is begun again if nothing comes of it: longer than its two calls can take.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(40);
/// How long a moment of a link's own may wait for a list, before the one connection is looked at for it.
const UNLISTED: SignedDuration = SignedDuration::from_secs(90);
/// The pause that a rate limit without one is given.
const THROTTLED_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause that is believed: Fivetran counts by the hour.
/// <https://fivetran.com/docs/rest-api/rate-limiting>
const PAUSE_LIMIT: SignedDuration = SignedDuration::from_hours(1);
/// How long looks in flight may take at a shutdown before they are abandoned.
const FINISH_LIMIT: Duration = Duration::from_secs(12);
/// How often the operator is told that too many connections are missing.
const TELL_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// What the watcher works with. No `Debug`: it holds secrets.
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// The connections.
    pub store: Store,
    /// Fivetran.
    pub provision: Provision,
    /// What holds in which channel.
    pub channels: Arc<Channels>,
    /// What is watched that the bot did not make, if anything is.
    pub foreign: Option<Foreign>,
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
}

/// Whoever knows how connections stand.
pub struct Watcher {
    parts: Parts,
    /// How fast groups may be listed.
    pace: Mutex<Pace>,
    /// How fast single connections may be looked at.
    hasty_pace: Mutex<Pace>,
    /// When the operator was told last that too many are missing.
    told: Mutex<Option<Timestamp>>,
    /// Which absences are believed however many they are.
    vouched: Mutex<Vouched>,
    /// The looks for browsers that are under way, and how each link stands as far as is known.
    visited: Mutex<HashMap<browser::Visit, watch::Receiver<Link>>>,
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
    /// Lets the looks in flight finish, within 12 s. `stopping` must have been set.
    pub async fn stop(mut self) {
        if tokio::time::timeout(FINISH_LIMIT, &mut self.watching).await.is_err() {
            self.abandon.cancel();
            let _ = self.watching.await;
        }
    }
}

impl Watcher {
    /// A watcher that does not watch yet; [`start`] it.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            pace: Pace::steady(),
            hasty_pace: Pace::hasty(),
            told: Mutex::default(),
            vouched: Mutex::default(),
            visited: Mutex::default(),
        }
    }

    /// Watches until the bot stops. A list or a look that hangs keeps no other one waiting.
    async fn run(self: Arc<Self>) {
        tokio::join!(Arc::clone(&self).keep_looking(), Arc::clone(&self).keep_listing(), self.keep_time());
    }

    async fn keep_looking(self: Arc<Self>) {
        let mut looks = SideBySide::new(LOOKS);
        while !self.parts.stopping.is_cancelled() {
            let room = looks.room();
            let keys = self.take_looks(room).await;
            let more = keys.len() == room;
            for key in keys {
                let watcher = Arc::clone(&self);
                looks.begin(async move { watcher.look(&key).await });
            }
            self.pause(&mut looks, more).await;
        }
        looks.finish().await;
    }

    async fn keep_listing(self: Arc<Self>) {
        let mut lists = SideBySide::new(GROUPS);
        while !self.parts.stopping.is_cancelled() {
            let room = lists.room();
            let groups = self.take_groups(room).await;
            let more = groups.len() == room;
            for group in groups {
                let watcher = Arc::clone(&self);
                lists.begin(async move { watcher.sweep(group).await });
            }
            self.pause(&mut lists, more).await;
        }
        lists.finish().await;
    }

    /// Until more may be due, or there is room for more that is.
    async fn pause(&self, under_way: &mut SideBySide, more: bool) {
        tokio::select! {
            () = self.parts.stopping.cancelled() => {}
            () = under_way.half_is_free(), if more => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }

    async fn keep_time(&self) {
        let stopping = &self.parts.stopping;
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(FIRST_LISTS) => {}
        }
        while !stopping.is_cancelled() {
            self.let_time_pass().await;
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Does what is due now, as far as the pace allows. Returns how many connections and groups that
    /// was about.
    pub async fn step(&self) -> usize {
        let keys = self.take_looks(LOOKS).await;
        let looked = keys.len();
        futures_util::future::join_all(keys.iter().map(|key| self.look(key))).await;
        let groups = self.take_groups(GROUPS).await;
        let swept = groups.len();
        futures_util::future::join_all(groups.into_iter().map(|group| self.sweep(group))).await;
        looked + swept + self.let_time_pass().await
    }

    /// Takes up to so many of the connections that something has hinted at.
    async fn take_looks(&self, room: usize) -> Vec<Key> {
        let Parts { clock, store, .. } = &self.parts;
        let now = clock.now();
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        let allowed = lock(&self.hasty_pace).take(room, self.limit(), now);
        if allowed <= 0 {
            return Vec::new();
        }
        let again = now.saturating_add(LOOK_AGAIN).unwrap_or(now);
        let keys = match store.claim_looks(now, again, allowed).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(%error, "could not ask for due looks");
                Vec::new()
            }
        };
        lock(&self.hasty_pace).give_back(allowed - i64::try_from(keys.len()).unwrap_or(allowed));
        keys
    }

    /// Does what time has brought, where no list has said anything for a while. Fivetran is asked first, as far as the
    /// pace allows: a customer who has finished meanwhile, be it while no bot ran, is not told that they haven't.
    async fn let_time_pass(&self) -> usize {
        let Parts { clock, store, .. } = &self.parts;
        let before = clock.now().saturating_sub(UNLISTED).unwrap_or(Timestamp::MIN);
        let keys = match store.ticked(before, TICKS).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(%error, "could not ask for what time has brought");
                return 0;
            }
        };
        // Side by side, so that they share their commits.
        let pass = async |key: &Key| {
            if let Ok(Some(stored)) = store.connection(key).await {
                let seen = match self.may_look() {
                    true => tokio::time::timeout(BEFORE_THE_CLOCK, self.see(&stored)).await.ok().flatten(),
                    false => None,
                };
                self.happens(&stored, seen.map_or(Event::Passed, Event::Seen)).await;
            }
        };
        futures_util::future::join_all(keys.iter().map(pass)).await;
        keys.len()
    }

    /// Looks at one connection now. If something else happens to it meanwhile that is no answer of Fivetran's, as where
    /// a command has just posted the link, it is looked at once more: its customer may wait.
    async fn look(&self, key: &Key) {
        let Some(before) = self.read(key).await else { return };
        if self.consider(&before).await.is_some() || self.parts.stopping.is_cancelled() {
            return;
        }
        let Some(now) = self.read(key).await else { return };
        let looks = |it: &Stored| (it.connection.generation, it.connection.looks);
        let is_new = now.version != before.version && looks(&now) == looks(&before);
        if is_new && now.connection.link.state.is_open() && self.may_look() {
            self.consider(&now).await;
        }
    }

    /// Asks Fivetran about a connection that stood so, and records what that means. `None` if something else has
    /// happened to it by then, which knows better.
    async fn consider(&self, stored: &Stored) -> Option<Link> {
        let event = self.see(stored).await.map_or(Event::NotSeen, Event::Seen);
        self.happens(stored, event).await
    }

    async fn read(&self, key: &Key) -> Option<Stored> {
        self.parts.store.connection(key).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not read a connection");
            None
        })
    }

    /// Whether Fivetran may be asked about one more connection now. A browser that waits may ask for more.
    fn may_look(&self) -> bool {
        lock(&self.hasty_pace).take(1, self.limit(), self.parts.clock.now()) == 1
    }

    /// Records what happened to a connection that stood so. Returns how it stands then; `None` if
    /// something else has happened to it.
    async fn happens(&self, stored: &Stored, event: Event) -> Option<Link> {
        let Parts { clock, store, channels, .. } = &self.parts;
        let (before, now) = (&stored.connection, clock.now());
        let reminders = channels.of(&before.link.channel_id).reminders;
        let is_visit = event == Event::Landed;
        let change = life::next(before, event, reminders, now);
        if is_visit && change.connection == *before {
            // A page that is loaded again and again must not get in the way of what Fivetran says meanwhile.
            return Some(change.connection.link);
        }
        let entry = Entry::of_change(&before.link, &change.connection.link, now);
        let write = Write {
            change: &change,
            version: stored.version,
            held: None,
            progress: None,
            message: MessageWrite::None,
            trail: entry.as_ref(),
            reminders,
            now,
        };
        let link = change.connection.link.clone();
        match store.write(write).await {
            Ok(Written::Committed) => {
                let cause = |link: &Link| link.trouble.as_ref().map(|trouble| trouble.cause);
                if link.state != before.link.state || cause(&link) != cause(&before.link) {
                    audit(&link);
                }
                Some(link)
            }
            Ok(Written::Conflict | Written::LeaseLost) => None,
            Err(error) => {
                tracing::warn!(link = link.id, %error, "could not record how a connection stands");
                None
            }
        }
    }

    /// Requests an hour that Fivetran grants the account.
    fn limit(&self) -> u64 {
        self.parts.provision.hourly_limit().unwrap_or(USUAL_LIMIT)
    }

    async fn see(&self, stored: &Stored) -> Option<Seen> {
        let connection = &stored.connection;
        let (link, asked_at) = (&connection.link, self.parts.clock.now());
        match self.parts.provision.see(&link.connection_id).await {
            Ok(Some(found)) => Some(Seen::from(&found)),
            Ok(None) => {
                let vouched = self.is_vouched_for(connection);
                let missing = match self.missing(vouched).await {
                    Ok(missing) => missing,
                    Err(error) => {
                        tracing::warn!(link = link.id, %error, "could not count the missing connections");
                        return None;
                    }
                };
                let others = missing - u64::from(connection.missing_since.is_some()).min(missing);
                Some(Seen::Missing { others: if vouched { others.min(FEW) } else { others }, asked_at })
            }
            Err(error) => {
                tracing::info!(link = link.id, %error, "could not see how a connection stands");
                self.rest_if_throttled(&error);
                None
            }
        }
    }

    /// Whether the last whole list of its group says that a connection is not there, and can be believed.
    fn is_vouched_for(&self, connection: &Connection) -> bool {
        let (group_id, now) = (&connection.key.group_id, self.parts.clock.now());
        lock(&self.vouched).say_gone(group_id, &connection.link.connection_id, now)
    }

    /// How many connections are missing. Of more than a few, somebody has to be told, unless a list
    /// vouches for it.
    async fn missing(&self, vouched: bool) -> Result<u64, StoreError> {
        let missing = self.parts.store.missing(FEW + 2).await?;
        if missing > FEW + 1 && !vouched {
            self.tell_of_missing();
        }
        Ok(missing)
    }

    fn tell_of_missing(&self) {
        let now = self.parts.clock.now();
        let mut told = lock(&self.told);
        if told.is_none_or(|told| now.duration_since(told).abs() >= TELL_AGAIN) {
            *told = Some(now);
            tracing::error!(
                "Fivetran doesn't show several connections that were there before, so I believe none of it: \
                 does FIVETRAN_API_KEY belong to another account, or was its role changed? If you did delete them, \
                 there's nothing to do; their messages stay as they are."
            );
        }
    }

    fn rest_if_throttled(&self, error: &Error) {
        if let Error::Throttled(pause) = error {
            self.rest(*pause);
        }
    }

    /// What is left of the account's limit is for commands.
    fn rest(&self, pause: Option<Duration>) {
        let pause = SignedDuration::try_from(pause.unwrap_or(THROTTLED_PAUSE))
            .unwrap_or(PAUSE_LIMIT)
            .min(PAUSE_LIMIT);
        let until = self.parts.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        lock(&self.pace).pause(until);
        lock(&self.hasty_pace).pause(until);
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
        user = link.requester.as_deref(),
        service = link.request.service.as_str(),
        schema = link.request.target.connection_name(),
        connection = link.connection_id,
        state = link.state.name(),
        cause = link.trouble.as_ref().map(|trouble| trouble.cause.name()),
        "link changed"
    );
}
