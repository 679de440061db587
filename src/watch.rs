//! The watcher: keeps every posted link's message true for as long as it matters.
//!
//! Owns asking Fivetran how a connection stands, and bringing what changed to Slack. What a change
//! means, and when to ask again, is [`crate::links`]'s decision; the words are [`crate::reply`]'s.
//! The rows say when each link is due, so that replicas share the work and a restart loses none.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::app::Bot;
use crate::fivetran::error::Error;
use crate::links::{self, Link, News, Place, Seen, State, USUAL_LIMIT};
use crate::reply::live;
use crate::slack::respond::PostError;
use crate::slack::web_api::Posted;
use crate::store::ClaimedLink;

/// How often the database is asked for due links.
const POLL: Duration = Duration::from_secs(1);
/// Links taken at a time, each of which waits for one answer of Fivetran's.
const CLAIM: i64 = 16;
/// Looks that may be made at once after a rest; after that they go by the hourly share.
const BURST: f64 = 60.0;
/// Share of the hourly share that customers' browsers may use for looks ahead of time.
const HASTY_SHARE: f64 = 0.1;
/// When to try again what an outside party did not do.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// Longest that a customer's browser is kept waiting for Fivetran.
const HASTY_LIMIT: Duration = Duration::from_millis(2500);

/// How many looks may be made now: a bucket that fills with time.
#[derive(Debug)]
pub struct Pace {
    left: f64,
    share: f64,
    burst: f64,
    filled_at: Option<Timestamp>,
}

impl Pace {
    /// For the looks that the rows say are due.
    #[must_use]
    pub fn steady() -> Mutex<Self> {
        Mutex::new(Self { left: BURST, share: 1.0, burst: BURST, filled_at: None })
    }

    /// For the looks that customers' browsers ask for.
    #[must_use]
    pub fn hasty() -> Mutex<Self> {
        Mutex::new(Self { left: BURST / 2.0, share: HASTY_SHARE, burst: BURST / 2.0, filled_at: None })
    }

    /// Fills up to `now` and takes up to `wanted`; returns how many there were.
    fn take(&mut self, wanted: i64, per_hour: u64, now: Timestamp) -> i64 {
        let since = self.filled_at.map_or(0.0, |then| now.duration_since(then).as_secs_f64().max(0.0));
        self.filled_at = Some(now);
        let filled = self.left + since * self.share * per_hour as f64 / 3600.0;
        self.left = filled.min(self.burst);
        let taken = wanted.min(self.left as i64);
        self.left -= taken as f64;
        taken
    }

    fn give_back(&mut self, unused: i64) {
        self.left += unused as f64;
    }
}

/// Watches until the bot stops.
pub async fn run(bot: &Bot) {
    while !bot.stopping.is_cancelled() {
        step(bot).await;
        tokio::select! {
            () = bot.stopping.cancelled() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Looks at the links that are due now, as many as the pace allows. Returns how many.
pub async fn step(bot: &Bot) -> usize {
    let (now, per_hour) = (bot.clock.now(), links::share(limit(bot)));
    let pace = || bot.pace.lock().unwrap_or_else(PoisonError::into_inner);
    let mut looked = 0;
    loop {
        let allowed = pace().take(CLAIM, per_hour, now);
        if allowed == 0 {
            return looked;
        }
        let claimed = match bot.store.claim_links(now, allowed).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "could not ask for due links");
                return looked;
            }
        };
        pace().give_back(allowed - i64::try_from(claimed.len()).unwrap_or(allowed));
        if claimed.is_empty() {
            return looked;
        }
        looked += claimed.len();
        let watched = bot.store.watched_links().await.unwrap_or(0);
        futures_util::future::join_all(claimed.into_iter().map(|claimed| look(bot, claimed, watched))).await;
    }
}

/// Looks at one link now, because its customer's browser has just come back; a hint, which
/// Fivetran has to confirm. Returns how it stands as far as is known in the time that a browser
/// waits.
pub async fn look_now(bot: &Bot, link: &Link) -> State {
    let taken = bot.hasty_pace.lock().unwrap_or_else(PoisonError::into_inner).take(
        1,
        links::share(limit(bot)),
        bot.clock.now(),
    );
    if taken == 0 {
        // Soon, then; with the others.
        if let Err(error) = bot.store.hasten_link(&link.id, bot.clock.now()).await {
            tracing::warn!(link = link.id, %error, "could not hasten a look");
        }
        return link.state;
    }
    let looking = async {
        loop {
            match bot.store.claim_link(&link.id).await {
                Ok(Some(claimed)) => {
                    let watched = bot.store.watched_links().await.unwrap_or(0);
                    return look(bot, claimed, watched).await;
                }
                // Somebody is at work on it: what they find is what we want to know.
                Ok(None) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => {
                    tracing::warn!(link = link.id, %error, "could not look at a link");
                    return link.state;
                }
            }
            if let Ok(Some(other)) = bot.store.link(&link.id).await
                && other.state != link.state
            {
                return other.state;
            }
        }
    };
    tokio::time::timeout(HASTY_LIMIT, looking).await.unwrap_or(link.state)
}

/// Looks at one link, brings what changed to Slack, and says when to look again. Returns how the
/// link stands then.
async fn look(bot: &Bot, mut claimed: ClaimedLink, watched: u64) -> State {
    let before = claimed.clone();
    let now = bot.clock.now();
    let reminders = bot.reminders(&claimed.link.channel_id);
    let brought = if claimed.link.stale {
        claimed.link.stale = false;
        show(bot, &mut claimed.link).await
    } else {
        match see(bot, &claimed.link).await {
            Ok(seen) => match links::observe(&mut claimed.link, &seen, reminders, now) {
                Some(news) => bring(bot, &mut claimed.link, news).await,
                None => true,
            },
            Err(error) => {
                tracing::info!(link = claimed.link.id, %error, "could not see how a connection stands");
                false
            }
        }
    };
    let next = links::next_look(&claimed.link, reminders, watched, limit(bot), now);
    let (kept, next) = if brought { (&claimed, next) } else { (&before, now.saturating_add(AGAIN).ok()) };
    match bot.store.record_link(kept, next).await {
        Ok(_) if kept.link.state != before.link.state => audit(&kept.link),
        Ok(_) => {}
        // It is seen again, and brought again, once the lease has ended.
        Err(error) => tracing::warn!(link = kept.link.id, %error, "could not record how a link stands"),
    }
    kept.link.state
}

fn limit(bot: &Bot) -> u64 {
    bot.fivetran.hourly_limit().unwrap_or(USUAL_LIMIT)
}

async fn see(bot: &Bot, link: &Link) -> Result<Seen, Error> {
    match bot.fivetran.connection(&link.connection_id).await {
        Ok(connection) => Ok(Seen::from(&connection)),
        Err(Error::NotFound(said)) if said.is_of_connection() => Ok(Seen::Gone),
        Err(error) => Err(error),
    }
}

/// Brings news to Slack: the message first, then its thread. False if it has to be tried again.
async fn bring(bot: &Bot, link: &mut Link, news: News) -> bool {
    let reminder = matches!(news, News::ReminderBefore | News::ReminderAfter);
    if !reminder && !show(bot, link).await {
        return false;
    }
    let (Some(web_api), Some(place)) = (&bot.web_api, &link.message) else { return true };
    match web_api.post_in_thread(&posted(place), live::news(news, link)).await {
        Ok(()) => true,
        Err(PostError::Refused(word)) => {
            tracing::info!(link = link.id, slack_says = word, "the thread cannot be told");
            true
        }
        Err(error) => {
            tracing::warn!(link = link.id, %error, "the thread could not be told");
            // The message says it already; saying it twice there does no harm.
            false
        }
    }
}

/// Edits a link's message to its state. False if it has to be tried again; a message that cannot
/// be edited any more is let go.
pub async fn show(bot: &Bot, link: &mut Link) -> bool {
    let (Some(web_api), Some(place)) = (&bot.web_api, &link.message) else { return true };
    match web_api.update(&posted(place), &live::settled(link)).await {
        Ok(()) => true,
        Err(PostError::Refused(word)) => {
            tracing::info!(link = link.id, slack_says = word, "a link's message cannot be edited any more");
            link.message = None;
            true
        }
        Err(error) => {
            tracing::warn!(link = link.id, %error, "a link's message could not be edited");
            false
        }
    }
}

fn posted(place: &Place) -> Posted {
    Posted { channel: place.channel.clone(), ts: place.ts.clone() }
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
