//! Slack's Web API: `slack-morphism`'s typed client over our one HTTP client.
//!
//! Owns which methods are called, and what an error of one means. Knows nothing of what is posted. The
//! library's errors print whole bodies; here they are mapped to [`PostError`] at once.

mod files;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slack_morphism::errors::SlackClientError;
use slack_morphism::prelude::{
    ClientResult, SlackApiChatPostMessageRequest, SlackChannelId, SlackClient, SlackMessageContent, SlackTs,
    SlackView,
};
use slack_morphism::{SlackApiToken, SlackApiTokenValue};

use crate::clock::Clock;
use crate::current::Current;
use crate::outbound;
use crate::slack::Place;
use crate::slack::caller::Caller;
use crate::slack::complaints::Complaints;
pub use crate::slack::conversation::Conversation;
use crate::slack::pauses::Pauses;
pub use crate::slack::people::{Identity, UserInfo};
use crate::slack::respond::PostError;
use crate::slack::rooms::{Rooms, Seen};
use crate::slack::transport::{Connector, NOT_SENT, NOT_SLACK, judge, outcome};
use crate::telemetry::{CallOutcome, Metrics, Operation};
pub use files::File;

/// The Web API under one bot token. Clones share the connections.
#[derive(Clone)]
pub struct WebApi {
    client: SlackClient<Connector>,
    token: Current<SlackApiToken>,
    pauses: Pauses,
    complaints: Arc<Complaints>,
    rooms: Arc<Rooms>,
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
            rooms: Arc::default(),
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

    /// Puts another view in the place of one that is open. With a `hash`, only if it is still the one that had
    /// that. What people have put into an input stays where its block and its element keep their ids.
    /// <https://docs.slack.dev/reference/methods/views.update>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn update_view(
        &self,
        view_id: &str,
        view: &SlackView,
        hash: Option<&str>,
    ) -> Result<(), PostError> {
        #[derive(Serialize)]
        struct Request<'a> {
            view_id: &'a str,
            view: &'a SlackView,
            #[serde(skip_serializing_if = "Option::is_none")]
            hash: Option<&'a str>,
        }
        let request = Request { view_id, view, hash };
        self.call::<_, Value>(Call::to("views.update", ""), &request).await.map(drop)
    }

    /// Shows a person the app's Home, in the place of what it showed. With a `hash`, only if it shows still
    /// what was published under that. <https://docs.slack.dev/reference/methods/views.publish>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn publish_view(
        &self,
        user_id: &str,
        view: &SlackView,
        hash: Option<&str>,
    ) -> Result<(), PostError> {
        #[derive(Serialize)]
        struct Request<'a> {
            user_id: &'a str,
            view: &'a SlackView,
            #[serde(skip_serializing_if = "Option::is_none")]
            hash: Option<&'a str>,
        }
        let request = Request { user_id, view, hash };
        self.call::<_, Value>(Call::to("views.publish", ""), &request).await.map(drop)
    }

    /// Whether the bot is in a channel, by what came of posting there last.
    #[must_use]
    pub fn was_in(&self, channel: &str) -> Option<Seen> {
        self.rooms.of(channel)
    }

    fn note_room(&self, channel: &str, is_in: bool) {
        if !channel.is_empty() {
            let at = self.client.http_api.connector.caller.now();
            self.rooms.note(channel, Seen { is_in, at });
        }
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

    /// Looks a channel up. Needs the scope `channels:read`, or `groups:read` for a private one, which is only
    /// shown to its members. <https://docs.slack.dev/reference/methods/conversations.info>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn conversation(&self, channel: &str) -> Result<Conversation, PostError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: Conversation,
        }
        let answer: Answer = self.read("conversations.info", ("channel", channel)).await?;
        Ok(answer.channel)
    }

    /// The app that the token is of, if Slack tells. Needs the scope `users:read`.
    /// <https://docs.slack.dev/reference/methods/bots.info>
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn app_id(&self) -> Result<Option<String>, PostError> {
        let text =
            |answer: &Value, path: &str| answer.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let own: Value = self.call(Call::reading("auth.test"), &serde_json::json!({})).await?;
        // Of an app that is installed in a whole organisation, Slack would have to be told where.
        let everywhere = own.get("is_enterprise_install").and_then(Value::as_bool).unwrap_or_default();
        let Some(bot) = text(&own, "/bot_id").filter(|_| !everywhere) else { return Ok(None) };
        let bot: Value = self.read("bots.info", ("bot", &bot)).await?;
        Ok(text(&bot, "/bot/app_id"))
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

    /// The scopes the token was granted, from the header of `auth.test`; `None` where that has none.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn scopes(&self) -> Result<Option<Vec<String>>, PostError> {
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
        let granted = response.headers().get("x-oauth-scopes").and_then(|value| value.to_str().ok());
        let granted = granted.map(|granted| {
            granted.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        });
        let (status, retry_after) = (response.status(), outbound::retry_after(&response));
        let body = match outbound::read(response, outbound::ANSWER_LIMIT).await {
            Ok(body) => body,
            Err(error) => {
                calling.ended(CallOutcome::without_answer(&error));
                return Err(error.into());
            }
        };
        let judged = judge::<Value>(status, retry_after, &body);
        calling.ended(judged.as_ref().err().map_or(CallOutcome::Ok, outcome));
        judged.map(|_| granted).map_err(classify)
    }

    /// Calls a method that only reads; not all of those take JSON.
    async fn read<A>(&self, method: &str, parameter: (&str, &str)) -> Result<A, PostError>
    where
        A: for<'de> Deserialize<'de> + Send,
    {
        self.get(Call::reading(method), &[parameter]).await
    }

    async fn get<A>(&self, call: Call<'_>, parameters: &[(&str, &str)]) -> Result<A, PostError>
    where
        A: for<'de> Deserialize<'de> + Send,
    {
        self.may(call)?;
        let token = self.token.get();
        let session = self.client.open_session(&token);
        let parameters: Vec<_> = parameters.iter().map(|&(name, value)| (name, Some(value))).collect();
        self.note(call, session.http_session_api.http_get(call.method, &parameters, None).await)
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

    /// How long no message may be posted anywhere; `None`: where not, it is for that channel alone.
    #[must_use]
    pub fn posting_rests(&self) -> Option<Duration> {
        self.pauses.left("chat.postMessage", "")
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
                self.note_room(channel, true);
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
        if error.may_end_by_an_invitation() {
            self.note_room(channel, false);
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

/// What [`PostError::Unclear`] says where nothing came back, or not all of it.
pub const NO_ANSWER: &str = "no answer";
