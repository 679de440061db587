//! Slack on the wire: what it sends us, and the secrets in it.
//!
//! Owns the shape of a slash command, and the response_url; an interaction's is in [`interaction`].
//! Must not know Fivetran, the store or what any command does.
//!
//! The slash-command model of `slack-morphism` leaves out fields over HTTP, and its interaction
//! model refuses payloads of an Enterprise organisation, so both are read here; its Web API
//! client and Block Kit models serve in [`web_api`] and in [`crate::reply`].

pub mod caller;
mod complaints;
pub mod conversation;
pub mod envelope;
pub mod event;
pub mod id;
pub mod interaction;
pub mod manifest;
pub mod pauses;
pub mod people;
pub mod refusal;
pub mod respond;
pub mod rooms;
pub mod signature;
pub mod socket;
pub mod token;
mod transport;
pub mod web_api;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// Where its Web API is, unless `SLACK_API_URL` says otherwise.
pub const API_URL: &str = "https://slack.com/api";

/// What is needed to hear from and speak to Slack. No `Debug`: it holds secrets.
#[derive(Clone)]
pub struct SlackConfig {
    /// `SLACK_SIGNING_SECRET`: the one in force first, then the one being rotated out. None where Slack
    /// does not reach the bot over HTTP.
    pub signing_secrets: Vec<SecretString>,
    /// `SLACK_APP_TOKEN`, likewise. None without Socket Mode.
    pub app_tokens: Vec<SecretString>,
    /// `SLACK_BOT_TOKEN`.
    pub bot_token: Option<SecretString>,
    /// `SLACK_API_URL`, without a slash at its end.
    pub api_url: String,
    /// Origins a response_url may have.
    pub response_url_origins: Vec<url::Origin>,
    /// `AUDIT_CHANNEL`: where each thing that happens is told.
    pub audit_channel: Option<String>,
}

impl SlackConfig {
    /// What secrets are sealed with: the first seals, each opens. The signing secrets come first, so that
    /// what was sealed before Socket Mode was switched on, or after it is switched off, opens.
    #[must_use]
    pub fn sealing_secrets(&self) -> Vec<SecretString> {
        self.signing_secrets.iter().chain(&self.app_tokens).cloned().collect()
    }
}

/// A slash command as Slack sends it: `application/x-www-form-urlencoded`, or over a socket an object of
/// the same fields.
///
/// <https://docs.slack.dev/interactivity/implementing-slash-commands>
///
/// No `Debug`: it holds the response_url.
pub struct SlashCommand {
    /// The workspace in which it was typed, or the organisation if Slack tells no workspace.
    pub team_id: String,
    /// The Enterprise organisation of that workspace, if it is in one.
    pub enterprise_id: Option<String>,
    /// The channel in which it was typed; the first letter says nothing of its kind.
    pub channel_id: String,
    /// Whether that is a conversation that the bot cannot be invited to, see [`id::is_direct`].
    pub is_direct: bool,
    /// The person who typed it.
    pub user_id: String,
    /// The command itself, with its slash.
    pub command: String,
    /// All that was typed after the command; may be anything.
    pub text: String,
    /// Where the answer may be posted: five times within 30 minutes. `None` if Slack told no address of
    /// its own.
    pub response_url: Option<ResponseUrl>,
    /// Opens a modal, once and within three seconds.
    pub trigger_id: Option<String>,
}

/// Why a signed body is no slash command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACommand {
    /// Not UTF-8 once the percent signs are decoded.
    #[error("the form is not UTF-8")]
    NotUtf8,
    /// A field is absent, empty or given twice.
    #[error("the field {0} is missing, empty or doubled")]
    Field(&'static str),
    /// The response_url is not Slack's.
    #[error("the response_url is not one of Slack's")]
    ResponseUrl,
    /// There is none, and no token to answer with in its place.
    #[error("there is no response_url, and no SLACK_BOT_TOKEN to answer without one")]
    NoWay,
}

impl SlashCommand {
    /// Reads a form. `origins` are those that a response_url may have.
    ///
    /// # Errors
    /// [`NotACommand`]; fields that are not needed are neither read nor required.
    pub fn decode(body: &[u8], origins: &[url::Origin]) -> Result<Self, NotACommand> {
        let text = std::str::from_utf8(body).map_err(|_| NotACommand::NotUtf8)?;
        let mut form = Form::default();
        for field in text.split('&') {
            for (name, value) in form_urlencoded::parse(field.as_bytes()) {
                // The parser puts U+FFFD where the bytes were not UTF-8; but a person can type it, too.
                if value.contains('\u{FFFD}') && std::str::from_utf8(&percent_decoded(field)).is_err() {
                    return Err(NotACommand::NotUtf8);
                }
                form.put(&name, value.into_owned())?;
            }
        }
        Self::of(form, origins)
    }

    /// Reads the payload of an envelope. `origins` are those that a response_url may have.
    ///
    /// # Errors
    /// [`NotACommand`]; a field that is no text counts as absent.
    pub fn of_payload(payload: &Value, origins: &[url::Origin]) -> Result<Self, NotACommand> {
        let mut form = Form::default();
        for (name, value) in payload.as_object().into_iter().flatten() {
            if let Some(value) = value.as_str() {
                form.put(name, value.to_owned())?;
            }
        }
        Self::of(form, origins)
    }

    fn of(form: Form, origins: &[url::Origin]) -> Result<Self, NotACommand> {
        let enterprise_id = form.enterprise_id.filter(|id| id::is_id(id));
        let team_id = form.team_id.filter(|id| !id.is_empty()).or_else(|| enterprise_id.clone());
        let team_id = required_id(team_id, "team_id")?;
        let channel_id = required_id(form.channel_id, "channel_id")?;
        Ok(Self {
            team_id,
            enterprise_id,
            is_direct: id::is_direct(&channel_id, form.channel_name.as_deref()),
            channel_id,
            user_id: required_id(form.user_id, "user_id")?,
            command: form
                .command
                .filter(|name| name.starts_with('/'))
                .ok_or(NotACommand::Field("command"))?,
            text: form.text.unwrap_or_default(),
            response_url: match form.response_url.filter(|url| !url.is_empty()) {
                Some(url) => Some(ResponseUrl::parse(&url, origins).ok_or(NotACommand::ResponseUrl)?),
                None => None,
            },
            trigger_id: form.trigger_id.filter(|id| !id.is_empty()),
        })
    }
}

/// The fields of the form that are read, each at most once.
#[derive(Default)]
struct Form {
    team_id: Option<String>,
    enterprise_id: Option<String>,
    channel_id: Option<String>,
    channel_name: Option<String>,
    user_id: Option<String>,
    command: Option<String>,
    text: Option<String>,
    response_url: Option<String>,
    trigger_id: Option<String>,
}

impl Form {
    fn put(&mut self, name: &str, value: String) -> Result<(), NotACommand> {
        let (name, field) = match name {
            "team_id" => ("team_id", &mut self.team_id),
            "enterprise_id" => ("enterprise_id", &mut self.enterprise_id),
            "channel_id" => ("channel_id", &mut self.channel_id),
            "channel_name" => ("channel_name", &mut self.channel_name),
            "user_id" => ("user_id", &mut self.user_id),
            "command" => ("command", &mut self.command),
            "text" => ("text", &mut self.text),
            "response_url" => ("response_url", &mut self.response_url),
            "trigger_id" => ("trigger_id", &mut self.trigger_id),
            _ => return Ok(()),
        };
        match field.replace(value) {
            None => Ok(()),
            Some(_) => Err(NotACommand::Field(name)),
        }
    }
}

/// The bytes behind the percent signs; what is no such sign stays.
fn percent_decoded(raw: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = (byte == b'%').then(|| after.get(..2)).flatten();
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        decoded.push(code.unwrap_or(byte));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    decoded
}

fn required_id(value: Option<String>, name: &'static str) -> Result<String, NotACommand> {
    value.filter(|value| id::is_id(value)).ok_or(NotACommand::Field(name))
}

/// Whether a body is a form in which somebody typed a command, readable or not.
#[must_use]
pub fn is_typed(body: &[u8]) -> bool {
    form_urlencoded::parse(body).any(|(name, _)| name == "command")
}

/// Whether a body is Slack's certificate probe and nothing else: `ssl_check=1`, alone or with the
/// old verification `token`. With any other field beside it, it must be signed like every body.
///
/// <https://docs.slack.dev/interactivity/implementing-slash-commands>
#[must_use]
pub fn is_ssl_check(body: &[u8]) -> bool {
    let (mut checks, mut tokens) = (0, 0);
    for (name, value) in form_urlencoded::parse(body) {
        match (&*name, &*value) {
            ("ssl_check", "1") => checks += 1,
            ("token", _) => tokens += 1,
            _ => return false,
        }
    }
    checks == 1 && tokens <= 1
}

/// A URL at which anyone may post into the conversation for 30 minutes, so a secret.
///
/// <https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>
#[derive(Clone)]
pub struct ResponseUrl(SecretString);

impl ResponseUrl {
    /// Takes a URL of one of the `origins`, without user or fragment. Where those are Slack's own, one
    /// of a workspace's address is Slack's too: its documentation shows both.
    /// <https://docs.slack.dev/apis/events-api/using-socket-mode>
    #[must_use]
    pub fn parse(text: &str, origins: &[url::Origin]) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let origin = url.origin();
        let allowed = origins.iter().any(|one| *one == origin || is_workspace_of(&origin, one));
        (plain && allowed).then(|| Self(SecretString::from(String::from(url))))
    }

    /// The URL itself; for the request, and for sealing before it is stored.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Whether an origin is that of a workspace where `hooks` is `https://hooks.slack.com` or its like.
fn is_workspace_of(origin: &url::Origin, hooks: &url::Origin) -> bool {
    let parts = |origin: &url::Origin| match origin {
        url::Origin::Tuple(scheme, url::Host::Domain(host), port) if scheme == "https" => {
            host.split_once('.').map(|(first, rest)| (first.to_owned(), rest.to_owned(), *port))
        }
        _ => None,
    };
    let (Some(one), Some(hooks)) = (parts(origin), parts(hooks)) else { return false };
    let slacks = ["slack.com", "slack-gov.com"].contains(&hooks.1.as_str());
    // An organisation's has one more part.
    let house = one.1 == hooks.1 || one.1 == format!("enterprise.{}", hooks.1);
    slacks && hooks.0 == "hooks" && house && one.2 == hooks.2
}

/// Where a message stands: what it takes to edit it, or to answer in its thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The channel; for a direct message not the one asked for.
    pub channel: String,
    /// The message's id in it.
    pub ts: String,
}

impl Place {
    /// The address that opens the message, in the workspace that has this one. Slack tells it too, by a call of its
    /// own for each message. <https://docs.slack.dev/reference/methods/chat.getPermalink>
    #[must_use]
    pub fn permalink(&self, site: &url::Url) -> Option<url::Url> {
        let digits: String = self.ts.chars().filter(|&it| it != '.').collect();
        let is_known =
            id::is_id(&self.channel) && !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
        is_known.then(|| site.join(&format!("archives/{}/p{digits}", self.channel)).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_an_address_in_its_workspace() {
        let place = |channel: &str, ts: &str| Place { channel: channel.to_owned(), ts: ts.to_owned() };
        let site = "https://ghostbusters.slack.com/".parse().unwrap();
        let address = |place: Place| place.permalink(&site).map(String::from);
        let known = "https://ghostbusters.slack.com/archives/C1H9RESGA/p135854651500008";
        assert_eq!(address(place("C1H9RESGA", "1358546515.00008")).as_deref(), Some(known));
        for (channel, ts) in [("C1/../../x", "1.2"), ("C1", "1.2?x"), ("", "1.2"), ("C1", "")] {
            assert_eq!(address(place(channel, ts)), None, "{channel} {ts}");
        }
    }

    const FORM: &str = "team_id=T1&channel_id=C1&user_id=U1&command=%2Fconnect-card&text=a+b\
                        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1%2F2%2Fabc&extra=1";

    fn origins() -> Vec<url::Origin> {
        vec![Url::parse("https://hooks.slack.com").unwrap().origin()]
    }

    fn decode(form: &str) -> Result<SlashCommand, NotACommand> {
        SlashCommand::decode(form.as_bytes(), &origins())
    }

    #[test]
    fn a_slash_command_is_read() {
        let command = decode(FORM).ok().unwrap();
        assert_eq!((command.command.as_str(), command.text.as_str()), ("/connect-card", "a b"));
        let url = command.response_url.as_ref().map(ResponseUrl::expose);
        assert_eq!(url, Some("https://hooks.slack.com/commands/T1/2/abc"));
        let url = "https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1%2F2%2Fabc";
        for without in [FORM.replace(url, ""), FORM.replace("&response_url=", "&no_url=")] {
            assert!(decode(&without).ok().unwrap().response_url.is_none(), "{without}");
        }
    }

    #[test]
    fn a_payload_is_read_like_a_form() {
        let payload = serde_json::json!({
            "team_id": "T1", "channel_id": "C1", "user_id": "U1", "command": "/connect-card", "text": "a b",
            "response_url": "https://hooks.slack.com/commands/T1/2/abc", "trigger_id": "1.2.x", "extra": [],
        });
        let command = SlashCommand::of_payload(&payload, &origins()).ok().unwrap();
        assert_eq!((command.text.as_str(), command.trigger_id.as_deref()), ("a b", Some("1.2.x")));
        for (payload, missing) in [
            (serde_json::json!({}), "team_id"),
            (serde_json::json!([]), "team_id"),
            (serde_json::json!({"team_id": "T1", "channel_id": ["C1"]}), "channel_id"),
        ] {
            let read = SlashCommand::of_payload(&payload, &origins()).err();
            assert_eq!(read, Some(NotACommand::Field(missing)), "{payload}");
        }
    }

    #[test]
    fn what_is_no_slash_command_is_refused() {
        for (form, fault) in [
            (FORM.replace("team_id=T1&", ""), NotACommand::Field("team_id")),
            (FORM.replace("user_id=U1", "user_id="), NotACommand::Field("user_id")),
            (FORM.replace("C1", "C1%0A"), NotACommand::Field("channel_id")),
            (format!("{FORM}&user_id=U2"), NotACommand::Field("user_id")),
            (FORM.replace("%2Fconnect", "connect"), NotACommand::Field("command")),
            (FORM.replace("hooks.slack.com", "hooks.example.com"), NotACommand::ResponseUrl),
            (FORM.replace("a+b", "%ff"), NotACommand::NotUtf8),
            (String::new(), NotACommand::Field("team_id")),
        ] {
            assert_eq!(decode(&form).err(), Some(fault), "{form}");
        }
    }

    #[test]
    fn a_replacement_character_can_be_typed() {
        for typed in ["%EF%BF%BD+x", "\u{FFFD}+x", "100%+%ef%bf%bd"] {
            let command = decode(&FORM.replace("a+b", typed)).ok().unwrap();
            assert!(command.text.contains('\u{FFFD}'), "{typed}");
        }
        for bad in ["%ff+%EF%BF%BD", "%c3&user_name=%a9", "%EF%BF", "%E2%82"] {
            assert_eq!(decode(&FORM.replace("a+b", bad)).err(), Some(NotACommand::NotUtf8), "{bad}");
        }
    }

    #[test]
    fn a_response_url_is_slacks_or_nothing() {
        for bad in [
            "http://hooks.slack.com/commands/T1",
            "https://hooks.slack.com.example.com/x",
            "https://example.com/hooks.slack.com",
            "https://hooks.slack.com:8443/x",
            "https://user@hooks.slack.com/x",
            "http://acme.slack.com/commands/T1",
            "https://acme.slack.com:8443/x",
            "https://acme.slack.com.example.com/x",
            "https://acmeslack.com/x",
            "https://a.b.slack.com/x",
            "https://slack.com/x",
            "https://acme.slack-gov.com/x",
            "https://169.254.169.254/",
            "file:///etc/passwd",
            "",
        ] {
            assert!(ResponseUrl::parse(bad, &origins()).is_none(), "{bad}");
        }
        for good in [
            "https://rilke.slack.com/commands/T1/2/abc",
            "https://acme.enterprise.slack.com/commands/E1/2/abc",
        ] {
            assert!(ResponseUrl::parse(good, &origins()).is_some(), "{good}");
            let own = vec![Url::parse("https://hooks.example.com").unwrap().origin()];
            assert!(ResponseUrl::parse(good, &own).is_none(), "{good}");
        }
    }

    #[test]
    fn an_ssl_check_is_nothing_but_one() {
        assert!(is_ssl_check(b"ssl_check=1"));
        assert!(is_ssl_check(b"ssl_check=1&token=abc"));
        for smuggled in ["", "ssl_check=0", "token=abc", "ssl_check=1&payload={}", "ssl_check=1&command=%2Fx"]
        {
            assert!(!is_ssl_check(smuggled.as_bytes()), "{smuggled}");
        }
    }
}
