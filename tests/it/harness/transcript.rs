//! What people typed, pressed and saw, written down as a conversation that a test can hold against
//! the one that it expects.
//!
//! Everything that differs from run to run is masked so that it still tells what belongs together:
//! references are `R1`, `R2`, …, links `card 1`, `card 2`, …, and moments are told from the start of
//! the conversation by the bot's clock, `T+24h`, rounded to ten minutes, so that a slow machine
//! changes none of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};
use stand_ins::slack::{Message, SlackStandIn, Visibility, render};

use super::{CHANNEL, COLLEAGUE, GUEST, OUTSIDER, PRIVATE, SHARED, USER, token_of};

/// Where lines of what somebody sees are broken.
const WIDTH: usize = 96;
/// What moments are rounded to.
const ROUNDING_S: i64 = 600;
/// Who is who, and where is where.
const NAMES: [(&str, &str); 7] = [
    (USER, "alice"),
    (COLLEAGUE, "bob"),
    (GUEST, "guest"),
    (OUTSIDER, "outsider"),
    (CHANNEL, "customer-acme"),
    (PRIVATE, "leadership"),
    (SHARED, "shared-acme"),
];

/// The name of a person or a channel.
pub(crate) fn name(id: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == id).map_or(id, |(_, name)| name)
}

/// A conversation so far.
pub(crate) struct Transcript {
    entries: Vec<Entry>,
    /// Calls to Slack that have been looked at, and those that are not to be.
    heard: usize,
    left_out: HashSet<usize>,
    /// Messages whose posting is written down, and how many edits of each.
    posted: HashSet<u64>,
    edits: HashMap<u64, usize>,
    masks: Masks,
}

/// One thing that happened, and what was seen.
struct Entry {
    channel: Option<String>,
    /// `{}` stands for the number of the message that it is about.
    head: String,
    /// The message that it is about.
    message: Option<u64>,
    /// Whether that message has to have a number for it.
    refers: bool,
    seen: String,
}

impl Transcript {
    pub(crate) fn new(began: Timestamp) -> Self {
        Self {
            entries: Vec::new(),
            heard: 0,
            left_out: HashSet::new(),
            posted: HashSet::new(),
            edits: HashMap::new(),
            masks: Masks::new(began, &NAMES, since),
        }
    }

    /// Forgets all that was said until now.
    pub(crate) fn begin(&mut self, slack: &SlackStandIn) {
        self.catch_up(slack);
        self.entries.clear();
        self.masks = Masks::new(self.masks.began, &NAMES, since);
    }

    /// Somebody typed something, and saw the acknowledgement.
    pub(crate) fn typed(&mut self, channel: &str, user: &str, typed: &str, ack: &Value) {
        self.note(Some(channel), format!("{}: {typed}", name(user)), None, "");
        if !ack.is_null() {
            self.private(channel, user, ack);
        }
    }

    /// Somebody pressed a button of a message, and saw an answer to that.
    pub(crate) fn pressed(&mut self, message: &Message, user: &str, label: &str, answer: Option<&Value>) {
        let public = message.visibility == Visibility::Channel;
        let of = if public { " of message {}" } else { "" };
        let about = public.then_some(message.id);
        let channel = Some(message.channel.as_str());
        self.note(channel, format!("{} presses [{label}]{of}", name(user)), about, "");
        if let Some(answer) = answer {
            self.private(&message.channel, user, answer);
        }
    }

    /// Something else happened, in words that follow the name of whoever did it.
    pub(crate) fn happened(&mut self, what: &str, seen: &str) {
        self.note(None, what.to_owned(), None, seen);
    }

    /// What one person alone sees in a channel.
    pub(crate) fn private(&mut self, channel: &str, user: &str, payload: &Value) {
        let seen = self.masks.shown(payload);
        let how = if payload["replace_original"] == true { " sees instead:" } else { " sees:" };
        self.note(Some(channel), format!("  only {}{how}", name(user)), None, &seen);
    }

    /// A form that somebody sees.
    pub(crate) fn form(&mut self, head: &str, view: &Value) {
        let seen =
            format!("{}\n{}", view["title"]["text"].as_str().unwrap_or_default(), self.masks.shown(view));
        self.note(None, head.to_owned(), None, &seen);
    }

    /// Leaves out a call to Slack, which the press that it answers tells.
    pub(crate) fn leave_out(&mut self, slack: &SlackStandIn, call: usize) {
        if let Some((route, body)) = slack.calls().get(call) {
            self.match_post(&slack.messages(), route, body);
            self.left_out.insert(call);
        }
    }

    /// Writes down what Slack has been sent since the last time.
    pub(crate) fn catch_up(&mut self, slack: &SlackStandIn) {
        let (calls, messages) = (slack.calls(), slack.messages());
        for (at, (route, body)) in calls.iter().enumerate().skip(self.heard) {
            if self.left_out.contains(&at) {
                continue;
            }
            if route == "chat.update" {
                self.edited(&messages, body);
            } else if let Some(message) = self.match_post(&messages, route, body) {
                self.posted(&messages, message, body);
            }
        }
        self.heard = calls.len();
    }

    /// The message that came of a call, if it is not written down yet.
    fn match_post<'a>(&mut self, messages: &'a [Message], route: &str, body: &Value) -> Option<&'a Message> {
        if !matches!(route, "chat.postMessage" | "chat.postEphemeral" | "response_url") {
            return None;
        }
        let found = messages.iter().find(|message| {
            let is_new = !self.posted.contains(&message.id);
            let as_sent = message.edits.is_empty();
            let sent = |field: &str| message.payload[field] == body[field];
            is_new
                && message.thread_ts.as_deref() == body["thread_ts"].as_str()
                && (!as_sent || sent("blocks"))
        })?;
        self.posted.insert(found.id);
        Some(found)
    }

    fn posted(&mut self, messages: &[Message], message: &Message, body: &Value) {
        let seen = self.masks.shown(body);
        let channel = Some(message.channel.as_str());
        let parent = messages.iter().find(|parent| Some(&parent.ts) == message.thread_ts.as_ref());
        match (message.visibility, parent) {
            (Visibility::Channel, Some(parent)) => {
                self.note(channel, "  in the thread of message {}:".to_owned(), Some(parent.id), &seen);
            }
            (Visibility::Channel, None) => {
                self.entries.push(Entry {
                    channel: channel.map(str::to_owned),
                    head: "bot posts{}:".to_owned(),
                    message: Some(message.id),
                    refers: false,
                    seen,
                });
            }
            (Visibility::Ephemeral, _) => {
                let user = message.user.clone().unwrap_or_default();
                self.note(channel, format!("bot tells {} alone:", name(&user)), None, &seen);
            }
        }
    }

    fn edited(&mut self, messages: &[Message], body: &Value) {
        let found = messages.iter().find(|message| body["ts"] == json!(message.ts));
        let Some(message) = found else { return };
        let edits = self.edits.entry(message.id).or_default();
        let is_next = message.edits.get(*edits).is_some_and(|edit| edit["blocks"] == body["blocks"]);
        if is_next {
            *edits += 1;
            let seen = self.masks.shown(body);
            self.note(Some(&message.channel), "bot edits message {}:".to_owned(), Some(message.id), &seen);
        }
    }

    fn note(&mut self, channel: Option<&str>, head: String, about: Option<u64>, seen: &str) {
        self.entries.push(Entry {
            channel: channel.map(str::to_owned),
            head,
            message: about,
            refers: about.is_some(),
            seen: seen.to_owned(),
        });
    }
}

/// The conversation as it is read. A message has a number if something later is about it.
impl std::fmt::Display for Transcript {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let referred: BTreeSet<_> =
            self.entries.iter().filter(|entry| entry.refers).filter_map(|entry| entry.message).collect();
        let number = |id: u64| referred.iter().position(|&known| known == id).map(|at| at + 1);
        let mut here = None;
        for entry in &self.entries {
            if let Some(channel) = &entry.channel
                && here != Some(channel)
            {
                writeln!(out, "#{}", name(channel))?;
                here = Some(channel);
            }
            let of = match (entry.message.and_then(number), entry.refers) {
                (Some(number), true) => number.to_string(),
                (Some(number), false) => format!(" message {number}"),
                (None, _) => String::new(),
            };
            writeln!(out, "{}", entry.head.replace("{}", &of))?;
            let margin = if entry.head.starts_with(' ') { 6 } else { 4 };
            for line in entry.seen.lines().flat_map(wrapped) {
                writeln!(out, "{}", format!("{:margin$}{line}", "").trim_end())?;
            }
        }
        Ok(())
    }
}

/// One block; the parts of a context in one line.
fn block(block: &Value) -> String {
    if block["type"] != "context" {
        return render(&json!({ "blocks": [block] }));
    }
    let elements = block["elements"].as_array().into_iter().flatten();
    let parts: Vec<_> = elements
        .map(|element| render(&json!({ "blocks": [{ "type": "context", "elements": [element] }] })))
        .collect();
    parts.join(" · ")
}

/// A line in pieces of a width that can be read.
pub(crate) fn wrapped(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            let space = if last.is_empty() { "" } else { " " };
            let _ = write!(last, "{space}{word}");
        }
    }
    lines
}

/// The minutes since the start.
fn since(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, 0) => "T".to_owned(),
        (0, minutes) => format!("T+{minutes}min"),
        (hours, 0) => format!("T+{hours}h"),
        (hours, minutes) => format!("T+{hours}h{minutes}min"),
    }
}

/// What chance or the clock has a hand in, and what it is called instead.
pub(crate) struct Masks {
    began: Timestamp,
    /// Names of people and channels, behind their ids.
    names: &'static [(&'static str, &'static str)],
    /// What a moment is called that is so many minutes after the beginning.
    moment: fn(i64) -> String,
    references: Vec<String>,
    cards: Vec<String>,
}

impl Masks {
    pub(crate) fn new(
        began: Timestamp,
        names: &'static [(&'static str, &'static str)],
        moment: fn(i64) -> String,
    ) -> Self {
        Self { began, names, moment, references: Vec::new(), cards: Vec::new() }
    }

    /// What a payload looks like, without what chance or the clock had a hand in.
    pub(crate) fn shown(&mut self, payload: &Value) -> String {
        let payload = self.without_moments(payload.clone());
        let blocks = payload["blocks"].as_array().filter(|blocks| !blocks.is_empty());
        let shown = match blocks {
            None => render(&payload),
            Some(blocks) => blocks.iter().map(block).collect::<Vec<_>>().join("\n"),
        };
        self.apply(&shown)
    }

    /// Replaces `<!date^seconds^…>` by the time since the start.
    fn without_moments(&self, payload: Value) -> Value {
        match payload {
            Value::String(text) => Value::String(self.without_moments_in(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.without_moments(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, field)| (name, self.without_moments(field))).collect()
            }
            other => other,
        }
    }

    fn without_moments_in(&self, text: &str) -> String {
        let Some((before, rest)) = text.split_once("<!date^") else { return text.to_owned() };
        let (date, rest) = rest.split_once('>').expect("a date has an end");
        let seconds: i64 = date.split('^').next().and_then(|it| it.parse().ok()).expect("a date is a number");
        let minutes =
            (seconds - self.began.as_second() + ROUNDING_S / 2).div_euclid(ROUNDING_S) * ROUNDING_S / 60;
        let moment = (self.moment)(minutes);
        format!("{before}{moment}{}", self.without_moments_in(rest))
    }

    fn apply(&mut self, shown: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for line in shown.lines() {
            match line.strip_prefix("  ↳ ") {
                // The address of the button in the line before.
                Some(url) => {
                    let target = if url.contains("auth=") {
                        format!("card {}", numbered(&mut self.cards, token_of(url)))
                    } else if url.contains("/archives/") {
                        "that message".to_owned()
                    } else {
                        url.to_owned()
                    };
                    let button = lines.last_mut().expect("a button");
                    *button = format!("{} → {target}]", button.trim_end_matches(']'));
                }
                None => {
                    let button = line.strip_prefix("[ ").and_then(|rest| rest.strip_suffix(" ]"));
                    let line = button.map_or_else(|| line.to_owned(), |label| format!("[{label}]"));
                    let line = self.without_references(&line);
                    lines.push(self.without_utc(&line).unwrap_or(line));
                }
            }
        }
        let mut shown = lines.join("\n");
        for (id, name) in self.names {
            shown = shown.replace(&format!("@{id}"), &format!("@{name}"));
            shown = shown.replace(&format!("#{id}"), &format!("#{name}"));
        }
        shown
    }

    /// Replaces the first `2026-11-27 08:00 UTC`, if there is one.
    fn without_utc(&self, line: &str) -> Option<String> {
        let (before, after) = line.split_once(" UTC")?;
        let (before, said) = before.split_at_checked(before.len().checked_sub("2026-11-27 08:00".len())?)?;
        let moment: Timestamp = format!("{}:00Z", said.replace(' ', "T")).parse().ok()?;
        Some(self.without_moments_in(&format!("{before}<!date^{}>{after}", moment.as_second())))
    }

    /// A row of the file that a Home sends: its last cell is a reference.
    pub(crate) fn row(&mut self, row: &str) -> String {
        let cells: Vec<_> = row.split(',').map(str::to_owned).collect();
        let last = cells.len() - 1;
        let shown = cells.into_iter().enumerate().map(|(at, cell)| match cell.parse::<Timestamp>() {
            Ok(moment) => self.without_moments_in(&format!("<!date^{}>", moment.as_second())),
            Err(_) if at == last && cell != "reference" => {
                format!("R{}", numbered(&mut self.references, cell))
            }
            Err(_) => {
                self.names.iter().find(|(id, _)| *id == cell).map_or(cell, |(_, name)| (*name).to_owned())
            }
        });
        shown.collect::<Vec<_>>().join(",")
    }

    fn without_references(&mut self, line: &str) -> String {
        let Some((before, rest)) = line.split_once("Ref `") else { return line.to_owned() };
        let (reference, rest) = rest.split_once('`').expect("a reference has an end");
        format!("{before}Ref R{}{rest}", numbered(&mut self.references, reference.to_owned()))
    }
}

/// The number of something, in the order in which they came up.
fn numbered(known: &mut Vec<String>, it: String) -> usize {
    let at = known.iter().position(|known| *known == it).unwrap_or_else(|| {
        known.push(it);
        known.len() - 1
    });
    at + 1
}
