//! The transport under `slack-morphism`'s client: our one HTTP client, with its limits.
//!
//! Owns how an answer of the Web API is read, and that each call is counted. Must not know what is called
//! for. The library's own transport has no timeouts and no cap on an answer's size.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::{RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slack_morphism::errors::{
    SlackClientApiError, SlackClientError, SlackClientHttpError, SlackClientProtocolError,
    SlackClientSystemError, SlackRateLimitError,
};
use slack_morphism::multipart_form::FileMultipartData;
use slack_morphism::prelude::{
    ClientResult, SlackClientApiCallContext, SlackClientHttpConnector, SlackClientId, SlackClientSecret,
};
use url::Url;

use super::caller::Caller;
use super::refusal::{self, Sort};
use super::respond::PostError;
use crate::outbound::{self, CallError};
use crate::telemetry::{CallOutcome, Operation};

/// The library's transport, over the one HTTP client.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) caller: Caller,
    /// Without a slash at its end.
    pub(super) api_url: String,
}

impl Connector {
    fn call<'a, A>(
        &self,
        uri: &Url,
        request: RequestBuilder,
        context: &SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<A>>
    where
        A: for<'de> Deserialize<'de> + Send + 'a,
    {
        let caller = self.caller.clone();
        let method = uri.path_segments().and_then(Iterator::last).and_then(Operation::named);
        let request = match context.token {
            Some(token) => request.bearer_auth(token.token_value.0.as_str()),
            None => request,
        };
        async move {
            let calling = method.map(|method| caller.calling(method));
            let ended = |outcome| calling.map(|calling| calling.ended(outcome));
            let answered = async {
                let response = caller.send(request).await?;
                let (status, retry_after) = (response.status(), outbound::retry_after(&response));
                Ok((status, retry_after, outbound::read(response, outbound::ANSWER_LIMIT).await?))
            };
            let (status, retry_after, body) = match answered.await {
                Ok(answered) => answered,
                Err(error) => {
                    ended(CallOutcome::without_answer(&error));
                    return Err(unanswered(&error));
                }
            };
            let result = judge(status, retry_after, &body);
            ended(result.as_ref().err().map_or(CallOutcome::Ok, outcome));
            result
        }
        .boxed()
    }
}

/// What an answer says.
pub(super) fn judge<A: for<'de> Deserialize<'de>>(
    status: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> ClientResult<A> {
    let answer = decode::<Value>(body);
    let ok = answer.as_ref().ok().and_then(|answer| answer.get("ok")?.as_bool());
    let word = answer.as_ref().ok().and_then(|answer| answer.get("error")?.as_str());
    let throttled = word.is_some_and(|word| refusal::sort(word) == Sort::Throttled);
    if status == StatusCode::TOO_MANY_REQUESTS || (ok == Some(false) && throttled) {
        let error = SlackRateLimitError::new().opt_retry_after(retry_after);
        return Err(SlackClientError::RateLimitError(error.opt_code(word.map(str::to_owned))));
    }
    match (answer, ok) {
        (Ok(answer), Some(false)) => {
            let code = answer.get("error").and_then(Value::as_str).unwrap_or("no_error_given");
            Err(SlackClientError::ApiError(SlackClientApiError::new(code.to_owned())))
        }
        _ if !status.is_success() => Err(SlackClientError::HttpError(SlackClientHttpError::new(status))),
        (Ok(_), Some(true)) => decode(body),
        // JSON, but of somebody else.
        (Ok(_), None) => {
            let error = SlackClientSystemError::new().with_message(NOT_SLACK.to_owned());
            Err(SlackClientError::SystemError(error))
        }
        (Err(error), _) => Err(error),
    }
}

/// What a call that was answered so is counted as.
pub(super) fn outcome(error: &SlackClientError) -> CallOutcome {
    match error {
        SlackClientError::ApiError(error) => PostError::of_word(&error.code).outcome(),
        SlackClientError::RateLimitError(_) => CallOutcome::Limited,
        _ => CallOutcome::Failed,
    }
}

/// Marks, in the library's catch-all error, a request that was never sent.
pub(super) const NOT_SENT: &str = "not sent";
/// The same of an answer that says neither yes nor no.
pub(super) const NOT_SLACK: &str = "not Slack's";

fn unanswered(error: &CallError) -> SlackClientError {
    let error = SlackClientSystemError::new().opt_message(match error {
        CallError::NotSent(_) | CallError::Barred(_) => Some(NOT_SENT.to_owned()),
        CallError::Unanswered(_) | CallError::TooLarge(_) => None,
    });
    SlackClientError::SystemError(error)
}

fn decode<A: for<'de> Deserialize<'de>>(body: &[u8]) -> ClientResult<A> {
    outbound::json::of_bytes(body)
        .map_err(|error| SlackClientError::ProtocolError(SlackClientProtocolError::new(error)))
}

/// A call that this bot has no use for: signing in by OAuth, uploading files.
fn unsupported<'a, A: Send + 'a>() -> BoxFuture<'a, ClientResult<A>> {
    let error = SlackClientSystemError::new().with_message("not supported by this transport".to_owned());
    std::future::ready(Err(SlackClientError::SystemError(error))).boxed()
}

impl SlackClientHttpConnector for Connector {
    fn create_method_uri_path(&self, method_relative_uri: &str) -> ClientResult<Url> {
        Ok(format!("{}/{method_relative_uri}", self.api_url).parse()?)
    }

    fn http_get_uri<'a, RS>(
        &'a self,
        full_uri: Url,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> Deserialize<'de> + Send + 'a,
    {
        self.call(&full_uri, self.caller.http.get(full_uri.clone()), &context)
    }

    fn http_post_uri<'a, RQ, RS>(
        &'a self,
        full_uri: Url,
        request_body: &'a RQ,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RQ: Serialize + Send + Sync,
        RS: for<'de> Deserialize<'de> + Send + 'a,
    {
        self.call(&full_uri, self.caller.http.post(full_uri.clone()).json(request_body), &context)
    }

    fn http_get_with_client_secret<'a, RS>(
        &'a self,
        _: Url,
        _: &'a SlackClientId,
        _: &'a SlackClientSecret,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> Deserialize<'de> + Send + 'a,
    {
        unsupported()
    }

    fn http_post_uri_multipart_form<'a, 'p, RS, PT, TS>(
        &'a self,
        _: Url,
        _: Option<FileMultipartData<'p>>,
        _: &'p PT,
        _: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> Deserialize<'de> + Send + 'a,
        PT: IntoIterator<Item = (&'p str, Option<TS>)> + Clone,
        TS: AsRef<str> + 'p + Send,
    {
        unsupported()
    }

    fn http_post_uri_binary<'a, 'p, RS>(
        &'a self,
        _: Url,
        _: String,
        _: &'a [u8],
        _: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> Deserialize<'de> + Send + 'a,
    {
        unsupported()
    }
}
