//! Slack's Events API: what Slack tells the bot of its own accord.
//!
//! Owns the payloads of events, which are the same over HTTP and in an envelope, and what Slack takes for an
//! acknowledgement. Must not know what the bot makes of an event.
//! <https://docs.slack.dev/apis/events-api>

use std::io;

use serde_json::{Value, json};

use super::directory::Organisation;
use super::outbound::{Ack, VERIFICATION_TOKEN, post};
use super::sockets::Delivery;
use super::{APP_ID, BOT_USER_ID, ENTERPRISE_ID, SlackStandIn, TEAM_ID};
use crate::encoding::random_name;
use crate::tape::{self, Beginning, Party};

const EVENTS: &str = "/slack/events";

/// Which delivery of an event this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// The first.
    #[default]
    None,
    /// One more, of so many: the one before was not acknowledged in time.
    Again(u32),
}

impl SlackStandIn {
    /// What Slack tells when somebody opens a tab of the app's own place: `home` or `messages`.
    /// <https://docs.slack.dev/reference/events/app_home_opened>
    #[must_use]
    pub fn home_opened(&self, user: &str, tab: &str) -> Value {
        let now = self.0.clock.now();
        let channel = self.direct_message(user);
        let mut state = self.state();
        let (number, ts) = (state.number(), state.ts(now));
        let organisation = state.directory.organisation;
        let enterprise = (organisation != Organisation::None).then_some(ENTERPRISE_ID);
        let whole = organisation == Organisation::Whole;
        let mut event = json!({
            "type": "app_home_opened", "user": user, "channel": channel, "tab": tab, "event_ts": ts,
        });
        // "If that tab has had a view published at least once before, a view field will also be included."
        if let Some(view) = state.homes.get(user).filter(|_| tab == "home") {
            event["view"] = view.clone();
        }
        json!({
            "token": VERIFICATION_TOKEN, "team_id": TEAM_ID, "enterprise_id": enterprise,
            "context_team_id": TEAM_ID, "context_enterprise_id": enterprise, "api_app_id": APP_ID,
            "event": event, "type": "event_callback", "event_id": format!("Ev0{number:08}"),
            "event_time": now.as_second(), "is_ext_shared_channel": false,
            "authorizations": [{
                "enterprise_id": enterprise, "team_id": if whole { Value::Null } else { json!(TEAM_ID) },
                "user_id": BOT_USER_ID, "is_bot": true, "is_enterprise_install": whole,
            }],
        })
    }

    /// Somebody opens the app's Home.
    ///
    /// # Errors
    /// As for [`Self::event`].
    pub async fn open_home(&self, bot_url: &str, user: &str) -> io::Result<Ack> {
        self.event(bot_url, &self.home_opened(user, "home"), Retry::None).await
    }

    /// Slack asks whether the bot is at this address, as when the address is saved in the app's settings.
    /// <https://docs.slack.dev/reference/events/url_verification>
    ///
    /// # Errors
    /// When the bot's answer is late or does not have the challenge in it.
    pub async fn verify_events_url(&self, bot_url: &str) -> io::Result<Ack> {
        let challenge = random_name();
        let asked =
            json!({ "token": VERIFICATION_TOKEN, "challenge": challenge, "type": "url_verification" });
        let ack = self.event(bot_url, &asked, Retry::None).await?;
        if ack.status != 200 || (ack.json()["challenge"] != challenge && ack.text() != challenge) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the challenge did not come back"));
        }
        Ok(ack)
    }

    /// Sends an event, over HTTP or as an envelope.
    ///
    /// # Errors
    /// When the bot does not acknowledge it within three seconds.
    pub async fn event(&self, bot_url: &str, payload: &Value, retry: Retry) -> io::Result<Ack> {
        let (at, by) = (self.0.clock.now(), self.delivery());
        let taped = self.0.tape.get().map(|tape| {
            let label = match by {
                Delivery::Http => format!("POST {EVENTS}"),
                Delivery::Sockets => "envelope events_api".to_owned(),
            };
            let request = payload.clone();
            tape.begin(Beginning { from: Party::Slack, to: Party::Bot, label, at, request })
        });
        let ack = match by {
            Delivery::Http => {
                let url = format!("{}{EVENTS}", bot_url.trim_end_matches('/'));
                let body = payload.to_string().into_bytes();
                let mut headers = self.signed_request(&body);
                headers.retain(|(name, _)| name != "content-type");
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                if let Retry::Again(number) = retry {
                    headers.push(("x-slack-retry-num".to_owned(), number.to_string()));
                    headers.push(("x-slack-retry-reason".to_owned(), "http_timeout".to_owned()));
                }
                post(&self.0.client, &url, &headers, body).await?
            }
            Delivery::Sockets => self.envelope("events_api", payload).await?,
        };
        if let Some(taped) = taped {
            taped.end(Some(ack.status), tape::body(&ack.body), false);
        }
        Ok(ack)
    }
}
