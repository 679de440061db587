//! What people see, written down step by step: after each step, what has changed since the one before.
//!
//! It looks at how everything stands once all is at rest, so what a machine was quick or slow to show on the
//! way there is not in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;
use stand_ins::slack::{Message, Visibility};

use crate::harness::{CHANNEL, COLLEAGUE, Masks, OUTSIDER, Page, SHARED, TestBot, USER, is_note, wrapped};

/// A channel that is shared with a customer's workspace.
pub(super) const GLOBEX: &str = "C0GLOBEX";
/// Who is who, and where is where.
const NAMES: [(&str, &str); 6] = [
    (USER, "alice"),
    (COLLEAGUE, "bob"),
    (OUTSIDER, "carol"),
    (SHARED, "acme"),
    (GLOBEX, "globex"),
    (CHANNEL, "initech"),
];
/// The hour at which the week begins.
const MORNING: i64 = 9;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The name of a person or a channel.
pub(super) fn name(id: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == id).map_or(id, |(_, name)| name)
}

/// A moment so many minutes after the week began.
fn moment(minutes: i64) -> String {
    let minutes = minutes + MORNING * 60;
    let (days, hours, minutes) = (minutes / 60 / 24, minutes / 60 % 24, minutes % 60);
    let week = if days < 7 { "" } else { "next " };
    let day = DAYS[usize::try_from(days % 7).unwrap()];
    format!("{week}{day} {hours:02}:{minutes:02}")
}

/// How long after the week's beginning an hour of a day is, both counted from zero.
pub(super) fn since_monday_morning(day: i64, hour: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_hours(day * 24 + hour - MORNING)
}

/// The week so far.
pub(super) struct Board {
    masks: Masks,
    /// What each message shows, by its id.
    shown: BTreeMap<u64, String>,
    /// How often a channel has been posted to, but for threads; and which of these a message is.
    posted: BTreeMap<String, usize>,
    numbers: BTreeMap<u64, usize>,
    /// What each person's Home shows.
    homes: BTreeMap<String, Vec<String>>,
    told: String,
}

impl Board {
    pub(super) fn new(began: Timestamp) -> Self {
        Self {
            masks: Masks::new(began, &NAMES, moment),
            shown: BTreeMap::new(),
            posted: BTreeMap::new(),
            numbers: BTreeMap::new(),
            homes: BTreeMap::new(),
            told: String::new(),
        }
    }

    /// All that is written down.
    pub(super) fn told(&self) -> &str {
        &self.told
    }

    /// A day begins.
    pub(super) fn day(&mut self, heading: &str) {
        let gap = if self.told.is_empty() { "" } else { "\n" };
        writeln!(self.told, "{gap}═══ {heading} ═══").unwrap();
    }

    /// Somebody does something, or something happens.
    pub(super) fn happens(&mut self, what: &str) {
        writeln!(self.told, "\n─ {what}").unwrap();
    }

    /// What somebody alone is answered.
    pub(super) fn answered(&mut self, user: &str, payload: &Value) {
        let shown = self.masks.shown(payload);
        self.tell(&format!("{} alone sees", name(user)), &shown);
    }

    /// What a browser shows.
    pub(super) fn page(&mut self, page: &Page) {
        let [heading, text] = page.said();
        let button = page.button().map(|label| format!("\n[{label}]")).unwrap_or_default();
        self.tell("the page says", &format!("{heading}\n{text}{button}"));
    }

    /// A file as it was sent.
    pub(super) fn file(&mut self, content: &str) {
        let mut rows: Vec<_> = content.lines().collect();
        let state = |row: &&str| row.split(',').nth(4).map(str::to_owned);
        rows.chunk_by_mut(|one, other| state(one) == state(other)).for_each(<[_]>::sort_unstable);
        let rows: Vec<_> = rows.into_iter().map(|row| self.masks.row(row)).collect();
        self.tell("the file", &rows.join("\n"));
    }

    /// A Home: the first time all of it, then only the lines that it did not have before.
    pub(super) fn home(&mut self, user: &str, home: &Value) {
        let shown = in_order(&self.masks.shown(home));
        let before = self.homes.insert(user.to_owned(), shown.clone());
        let Some(before) = before else {
            return self.tell(&format!("{}'s Home", name(user)), &shown.concat());
        };
        if shown != before {
            let changed = changed(&before, &shown);
            self.tell(&format!("{}'s Home, what has changed", name(user)), &changed.concat());
        }
    }

    /// Whatever stands in Slack otherwise than it did.
    pub(super) fn look(&mut self, bot: &TestBot) {
        let messages: Vec<_> = bot.slack.messages().into_iter().filter(|it| !is_note(it)).collect();
        let root = |it: &Message| {
            let parent = it.thread_ts.as_ref().and_then(|ts| messages.iter().find(|of| of.ts == *ts));
            parent.map_or(it.id, |parent| parent.id)
        };
        let mut ordered: Vec<_> = messages.iter().collect();
        ordered
            .sort_by_key(|it| (it.channel.clone(), it.visibility == Visibility::Ephemeral, root(it), it.id));
        for message in ordered {
            let shown =
                if message.deleted { "(gone)".to_owned() } else { self.masks.shown(&message.payload) };
            let before = self.shown.insert(message.id, shown.clone());
            if before.as_ref() == Some(&shown) {
                continue;
            }
            let place = self.place(message, root(message));
            let edited = if before.is_some() { ", edited" } else { "" };
            self.tell(&format!("{place}{edited}"), &shown);
        }
    }

    /// Where a message is, and for whom.
    fn place(&mut self, message: &Message, root: u64) -> String {
        let channel = name(&message.channel).to_owned();
        if let Some(user) = message.channel.strip_prefix('D') {
            return format!("{} gets a direct message", name(&format!("U{user}")));
        }
        if message.visibility == Visibility::Ephemeral {
            return format!("{} alone sees", name(message.user.as_deref().unwrap_or_default()));
        }
        if root != message.id {
            return format!("#{channel}, in the thread of message {}", self.numbers[&root]);
        }
        let posted = self.posted.entry(channel.clone()).or_default();
        let number = *self.numbers.entry(message.id).or_insert_with(|| {
            *posted += 1;
            *posted
        });
        format!("#{channel}, message {number}")
    }

    fn tell(&mut self, head: &str, seen: &str) {
        writeln!(self.told, "{head}:").unwrap();
        for line in seen.lines().flat_map(wrapped) {
            writeln!(self.told, "{}", format!("    {line}").trim_end()).unwrap();
        }
    }
}

/// The parts of a Home: what is above its links, each of these, and what is below. In which order
/// links come that are equally urgent and were asked for at once is a matter of milliseconds.
fn in_order(home: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in home.lines() {
        // What is said below them all comes behind a link's place and its buttons.
        let is_below = !line.starts_with('[') && parts.last().is_some_and(|part| part.contains("\nin #"));
        if line.starts_with(':') || is_below {
            parts.push(String::new());
        }
        let part = parts.last_mut().unwrap();
        *part += &format!("{line}\n");
    }
    let mark = |part: &String| part.split(' ').next().map(str::to_owned);
    parts.chunk_by_mut(|one, other| mark(one) == mark(other)).for_each(<[_]>::sort_unstable);
    parts
}

/// The parts that were not there before; of what is above the links, the lines.
fn changed(before: &[String], now: &[String]) -> Vec<String> {
    let [[above_before, ..], [above, ..]] = [before, now] else { return Vec::new() };
    let above = above.lines().filter(|line| !above_before.lines().any(|it| it == *line));
    let parts = now.iter().skip(1).filter(|part| !before.contains(part));
    above.map(|line| format!("{line}\n")).chain(parts.cloned()).collect()
}
