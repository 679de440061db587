//! Slack's Web API: `slack-morphism`'s typed client over our one HTTP client.
//!
//! Owns the transport under the library's client, and what an error of a method means. Knows
//! nothing of what is posted. The library's own transport has no timeouts and no cap on an
//! answer's size, and its errors print whole bodies; here they are mapped to [`PostError`] at
//! once.

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

use crate::outbound::{self, CallError};
use crate::slack::Place;
use crate::slack::respond::{self, PostError};

/// The Web API under one bot token. Clones share the connections.
#[derive(Clone)]
pub struct WebApi {
    client: SlackClient<Connector>,
    token: SlackApiToken,
}

/// Who a token is, by `auth.test`.
/// <https://docs.slack.dev/reference/methods/auth.test>
#[derive(Clone, Debug, Deserialize)]
pub struct Identity {
    /// The workspace's name.
    #[serde(default)]
    pub team: String,
    /// The workspace's id.
    #[serde(default)]
    pub team_id: String,
    /// The Enterprise organisation of the workspace, if it is in one.
    #[serde(default)]
    pub enterprise_id: Option<String>,
    /// The bot's user name.
    #[serde(default)]
    pub user: String,
}

/// What `users.info` tells of a person, as far as the bot asks.
/// <https://docs.slack.dev/reference/objects/user-object>
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UserInfo {
    /// The person's own workspace, or with Enterprise the organisation.
    pub team_id: Option<String>,
    /// No longer a member.
    pub deleted: bool,
    /// A guest, of several channels.
    pub is_restricted: bool,
    /// A guest of one channel.
    pub is_ultra_restricted: bool,
    /// From another workspace, and in no channel together with the bot's.
    pub is_stranger: bool,
    /// Within an Enterprise organisation.
    pub enterprise_user: Option<EnterpriseUser>,
}

/// A person's place in an Enterprise organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EnterpriseUser {
    /// The organisation.
    pub enterprise_id: String,
}

impl WebApi {
    /// `api_url` has no slash at its end.
    #[must_use]
    pub fn new(http: Client, api_url: &str, token: &SecretString) -> Self {
        Self {
            client: SlackClient::new(Connector { http, api_url: api_url.to_owned() }),
            token: SlackApiToken::new(SlackApiTokenValue(token.expose_secret().to_owned())),
        }
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
    ) -> Result<Place, PostError> {
        let request = SlackApiChatPostMessageRequest::new(SlackChannelId(channel.to_owned()), content)
            .with_parse("none".to_owned())
            .with_unfurl_links(false)
            .with_unfurl_media(false);
        self.call("chat.postMessage", &request).await
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
        self.call::<_, Value>("chat.postMessage", &request).await.map(drop)
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
        self.call::<_, Value>("chat.update", &Request { channel, ts, parse: "none", content }).await.map(drop)
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
        self.call::<_, Value>("chat.postEphemeral", &Request { channel, user, content }).await.map(drop)
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
        self.call::<_, Value>("views.open", &Request { trigger_id, view }).await.map(drop)
    }

    /// Asks who the token is.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn auth_test(&self) -> Result<Identity, PostError> {
        self.call("auth.test", &serde_json::json!({})).await
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
        let connector = &self.client.http_api.connector;
        let request = connector.http.post(format!("{}/auth.test", connector.api_url));
        let response = request
            .bearer_auth(self.token.token_value.0.as_str())
            .send()
            .await
            .map_err(|error| PostError::from(outbound::classify(&error)))?;
        let granted =
            response.headers().get("x-oauth-scopes").and_then(|value| value.to_str().ok()).unwrap_or("");
        Ok(granted
            .split(',')
            .map(|scope| scope.trim().to_owned())
            .filter(|scope| !scope.is_empty())
            .collect())
    }

    /// Calls a method that only reads; not all of those take JSON.
    async fn read<A>(&self, method: &str, (name, value): (&str, &str)) -> Result<A, PostError>
    where
        A: for<'de> Deserialize<'de> + Send,
    {
        let session = self.client.open_session(&self.token);
        let parameters = [(name, Some(value))];
        session.http_session_api.http_get(method, &parameters, None).await.map_err(classify)
    }

    async fn call<Q, A>(&self, method: &str, request: &Q) -> Result<A, PostError>
    where
        Q: Serialize + Send + Sync,
        A: for<'de> Deserialize<'de> + Send,
    {
        let session = self.client.open_session(&self.token);
        session.http_session_api.http_post(method, &request, None).await.map_err(classify)
    }
}

/// What an error of the library means for whoever posts. The library's own text can hold a body
/// and is not used.
fn classify(error: SlackClientError) -> PostError {
    match error {
        SlackClientError::ApiError(error) => match error.code.as_str() {
            // "It's possible some aspect of the operation succeeded before the error."
            "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
                PostError::Unclear(error.code)
            }
            "ratelimited" | "rate_limited" => PostError::Throttled(None),
            code => PostError::Refused(respond::short(code)),
        },
        SlackClientError::RateLimitError(error) => PostError::Throttled(error.retry_after),
        SlackClientError::HttpError(error) if error.status_code.is_client_error() => {
            PostError::Refused(format!("status {}", error.status_code.as_u16()))
        }
        SlackClientError::HttpError(error) => {
            PostError::Unclear(format!("status {}", error.status_code.as_u16()))
        }
        SlackClientError::ProtocolError(_) => PostError::Unclear("an answer that is not JSON".to_owned()),
        SlackClientError::SystemError(error) if error.message.as_deref() == Some(NOT_SENT) => {
            PostError::NotSent("no connection")
        }
        _ => PostError::Unclear("no answer".to_owned()),
    }
}

/// The library's transport, over the one HTTP client.
#[derive(Clone, Debug)]
pub struct Connector {
    http: Client,
    /// Without a slash at its end.
    api_url: String,
}

impl Connector {
    fn call<'a, A>(
        &self,
        request: RequestBuilder,
        context: &SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<A>>
    where
        A: for<'de> Deserialize<'de> + Send + 'a,
    {
        let request = match context.token {
            Some(token) => request.bearer_auth(token.token_value.0.as_str()),
            None => request,
        };
        async move {
            let response = request.send().await.map_err(|error| unanswered(&outbound::classify(&error)))?;
            let status = response.status();
            let retry_after = outbound::retry_after(&response);
            let body =
                outbound::read(response, outbound::ANSWER_LIMIT).await.map_err(|error| unanswered(&error))?;
            if status == StatusCode::TOO_MANY_REQUESTS {
                return Err(SlackClientError::RateLimitError(
                    SlackRateLimitError::new().opt_retry_after(retry_after),
                ));
            }
            if !status.is_success() {
                return Err(SlackClientError::HttpError(SlackClientHttpError::new(status)));
            }
            let answer: Value = decode(&body)?;
            if answer.get("ok").and_then(Value::as_bool) == Some(true) {
                return decode(&body);
            }
            let code = answer.get("error").and_then(Value::as_str).unwrap_or("no_error_given").to_owned();
            Err(SlackClientError::ApiError(SlackClientApiError::new(code)))
        }
        .boxed()
    }
}

/// Marks, in the library's catch-all error, a request that was never sent.
const NOT_SENT: &str = "not sent";

fn unanswered(error: &CallError) -> SlackClientError {
    let error = SlackClientSystemError::new().opt_message(match error {
        CallError::NotSent(_) => Some(NOT_SENT.to_owned()),
        CallError::Unanswered(_) => None,
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
        self.call(self.http.get(full_uri), &context)
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
        self.call(self.http.post(full_uri).json(request_body), &context)
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
