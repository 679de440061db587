//! Slack's Web API: `slack-morphism`'s typed client over our one HTTP client.
//!
//! Owns the transport under the library's client, and what an error of a method means. Knows
//! nothing of what is posted. The library's own transport has no timeouts and no cap on an
//! answer's size, and its errors print whole bodies; here they are mapped to [`PostError`] at
//! once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slack_morphism::errors::{
    SlackClientApiError, SlackClientError, SlackClientHttpError, SlackClientProtocolError,
    SlackClientSystemError, SlackRateLimitError,
};
use slack_morphism::multipart_form::FileMultipartData;
use slack_morphism::prelude::{
    ClientResult, SlackApiChatPostMessageRequest, SlackChannelId, SlackClient, SlackClientApiCallContext,
    SlackClientHttpConnector, SlackClientId, SlackClientSecret, SlackMessageContent, SlackTs, SlackView,
};
use slack_morphism::{SlackApiToken, SlackApiTokenValue};
use url::Url;

use crate::clock::Clock;
use crate::current::Current;
use crate::outbound::{self, CallError};
use crate::slack::Place;
use crate::slack::caller::Caller;
use crate::slack::complaints::Complaints;
use crate::slack::pauses::Pauses;
pub use crate::slack::people::{Identity, UserInfo};
use crate::slack::refusal::{self, Sort};
use crate::slack::respond::PostError;
use crate::telemetry::{CallOutcome, Metrics, Operation};

/// The Web API under one bot token. Clones share the connections.
#[derive(Clone)]
pub struct WebApi {
    client: SlackClient<Connector>,
    token: Current<SlackApiToken>,
    pauses: Pauses,
    complaints: Arc<Complaints>,
}

impl WebApi {
    /// `api_url` has no slash at its end.
    #[must_use]
    pub fn new(http: Client, api_url: &str, token: &SecretString) -> Self {
        Self {
            client: SlackClient::new(Connector {
                caller: Caller::new(http, Metrics::default(), Clock::default()),
                api_url: api_url.to_owned(),
            }),
            token: Current::new(api_token(token)),
            pauses: Pauses::default(),
            complaints: Arc::default(),
        }
    }

    /// The same by another clock than the usual one.
    #[must_use]
    pub fn by(self, clock: Clock) -> Self {
        let with = self.over(|caller| caller.by(clock.clone()));
        Self { pauses: Pauses::new(clock), ..with }
    }

    /// The same, whose calls are counted there.
    #[must_use]
    pub fn counting(self, metrics: Metrics) -> Self {
        self.over(|caller| caller.counting(metrics))
    }

    fn over(self, change: impl FnOnce(Caller) -> Caller) -> Self {
        let Connector { caller, api_url } = self.client.http_api.connector.as_ref().clone();
        Self { client: SlackClient::new(Connector { caller: change(caller), api_url }), ..self }
    }

    /// The same under another token, for the first call with that.
    #[must_use]
    pub fn with_token(&self, token: &SecretString) -> Self {
        let complaints = Arc::default();
        Self { token: Current::new(api_token(token)), complaints, ..self.clone() }
    }

    /// Calls under another token from now on; so do the clones.
    pub fn renew(&self, token: &SecretString) {
        self.token.replace(api_token(token));
    }

    /// Posts in a channel, or to a person when `channel` is a user's id, and never lets Slack
    /// follow a link in it. <https://docs.slack.dev/reference/methods/chat.postMessage>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn post_message(
        &self,
        channel: &str,
        content: SlackMessageContent,
    ) -> Result<Option<Place>, PostError> {
        /// Where the message is; it is there without that too.
        #[derive(Deserialize)]
        struct Answer {
            channel: Option<String>,
            ts: Option<String>,
        }
        let request = SlackApiChatPostMessageRequest::new(SlackChannelId(channel.to_owned()), content)
            .with_parse("none".to_owned())
            .with_unfurl_links(false)
            .with_unfurl_media(false);
        let Answer { channel, ts } = self.call(Call::to("chat.postMessage", channel), &request).await?;
        Ok(channel.zip(ts).map(|(channel, ts)| Place { channel, ts }))
    }

    /// Posts in a message's thread. <https://docs.slack.dev/reference/methods/chat.postMessage>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn post_in_thread(&self, to: &Place, content: SlackMessageContent) -> Result<(), PostError> {
        let request = SlackApiChatPostMessageRequest::new(SlackChannelId(to.channel.clone()), content)
            .with_thread_ts(SlackTs(to.ts.clone()))
            .with_parse("none".to_owned())
            .with_unfurl_links(false)
            .with_unfurl_media(false);
        self.call::<_, Value>(Call::to("chat.postMessage", &to.channel), &request).await.map(drop)
    }

    /// Puts new content in the place of a message's. Its text must be short: Slack refuses one of
    /// more than 4,000 characters here. <https://docs.slack.dev/reference/methods/chat.update>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn update(&self, at: &Place, content: &SlackMessageContent) -> Result<(), PostError> {
        #[derive(Serialize)]
        struct Request<'a> {
            channel: &'a str,
            ts: &'a str,
            // Otherwise Slack turns what looks like an address in the text into a link.
            parse: &'a str,
            #[serde(flatten)]
            content: &'a SlackMessageContent,
        }
        let Place { channel, ts } = at;
        let request = Request { channel, ts, parse: "none", content };
        self.call::<_, Value>(Call::to("chat.update", ""), &request).await.map(drop)
    }

    /// Shows a message to one person of a channel. Never for a link: Slack would crawl it.
    /// <https://docs.slack.dev/reference/methods/chat.postEphemeral>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn post_ephemeral(
        &self,
        channel: &str,
        user: &str,
        content: &SlackMessageContent,
    ) -> Result<(), PostError> {
        #[derive(Serialize)]
        struct Request<'a> {
            channel: &'a str,
            user: &'a str,
            #[serde(flatten)]
            content: &'a SlackMessageContent,
        }
        let call = Call::to("chat.postEphemeral", channel);
        self.call::<_, Value>(call, &Request { channel, user, content }).await.map(drop)
    }

    /// Tells one person alone what answers nothing that they have just done: by a direct message, since
    /// what is shown in a channel reaches nobody who is not active there; else in the channel.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn tell_alone(
        &self,
        user: &str,
        channel: &str,
        content: &SlackMessageContent,
    ) -> Result<(), PostError> {
        match self.post_message(user, content.clone()).await {
            Ok(_) => Ok(()),
            Err(refused @ PostError::Refused(_)) => {
                let shown = self.post_ephemeral(channel, user, content).await;
                shown.map_err(|error| refused.or(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a modal for the person whose command or press gave the trigger: once, within three
    /// seconds of it. <https://docs.slack.dev/reference/methods/views.open>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn open_view(&self, trigger_id: &str, view: &SlackView) -> Result<(), PostError> {
        #[derive(Serialize)]
        struct Request<'a> {
            trigger_id: &'a str,
            view: &'a SlackView,
        }
        self.call::<_, Value>(Call::to("views.open", ""), &Request { trigger_id, view }).await.map(drop)
    }

    /// Asks who the token is.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn auth_test(&self) -> Result<Identity, PostError> {
        self.call(Call::reading("auth.test"), &serde_json::json!({})).await
    }

    /// Looks a person up. Needs the scope `users:read`.
    /// <https://docs.slack.dev/reference/methods/users.info>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn users_info(&self, user: &str) -> Result<UserInfo, PostError> {
        #[derive(Deserialize)]
        struct Answer {
            user: UserInfo,
        }
        let answer: Answer = self.read("users.info", ("user", user)).await?;
        Ok(answer.user)
    }

    /// The members of a user group. Needs the scope `usergroups:read` and a paid plan.
    /// <https://docs.slack.dev/reference/methods/usergroups.users.list>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn user_group_members(&self, group: &str) -> Result<Vec<String>, PostError> {
        #[derive(Deserialize)]
        struct Answer {
            users: Vec<String>,
        }
        let answer: Answer = self.read("usergroups.users.list", ("usergroup", group)).await?;
        Ok(answer.users)
    }

    /// The scopes the token was granted, from the header of `auth.test`.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn scopes(&self) -> Result<Vec<String>, PostError> {
        let Connector { caller, api_url } = self.client.http_api.connector.as_ref();
        let calling = caller.calling(Operation::AuthTest);
        let request = caller.http.post(format!("{api_url}/auth.test"));
        let token = self.token.get();
        let response = match caller.send(request.bearer_auth(token.token_value.0.as_str())).await {
            Ok(response) => response,
            Err(error) => {
                calling.ended(CallOutcome::without_answer(&error));
                return Err(error.into());
            }
        };
        let granted =
            response.headers().get("x-oauth-scopes").and_then(|value| value.to_str().ok()).unwrap_or("");
        let granted: Vec<_> =
            granted.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        // A token that is not taken has none.
        calling.ended(if granted.is_empty() { CallOutcome::Refused } else { CallOutcome::Ok });
        Ok(granted)
    }

    /// Calls a method that only reads; not all of those take JSON.
    async fn read<A>(&self, method: &str, (name, value): (&str, &str)) -> Result<A, PostError>
    where
        A: for<'de> Deserialize<'de> + Send,
    {
        let call = Call::reading(method);
        self.may(call)?;
        let token = self.token.get();
        let session = self.client.open_session(&token);
        let parameters = [(name, Some(value))];
        self.note(call, session.http_session_api.http_get(method, &parameters, None).await)
    }

    async fn call<Q, A>(&self, call: Call<'_>, request: &Q) -> Result<A, PostError>
    where
        Q: Serialize + Send + Sync,
        A: for<'de> Deserialize<'de> + Send,
    {
        self.may(call)?;
        let token = self.token.get();
        let session = self.client.open_session(&token);
        self.note(call, session.http_session_api.http_post(call.method, &request, None).await)
    }

    /// Whether Slack has not asked for a pause that is still going on.
    fn may(&self, call: Call<'_>) -> Result<(), PostError> {
        match self.pauses.left(call.method, call.channel) {
            Some(left) => Err(PostError::Throttled(Some(left))),
            None => Ok(()),
        }
    }

    /// Takes note of how a call came out, for the calls after it and for whoever reads the log.
    fn note<A>(&self, call: Call<'_>, result: ClientResult<A>) -> Result<A, PostError> {
        let Call { method, channel, reads } = call;
        let error = match result {
            Ok(answer) => {
                self.complaints.worked(method);
                return Ok(answer);
            }
            Err(error) => error,
        };
        // Slack's word for the limit of one channel; everything else speaks of the method.
        let of_channel = matches!(
            &error,
            SlackClientError::RateLimitError(error) if error.code.as_deref() == Some("rate_limited")
        );
        let error = match classify(error) {
            // The same edit once more changes nothing, and the same post stands there twice.
            PostError::Unconfirmed(why) if channel.is_empty() => PostError::Unclear(why.to_owned()),
            error => error,
        };
        if let PostError::Throttled(pause) = &error {
            self.pauses.asked(method, if of_channel { channel } else { "" }, *pause);
        }
        self.complaints.failed(method, reads, &error);
        Err(error)
    }
}

fn api_token(token: &SecretString) -> SlackApiToken {
    SlackApiToken::new(SlackApiTokenValue(token.expose_secret().to_owned()))
}

/// A call that is to be made.
#[derive(Clone, Copy)]
struct Call<'a> {
    method: &'a str,
    /// Where it posts; empty if it does not.
    channel: &'a str,
    /// Whether it only asks something.
    reads: bool,
}

impl<'a> Call<'a> {
    fn to(method: &'a str, channel: &'a str) -> Self {
        Self { method, channel, reads: false }
    }

    fn reading(method: &'a str) -> Self {
        Self { method, channel: "", reads: true }
    }
}

/// What an error of the library means for whoever posts. The library's own text can hold a body
/// and is not used.
fn classify(error: SlackClientError) -> PostError {
    match error {
        SlackClientError::ApiError(error) => PostError::of_word(&error.code),
        SlackClientError::RateLimitError(error) => PostError::Throttled(error.retry_after),
        SlackClientError::HttpError(error) => PostError::of_status(error.status_code),
        // A success, but not in Slack's words.
        SlackClientError::ProtocolError(_) => PostError::Unconfirmed("an answer that is not JSON"),
        SlackClientError::SystemError(error) if error.message.as_deref() == Some(NOT_SENT) => {
            PostError::NotSent("no connection")
        }
        SlackClientError::SystemError(error) if error.message.as_deref() == Some(NOT_SLACK) => {
            PostError::Unconfirmed("JSON that is not Slack's")
        }
        _ => PostError::Unclear(NO_ANSWER.to_owned()),
    }
}

/// The library's transport, over the one HTTP client.
#[derive(Clone, Debug)]
pub struct Connector {
    caller: Caller,
    /// Without a slash at its end.
    api_url: String,
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
fn judge<A: for<'de> Deserialize<'de>>(
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
fn outcome(error: &SlackClientError) -> CallOutcome {
    match error {
        SlackClientError::ApiError(error) => PostError::of_word(&error.code).outcome(),
        SlackClientError::RateLimitError(_) => CallOutcome::Limited,
        _ => CallOutcome::Failed,
    }
}

/// What [`PostError::Unclear`] says where nothing came back, or not all of it.
pub const NO_ANSWER: &str = "no answer";
/// Marks, in the library's catch-all error, a request that was never sent.
const NOT_SENT: &str = "not sent";
/// The same of an answer that says neither yes nor no.
const NOT_SLACK: &str = "not Slack's";

fn unanswered(error: &CallError) -> SlackClientError {
    let error = SlackClientSystemError::new().opt_message(match error {
        CallError::NotSent(_) | CallError::Barred(_) => Some(NOT_SENT.to_owned()),
        CallError::Unanswered(_) | CallError::TooLarge(_) => None,
    });
    SlackClientError::SystemError(error)
}

fn decode<A: for<'de> Deserialize<'de>>(body: &[u8]) -> ClientResult<A> {
    serde_json::from_slice(body)
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
