//! Posting to a response_url.
//!
//! Owns what an answer of such a URL means. Knows nothing of the message's content. The library's
//! own request has neither `response_type` nor the unfurl flags, without which a message could
//! not be posted in the channel, nor a link be kept from Slack's crawler.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Serialize;
use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};

use crate::outbound::{self, CALL_TIMEOUT, CallError};
use crate::slack::ResponseUrl;
use crate::slack::caller::Caller;
use crate::slack::refusal::{self, Sort};
use crate::telemetry::{CallOutcome, Operation};

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

/// Rests before a URL that Slack does not know yet is tried again: right after a command or a press it
/// may answer 404 for a moment (slackapi/bolt-js, issue 1261). What it refuses costs none of its uses.
const NOT_YET: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// The rest after an answer that something between us and Slack gave: whoever looks after that is slow.
const NOT_SLACK: Duration = Duration::from_secs(30);

/// What [`PostError::Unclear`] says where nothing came back in time.
const TIMEOUT: &str = "timeout";

/// Why a message did not, or may not have, reached the conversation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// Slack said no, and will again until somebody does something. Carries Slack's word for it.
    #[error("refused by Slack: {0}")]
    Refused(String),
    /// Slack, or something on the way to it, said no, and nothing was done; it may work after a pause.
    #[error("refused by Slack for now: {word}")]
    Later {
        /// Slack's word for it, or the status.
        word: String,
        /// About how long.
        pause: Duration,
    },
    /// Too many messages; wait so long, if Slack said how long.
    #[error("rate limited by Slack")]
    Throttled(Option<Duration>),
    /// Nothing was sent.
    #[error("Slack is not reachable ({0})")]
    NotSent(&'static str),
    /// No clear answer; it may be there already.
    #[error("Slack gave no usable answer ({0})")]
    Unclear(String),
    /// A success, but not in Slack's words. It may be there already, and as often again as it is tried.
    #[error("the answer is not Slack's ({0})")]
    Unconfirmed(&'static str),
}

impl PostError {
    /// What a word of Slack's says of a call.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        let word = refusal::word(word);
        match refusal::sort(&word) {
            Sort::Final | Sort::Operator(_) | Sort::Unknown => Self::Refused(word),
            Sort::Later(pause) => Self::Later { word, pause },
            Sort::Unclear => Self::Unclear(word),
            Sort::Throttled => Self::Throttled(None),
        }
    }

    /// A status without a word of Slack's, which "doesn't use meaningful status codes besides 429 and
    /// 200": a proxy's page, say.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let word = format!("status {}", status.as_u16());
        match status {
            StatusCode::REQUEST_TIMEOUT => Self::Unclear(word),
            status if status.is_server_error() => Self::Unclear(word),
            _ => Self::Later { word, pause: NOT_SLACK },
        }
    }

    /// What a call that came to this is counted as.
    #[must_use]
    pub fn outcome(&self) -> CallOutcome {
        match self {
            Self::Refused(_) | Self::Later { .. } => CallOutcome::Refused,
            Self::Throttled(_) => CallOutcome::Limited,
            Self::NotSent(_) => CallOutcome::Unreachable,
            Self::Unclear(why) if why == TIMEOUT => CallOutcome::Timeout,
            Self::Unclear(_) | Self::Unconfirmed(_) => CallOutcome::Failed,
        }
    }

    /// Whether what was asked for may have been done all the same.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        matches!(self, Self::Unclear(_) | Self::Unconfirmed(_))
    }

    /// Whether a message that was to be edited is out of reach for good. Any other refusal may pass,
    /// such as that of a token which is being replaced.
    #[must_use]
    pub fn message_is_out_of_reach(&self) -> bool {
        matches!(self, Self::Refused(word) if refusal::sort(word) == Sort::Final)
    }

    /// Whether that is for the message's own sake, and not for its channel's: nothing will change that.
    #[must_use]
    pub fn message_is_gone(&self) -> bool {
        matches!(self, Self::Refused(word) if refusal::is_about_the_message(word))
    }

    /// Whether it is what Slack says to a bot that is not in the channel: of a private one, that there
    /// is none.
    #[must_use]
    pub fn may_end_by_an_invitation(&self) -> bool {
        matches!(self, Self::Refused(word) if refusal::is_about_membership(word))
    }

    /// Whether it is certain that nothing was posted: then another way may do what this one does not.
    #[must_use]
    pub fn leaves_other_ways(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Later { .. } | Self::Throttled(_) | Self::NotSent(_))
    }

    /// What it comes to if the other way fails too: the one that may pass, and of two such the sooner;
    /// else the one that stays, which is that nobody can post there; else this one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let others = match (&self, &other) {
            (Self::Refused(word), Self::Refused(others)) => {
                refusal::closes_the_place(others) && !refusal::closes_the_place(word)
            }
            (_, Self::Refused(_)) => false,
            (Self::Refused(_), _) => true,
            _ => other.pause() < self.pause(),
        };
        if others { other } else { self }
    }

    /// How long it is to be left alone, as far as Slack says so.
    #[must_use]
    pub fn pause(&self) -> Duration {
        match self {
            Self::Later { pause, .. } => *pause,
            Self::Throttled(pause) => pause.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }
}

impl From<CallError> for PostError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(why) => Self::NotSent(why),
            CallError::Barred(obstacle) => Self::NotSent(obstacle.words()),
            CallError::Unanswered(why) => Self::Unclear(why.to_owned()),
            CallError::TooLarge(_) => Self::Unclear(error.to_string()),
        }
    }
}

/// Posts `content` where the slash command was typed, for all (`InChannel`) or for the person
/// alone (`Ephemeral`). Each try may use up one of the URL's five.
///
/// # Errors
/// [`PostError`]. A status of 2xx is success unless the body says that it is none. Never takes longer
/// than one call may.
pub async fn post(
    client: &Caller,
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
    client: &Caller,
    url: &ResponseUrl,
    content: &SlackMessageContent,
) -> Result<(), PostError> {
    send(client, url, content, SlackMessageResponseType::Ephemeral, true).await
}

async fn send(
    client: &Caller,
    url: &ResponseUrl,
    content: &SlackMessageContent,
    response_type: SlackMessageResponseType,
    replace_original: bool,
) -> Result<(), PostError> {
    let body = Post { content, response_type, replace_original, unfurl_links: false, unfurl_media: false };
    let tries = async {
        for pause in NOT_YET {
            match try_once(client, url, &body).await {
                Judged::NotKnown(_) => tokio::time::sleep(pause).await,
                judged => return judged.result(),
            }
        }
        try_once(client, url, &body).await.result()
    };
    let late = || Err(PostError::Unclear(TIMEOUT.to_owned()));
    tokio::time::timeout(CALL_TIMEOUT, tries).await.unwrap_or_else(|_| late())
}

async fn try_once(client: &Caller, url: &ResponseUrl, body: &Post<'_>) -> Judged {
    let calling = client.calling(Operation::ResponseUrl);
    let judged = ask(client, url, body).await;
    calling.ended(match &judged {
        Judged::Posted => CallOutcome::Ok,
        Judged::NotKnown(_) => CallOutcome::Refused,
        Judged::Failed(error) => error.outcome(),
    });
    judged
}

async fn ask(client: &Caller, url: &ResponseUrl, body: &Post<'_>) -> Judged {
    let response = match client.send(client.http.post(url.expose()).json(body)).await {
        Ok(response) => response,
        Err(error) => return Judged::Failed(error.into()),
    };
    let (status, size) = (response.status(), response.content_length());
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Judged::Failed(PostError::Throttled(outbound::retry_after(&response)));
    }
    let pause = outbound::retry_after(&response);
    match outbound::read(response, outbound::ANSWER_LIMIT).await {
        Ok(text) => match judge(status, &text) {
            // Slack says it with a 200, too.
            Judged::Failed(PostError::Throttled(None)) => Judged::Failed(PostError::Throttled(pause)),
            judged => judged,
        },
        // Nothing of Slack's is so large.
        Err(_) if status.is_success() && size > Some(outbound::ANSWER_LIMIT as u64) => {
            Judged::Failed(PostError::Unconfirmed("a page"))
        }
        // The status has said it all.
        Err(_) if status.is_success() => Judged::Posted,
        Err(error) => Judged::Failed(error.into()),
    }
}

/// What an answer of a response_url means.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// It is there.
    Posted,
    /// Slack does not know the URL, and says nothing about why.
    NotKnown(PostError),
    /// See [`PostError`].
    Failed(PostError),
}

impl Judged {
    fn result(self) -> Result<(), PostError> {
        match self {
            Self::Posted => Ok(()),
            Self::NotKnown(error) | Self::Failed(error) => Err(error),
        }
    }
}

fn judge(status: StatusCode, body: &[u8]) -> Judged {
    let word = word(body);
    let refused = |word: &str| Judged::Failed(PostError::of_word(word));
    if status.is_success() {
        return match word {
            // Said outright; a bare word only where it is one of Slack's.
            Word::Error(word) => refused(&word),
            Word::Bare(word) if refusal::sort(&word) != Sort::Unknown => refused(&word),
            Word::Page => Judged::Failed(PostError::Unconfirmed("a page")),
            Word::Ok | Word::Bare(_) | Word::Other => Judged::Posted,
        };
    }
    let own = match &word {
        Word::Error(word) => Some(word),
        Word::Bare(word) if refusal::sort(word) != Sort::Unknown => Some(word),
        _ => None,
    };
    match (status, own.map(String::as_str)) {
        // These tell of the URL's end or of its channel. Any other word may tell of its beginning.
        (_, Some(word @ ("expired_url" | "used_url" | "channel_not_found" | "user_not_found"))) => {
            refused(word)
        }
        (StatusCode::NOT_FOUND, word) => {
            Judged::NotKnown(PostError::Refused(word.unwrap_or("status 404").to_owned()))
        }
        (_, Some(word)) => refused(word),
        (StatusCode::GONE, None) => Judged::Failed(PostError::Refused("status 410".to_owned())),
        (status, None) => Judged::Failed(PostError::of_status(status)),
    }
}

#[derive(Debug)]
enum Word {
    /// `ok`, or `{"ok":true}`.
    Ok,
    /// `{"ok":false,"error":"…"}`.
    Error(String),
    /// What may be an error's bare name.
    Bare(String),
    /// HTML.
    Page,
    Other,
}

/// What a body says.
fn word(body: &[u8]) -> Word {
    let body = body.trim_ascii();
    if body == b"ok" {
        return Word::Ok;
    }
    if let Ok(json) = outbound::json::of_bytes::<serde_json::Value>(body) {
        let error = json.get("error").and_then(|error| error.as_str());
        return match json.get("ok").and_then(|ok| ok.as_bool()) {
            Some(true) => Word::Ok,
            Some(false) => Word::Error(refusal::word(error.unwrap_or("no_error_given"))),
            None => error.map_or(Word::Other, |error| Word::Error(refusal::word(error))),
        };
    }
    if body.starts_with(b"<") {
        return Word::Page;
    }
    let bare = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
    match std::str::from_utf8(body) {
        Ok(text) if !text.is_empty() && text.bytes().all(|byte| bare(&byte)) => {
            Word::Bare(refusal::word(text))
        }
        _ => Word::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_refusals_say_that_a_message_is_gone_for_good() {
        for (error, gone) in [
            (PostError::of_word("message_not_found"), true),
            (PostError::of_word("is_archived"), true),
            (PostError::of_word("is_inactive"), true),
            (PostError::of_word("invalid_auth"), false),
            (PostError::of_word("a_word_of_tomorrow"), false),
            (PostError::of_word("external_channel_migrating"), false),
            (PostError::Unclear("message_not_found".to_owned()), false),
            (PostError::Throttled(None), false),
        ] {
            assert_eq!(error.message_is_out_of_reach(), gone, "{error}");
        }
    }

    #[test]
    fn of_two_ways_that_refuse_the_one_that_may_pass_counts() {
        let (archived, dead) = (PostError::of_word("is_archived"), PostError::of_word("used_url"));
        let moving = PostError::of_word("team_added_to_org");
        assert!(moving.leaves_other_ways() && dead.leaves_other_ways());
        assert!(!PostError::of_word("fatal_error").leaves_other_ways(), "it may be there");
        assert!(PostError::of_word("ratelimited").leaves_other_ways());
        assert!(PostError::NotSent("no connection").leaves_other_ways());
        assert!(PostError::of_word("not_in_channel").may_end_by_an_invitation());
        assert!(!archived.may_end_by_an_invitation());
        assert_eq!(archived.clone().or(dead.clone()), archived, "somebody can do something about it");
        assert_eq!(archived.or(moving.clone()), moving);
        assert_eq!(moving.clone().or(dead.clone()), moving);
        let (uninvited, unsent) = (PostError::of_word("not_in_channel"), PostError::NotSent("no connection"));
        for closed in ["channel_is_archived", "action_prohibited", "posting_to_general_channel_denied"] {
            let closed = PostError::of_word(closed);
            assert_eq!(uninvited.clone().or(closed.clone()), closed, "an invitation would not help");
            assert_eq!(closed.clone().or(uninvited.clone()), closed);
        }
        assert_eq!(uninvited.clone().or(dead.clone()), uninvited);
        let throttled = |seconds| PostError::Throttled(Some(Duration::from_secs(seconds)));
        assert_eq!(throttled(60).or(throttled(3)), throttled(3), "the sooner");
        assert_eq!(throttled(60).or(unsent.clone()), unsent);
        assert_eq!(moving.or(throttled(3)), throttled(3));
        assert_eq!(dead.or(throttled(60)), throttled(60));
    }

    /// What an answer comes to, in one word.
    fn said(status: u16, body: &str) -> String {
        match judge(StatusCode::from_u16(status).unwrap(), body.as_bytes()) {
            Judged::Posted => "posted".to_owned(),
            Judged::NotKnown(error) => format!("once more, else {error}"),
            Judged::Failed(PostError::Refused(word)) => format!("refused: {word}"),
            Judged::Failed(PostError::Later { word, .. }) => format!("later: {word}"),
            Judged::Failed(error) => error.to_string(),
        }
    }

    #[test]
    fn a_success_is_none_only_if_slack_says_so() {
        for (body, expected) in [
            ("ok", "posted"),
            (" ok\n", "posted"),
            (r#"{"ok":true}"#, "posted"),
            (r#"{"ok":true,"warning":"missing_charset"}"#, "posted"),
            ("", "posted"),
            ("{}", "posted"),
            ("1", "posted"),
            ("accepted", "posted"),
            (r#"{"ok":tr"#, "posted"),
            (r#"{"ok":false,"error":"used_url"}"#, "refused: used_url"),
            (r#"{"ok":false,"error":"Expired url"}"#, "refused: expired_url"),
            (r#"{"ok":false}"#, "refused: no_error_given"),
            (r#"{"ok":false,"error":"rate_limited"}"#, "rate limited by Slack"),
            (r#"{"ok":false,"error":"internal_error"}"#, "Slack gave no usable answer (internal_error)"),
            ("channel_is_archived", "refused: channel_is_archived"),
            ("<!doctype html><h1>Blocked</h1>", "the answer is not Slack's (a page)"),
        ] {
            assert_eq!(said(200, body), expected, "{body}");
        }
    }

    #[test]
    fn a_failure_is_what_slack_says_it_is_and_else_not_slacks() {
        for (status, body, expected) in [
            (404, r#"{"ok":false,"error":"used_url"}"#, "refused: used_url"),
            (404, r#"{"ok":false,"error":"expired_url"}"#, "refused: expired_url"),
            (404, "channel_not_found", "refused: channel_not_found"),
            (404, "", "once more, else refused by Slack: status 404"),
            (404, "no_service", "once more, else refused by Slack: no_service"),
            (410, "channel_is_archived", "refused: channel_is_archived"),
            (410, "", "refused: status 410"),
            (403, "action_prohibited", "refused: action_prohibited"),
            (403, "<h1>Forbidden</h1>", "later: status 403"),
            (400, "invalid_payload", "refused: invalid_payload"),
            (400, "", "later: status 400"),
            (302, "", "later: status 302"),
            (407, "<h1>Proxy</h1>", "later: status 407"),
            (408, "", "Slack gave no usable answer (status 408)"),
            (500, "rollup_error", "Slack gave no usable answer (rollup_error)"),
            (500, "invalid_payload", "refused: invalid_payload"),
            (500, "ok", "Slack gave no usable answer (status 500)"),
            (503, "<h1>Unavailable</h1>", "Slack gave no usable answer (status 503)"),
        ] {
            assert_eq!(said(status, body), expected, "{status} {body}");
        }
    }
}
