//! `POST /slack/commands`: from a request of Slack's to a committed command and its
//! acknowledgement.
//!
//! Owns the order of things before the acknowledgement, which has to arrive within three seconds.
//! Only three things wait for an outside party: whether the person may
//! ([`Gate::may`](crate::permission::Gate::may), 800 ms at most); `status`, for Fivetran, and the
//! form, for Slack, until two seconds after the request came.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use slack_morphism::prelude::{SlackCommandEventResponse, SlackMessageContent, SlackMessageResponseType};
use tokio::time::Instant;

use super::accept::{self, Answered, Asked};
use super::{form, json, signed};
use crate::app::Bot;
use crate::command::{self, Command, UsageError, Vocabulary, Work, list, renew, services, status};
use crate::fivetran::schema::Target;
use crate::journal::Progress;
use crate::links::{Link, State as LinkState};
use crate::permission::Person;
use crate::reply::{self, ask, list as list_reply, services as services_reply, status as status_reply};
use crate::slack::{self, SlashCommand};
use crate::telemetry::Answer;

/// Answers one slash command.
pub async fn handle(State(bot): State<Arc<Bot>>, request: Request) -> Response {
    let began = Instant::now();
    let (answer, response) = match receive(&bot, request, began).await {
        Ok((answer, Some(content))) => (answer, ephemeral(content)),
        Ok((answer, None)) => (answer, StatusCode::OK.into_response()),
        // Slack's certificate probe is neither answered nor refused.
        Err(response) if response.status().is_success() => return response,
        Err(response) => (Answer::Refused, response),
    };
    bot.metrics.answered(answer, began.elapsed().as_secs_f64());
    response
}

/// What to say, if anything.
async fn receive(
    bot: &Arc<Bot>,
    request: Request,
    began: Instant,
) -> Result<(Answer, Option<SlackMessageContent>), Response> {
    let (head, body) = request.into_parts();
    let body = signed::read(body).await.map_err(|status| status.into_response())?;
    if slack::is_ssl_check(&body) {
        return Err(StatusCode::OK.into_response());
    }
    let signature = signed::verify(bot, &head, &body).map_err(|status| status.into_response())?;
    let typed = SlashCommand::decode(&body, &bot.response_url_origins).map_err(|error| {
        tracing::warn!(reason = %error, "a signed request is no slash command");
        StatusCode::BAD_REQUEST.into_response()
    })?;
    let catalog = bot.catalog.current();
    if command::asks_for_help(&typed.text, &catalog) {
        return Ok((Answer::Replied, Some(reply::help(&typed.command))));
    }
    let SlashCommand { team_id, channel_id, user_id, .. } = &typed;
    let person = Person { team_id, enterprise_id: typed.enterprise_id.as_deref(), user_id };
    if let Err(refused) = bot.gate.may(&person, channel_id, bot.clock.now()).await {
        tracing::info!(
            team = team_id,
            channel = channel_id,
            user = user_id,
            reason = ?refused.reason,
            "a command was not permitted"
        );
        return Ok((Answer::Replied, Some(reply::refused(&refused))));
    }
    let vocabulary = Vocabulary {
        slash: &typed.command,
        catalog: &catalog,
        destinations: &bot.destinations,
        channel: bot.channels.of(&typed.channel_id),
    };
    Ok(match command::parse(&typed.text, &vocabulary) {
        Ok(command) => {
            let (answer, content) = answer(bot, &signature, typed, command, began).await;
            (answer, Some(content))
        }
        Err(UsageError::Incomplete) if bot.web_api.is_some() && typed.trigger_id.is_some() => {
            (Answer::Replied, form::open(bot, &typed, began).await.err())
        }
        Err(error) => (Answer::Replied, Some(reply::usage(&error, &typed.command))),
    })
}

/// Answers a command: at once where the database knows the answer, else by accepting it.
async fn answer(
    bot: &Arc<Bot>,
    signature: &[u8],
    typed: SlashCommand,
    command: Command,
    began: Instant,
) -> (Answer, SlackMessageContent) {
    let replied = |content| (Answer::Replied, content);
    let (work, progress) = match command {
        Command::Help => return replied(reply::help(&typed.command)),
        Command::Services(words) => {
            let found = services::find(&words, &bot.catalog.current(), services::SHOWN);
            return replied(services_reply::services(&found, &words, &typed.command));
        }
        Command::List => return replied(links(bot, &typed).await),
        Command::Status(target) => {
            return replied(match link(bot, &typed, &target, status_reply::unavailable).await {
                Ok(link) => how(bot, link, began).await,
                Err(content) => content,
            });
        }
        Command::Connect(request) => (Work::Connect(request), Progress::default()),
        Command::Renew(target) => match link(bot, &typed, &target, reply::not_accepted).await {
            Ok(link) => match renew::work(&link) {
                Ok(renewal) => renewal,
                Err(why) => return replied(ask::not_renewable(why, &link)),
            },
            Err(content) => return replied(content),
        },
        Command::Cancel(target) => {
            return replied(match link(bot, &typed, &target, reply::not_accepted).await {
                Ok(link) if matches!(link.state, LinkState::Connected | LinkState::Broken) => {
                    ask::not_cancellable(&link)
                }
                Ok(link) => ask::cancel(&link),
                Err(content) => content,
            });
        }
    };
    let SlashCommand { team_id, channel_id, user_id, response_url, .. } = typed;
    let asked = Asked { team_id, channel_id, user_id, response_url };
    match accept::accept(bot, signature, asked, &work, progress).await {
        Answered::Accepted(id) => (Answer::Accepted, reply::accepted(&work, &id)),
        Answered::AlreadyOnIt => replied(reply::already_on_it(&work)),
        Answered::NotAccepted => (Answer::NotAccepted, reply::not_accepted()),
    }
}

/// The links of the channel of the command.
async fn links(bot: &Bot, typed: &SlashCommand) -> SlackMessageContent {
    match bot.store.links_of_channel(&typed.team_id, &typed.channel_id).await {
        Ok(links) => list_reply::list(&list::page(links, 0, bot.clock.now()), Some(&typed.command)),
        Err(error) => {
            tracing::error!(%error, "could not look the links of a channel up");
            status_reply::unavailable()
        }
    }
}

/// How a link stands. If Fivetran knows better than its message, that is looked after soon.
async fn how(bot: &Bot, link: Link, began: Instant) -> SlackMessageContent {
    let (id, known) = (link.id.clone(), link.state);
    let view = status::look(&link, &bot.fivetran, began).await;
    let report = status::report(link, view, bot.clock.now());
    if report.link.state != known
        && let Err(error) = bot.store.hasten_link(&id, bot.clock.now()).await
    {
        tracing::warn!(link = id, %error, "could not hasten a look");
    }
    status_reply::status(&report)
}

/// The link of a schema in the channel of the command, or the sentence that there is none; `failed`
/// is what to say when the database does not answer.
async fn link(
    bot: &Bot,
    typed: &SlashCommand,
    target: &Target,
    failed: fn() -> SlackMessageContent,
) -> Result<Link, SlackMessageContent> {
    let schema = target.connection_name();
    match bot.store.link_of_schema(&typed.team_id, &typed.channel_id, &schema).await {
        Ok(Some(link)) => Ok(link),
        Ok(None) => Err(ask::no_link(&schema, &typed.command)),
        Err(error) => {
            tracing::error!(%error, "could not look a link up");
            Err(failed())
        }
    }
}

/// An acknowledgement that only the person sees.
fn ephemeral(content: SlackMessageContent) -> Response {
    let body =
        SlackCommandEventResponse::new(content).with_response_type(SlackMessageResponseType::Ephemeral);
    json(&body)
}
