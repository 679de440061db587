//! `POST /slack/commands`: from a request of Slack's to a committed command and its
//! acknowledgement.
//!
//! Owns the order of things before the acknowledgement. Must not call Fivetran, and Slack only as
//! briefly as [`Gate::may`](crate::permission::Gate::may) does: the acknowledgement has to arrive
//! within three seconds.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use slack_morphism::prelude::{SlackCommandEventResponse, SlackMessageContent, SlackMessageResponseType};
use tokio::time::Instant;

use super::accept::{self, Answered, Asked};
use super::signed;
use crate::app::Bot;
use crate::command::{self, Command, Vocabulary, Work, renew};
use crate::fivetran::schema::Target;
use crate::journal::Progress;
use crate::links::Link;
use crate::permission::Person;
use crate::reply::{self, ask};
use crate::slack::{self, SlashCommand};
use crate::telemetry::Answer;

/// Answers one slash command.
pub async fn handle(State(bot): State<Arc<Bot>>, request: Request) -> Response {
    let began = Instant::now();
    let (answer, response) = match receive(&bot, request).await {
        Ok((answer, content)) => (answer, ephemeral(content)),
        // Slack's certificate probe is neither answered nor refused.
        Err(response) if response.status().is_success() => return response,
        Err(response) => (Answer::Refused, response),
    };
    bot.metrics.answered(answer, began.elapsed().as_secs_f64());
    response
}

async fn receive(bot: &Arc<Bot>, request: Request) -> Result<(Answer, SlackMessageContent), Response> {
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
        return Ok((Answer::Replied, reply::help(&typed.command)));
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
        return Ok((Answer::Replied, reply::refused(&refused)));
    }
    let vocabulary = Vocabulary {
        slash: &typed.command,
        catalog: &catalog,
        destinations: &bot.destinations,
        channel: bot.channels.of(&typed.channel_id),
    };
    Ok(match command::parse(&typed.text, &vocabulary) {
        Ok(command) => answer(bot, &signature, typed, command).await,
        Err(error) => (Answer::Replied, reply::usage(&error, &typed.command)),
    })
}

/// Answers a command: at once where the database knows the answer, else by accepting it.
async fn answer(
    bot: &Arc<Bot>,
    signature: &[u8],
    typed: SlashCommand,
    command: Command,
) -> (Answer, SlackMessageContent) {
    let replied = |content| (Answer::Replied, content);
    let (work, progress) = match command {
        Command::Help => return replied(reply::help(&typed.command)),
        Command::Connect(request) => (Work::Connect(request), Progress::default()),
        Command::Renew(target) => match link(bot, &typed, &target).await {
            Ok(link) => match renew::work(&link) {
                Ok(renewal) => renewal,
                Err(why) => return replied(ask::not_renewable(why, &link)),
            },
            Err(content) => return replied(content),
        },
        Command::Cancel(target) => {
            return replied(match link(bot, &typed, &target).await {
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

/// The link of a schema in the channel of the command, or the sentence that there is none.
async fn link(bot: &Bot, typed: &SlashCommand, target: &Target) -> Result<Link, SlackMessageContent> {
    let schema = target.connection_name();
    match bot.store.link_of_schema(&typed.team_id, &typed.channel_id, &schema).await {
        Ok(Some(link)) => Ok(link),
        Ok(None) => Err(ask::no_link(&schema, &typed.command)),
        Err(error) => {
            tracing::error!(%error, "could not look a link up");
            Err(reply::not_accepted())
        }
    }
}

/// An acknowledgement that only the person sees.
fn ephemeral(content: SlackMessageContent) -> Response {
    let body =
        SlackCommandEventResponse::new(content).with_response_type(SlackMessageResponseType::Ephemeral);
    match serde_json::to_vec(&body) {
        Ok(json) => {
            let json_type = HeaderValue::from_static("application/json; charset=utf-8");
            ([(header::CONTENT_TYPE, json_type)], json).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
