//! Slack's own calls to the bot: signed commands, button presses, submitted views, option lists.
//!
//! Owns the forms and payloads that Slack sends and the connection that carries them over HTTP. Must
//! not know what the bot does with them, nor what a socket is.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Client;
use reqwest::header::{CONNECTION, CONTENT_TYPE};
use ring::hmac;
use serde_json::{Value, json};

use super::directory::Organisation;
use super::elements::{Used, invalid};
use super::sockets::Delivery;
use super::state::{Message, Visibility};
use super::{
    APP_ID, ENTERPRISE_ID, PATIENCE, SIBLING_TEAM_ID, SIGNING_SECRET, SlackStandIn, TEAM_DOMAIN, TEAM_ID,
    acks,
};
use crate::encoding::hex;
use crate::lock;
use crate::tape::{self, Beginning, Party};

const COMMANDS: &str = "/slack/commands";
const INTERACTIVITY: &str = "/slack/interactivity";
pub(super) const VERIFICATION_TOKEN: &str = "sandbox-verification-token";

/// What the bot answered at once.
#[derive(Debug, Clone)]
pub struct Ack {
    /// The HTTP status.
    pub status: u16,
    /// What the body is said to be, empty when that is not said.
    pub content_type: String,
    /// The body as it came.
    pub body: Vec<u8>,
    /// From the first packet to the last byte.
    pub elapsed: Duration,
    /// The response URL that went out with the request; empty when none did.
    pub response_url: String,
    /// The trigger id that went out with the request; empty when none did.
    pub trigger_id: String,
}

impl Ack {
    /// The body as JSON; `Null` when it is empty or something else.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request ready to be sent, open to tampering.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The form-encoded body.
    pub body: String,
    /// The response URL within, empty when there is none.
    pub response_url: String,
    /// The trigger id within.
    pub trigger_id: String,
}

/// The value of `X-Slack-Signature` for a body sent at `timestamp`.
#[must_use]
pub fn sign(timestamp: u64, body: &[u8]) -> String {
    sign_with(SIGNING_SECRET, timestamp, body)
}

fn sign_with(secret: &str, timestamp: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("v0:{timestamp}:").as_bytes());
    context.update(body);
    format!("v0={}", hex(context.sign().as_ref()))
}

/// The headers which Slack sends with a body at this time, signature included.
#[must_use]
pub fn signed_headers(now: Timestamp, body: &[u8]) -> Vec<(String, String)> {
    headers_with(SIGNING_SECRET, now, body)
}

fn headers_with(secret: &str, now: Timestamp, body: &[u8]) -> Vec<(String, String)> {
    let now = u64::try_from(now.as_second()).unwrap_or_default();
    [
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)".to_owned()),
        ("x-slack-request-timestamp", now.to_string()),
        ("x-slack-signature", sign_with(secret, now, body)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Posts a body over a connection of its own, with Slack's limit of three seconds.
///
/// # Errors
/// When the address is none, nobody answers there, or not in time.
pub async fn post(
    client: &Client,
    url: &str,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> io::Result<Ack> {
    let mut request = client.post(url).timeout(PATIENCE).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    // A kept connection may have been closed by a bot that was killed, and would fail the next post.
    let request = request.header(CONNECTION, "close");
    let began = Instant::now();
    let answered = async {
        let response = request.send().await?;
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        Ok((response.status().as_u16(), content_type, response.bytes().await?.to_vec()))
    };
    let (status, content_type, body) = answered.await.map_err(failure)?;
    let (response_url, trigger_id) = (String::new(), String::new());
    Ok(Ack { status, content_type, body, elapsed: began.elapsed(), response_url, trigger_id })
}

fn failure(error: reqwest::Error) -> io::Error {
    if error.is_timeout() {
        return io::Error::new(io::ErrorKind::TimedOut, "operation_timeout");
    }
    io::Error::other(error)
}

impl SlackStandIn {
    fn signing_secret(&self) -> String {
        lock(&self.0.signing_secret).clone()
    }

    /// Signs with another secret from now on, as after *Regenerate* in the app's settings.
    pub fn set_signing_secret(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.0.signing_secret));
    }

    /// The bot tokens that are taken, in the place of those before.
    pub fn set_bot_tokens(&self, tokens: &[&str]) {
        lock(&self.0.state).bot_tokens = tokens.iter().map(|&token| token.to_owned()).collect();
    }

    /// The value of `X-Slack-Signature` for a body sent at `timestamp`.
    #[must_use]
    pub fn sign(&self, timestamp: u64, body: &[u8]) -> String {
        sign_with(&self.signing_secret(), timestamp, body)
    }

    /// The headers which Slack sends with a body now, for tests that tamper with them.
    #[must_use]
    pub fn signed_request(&self, body: &[u8]) -> Vec<(String, String)> {
        headers_with(&self.signing_secret(), self.0.clock.now(), body)
    }

    /// The form of a typed command, such as `/connect-card adwords customer_schema`.
    #[must_use]
    pub fn command_request(&self, typed: &str, channel: &str, user: &str) -> Outgoing {
        let (command, text) = typed.split_once(' ').unwrap_or((typed, ""));
        let response_url = self.response_url(channel, user);
        let trigger_id = self.trigger_id(user);
        let (channel_name, user_name) = self.names(channel, user);
        let organisation = self.organisation();
        // The workspace in which it was typed: of an organisation, the person's.
        let team = match organisation {
            Organisation::Joined | Organisation::Whole if self.team_of(user) == SIBLING_TEAM_ID => {
                SIBLING_TEAM_ID
            }
            _ => TEAM_ID,
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        if organisation != Organisation::None {
            form.append_pair("enterprise_id", ENTERPRISE_ID).append_pair("enterprise_name", "Organisation");
        }
        let in_organisation = organisation == Organisation::Whole;
        let body = form
            .append_pair("token", VERIFICATION_TOKEN)
            .append_pair("team_id", team)
            .append_pair("team_domain", TEAM_DOMAIN)
            .append_pair("channel_id", channel)
            .append_pair("channel_name", &channel_name)
            .append_pair("user_id", user)
            .append_pair("user_name", &user_name)
            .append_pair("command", command)
            .append_pair("text", text)
            .append_pair("api_app_id", APP_ID)
            .append_pair("is_enterprise_install", if in_organisation { "true" } else { "false" })
            .append_pair("response_url", &response_url)
            .append_pair("trigger_id", &trigger_id)
            .finish();
        Outgoing { body, response_url, trigger_id }
    }

    /// Types a command.
    ///
    /// # Errors
    /// When the bot's answer takes more than three seconds, or Slack does not take it.
    pub async fn command(&self, bot_url: &str, typed: &str, channel: &str, user: &str) -> io::Result<Ack> {
        let request = self.command_request(typed, channel, user);
        self.send(bot_url, COMMANDS, request, &Value::Null).await
    }

    /// Presses a button of a message.
    ///
    /// # Errors
    /// When the message has no such button, the bot's answer is late, or Slack does not take it.
    pub async fn press(
        &self,
        bot_url: &str,
        message: &Message,
        action_id: &str,
        user: &str,
    ) -> io::Result<Ack> {
        let used = Used { action_id, ..Used::default() };
        self.use_in_message(bot_url, message, used, user).await
    }

    /// Uses an element of a message: presses a button, or chooses from a menu.
    ///
    /// # Errors
    /// When the message has no such element, the bot's answer is late, or Slack does not take it.
    pub async fn use_in_message(
        &self,
        bot_url: &str,
        message: &Message,
        used: Used<'_>,
        user: &str,
    ) -> io::Result<Ack> {
        let action = used.action(&message.payload, &message.ts)?;
        let is_ephemeral = message.visibility == Visibility::Ephemeral;
        let response_url = self.answer_url(message, user);
        let (channel_name, _) = self.names(&message.channel, user);
        let mut payload = self.interaction("block_actions", user);
        payload["container"] = json!({
            "type": "message", "message_ts": message.ts, "channel_id": message.channel,
            "is_ephemeral": is_ephemeral,
        });
        payload["channel"] = json!({ "id": message.channel, "name": channel_name });
        payload["response_url"] = json!(response_url);
        payload["state"] = json!({ "values": {} });
        if !is_ephemeral {
            payload["message"] = message.payload.clone();
            payload["message"]["type"] = json!("message");
            payload["message"]["ts"] = json!(message.ts);
        }
        payload["actions"] = json!([action]);
        self.interact(bot_url, payload).await
    }

    /// Uses an element of a view that dispatches what is done with it; `values` is the state of its
    /// inputs.
    ///
    /// # Errors
    /// When there is no such view or element, the bot's answer is late, or Slack does not take it.
    pub async fn use_in_view(
        &self,
        bot_url: &str,
        view_id: &str,
        used: Used<'_>,
        values: Value,
        user: &str,
    ) -> io::Result<Ack> {
        let mut view = self.view(view_id).ok_or_else(|| invalid(format!("there is no view '{view_id}'")))?;
        let now = self.0.clock.now();
        let action = used.action(&view, &format!("{}.{:06}", now.as_second(), now.subsec_microsecond()))?;
        view["state"] = json!({ "values": values });
        let mut payload = self.interaction("block_actions", user);
        payload["container"] = json!({ "type": "view", "view_id": view_id });
        payload["view"] = view;
        payload["actions"] = json!([action]);
        self.interact(bot_url, payload).await
    }

    /// Submits a view; `values` is the `state.values` of its inputs.
    ///
    /// # Errors
    /// When there is no such view, the bot's answer is late, or Slack does not take it.
    pub async fn submit_view(
        &self,
        bot_url: &str,
        view_id: &str,
        values: Value,
        user: &str,
    ) -> io::Result<Ack> {
        let mut view = self.view(view_id).ok_or_else(|| invalid(format!("there is no view '{view_id}'")))?;
        view["state"] = json!({ "values": values });
        let mut payload = self.interaction("view_submission", user);
        payload["view"] = view;
        payload["response_urls"] = json!([]);
        self.interact(bot_url, payload).await
    }

    /// Types into an external select, within a view if one is given.
    ///
    /// # Errors
    /// When the bot's answer takes more than three seconds, or Slack does not take it.
    pub async fn suggest(
        &self,
        bot_url: &str,
        action_id: &str,
        block_id: &str,
        value: &str,
        user: &str,
        view_id: Option<&str>,
    ) -> io::Result<Ack> {
        let mut payload = self.interaction("block_suggestion", user);
        payload["action_id"] = json!(action_id);
        payload["block_id"] = json!(block_id);
        payload["value"] = json!(value);
        payload["view"] = view_id.and_then(|id| self.view(id)).unwrap_or_default();
        if let Some(fields) = payload.as_object_mut() {
            fields.remove("trigger_id");
        }
        self.interact(bot_url, payload).await
    }

    /// The form of an interaction's payload.
    #[must_use]
    pub fn interaction_request(&self, payload: &Value) -> Outgoing {
        let text = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &payload.to_string())
            .finish();
        Outgoing { body, response_url: text("response_url"), trigger_id: text("trigger_id") }
    }

    /// Sends an envelope to one of the bot's sockets: `slash_commands`, `interactive` or `events_api`.
    ///
    /// # Errors
    /// When no socket lives, the one that got it closes, or nothing acknowledges it within three seconds.
    pub async fn envelope(&self, kind: &str, payload: &Value) -> io::Result<Ack> {
        let (payload, elapsed) = self.send_envelope(kind, payload).await?;
        let body = payload.map(|payload| payload.to_string()).unwrap_or_default();
        Ok(Ack {
            status: 200,
            content_type: if body.is_empty() { String::new() } else { "application/json".to_owned() },
            body: body.into_bytes(),
            elapsed,
            response_url: String::new(),
            trigger_id: String::new(),
        })
    }

    /// Sends an interaction with this payload.
    ///
    /// # Errors
    /// When the bot's answer takes more than three seconds, or Slack does not take it.
    pub async fn interact(&self, bot_url: &str, payload: Value) -> io::Result<Ack> {
        let mut shaped = payload.clone();
        self.shape(&mut shaped);
        let request = self.interaction_request(&shaped);
        // Whatever shape it had on the way, Slack knows what it was about.
        self.send(bot_url, INTERACTIVITY, request, &payload).await
    }

    /// Sends a command, or an interaction with this payload, and judges the answer.
    async fn send(&self, bot_url: &str, path: &str, request: Outgoing, asked: &Value) -> io::Result<Ack> {
        let at = self.0.clock.now();
        let by = self.delivery();
        let form = tape::form(request.body.as_bytes());
        let kind = if path == COMMANDS { "slash_commands" } else { "interactive" };
        let taped = self.0.tape.get().map(|tape| {
            let label = match by {
                Delivery::Http => format!("POST {path}"),
                Delivery::Sockets => format!("envelope {kind}"),
            };
            let asked = form.clone();
            tape.begin(Beginning { from: Party::Slack, to: Party::Bot, label, at, request: asked })
        });
        // Without an answer the exchange ends by itself.
        let ack = match by {
            Delivery::Http => {
                let url = format!("{}{path}", bot_url.trim_end_matches('/'));
                let headers = headers_with(&self.signing_secret(), at, request.body.as_bytes());
                post(&self.0.client, &url, &headers, request.body.into_bytes()).await?
            }
            Delivery::Sockets => {
                let payload = if path == COMMANDS { &form } else { &form["payload"] };
                self.envelope(kind, payload).await?
            }
        };
        if let Some(taped) = taped {
            taped.end(Some(ack.status), tape::body(&ack.body), false);
        }
        let faults = match ack.status {
            200 => acks::faults(asked, &ack.content_type, &ack.body),
            _ => Vec::new(),
        };
        if !faults.is_empty() {
            let faults = faults.join("; ");
            if by == Delivery::Sockets {
                self.refuse_payload(&faults);
            }
            let what = format!("Slack takes no such answer: {faults}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Ack { response_url: request.response_url, trigger_id: request.trigger_id, ..ack })
    }

    /// What every interaction says.
    fn interaction(&self, kind: &str, user: &str) -> Value {
        let organisation = self.organisation();
        let mut payload = json!({
            "type": kind,
            "user": {
                "id": user, "username": self.names("", user).1, "name": self.names("", user).1,
                "team_id": self.team_of(user),
            },
            "api_app_id": APP_ID, "token": VERIFICATION_TOKEN, "trigger_id": self.trigger_id(user),
            "team": { "id": TEAM_ID, "domain": TEAM_DOMAIN },
            "enterprise": null, "is_enterprise_install": organisation == Organisation::Whole,
        });
        if organisation != Organisation::None {
            payload["enterprise"] = json!({ "id": ENTERPRISE_ID, "name": "Organisation" });
        }
        if organisation == Organisation::Whole {
            payload["team"] = Value::Null;
        }
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_signature_comes_out() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
            &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
            &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com\
            %2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
            &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        assert_eq!(
            sign_with("8f742231b10e8888abcd99yyyzzz85a5", 1_531_420_618, body.as_bytes()),
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        );
    }
}
