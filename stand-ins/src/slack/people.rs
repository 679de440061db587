//! What people do at their screens, and what they see there: they write, use what a message or a view
//! offers, submit a form and close it.
//!
//! Owns what Slack makes of the bot's answers on a screen: the acknowledgement that becomes a message,
//! the form that stays open with its faults. Must not know how a request is signed and sent.

use std::io;

use serde_json::{Value, json};

use super::outbound::Ack;
use super::state::{Author, Message, Via};
use super::{BOT_USER_ID, SlackStandIn};

/// The one slash command that the app has registered here.
const COMMAND: &str = "/connect-card";

impl SlackStandIn {
    /// Writes in a channel: a slash command if it begins with a slash, else a person's own words. What
    /// the bot answers at once appears there, and so does Slackbot's word if it does not.
    pub async fn write(&self, bot_url: &str, typed: &str, channel: &str, user: &str) {
        if !typed.starts_with('/') {
            // Slack's client sends people's words escaped: docs.slack.dev, messaging/formatting-message-text.
            let text = typed.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            self.put(Author::Person(user.to_owned()), channel, None, Via::Typed, json!({ "text": text }));
            return;
        }
        let command = typed.split_whitespace().next().unwrap_or_default();
        if command != COMMAND {
            return self.slackbot(channel, user, &format!("`{command}` is not a valid command."));
        }
        // docs.slack.dev, apis/slack-connect: slash commands are not shared.
        if self.is_outside(user) {
            let text = format!(
                "`{command}` belongs to another workspace. Slash commands aren't shared: only people of the \
                 workspace that installed the app can use them."
            );
            return self.slackbot(channel, user, &text);
        }
        match self.command(bot_url, typed, channel, user).await {
            Ok(ack) if ack.status == 200 => drop(self.show(&ack, channel, user)),
            Ok(_) => self.slackbot(channel, user, &failed(command, "dispatch_failed")),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.slackbot(channel, user, &failed(command, "operation_timeout"));
            }
            Err(_) => self.slackbot(channel, user, &failed(command, "dispatch_failed")),
        }
    }

    /// Shows what a command was answered with, where there is something to be seen: then it is the
    /// message with this number.
    pub fn show(&self, ack: &Ack, channel: &str, user: &str) -> Option<u64> {
        let payload = match ack.json() {
            Value::Object(payload) if !payload.is_empty() => Value::Object(payload),
            _ if ack.body.is_empty() => return None,
            _ => json!({ "text": ack.text() }),
        };
        let for_all = payload["response_type"] == "in_channel";
        Some(self.put(Author::App, channel, (!for_all).then_some(user), Via::Ack, payload))
    }

    /// Submits the view on a person's screen. Gives the faults by the names of their blocks, and none
    /// where Slack has closed it or shows another one in its place.
    ///
    /// # Errors
    /// As for [`SlackStandIn::submit_view`], or when the bot answers with an error.
    pub async fn submit(&self, bot_url: &str, view: &str, values: Value, user: &str) -> io::Result<Value> {
        let ack = self.submit_view(bot_url, view, values, user).await?;
        if ack.status != 200 {
            return Err(io::Error::other(format!("the bot answered {}", ack.status)));
        }
        let answer = ack.json();
        let now = self.0.clock.now();
        match answer["response_action"].as_str() {
            Some("errors") => return Ok(answer["errors"].clone()),
            Some("clear") => self.state().on_screen.retain(|(whose, _)| whose != user),
            Some("push") => drop(self.state().open_view(answer["view"].clone(), user, now)),
            Some("update") => self.state().replace_view(view, answer["view"].clone(), now),
            _ => self.close_view(view),
        }
        self.touch();
        Ok(json!({}))
    }

    /// Takes a view off the screen.
    pub fn close_view(&self, view: &str) {
        self.state().on_screen.retain(|(_, id)| id != view);
        self.touch();
    }

    /// The views on people's screens: whose each is, and the view; the topmost last.
    #[must_use]
    pub fn views_on_screen(&self) -> Vec<(String, Value)> {
        let state = self.state();
        let shown = state.on_screen.iter();
        shown.filter_map(|(user, id)| Some((user.clone(), state.views.get(id)?.clone()))).collect()
    }

    /// The home that the app shows each person.
    #[must_use]
    pub fn homes(&self) -> Vec<(String, Value)> {
        self.state().homes.iter().map(|(user, view)| (user.clone(), view.clone())).collect()
    }

    /// Opens the direct message between the app and a person.
    #[must_use]
    pub fn direct_message(&self, user: &str) -> Option<String> {
        let mut state = self.state();
        state.directory.open(user).map(|channel| channel.id.clone())
    }

    /// Whether a person can see a channel.
    #[must_use]
    pub fn sees(&self, user: &str, channel: &str) -> bool {
        let state = self.state();
        let Some(known) = state.directory.channel(channel) else { return false };
        match known.is_im {
            true => channel.strip_prefix('D') == user.strip_prefix('U'),
            false => state.directory.sees(user, known),
        }
    }

    /// Whether a person can see a message.
    #[must_use]
    pub fn reads(&self, user: &str, message: &Message) -> bool {
        let theirs = message.user.as_deref().is_none_or(|whose| whose == user);
        !message.deleted && theirs && self.sees(user, &message.channel)
    }

    /// Whether a view is on a person's screen, or is their home.
    #[must_use]
    pub fn has_view(&self, user: &str, view: &str) -> bool {
        let state = self.state();
        let is_home = || state.homes.get(user).is_some_and(|home| home["id"] == view);
        state.on_screen.iter().any(|(whose, id)| whose == user && id == view) || is_home()
    }

    /// A channel's name with its sign, or `None` for one that has none.
    #[must_use]
    pub fn channel_name(&self, channel: &str) -> Option<String> {
        let state = self.state();
        let name = &state.directory.channel(channel)?.name;
        (!name.is_empty()).then(|| format!("#{name}"))
    }

    /// Slack itself tells one person something.
    pub fn slackbot(&self, channel: &str, user: &str, text: &str) {
        self.put(Author::Slackbot, channel, Some(user), Via::Typed, json!({ "text": text }));
    }

    fn put(&self, author: Author, channel: &str, user: Option<&str>, via: Via, payload: Value) -> u64 {
        let now = self.0.clock.now();
        let mut state = self.state();
        let id = state.post(channel, user, via, payload, now).id;
        if let Some(message) = state.message(id) {
            message.author = author;
        }
        drop(state);
        self.touch();
        id
    }

    fn is_outside(&self, user: &str) -> bool {
        user == BOT_USER_ID || self.state().directory.user(user).is_some_and(|known| known.is_outside())
    }

    fn touch(&self) {
        if let Some(tape) = self.0.tape.get() {
            tape.touch();
        }
    }
}

impl Message {
    /// The message with its blocks named, as Slack gives it to a screen.
    #[must_use]
    pub fn on_screen(&self) -> Value {
        let mut payload = self.payload.clone();
        super::state::name_blocks(&mut payload);
        payload
    }
}

fn failed(command: &str, error: &str) -> String {
    format!("{command} failed with the error \"{error}\"")
}
