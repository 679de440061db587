//! How a reply reaches Slack: which of the ways is tried, and in which order.
//!
//! Owns the choice between the Web API and the response_url. A link goes to the channel by the
//! Web API first, since only such a message can be edited later; a failure goes to the person by
//! the response_url first, since that always works.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};

use crate::app::Bot;
use crate::command::Work;
use crate::command::connect::{Confirmed, Request};
use crate::fivetran::model::ConnectCard;
use crate::journal::{Journal, Outcome, PostFailure, Problem};
use crate::links::{self, Over, Place};
use crate::reply;
use crate::reply::Audience;
use crate::reply::ask;
use crate::reply::live::{self, Note, Waiting};
use crate::slack::ResponseUrl;
use crate::slack::respond::{self, PostError};
use crate::store::{Claimed, ClaimedLink, NewLink, Recorded};
use crate::telemetry::Party;
use crate::watch;

/// First pause before a link that could not be kept is tried again.
const KEEP_PAUSE: Duration = Duration::from_millis(50);

/// Posts the link in the channel, and keeps it to be watched.
pub(super) async fn link(
    bot: &Bot,
    journal: &Journal,
    claimed: &Claimed,
    request: &Request,
    card: Option<&ConnectCard>,
) -> Outcome {
    let now = bot.clock.now();
    let note = match (journal.progress.existed, request.confirmed) {
        (_, Confirmed::Reauthorise) => Note::Reauthorise,
        (true, _) => Note::Existed,
        (false, _) => Note::None,
    };
    let content = card.and_then(|card| {
        let waiting = Waiting {
            request,
            requester: &claimed.user_id,
            card,
            note,
            audience: audience(bot),
            reference: &claimed.id,
        };
        Some((live::waiting(&waiting, now)?, card.expires_at(now)))
    });
    let Some((content, expires_at)) = content else {
        return Outcome::PostFailed(PostFailure::Refused("no link".to_owned()));
    };
    if journal.is_retry() {
        bot.metrics.retried(Party::Slack);
    }
    let message = match post(bot, claimed, content).await {
        Ok(message) => message,
        Err(failed) => return failed,
    };
    // With a token, only where the bot is not a member; elsewhere its message can be edited.
    let outside = bot.web_api.is_some() && message.is_none() && audience(bot) == Audience::Channel;
    keep(bot, journal, claimed, request, message, expires_at).await;
    if outside && bot.hints.first_time(&claimed.channel_id) {
        // The link is there; a hint that is lost is given the next time.
        let _ = respond(bot, claimed, &ask::invite(), SlackMessageResponseType::Ephemeral).await;
    }
    Outcome::Posted
}

/// Posts by the Web API, else by the response_url, after which the message cannot be edited.
async fn post(bot: &Bot, claimed: &Claimed, content: SlackMessageContent) -> Result<Option<Place>, Outcome> {
    if audience(bot) == Audience::Requester {
        return post_privately(bot, claimed, content).await;
    }
    let mut refused = None;
    if let Some(web_api) = &bot.web_api {
        match web_api.post_message(&claimed.channel_id, content.clone()).await {
            Ok(place) => return Ok(Some(place)),
            Err(PostError::Refused(word)) => {
                tracing::info!(
                    command = claimed.id,
                    slack_says = word,
                    "not by the Web API; using the response_url"
                );
                refused = Some(word);
            }
            Err(error) => return Err(failed(claimed, error)),
        }
    }
    match respond(bot, claimed, &content, SlackMessageResponseType::InChannel).await {
        Ok(()) => Ok(None),
        // The first refusal is the one that somebody can do something about.
        Err(PostError::Refused(word)) => {
            Err(Outcome::PostFailed(PostFailure::Refused(refused.unwrap_or(word))))
        }
        Err(error) => Err(failed(claimed, error)),
    }
}

fn audience(bot: &Bot) -> Audience {
    bot.visibility
}

/// Shows the link to its requester alone: by the response_url, else by a direct message. Never by
/// an ephemeral message of the Web API, whose links Slack follows.
async fn post_privately(
    bot: &Bot,
    claimed: &Claimed,
    content: SlackMessageContent,
) -> Result<Option<Place>, Outcome> {
    match respond(bot, claimed, &content, SlackMessageResponseType::Ephemeral).await {
        Ok(()) => return Ok(None),
        Err(PostError::Refused(word)) => {
            tracing::info!(command = claimed.id, slack_says = word, "the response_url is dead");
        }
        Err(error) => return Err(failed(claimed, error)),
    }
    let Some(web_api) = &bot.web_api else {
        return Err(Outcome::PostFailed(PostFailure::Refused("the response_url is dead".to_owned())));
    };
    match web_api.post_message(&claimed.user_id, content).await {
        Ok(place) => Ok(Some(place)),
        Err(error) => Err(failed(claimed, error)),
    }
}

/// Keeps a posted link, so that its message stays true. What was posted was posted: this is tried
/// until it works, as every record of it is.
async fn keep(
    bot: &Bot,
    journal: &Journal,
    claimed: &Claimed,
    request: &Request,
    message: Option<Place>,
    expires_at: Timestamp,
) {
    let connection = journal.progress.connection.as_deref().unwrap_or_default();
    let mut pause = KEEP_PAUSE;
    loop {
        let now = bot.clock.now();
        let kept = bot.store.keep_link(NewLink {
            id: &claimed.id,
            connection_id: connection,
            team_id: &claimed.team_id,
            channel_id: &claimed.channel_id,
            requester: &claimed.user_id,
            request,
            message: message.clone(),
            over: (request.confirmed == Confirmed::Reauthorise).then_some(Over::Connected),
            posted_at: now,
            expires_at,
            check_at: links::first_look(now),
        });
        let replaced = async {
            // A connection that was there before may have an older link somewhere.
            if journal.progress.existed {
                bot.store.replace_links(connection, &claimed.id, now).await
            } else {
                Ok(())
            }
        };
        match kept.await {
            Ok(()) => match replaced.await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(command = claimed.id, %error, "could not retire older links, trying again")
                }
            },
            Err(error) => {
                tracing::warn!(command = claimed.id, %error, "could not keep the link, trying again")
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(KEEP_PAUSE * 40);
    }
}

/// Puts a new link into the message of an old one. If that message cannot be edited, the link is
/// posted anew.
pub(super) async fn renewed(
    bot: &Bot,
    journal: &Journal,
    claimed: &Claimed,
    link: &str,
    card: Option<&ConnectCard>,
) -> Outcome {
    let mut old = match bot.store.claim_link(link).await {
        Ok(Some(old)) => old,
        // Somebody is editing its message at this moment, or the database is busy.
        Ok(None) | Err(_) => return Outcome::Held,
    };
    let now = bot.clock.now();
    if old.link.state == links::State::Waiting
        && old.link.posted_at > claimed.accepted_at
        && now < old.link.expires_at
    {
        // Somebody else's press has made one since.
        return give_back(bot, &old, Outcome::Posted).await;
    }
    let content = card.and_then(|card| {
        let waiting = Waiting {
            request: &old.link.request,
            requester: &old.link.requester,
            card,
            note: Note::Renewed,
            audience: audience(bot),
            reference: link,
        };
        Some((live::waiting(&waiting, now)?, card.expires_at(now)))
    });
    let Some((content, expires_at)) = content else {
        return Outcome::PostFailed(PostFailure::Refused("no link".to_owned()));
    };
    if journal.is_retry() {
        bot.metrics.retried(Party::Slack);
    }
    let place = old.link.message.clone();
    let edited = match (&bot.web_api, place) {
        (Some(web_api), Some(at)) => {
            let private = audience(bot) == Audience::Requester;
            // What the whole channel can see must not show a link that is for one person.
            let settled = links::Link { state: links::State::Replaced, ..old.link.clone() };
            let shown = if private { live::settled(&settled) } else { content.clone() };
            match web_api.update(&at, &shown).await {
                Ok(()) if private => false,
                Ok(()) => {
                    // The message says it; without a word in the thread it is as true.
                    let _ = web_api.post_in_thread(&at, live::renewed_by(&claimed.user_id)).await;
                    true
                }
                Err(PostError::Refused(word)) if watch::is_lost(&word) => false,
                Err(error) => return give_back(bot, &old, failed(claimed, error)).await,
            }
        }
        _ => false,
    };
    if !edited {
        match post(bot, claimed, content).await {
            Ok(place) => old.link.message = place,
            Err(failed) => return give_back(bot, &old, failed).await,
        }
    }
    links::renewed(&mut old.link, expires_at, now);
    record(bot, &old, links::first_look(now)).await;
    Outcome::Posted
}

/// Ends the lease of a link whose message was not edited.
async fn give_back(bot: &Bot, old: &ClaimedLink, outcome: Outcome) -> Outcome {
    // Whoever has taken it since knows better how it stands; a lease that cannot be given back ends.
    if let Err(error) = bot.store.record_link(old, Some(bot.clock.now())).await {
        tracing::warn!(link = old.link.id, %error, "could not give a link back");
    }
    outcome
}

/// Marks a link as cancelled; its message is edited by whoever watches it next. False if somebody
/// is editing it at this moment.
async fn cancelled(bot: &Bot, link: &str) -> bool {
    match bot.store.claim_link(link).await {
        Ok(Some(mut old)) => {
            old.link.state = links::State::Cancelled;
            old.link.stale = true;
            old.link.changed_at = bot.clock.now();
            record(bot, &old, bot.clock.now()).await;
            true
        }
        Ok(None) | Err(_) => false,
    }
}

/// Records how a link stands, tried until it works: what happened outside has happened.
async fn record(bot: &Bot, old: &ClaimedLink, check_at: Timestamp) {
    let mut held = old.clone();
    loop {
        match bot.store.record_link(&held, Some(check_at)).await {
            Ok(Recorded::Committed) => return,
            // Taken over while Slack was slow: what we have just shown is newer all the same.
            Ok(Recorded::LeaseLost) => {
                if let Ok(Some(again)) = bot.store.claim_link(&held.link.id).await {
                    let mut link = held.link;
                    if again.link.state.is_over() {
                        // A newer link stands elsewhere, or the connection is gone: the message, which
                        // says otherwise now, is to say so again.
                        (link.state, link.stale) = (again.link.state, true);
                    }
                    held = again.showing(link);
                    continue;
                }
            }
            Err(error) => {
                tracing::warn!(link = held.link.id, %error, "could not record a link, trying again")
            }
        }
        tokio::time::sleep(KEEP_PAUSE * 10).await;
    }
}

/// Tells the person why there is no link.
pub(super) async fn problem(bot: &Bot, journal: &Journal, claimed: &Claimed, work: &Work) -> Outcome {
    let problem = journal.progress.problem.as_ref().unwrap_or(&Problem::NoAnswer);
    if let (Problem::Cancelled, Work::Cancel { link, .. }) = (problem, work)
        && !cancelled(bot, link).await
    {
        return Outcome::Held;
    }
    // What can be decided is decided by whoever typed the command, not by whoever pressed a button.
    let content = match work {
        Work::Connect(request) => reply::problem(problem, request, &claimed.id),
        work => reply::problem_plainly(problem, work.request(), &claimed.id),
    };
    if journal.is_retry() {
        bot.metrics.retried(Party::Slack);
    }
    match respond(bot, claimed, &content, SlackMessageResponseType::Ephemeral).await {
        Ok(()) => return Outcome::Told,
        Err(PostError::Refused(word)) => {
            tracing::info!(command = claimed.id, slack_says = word, "the response_url is dead");
        }
        Err(error) => return failed(claimed, error),
    }
    let Some(web_api) = &bot.web_api else {
        return Outcome::PostFailed(PostFailure::Refused("the response_url is dead".to_owned()));
    };
    match web_api.post_ephemeral(&claimed.channel_id, &claimed.user_id, &content).await {
        Ok(()) => return Outcome::Told,
        Err(PostError::Refused(_)) => {}
        Err(error) => return failed(claimed, error),
    }
    // In the channel it cannot be; a direct message can.
    match web_api.post_message(&claimed.user_id, content).await {
        Ok(_) => Outcome::Told,
        Err(error) => failed(claimed, error),
    }
}

async fn respond(
    bot: &Bot,
    claimed: &Claimed,
    content: &SlackMessageContent,
    response_type: SlackMessageResponseType,
) -> Result<(), PostError> {
    let sealed_away =
        || PostError::Refused("the response_url does not open: was the signing secret changed?".to_owned());
    let url = claimed.response_url.as_ref().ok_or_else(sealed_away)?;
    let url = ResponseUrl::parse(url.expose_secret(), &bot.response_url_origins).ok_or_else(sealed_away)?;
    respond::post(&bot.http, &url, content, response_type).await
}

fn failed(claimed: &Claimed, error: PostError) -> Outcome {
    tracing::warn!(command = claimed.id, %error, "a message did not reach Slack");
    Outcome::PostFailed(match error {
        PostError::Refused(word) => PostFailure::Refused(word),
        PostError::Throttled(pause) => PostFailure::Throttled(pause),
        PostError::NotSent(_) => PostFailure::NotSent,
        PostError::Unclear(_) => PostFailure::Unclear,
    })
}
