//! The watcher: keeps every posted link's message true for as long as it matters.
//!
//! Owns asking Fivetran how a connection stands, and bringing what changed to Slack. What a change
//! means, and when to ask again, is [`crate::links`]'s decision; the words are [`crate::reply`]'s.
//! The rows say when each link is due, so that replicas share the work and a restart loses none.

mod pace;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use crate::app::Bot;
use crate::fivetran::error::Error;
use crate::fivetran::model::SetupState;
use crate::links::{self, Link, News, Seen, State, USUAL_LIMIT};
use crate::reply::live;
use crate::slack::respond::PostError;
use crate::store::{ClaimedLink, Recorded};
pub use pace::Pace;

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
                pace().give_back(allowed);
                tracing::warn!(%error, "could not ask for due links");
                return looked;
            }
        };
        pace().give_back(allowed - i64::try_from(claimed.len()).unwrap_or(allowed));
        if claimed.is_empty() {
            return looked;
        }
        looked += claimed.len();
        let stopping = bot.stopping.is_cancelled();
        let watched = bot.store.watched_links().await.unwrap_or(0);
        futures_util::future::join_all(claimed.into_iter().map(|claimed| look(bot, claimed, false, watched)))
            .await;
        if stopping {
            return looked;
        }
    }
}

/// Looks at one link now, because its customer's browser has just come back; a hint, which
/// Fivetran has to confirm. Returns how it stands as far as is known in the time that a browser
/// waits.
pub async fn look_now(bot: &Arc<Bot>, link: &Link) -> State {
    let now = bot.clock.now();
    {
        let mut seen = bot.landings.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever reloads a page must not use up what other customers' looks need.
        if seen.get(&link.id).is_some_and(|last| now.duration_since(*last) < SPACING) {
            return link.state;
        }
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(link.id.clone(), now);
    }
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
    // A task of its own: neither the end of a browser's patience nor a closed tab may cut off a look
    // between what it shows and what it records.
    let looking = tokio::spawn(look_for_browser(Arc::clone(bot), link.clone()));
    match tokio::time::timeout(HASTY_LIMIT, looking).await {
        Ok(Ok(state)) => state,
        Ok(Err(_)) | Err(_) => link.state,
    }
}

/// Takes the link and looks at it, or waits for what whoever is at work on it finds.
async fn look_for_browser(bot: Arc<Bot>, link: Link) -> State {
    let end = Instant::now() + HASTY_LIMIT;
    while Instant::now() < end {
        match bot.store.claim_link(&link.id).await {
            Ok(Some(claimed)) => {
                let watched = bot.store.watched_links().await.unwrap_or(0);
                return look(&bot, claimed, true, watched).await;
            }
            // What they find is what we want to know.
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
    link.state
}

/// Looks at one link, brings what changed to Slack, and says when to look again. Returns how the
/// link stands, be Slack told of it yet or not. `landed`: the customer's browser has just come back.
async fn look(bot: &Bot, mut claimed: ClaimedLink, landed: bool, watched: u64) -> State {
    let before = claimed.clone();
    let now = bot.clock.now();
    let reminders = bot.reminders(&claimed.link.channel_id);
    let brought = if claimed.link.stale {
        claimed.link.stale = false;
        show(bot, &mut claimed.link).await
    } else {
        let seen = match see(bot, &claimed.link).await {
            // A link dies without Fivetran's doing.
            Err(_) if claimed.link.state == State::Waiting && now >= claimed.link.expires_at => {
                Ok(Seen::Setup { state: SetupState::Incomplete, tasks: None, first_sync: false })
            }
            seen => seen,
        };
        match seen {
            Ok(seen) => match links::observe(&mut claimed.link, &seen, landed, reminders, now) {
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

fn limit(bot: &Bot) -> u64 {
    bot.fivetran.hourly_limit().unwrap_or(USUAL_LIMIT)
}

async fn see(bot: &Bot, link: &Link) -> Result<Seen, Error> {
    match bot.fivetran.connection(&link.connection_id).await {
        Ok(connection) => Ok(Seen::from(&connection)),
        Err(Error::NotFound(said)) if said.is_of_connection() => Ok(Seen::Gone),
        Err(Error::Throttled(pause)) => {
            // What is left of the account's limit is for commands.
            let pause = SignedDuration::try_from(pause.unwrap_or(THROTTLED_PAUSE)).unwrap_or(AGAIN);
            if let Ok(until) = bot.clock.now().checked_add(pause) {
                bot.pace.lock().unwrap_or_else(PoisonError::into_inner).pause(until);
                bot.hasty_pace.lock().unwrap_or_else(PoisonError::into_inner).pause(until);
            }
            Err(Error::Throttled(None))
        }
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
pub async fn show(bot: &Bot, link: &mut Link) -> bool {
    let (Some(web_api), Some(place)) = (&bot.web_api, &link.message) else { return true };
    match web_api.update(place, &live::settled(link)).await {
        Ok(()) => true,
        Err(PostError::Refused(word)) if is_lost(&word) => {
            tracing::info!(link = link.id, slack_says = word, "a link's message cannot be edited any more");
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

/// Whether Slack's word means that a message is out of reach for good.
/// <https://docs.slack.dev/reference/methods/chat.update>
#[must_use]
pub fn is_lost(word: &str) -> bool {
    matches!(
        word,
        "message_not_found"
            | "cant_update_message"
            | "edit_window_closed"
            | "channel_not_found"
            | "is_archived"
    )
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
