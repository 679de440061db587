//! How a reply reaches Slack: which of the ways is tried, and in which order.
//!
//! Owns the choice between the Web API and the response_url. A link goes to the channel by the
//! Web API first, since only such a message can be edited later; a failure goes to the person by
//! the response_url first, since that always works.

use secrecy::ExposeSecret as _;
use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};

use crate::app::Bot;
use crate::command::connect::Request;
use crate::fivetran::model::ConnectCard;
use crate::journal::{Journal, Outcome, PostFailure, Problem};
use crate::reply;
use crate::slack::ResponseUrl;
use crate::slack::respond::{self, PostError};
use crate::store::Claimed;
use crate::telemetry::Party;

/// Posts the link in the channel.
pub(super) async fn link(
    bot: &Bot,
    journal: &Journal,
    claimed: &Claimed,
    request: &Request,
    card: Option<&ConnectCard>,
) -> Outcome {
    let content = card.and_then(|card| {
        let link = reply::Link {
            request,
            requester: &claimed.user_id,
            card,
            existed: journal.progress.existed,
            reference: &claimed.id,
        };
        reply::link(&link, bot.clock.now())
    });
    let Some(content) = content else {
        return Outcome::PostFailed(PostFailure::Refused("no link".to_owned()));
    };
    if journal.is_retry() {
        bot.metrics.retried(Party::Slack);
    }
    let mut refused = None;
    if let Some(web_api) = &bot.web_api {
        match web_api.post_message(&claimed.channel_id, content.clone()).await {
            Ok(_) => return Outcome::Posted,
            Err(PostError::Refused(word)) => {
                tracing::info!(
                    command = claimed.id,
                    slack_says = word,
                    "not by the Web API; using the response_url"
                );
                refused = Some(word);
            }
            Err(error) => return failed(claimed, error),
        }
    }
    match respond(bot, claimed, &content, SlackMessageResponseType::InChannel).await {
        Ok(()) => Outcome::Posted,
        // The first refusal is the one that somebody can do something about.
        Err(PostError::Refused(word)) => Outcome::PostFailed(PostFailure::Refused(refused.unwrap_or(word))),
        Err(error) => failed(claimed, error),
    }
}

/// Tells the person why there is no link.
pub(super) async fn problem(bot: &Bot, journal: &Journal, claimed: &Claimed, request: &Request) -> Outcome {
    let problem = journal.progress.problem.as_ref().unwrap_or(&Problem::NoAnswer);
    let content = reply::problem(problem, request, &claimed.id);
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
