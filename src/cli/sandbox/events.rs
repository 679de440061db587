//! What the page is told as it happens: a stream of what has changed.
//!
//! Owns the shape of each part. The first event has everything; after that only parts that are other
//! than before are sent.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use stand_ins::slack::{Author, BOT_USER_ID, Message};
use stand_ins::tape::{Exchange, Party};

use super::bot::{Health, State};
use super::mask::masked;
use super::stage::Stage;
use super::world::world;

/// What one page has been told.
#[derive(Default)]
pub(super) struct Told {
    /// Whether it has been told everything once.
    begun: bool,
    /// How much of Slack's history.
    history: usize,
    /// How much of the tape.
    revision: u64,
    /// The parts that are sent whole, as they were sent.
    whole: Map<String, Value>,
}

impl Told {
    /// What it has not been told yet; `None` if that is nothing.
    pub(super) fn news(&mut self, stage: &Stage) -> Option<Value> {
        let mut news = Map::new();
        if !self.begun {
            news.insert("full".to_owned(), json!(true));
            news.insert("world".to_owned(), world(stage));
        }
        let messages = self.messages(stage);
        if !messages.is_empty() || !self.begun {
            news.insert("messages".to_owned(), Value::Array(messages));
        }
        let (exchanges, revision) = stage.tape.since(self.revision);
        self.revision = revision;
        if !exchanges.is_empty() || !self.begun {
            news.insert("wire".to_owned(), exchanges.into_iter().map(exchange).collect());
        }
        self.begun = true;
        for (name, part) in wholes(stage) {
            if self.whole.get(name) != Some(&part) {
                self.whole.insert(name.to_owned(), part.clone());
                news.insert(name.to_owned(), part);
            }
        }
        // The time goes on by itself: what is worth telling is that it was moved.
        if let Some(clock) = news.get_mut("clock") {
            clock["now"] = json!(stage.clock.now().to_string());
        }
        (!news.is_empty()).then_some(Value::Object(news))
    }

    /// The messages that are new or have changed, by their place.
    fn messages(&mut self, stage: &Stage) -> Vec<Value> {
        stage.slack.read(|messages, history| {
            let changed: BTreeSet<_> = history.iter().skip(self.history).map(|shown| shown.message).collect();
            self.history = history.len();
            let place = |id: &u64| messages.get(usize::try_from(*id).ok()?);
            changed.iter().filter_map(place).map(message).collect()
        })
    }
}

/// The parts that are small enough to be sent whole.
fn wholes(stage: &Stage) -> [(&'static str, Value); 5] {
    let views = stage.slack.views_on_screen();
    let views =
        views.into_iter().map(|(user, view)| json!({ "id": view.get("id"), "user": user, "view": view }));
    let ahead = stage.ahead();
    [
        ("views", views.collect()),
        ("homes", Value::Object(stage.slack.homes().into_iter().collect())),
        ("clock", json!({ "ahead": ahead.as_secs() })),
        ("faults_on", json!(stage.switched.on())),
        ("bot", health(&stage.bot.health().borrow())),
    ]
}

fn message(message: &Message) -> Value {
    let from = match &message.author {
        Author::App => BOT_USER_ID,
        Author::Slackbot => "slackbot",
        Author::Person(who) => who,
    };
    json!({
        "id": message.id, "channel": message.channel, "ts": message.ts, "user": message.user,
        "from": from, "thread": message.thread_ts, "edited": !message.edits.is_empty(),
        "deleted": message.deleted, "payload": message.on_screen(),
    })
}

fn exchange(it: Exchange) -> Value {
    let note = it.deadly.then_some("The bot died before it heard the answer.");
    json!({
        "n": it.n, "from": party(it.from), "to": party(it.to), "label": it.label, "at": it.at.to_string(),
        "ms": it.took.map(|took| (took.as_secs_f64() * 10_000.0).round() / 10.0),
        "status": it.status, "request": masked(it.request), "answer": masked(it.answer),
        "fault": it.faulty.then_some("a fault that is switched on"), "note": note,
    })
}

fn party(party: Party) -> &'static str {
    match party {
        Party::Slack => "slack",
        Party::Fivetran => "fivetran",
        Party::Bot => "bot",
        Party::Browser => "browser",
    }
}

fn health(health: &Health) -> Value {
    let state = match health.state {
        State::Running => "running",
        State::Armed => "armed",
        State::Dead => "dead",
        State::Starting => "starting",
    };
    let deaths = health
        .deaths
        .iter()
        .map(|it| json!({ "at": it.at.to_string(), "step": it.step, "in_a_step": it.in_a_step }));
    json!({ "state": state, "pid": health.pid, "deaths": deaths.collect::<Vec<_>>() })
}
