//! What the stand-in remembers: messages, response URLs, trigger ids and views.
//!
//! Owns the objects and their lives. Must not know HTTP.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::TEAM_ID;
use super::directory::Directory;
use super::files::Files;
use crate::encoding::random_name;

const TRIGGER_LIFE: SignedDuration = SignedDuration::from_secs(3);
const USES: u32 = 5;
const RESPONSE_URL_SECONDS: i64 = 30 * 60;

/// Who sees a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Everyone in the channel.
    Channel,
    /// One person.
    Ephemeral,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Through a `response_url`.
    ResponseUrl,
    /// By `chat.postMessage`.
    PostMessage,
    /// By `chat.postEphemeral`.
    PostEphemeral,
    /// In the answer to a slash command.
    Ack,
    /// By somebody's keyboard.
    Typed,
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// The app.
    App,
    /// Slack itself, which says what could not be done.
    Slackbot,
    /// A person.
    Person(String),
}

/// A message as it now stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its place in the log.
    pub id: u64,
    /// Who wrote it.
    pub author: Author,
    /// The channel's id.
    pub channel: String,
    /// Slack's time stamp, unique and increasing.
    pub ts: String,
    /// For whom an ephemeral one is.
    pub user: Option<String>,
    /// Who sees it.
    pub visibility: Visibility,
    /// How it came.
    pub via: Via,
    /// The thread that it is in.
    pub thread_ts: Option<String>,
    /// What was sent, after edits.
    pub payload: Value,
    /// The payloads of the edits, oldest first.
    pub edits: Vec<Value>,
    /// The flag as sent at first.
    pub unfurl_links: Option<bool>,
    /// The flag as sent at first.
    pub unfurl_media: Option<bool>,
    /// Whether it was taken back.
    pub deleted: bool,
    /// Whether the answer to its post was sent whole: if not, its sender cannot know where it stands.
    pub heard: bool,
}

impl Message {
    /// The message as a person would read it.
    #[must_use]
    pub fn rendered(&self) -> String {
        super::render(&self.payload)
    }
}

/// What a message shows from some moment on.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its place in the log of messages.
    pub message: u64,
    /// What it shows; `Null` once it was taken back.
    pub payload: Value,
}

pub(crate) struct Hook {
    pub(crate) channel: String,
    pub(crate) user: String,
    /// The message that `replace_original` and `delete_original` mean.
    pub(crate) original: Option<u64>,
    uses: u32,
    made: Timestamp,
}

pub(crate) struct Trigger {
    made: Timestamp,
    used: bool,
    /// Whose deed it came of.
    pub(crate) user: String,
}

pub(crate) struct State {
    pub(crate) directory: Directory,
    pub(crate) messages: Vec<Message>,
    /// What was shown, oldest first.
    pub(crate) history: Vec<Shown>,
    pub(crate) views: BTreeMap<String, Value>,
    /// Which views are on whose screen, the topmost last: whose, and the view's id.
    pub(crate) on_screen: Vec<(String, String)>,
    /// The home that the app shows each person.
    pub(crate) homes: BTreeMap<String, Value>,
    pub(super) files: Files,
    /// The stand-in's own address.
    pub(crate) base: String,
    pub(crate) scopes: Vec<String>,
    /// The tokens that are known.
    pub(crate) bot_tokens: Vec<String>,
    /// The app that the bot token is of.
    pub(crate) bot_app: String,
    hooks: HashMap<String, Hook>,
    triggers: HashMap<String, Trigger>,
    last_ts: i64,
    made: u64,
}

impl State {
    pub(crate) fn new(scopes: &[&str], bot_token: &str, base: &str) -> Self {
        Self {
            directory: Directory::new(),
            messages: Vec::new(),
            history: Vec::new(),
            views: BTreeMap::new(),
            on_screen: Vec::new(),
            homes: BTreeMap::new(),
            files: Files::default(),
            base: base.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            bot_tokens: vec![bot_token.to_owned()],
            bot_app: super::APP_ID.to_owned(),
            hooks: HashMap::new(),
            triggers: HashMap::new(),
            last_ts: 0,
            made: 0,
        }
    }

    /// A fresh number, for ids.
    pub(crate) fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// A fresh response URL's path.
    pub(crate) fn hook(
        &mut self,
        channel: &str,
        user: &str,
        original: Option<u64>,
        now: Timestamp,
    ) -> String {
        let path = format!("/commands/{TEAM_ID}/{}/{}", self.number(), random_name());
        let hook = Hook { channel: channel.to_owned(), user: user.to_owned(), original, uses: 0, made: now };
        self.hooks.insert(path.clone(), hook);
        path
    }

    /// The hook at a path if it may still be used, else Slack's word for why not.
    pub(crate) fn usable_hook(&mut self, path: &str, now: Timestamp) -> Result<&mut Hook, Spent> {
        let hook = self.hooks.get_mut(path).ok_or(Spent::Unknown)?;
        if now.as_second() - hook.made.as_second() > RESPONSE_URL_SECONDS {
            return Err(Spent::Expired);
        }
        if hook.uses >= USES {
            return Err(Spent::Used);
        }
        Ok(hook)
    }

    /// Counts a use, and what it posted.
    pub(crate) fn spend(&mut self, path: &str, posted: Option<u64>) {
        if let Some(hook) = self.hooks.get_mut(path) {
            hook.uses += 1;
            hook.original = posted.or(hook.original);
        }
    }

    pub(crate) fn trigger(&mut self, user: &str, now: Timestamp) -> String {
        let id = format!("{}.{}.{}", self.number(), 47_445_629_121_u64, random_name());
        // Spent ones stay known for a while, so that a late use meets the right error.
        if self.triggers.len() > 10_000 {
            self.triggers.retain(|_, trigger| now.duration_since(trigger.made) < TRIGGER_LIFE * 20);
        }
        self.triggers.insert(id.clone(), Trigger { made: now, used: false, user: user.to_owned() });
        id
    }

    /// Uses up a trigger id; says whose deed it came of.
    pub(crate) fn exchange(&mut self, trigger: &str, now: Timestamp) -> Result<String, &'static str> {
        let trigger = self.exchangeable(trigger, now)?;
        trigger.used = true;
        Ok(trigger.user.clone())
    }

    /// A trigger id that can be used up.
    pub(crate) fn exchangeable(
        &mut self,
        trigger: &str,
        now: Timestamp,
    ) -> Result<&mut Trigger, &'static str> {
        let trigger = self.triggers.get_mut(trigger).ok_or("invalid_trigger_id")?;
        if trigger.used {
            return Err("exchanged_trigger_id");
        }
        if now.duration_since(trigger.made) > TRIGGER_LIFE {
            return Err("expired_trigger_id");
        }
        Ok(trigger)
    }

    /// A time stamp later than every one before.
    pub(crate) fn ts(&mut self, now: Timestamp) -> String {
        self.last_ts = now.as_microsecond().max(self.last_ts + 1);
        format!("{}.{:06}", self.last_ts / 1_000_000, self.last_ts % 1_000_000)
    }

    /// Puts a message into the log.
    pub(crate) fn post(
        &mut self,
        channel: &str,
        ephemeral_for: Option<&str>,
        via: Via,
        payload: Value,
        now: Timestamp,
    ) -> &Message {
        let flag = |name: &str| truth(&payload[name]);
        let message = Message {
            id: self.messages.len() as u64,
            author: Author::App,
            channel: channel.to_owned(),
            ts: self.ts(now),
            user: ephemeral_for.map(str::to_owned),
            visibility: match ephemeral_for {
                Some(_) => Visibility::Ephemeral,
                None => Visibility::Channel,
            },
            via,
            thread_ts: payload["thread_ts"].as_str().map(str::to_owned),
            edits: Vec::new(),
            unfurl_links: flag("unfurl_links"),
            unfurl_media: flag("unfurl_media"),
            deleted: false,
            heard: true,
            payload,
        };
        let at = self.messages.len();
        self.history.push(Shown { message: message.id, payload: message.payload.clone() });
        self.messages.push(message);
        &self.messages[at]
    }

    /// Puts something else in the place of a message.
    pub(crate) fn edit(&mut self, id: u64, payload: Value) {
        self.history.push(Shown { message: id, payload: payload.clone() });
        if let Some(message) = self.message(id) {
            message.payload = payload.clone();
            message.edits.push(payload);
        }
    }

    /// Takes a message back.
    pub(crate) fn delete(&mut self, id: u64) {
        self.history.push(Shown { message: id, payload: Value::Null });
        if let Some(message) = self.message(id) {
            message.deleted = true;
        }
    }

    /// A message that is still there.
    pub(crate) fn message(&mut self, id: u64) -> Option<&mut Message> {
        let message = self.messages.get_mut(usize::try_from(id).ok()?)?;
        (!message.deleted).then_some(message)
    }

    pub(crate) fn message_at(&mut self, channel: &str, ts: &str) -> Option<&mut Message> {
        // From the newest: edits mostly concern late messages.
        self.messages
            .iter_mut()
            .rev()
            .find(|message| !message.deleted && message.ts == ts && message.channel == channel)
    }

    /// Keeps a view under a fresh id and hash, and shows it to a person.
    pub(crate) fn open_view(&mut self, mut view: Value, user: &str, hash_at: Timestamp) -> Value {
        let id = format!("V0{:08}", self.number());
        view["id"] = json!(id);
        view["team_id"] = json!(TEAM_ID);
        view["app_id"] = json!(super::APP_ID);
        view["root_view_id"] = json!(id);
        view["state"] = json!({ "values": {} });
        view["hash"] = json!(self.view_hash(hash_at));
        name_blocks(&mut view);
        self.on_screen.push((user.to_owned(), id.clone()));
        self.views.insert(id, view.clone());
        view
    }

    /// Puts another view in the place of one, under the same id.
    pub(crate) fn replace_view(&mut self, id: &str, mut view: Value, now: Timestamp) {
        for kept in ["id", "team_id", "app_id", "root_view_id"] {
            view[kept] = self.views.get(id).map(|known| known[kept].clone()).unwrap_or_default();
        }
        view["state"] = json!({ "values": {} });
        view["hash"] = json!(self.view_hash(now));
        name_blocks(&mut view);
        self.views.insert(id.to_owned(), view);
    }

    pub(crate) fn view_hash(&mut self, now: Timestamp) -> String {
        format!("{}.{:08x}", now.as_second(), self.number())
    }
}

/// Why a response URL takes nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    Unknown,
    Expired,
    Used,
}

/// Gives each block without one an id, as Slack does.
pub(crate) fn name_blocks(payload: &mut Value) {
    for (n, block) in payload["blocks"].as_array_mut().into_iter().flatten().enumerate() {
        if block["block_id"].is_null() {
            block["block_id"] = json!(block_id(n));
        }
    }
}

/// What a block without a name is called.
pub(crate) fn block_id(n: usize) -> String {
    format!("b{n}")
}

/// A boolean as Slack takes it: itself or as text.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text == "true" => Some(true),
        Value::String(text) if text == "false" => Some(false),
        _ => None,
    }
}

/// Whether a payload shows anything at all.
pub(crate) fn has_content(payload: &Value) -> bool {
    payload["text"].as_str().is_some_and(|text| !text.is_empty())
        || ["blocks", "attachments"]
            .iter()
            .any(|field| payload[field].as_array().is_some_and(|items| !items.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_increase_even_within_a_microsecond() {
        let mut state = State::new(&[], "x", "");
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let first = state.ts(now);
        assert_eq!(first, "1700000000.000000");
        assert_eq!(state.ts(now), "1700000000.000001");
    }

    #[test]
    fn a_trigger_works_once_and_for_three_seconds() {
        let mut state = State::new(&[], "x", "");
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        let (trigger, late) = (state.trigger("U1", at(0)), state.trigger("U1", at(0)));
        assert_eq!(state.exchange(&trigger, at(3)), Ok("U1".to_owned()));
        assert_eq!(state.exchange(&trigger, at(3)), Err("exchanged_trigger_id"));
        assert_eq!(state.exchange(&late, at(4)), Err("expired_trigger_id"));
        assert_eq!(state.exchange("x", at(4)), Err("invalid_trigger_id"));
    }
}
