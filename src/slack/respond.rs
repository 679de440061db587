//! Posting to a response_url.
//!
//! Owns what an answer of such a URL means. Knows nothing of the message's content. The library's
//! own request has neither `response_type` nor the unfurl flags, without which a message could
//! not be posted in the channel, nor a link be kept from Slack's crawler.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde::Serialize;
use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};

use crate::outbound::{self, CallError};
use crate::slack::ResponseUrl;

/// The body of a post to a response_url.
#[derive(Serialize)]
struct Post<'a> {
    #[serde(flatten)]
    content: &'a SlackMessageContent,
    response_type: SlackMessageResponseType,
    replace_original: bool,
    unfurl_links: bool,
    unfurl_media: bool,
}

/// Why a message did not, or may not have, reached the conversation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// Slack said no, and will again. Carries Slack's word for it.
    #[error("refused by Slack: {0}")]
    Refused(String),
    /// Too many messages; wait so long, if Slack said how long.
    #[error("rate limited by Slack")]
    Throttled(Option<Duration>),
    /// Nothing was sent.
    #[error("Slack is not reachable ({0})")]
    NotSent(&'static str),
    /// No clear answer; it may be there already.
    #[error("Slack gave no usable answer ({0})")]
    Unclear(String),
}

impl PostError {
    /// Whether a message that was to be edited is out of reach for good. Any other refusal may pass,
    /// such as that of a token which is being replaced.
    /// <https://docs.slack.dev/reference/methods/chat.update#errors>
    #[must_use]
    pub fn message_is_out_of_reach(&self) -> bool {
        let Self::Refused(word) = self else { return false };
        matches!(
            word.as_str(),
            "message_not_found"
                | "cant_update_message"
                | "edit_window_closed"
                | "channel_not_found"
                | "is_archived"
        )
    }
}

impl From<CallError> for PostError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(why) => Self::NotSent(why),
            CallError::Unanswered(why) => Self::Unclear(why.to_owned()),
        }
    }
}

/// Posts `content` where the slash command was typed, for all (`InChannel`) or for the person
/// alone (`Ephemeral`). Each try may use up one of the URL's five.
///
/// # Errors
/// [`PostError`]. A status of 2xx with `ok` in the body is success; every other 4xx than 429 is
/// final, since an expired or used-up URL does not come back.
pub async fn post(
    client: &Client,
    url: &ResponseUrl,
    content: &SlackMessageContent,
    response_type: SlackMessageResponseType,
) -> Result<(), PostError> {
    send(client, url, content, response_type, false).await
}

/// Puts `content` in the place of the message whose button gave the URL, for the same eyes.
///
/// # Errors
/// [`PostError`], as for [`post`].
pub async fn replace(
    client: &Client,
    url: &ResponseUrl,
    content: &SlackMessageContent,
) -> Result<(), PostError> {
    send(client, url, content, SlackMessageResponseType::Ephemeral, true).await
}

async fn send(
    client: &Client,
    url: &ResponseUrl,
    content: &SlackMessageContent,
    response_type: SlackMessageResponseType,
    replace_original: bool,
) -> Result<(), PostError> {
    let body = Post { content, response_type, replace_original, unfurl_links: false, unfurl_media: false };
    let response = client
        .post(url.expose())
        .json(&body)
        .send()
        .await
        .map_err(|error| PostError::from(outbound::classify(&error)))?;
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(PostError::Throttled(outbound::retry_after(&response)));
    }
    let text = outbound::read(response, outbound::ANSWER_LIMIT).await?;
    if status.is_server_error() {
        return Err(PostError::Unclear(format!("status {}", status.as_u16())));
    }
    match word(&text) {
        Word::Ok if status.is_success() => Ok(()),
        Word::Ok => Err(PostError::Refused(format!("status {}", status.as_u16()))),
        Word::Error(error) => Err(PostError::Refused(error)),
        Word::Other if status.is_success() => Err(PostError::Unclear("an answer without ok".to_owned())),
        Word::Other => Err(PostError::Refused(format!("status {}", status.as_u16()))),
    }
}

enum Word {
    Ok,
    Error(String),
    Other,
}

/// What Slack says in the body: `ok`, `{"ok":true}`, `{"ok":false,"error":"…"}`, or an error's
/// bare name.
fn word(body: &[u8]) -> Word {
    if body.trim_ascii() == b"ok" {
        return Word::Ok;
    }
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        return match (
            json.get("ok").and_then(|ok| ok.as_bool()),
            json.get("error").and_then(|error| error.as_str()),
        ) {
            (Some(true), _) => Word::Ok,
            (_, Some(error)) => Word::Error(short(error)),
            _ => Word::Other,
        };
    }
    match std::str::from_utf8(body).map(str::trim) {
        Ok(text)
            if !text.is_empty()
                && text.len() <= 40
                && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') =>
        {
            Word::Error(text.to_owned())
        }
        _ => Word::Other,
    }
}

/// Slack's error names are short words; anything longer is not one.
pub(super) fn short(error: &str) -> String {
    error.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ')).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_refusals_say_that_a_message_is_gone_for_good() {
        for (error, gone) in [
            (PostError::Refused("message_not_found".to_owned()), true),
            (PostError::Refused("is_archived".to_owned()), true),
            (PostError::Refused("invalid_auth".to_owned()), false),
            (PostError::Unclear("message_not_found".to_owned()), false),
            (PostError::Throttled(None), false),
        ] {
            assert_eq!(error.message_is_out_of_reach(), gone, "{error}");
        }
    }

    #[test]
    fn every_form_of_slacks_answer_is_understood() {
        for (body, said) in [
            ("ok", "ok"),
            (" ok\n", "ok"),
            (r#"{"ok":true}"#, "ok"),
            (r#"{"ok":false,"error":"used_url"}"#, "used_url"),
            (r#"{"ok":false,"error":"Expired url"}"#, "Expired url"),
            ("channel_is_archived", "channel_is_archived"),
            ("<html>", "?"),
            ("", "?"),
            ("{}", "?"),
        ] {
            let found = match word(body.as_bytes()) {
                Word::Ok => "ok".to_owned(),
                Word::Error(error) => error,
                Word::Other => "?".to_owned(),
            };
            assert_eq!(found, said, "{body}");
        }
    }
}
