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
use secrecy::SecretString;
use slack_morphism::prelude::{SlackCommandEventResponse, SlackMessageContent, SlackMessageResponseType};
use tokio::time::Instant;

use super::signed;
use crate::app::Bot;
use crate::command::{self, Command, Vocabulary, connect};
use crate::crash::crash_point;
use crate::journal::Progress;
use crate::permission::Person;
use crate::reply;
use crate::slack::{self, SlashCommand};
use crate::store::{Accepted, Claimed, NewCommand, Store};
use crate::telemetry::Answer;

/// Answers one slash command.
pub async fn handle(State(bot): State<Arc<Bot>>, request: Request) -> Response {
    let began = Instant::now();
    let (answer, response) = match receive(&bot, request).await {
        Ok((answer, content)) => (answer, ephemeral(content)),
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
    let signature = signed::verify(bot, &head.headers, &body).map_err(|status| status.into_response())?;
    let typed = SlashCommand::decode(&body, &bot.response_url_origins).map_err(|error| {
        tracing::warn!(reason = %error, "a signed request is no slash command");
        StatusCode::BAD_REQUEST.into_response()
    })?;
    if command::asks_for_help(&typed.text) {
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
    let catalog = bot.catalog.current();
    let vocabulary = Vocabulary {
        slash: &typed.command,
        catalog: &catalog,
        destinations: &bot.destinations,
        channel: bot.channels.of(&typed.channel_id),
    };
    Ok(match command::parse(&typed.text, &vocabulary) {
        Ok(Command::Help) => (Answer::Replied, reply::help(&typed.command)),
        Ok(Command::Connect(request)) => accept(bot, &signature, typed, request).await,
        Err(error) => (Answer::Replied, reply::usage(&error, &typed.command)),
    })
}

/// Commits the command, hands it to the worker, and says so.
async fn accept(
    bot: &Arc<Bot>,
    signature: &[u8],
    typed: SlashCommand,
    request: connect::Request,
) -> (Answer, SlackMessageContent) {
    let (Ok(json), Some(id)) = (serde_json::to_string(&request), bot.reference()) else {
        return (Answer::NotAccepted, reply::not_accepted());
    };
    let accepted_at = bot.clock.now();
    let new = NewCommand {
        id: id.clone(),
        dedup: hex(signature),
        subject: subject(&typed, &request),
        team_id: typed.team_id.clone(),
        channel_id: typed.channel_id.clone(),
        user_id: typed.user_id.clone(),
        request: json.clone(),
        response_url: SecretString::from(typed.response_url.expose().to_owned()),
        accepted_at,
    };
    let claimed = Claimed {
        id: id.clone(),
        fence: Store::first_fence(),
        team_id: typed.team_id,
        channel_id: typed.channel_id,
        user_id: typed.user_id,
        request: json,
        response_url: Some(SecretString::from(typed.response_url.expose().to_owned())),
        progress: Progress::default(),
        accepted_at,
    };
    // A task of its own: when Slack hangs up, this future is dropped, and a command must not be
    // left committed with nobody at work on it.
    let committing = tokio::spawn({
        let bot = Arc::clone(bot);
        async move {
            crash_point("accept: before the commit");
            let result = bot.store.accept(new).await;
            if matches!(result, Ok(Accepted::Committed)) {
                crash_point("accept: committed");
                bot.take_up(claimed);
            }
            result
        }
    });
    match committing.await {
        Ok(Ok(Accepted::Committed)) => {
            crash_point("accept: acknowledging");
            (Answer::Accepted, reply::accepted(&request, &id))
        }
        Ok(Ok(Accepted::Twin)) => (Answer::Replied, reply::already_on_it(&request)),
        Ok(Err(error)) => {
            tracing::error!(command = id, %error, "a command was not accepted");
            (Answer::NotAccepted, reply::not_accepted())
        }
        Err(_) => (Answer::NotAccepted, reply::not_accepted()),
    }
}

/// What two commands share that would end in the same connection and the same message.
fn subject(typed: &SlashCommand, request: &connect::Request) -> String {
    let SlashCommand { team_id, channel_id, .. } = typed;
    format!(
        "{team_id} {channel_id} {} {} {}",
        request.group_id,
        request.service,
        request.target.connection_name()
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
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
