//! One socket to Slack, by Socket Mode: how it is opened, and what goes through it.
//!
//! Owns the opening (a call for the address, then a WebSocket's handshake by the HTTP client, so that
//! proxies and certificates hold for it too), the bounds on a frame, and the address, which is a secret:
//! whoever has it may be the app. How many sockets there are, and for how long, it must not know.
//!
//! <https://docs.slack.dev/apis/events-api/using-socket-mode>

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{Client, StatusCode, Upgraded};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use url::Url;

use super::caller::Caller;
use super::envelope::{Frame, Reason};
use super::refusal::{self, Fix};
use super::respond::PostError;
use crate::clock::Clock;
use crate::current::Current;
use crate::outbound;
use crate::telemetry::{CallOutcome, Metrics, Operation};

/// From the request for an address to Slack's hello: both calls and the handshake together.
const OPENING_LIMIT: Duration = Duration::from_secs(10);
/// Slack's word where Socket Mode is switched off.
pub const LINK_DISABLED: &str = "link_disabled";
/// Slack's word where an app has ten connections.
const TOO_MANY: &str = "too_many_websockets";
/// Longest wait until a frame has left: more than a moment means that nobody reads at the other end.
const WRITE_LIMIT: Duration = Duration::from_secs(3);
/// Largest frame that is read, in bytes. An interaction brings the message that was pressed along, and a
/// form its whole view, of which Slack allows 250 kB.
const FRAME_LIMIT: usize = 1024 * 1024;

/// What opens sockets. No `Debug`: it holds the app's token.
#[derive(Clone)]
pub struct Opener {
    caller: Caller,
    /// Without a slash at its end.
    api_url: String,
    tokens: Current<Tokens>,
    /// How often they were replaced.
    renewals: watch::Sender<u64>,
    switch: Switch,
}

/// One token or two, and which of them Slack takes.
struct Tokens {
    first: SecretString,
    second: Option<SecretString>,
    second_is_in_use: AtomicBool,
}

impl Tokens {
    fn new(first: &SecretString, second: Option<&SecretString>) -> Self {
        Self { first: first.clone(), second: second.cloned(), second_is_in_use: AtomicBool::default() }
    }

    /// The one in use, and the other one if there are two.
    fn in_order(&self) -> (&SecretString, Option<&SecretString>) {
        match &self.second {
            Some(second) if self.second_is_in_use.load(Ordering::Relaxed) => (second, Some(&self.first)),
            second => (&self.first, second.as_ref()),
        }
    }

    /// The other one is in use from now on. Sockets that find out together say so once.
    fn use_the_other(&self, rejected: &SecretString) {
        let second = rejected.expose_secret() == self.first.expose_secret();
        if self.second_is_in_use.swap(second, Ordering::Relaxed) != second {
            tracing::warn!(
                refused = if second { "first" } else { "second" },
                "Slack refuses one of the two tokens in SLACK_APP_TOKEN; sockets are opened with the other one"
            );
        }
    }
}

/// Whether Slack refuses the token itself. Where Socket Mode is switched off, it takes none.
fn is_refusal(error: &PostError) -> bool {
    matches!(error, PostError::Refused(word) if word != LINK_DISABLED)
}

/// Whether Socket Mode is switched on in the app's settings, as far as Slack has said: its hello says that it
/// is. From then on Slack sends nothing by requests, until it is switched off: it says so, or sends one. Clones
/// share it.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Whether Slack has said that it is on, and not since that it is off.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Slack has sent a request.
    pub fn has_sent_a_request(&self) {
        self.set(false);
    }

    fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

/// An open socket.
pub struct Socket {
    stream: WebSocketStream<Upgraded>,
    switch: Switch,
    /// Whose app it is, if Slack says so.
    pub app_id: Option<String>,
    /// How many connections the app has by now, if Slack says so.
    pub connections: Option<u64>,
}

/// What came over a socket.
pub enum Heard {
    /// A frame that may mean something.
    Frame(Frame),
    /// A sign of life.
    Life,
    /// The other end has closed it, or it is lost.
    Closed,
}

/// The frame did not leave.
#[derive(Debug)]
pub struct NotWritten;

impl Opener {
    /// `http` is the client for sockets; `api_url` has no slash at its end.
    #[must_use]
    pub fn new(http: Client, api_url: &str, token: &SecretString) -> Self {
        let caller = Caller::new(http, Metrics::default(), Clock::default());
        let renewals = watch::Sender::new(0);
        let tokens = Current::new(Tokens::new(token, None));
        Self { caller, api_url: api_url.to_owned(), tokens, renewals, switch: Switch::default() }
    }

    /// The same with other tokens: the second one is for when Slack refuses the first.
    #[must_use]
    pub fn with_tokens(&self, first: &SecretString, second: Option<&SecretString>) -> Self {
        let tokens = Current::new(Tokens::new(first, second));
        Self { tokens, switch: Switch::default(), ..self.clone() }
    }

    /// The same by another clock, whose calls are counted there.
    #[must_use]
    pub fn counting(self, metrics: Metrics, clock: Clock) -> Self {
        Self { caller: Caller::new(self.caller.http, metrics, clock), ..self }
    }

    /// Opens the next ones with other tokens; so do the clones.
    pub fn renew(&self, first: &SecretString, second: Option<&SecretString>) {
        self.tokens.replace(Tokens::new(first, second));
        self.renewals.send_modify(|times| *times += 1);
    }

    /// How often the tokens were replaced, for whoever waits for that.
    #[must_use]
    pub fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    /// What Slack has said of Socket Mode.
    #[must_use]
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }

    /// Opens one and waits for Slack's hello.
    ///
    /// # Errors
    /// [`PostError`]; nothing that was asked of Slack stays behind, but for a socket that it may close.
    pub async fn open(&self) -> Result<Socket, PostError> {
        let late = || Err(PostError::Unclear("timeout".to_owned()));
        timeout(OPENING_LIMIT, self.greeted()).await.unwrap_or_else(|_| late())
    }

    /// Tries whether Slack would let one be opened, and opens none: it would be sent commands.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn try_token(&self) -> Result<(), PostError> {
        self.address().await.map(drop)
    }

    async fn greeted(&self) -> Result<Socket, PostError> {
        let address = self.address().await?;
        let stream = self.shake_hands(&address).await?;
        let switch = self.switch.clone();
        let mut socket = Socket { stream, switch, app_id: None, connections: None };
        loop {
            match socket.hear().await {
                Heard::Frame(Frame::Hello { app_id, connections }) => {
                    (socket.app_id, socket.connections) = (app_id, connections);
                    return Ok(socket);
                }
                Heard::Frame(Frame::Disconnect(Reason::LinkDisabled)) => {
                    return Err(PostError::Refused(LINK_DISABLED.to_owned()));
                }
                // Others end, and the next one may be let in; or Slack's host was about to stop.
                Heard::Frame(Frame::Disconnect(Reason::TooMany)) => {
                    return Err(PostError::Unclear(TOO_MANY.to_owned()));
                }
                Heard::Frame(Frame::Disconnect(Reason::Refresh)) => {
                    return Err(PostError::Unclear("ended before its hello".to_owned()));
                }
                Heard::Closed => return Err(PostError::Unclear("closed before its hello".to_owned())),
                // Nothing is due yet; what comes early was not for us to answer.
                Heard::Frame(_) | Heard::Life => {}
            }
        }
    }

    /// Asks for an address. It is good for one connection, and not for long.
    /// <https://docs.slack.dev/reference/methods/apps.connections.open>
    async fn address(&self) -> Result<SecretString, PostError> {
        let tokens = self.tokens.get();
        let (in_use, other) = tokens.in_order();
        let refused = match self.address_with(in_use).await {
            Err(error) if is_refusal(&error) => error,
            address => return address,
        };
        let Some(other) = other else { return Err(refused) };
        match self.address_with(other).await {
            Err(error) if is_refusal(&error) => Err(refused),
            Ok(address) => {
                tokens.use_the_other(in_use);
                Ok(address)
            }
            Err(error) => Err(error),
        }
    }

    async fn address_with(&self, token: &SecretString) -> Result<SecretString, PostError> {
        let calling = self.caller.calling(Operation::OpenSocket);
        let address = self.ask_for_address(token).await;
        if matches!(&address, Err(PostError::Refused(word)) if word == LINK_DISABLED) {
            self.switch.set(false);
        }
        calling.ended(address.as_ref().err().map_or(CallOutcome::Ok, PostError::outcome));
        address
    }

    async fn ask_for_address(&self, token: &SecretString) -> Result<SecretString, PostError> {
        let request = self.caller.http.post(format!("{}/apps.connections.open", self.api_url));
        let response = self.caller.send(request.bearer_auth(token.expose_secret())).await?;
        let (status, pause) = (response.status(), outbound::retry_after(&response));
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(PostError::Throttled(pause));
        }
        let body = outbound::read(response, outbound::ANSWER_LIMIT).await?;
        let Ok(answer) = serde_json::from_slice::<Value>(&body) else {
            return Err(match status.is_success() {
                true => PostError::Unconfirmed("an answer that is not JSON"),
                false => PostError::of_status(status),
            });
        };
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        match (answer.get("ok").and_then(Value::as_bool), text("url")) {
            (Some(true), Some(url)) => {
                self.checked(url).ok_or(PostError::Unconfirmed("an address that is not Slack's"))
            }
            (Some(false), _) => Err(match PostError::of_word(text("error").unwrap_or("no_error_given")) {
                PostError::Throttled(None) => PostError::Throttled(pause),
                error => error,
            }),
            _ if !status.is_success() => Err(PostError::of_status(status)),
            _ => Err(PostError::Unconfirmed("JSON that is not Slack's")),
        }
    }

    /// The address as the HTTP client takes it. It has to be encrypted, unless Slack itself is a stand-in
    /// on this machine, and then it stays on it.
    fn checked(&self, url: &str) -> Option<SecretString> {
        let mut url = Url::parse(url).ok()?;
        let api = Url::parse(&self.api_url).ok()?;
        let scheme = match url.scheme() {
            "wss" => "https",
            "ws" if api.scheme() == "http" && outbound::is_here(&api) && outbound::is_here(&url) => "http",
            _ => return None,
        };
        url.set_scheme(scheme).ok()?;
        Some(SecretString::from(String::from(url)))
    }

    /// RFC 6455, section 4.1, by the HTTP client.
    async fn shake_hands(&self, address: &SecretString) -> Result<WebSocketStream<Upgraded>, PostError> {
        let key = generate_key();
        let request = self.caller.http.get(address.expose_secret()).header(CONNECTION, "Upgrade");
        let request = request.header(UPGRADE, "websocket").header(SEC_WEBSOCKET_VERSION, "13");
        let response = request.header(SEC_WEBSOCKET_KEY, &key).send().await;
        let response = response.map_err(|error| PostError::from(outbound::classify(&error)))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(PostError::Throttled(outbound::retry_after(&response)));
        }
        if status != StatusCode::SWITCHING_PROTOCOLS {
            // Slack answers 409 to a good address now and then (slackapi/bolt-js, issue 2318): the next may do.
            return Err(PostError::Unclear(format!("status {}", status.as_u16())));
        }
        let header = |name| response.headers().get(name).map(|value| value.as_bytes());
        let is_websocket = header(UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
        if !is_websocket || header(SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_bytes())
        {
            return Err(PostError::Unconfirmed("a handshake that is not a WebSocket's"));
        }
        let upgraded =
            response.upgrade().await.map_err(|error| PostError::from(outbound::classify(&error)))?;
        let config =
            WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }
}

impl Socket {
    /// Waits for what comes next. Slack's pings are answered on the way. Can be dropped and called again:
    /// nothing is lost.
    pub async fn hear(&mut self) -> Heard {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => {
                let frame = Frame::read(&text);
                match frame {
                    Some(Frame::Hello { .. }) => self.switch.set(true),
                    Some(Frame::Disconnect(Reason::LinkDisabled)) => self.switch.set(false),
                    _ => {}
                }
                frame.map_or(Heard::Life, Heard::Frame)
            }
            // The library answers it as it reads on.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {
                Heard::Life
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => Heard::Closed,
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// [`NotWritten`]: the socket is of no use any more.
    pub async fn write(&mut self, text: String) -> Result<(), NotWritten> {
        self.send(Message::text(text)).await
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`NotWritten`]: the socket is of no use any more.
    pub async fn ping(&mut self) -> Result<(), NotWritten> {
        self.send(Message::Ping("connect-card".into())).await
    }

    /// Says that nothing more will come from here, and waits a moment until the other end has said so,
    /// too.
    pub async fn close(mut self) {
        let end = Instant::now() + WRITE_LIMIT;
        let _ = timeout_at(end, self.stream.close(None)).await;
        // Slack leaves the connection open after its own word of the end, so nobody waits for that.
        while let Ok(Some(Ok(heard))) = timeout_at(end, self.stream.next()).await {
            if heard.is_close() {
                break;
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), NotWritten> {
        match timeout(WRITE_LIMIT, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(NotWritten),
        }
    }
}

/// What to do for a token that opens sockets.
pub const MAKE_TOKEN: &str = "make an app-level token with the scope connections:write under Basic Information > App-Level Tokens, for SLACK_APP_TOKEN";
/// What to do where the word says no more.
const UNKNOWN: &str = "look at Socket Mode and App-Level Tokens in the app's settings";

/// What to do about a word by which Slack refuses a socket, for whoever runs the bot.
#[must_use]
pub fn advice(word: &str) -> &'static str {
    match word {
        LINK_DISABLED => {
            "turn Socket Mode on under Socket Mode in the app's settings, or unset SLACK_APP_TOKEN and set SLACK_SIGNING_SECRET and PUBLIC_URL"
        }
        "missing_scope" => "give the app-level token the scope connections:write: make a new one with it",
        "invalid_auth" | "not_authed" | "token_revoked" | "not_allowed_token_type" | "account_inactive" => {
            MAKE_TOKEN
        }
        _ => refusal::fix(word).map_or(UNKNOWN, Fix::advice),
    }
}
