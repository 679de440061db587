//! The people of a run: what they type and press, and what they were promised.
//!
//! Each story is about one schema at a time, in two channels, where two things happen at once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connect_card::clock::Clock;
use connect_card::reply::ask::{CANCEL, POST_HERE, REAUTHORISE};
use connect_card::reply::live::RENEW;
use stand_ins::slack::{Ack, Message, Visibility, render};
use tokio::task::JoinHandle;

use super::verdict::Card;
use crate::harness::{
    CHANNEL, COLLEAGUE, Outside, Program, Random, SHARED, USER, client, landing_of, link_of, now, private,
    reference, until,
};

/// Stories at a time.
const STORIES: u64 = 4;
/// What happens in one story, two things each time.
const SCENES: usize = 60;
/// Between two scenes: a load, and no more than the machine can bear.
const PACE: Duration = Duration::from_millis(80);
/// So much is sent before nobody waits any more for a promise: it may be that all is connected.
const IN_VAIN: usize = 20;
/// Messages that people still look at, of the newest.
const ON_SCREEN: usize = 300;

/// Something that the bot said it would do.
pub(super) struct Promise {
    pub(super) reference: String,
    pub(super) schema: String,
    /// Whether it is a new link in the place of another, which shows that one's reference.
    pub(super) renews: bool,
    /// How much Slack had shown before.
    pub(super) from: usize,
}

/// A link that somebody wanted in a channel although it was in another, or was connected.
pub(super) struct Move {
    pub(super) schema: String,
    pub(super) channel: String,
    pub(super) at: f64,
}

/// What the people remember.
#[derive(Default)]
pub(super) struct Diary {
    stop: AtomicBool,
    pub(super) promises: Mutex<Vec<Promise>>,
    pub(super) moves: Mutex<Vec<Move>>,
    /// Which connections were finished, and when.
    pub(super) finished: Mutex<Vec<(String, f64)>>,
    pub(super) sent: AtomicUsize,
    pub(super) unanswered: AtomicUsize,
}

/// Everybody.
pub(super) struct People {
    pub(super) diary: Arc<Diary>,
    outside: Outside,
    living: Vec<JoinHandle<()>>,
}

impl People {
    /// They begin, at whichever of these programs.
    pub(super) fn start(outside: &Outside, programs: &[Program], seed: u64) -> Self {
        let diary = Arc::<Diary>::default();
        let urls: Vec<_> = programs.iter().map(Program::url).collect();
        let living = (0..STORIES).map(|number| {
            let random = Random(seed.rotate_left(7) ^ number);
            let (outside, urls, diary) = (outside.clone(), urls.clone(), Arc::clone(&diary));
            tokio::spawn(Story { number, outside, urls, diary, random }.go_on())
        });
        Self { living: living.collect(), diary, outside: outside.clone() }
    }

    /// Waits until somebody is promised something from now on, or nobody is for a while.
    pub(super) async fn until_something_is_promised(&self) {
        let promised = || self.diary.promises.lock().unwrap().len();
        let sent = || self.diary.sent.load(Ordering::Relaxed);
        let (before, limit) = (promised(), sent() + IN_VAIN);
        until("a promise", async || (promised() > before || sent() > limit).then_some(())).await;
    }

    /// They stop.
    pub(super) async fn stop(&mut self) {
        self.diary.stop.store(true, Ordering::Relaxed);
        for living in self.living.drain(..) {
            living.await.unwrap();
        }
    }

    /// Each customer who has finished loads the page again to which their link led.
    pub(super) async fn everybody_lands(&self, url: &str) {
        let links: HashSet<_> = self.outside.slack.read(|messages, _| {
            let shown = messages.iter().filter(|it| it.visibility == Visibility::Channel);
            shown.filter_map(link_of).collect()
        });
        for link in links {
            let connection = self.outside.fivetran.connection(&Card::of(&link).connection);
            if connection.is_some_and(|it| it["status"]["setup_state"] == "connected") {
                let page = client().get(format!("{url}/connected/{}", landing_of(&link))).send().await;
                assert_eq!(page.unwrap().status(), 200);
            }
        }
    }
}

/// One after the other, schemas to which the same things happen.
struct Story {
    number: u64,
    outside: Outside,
    urls: Vec<String>,
    diary: Arc<Diary>,
    random: Random,
}

/// Something that somebody does.
struct Deed {
    what: u64,
    user: &'static str,
    channel: &'static str,
    url: String,
}

impl Story {
    async fn go_on(mut self) {
        let is_over = |diary: &Diary| diary.stop.load(Ordering::Relaxed);
        let mut count = 0;
        while !is_over(&self.diary) {
            count += 1;
            let schema = format!("s{}_{count:05}", self.number);
            for _ in 0..SCENES {
                if is_over(&self.diary) {
                    return;
                }
                let (one, other) = (self.draw(), self.draw());
                tokio::join!(self.does(&schema, one), self.does(&schema, other));
                tokio::time::sleep(PACE).await;
            }
        }
    }

    fn draw(&mut self) -> Deed {
        let at = self.random.below(self.urls.len() as u64) as usize;
        Deed {
            what: self.random.below(18),
            user: [USER, COLLEAGUE][self.random.below(2) as usize],
            channel: [CHANNEL, SHARED][self.random.below(2) as usize],
            url: self.urls[at].clone(),
        }
    }

    async fn does(&self, schema: &str, deed: Deed) {
        match deed.what {
            0..5 => drop(self.types(schema, &deed, &format!("google_ads {schema}")).await),
            5..7 => drop(self.types(schema, &deed, &format!("renew {schema}")).await),
            7..9 => {
                let offers = |it: &Message| it.visibility == Visibility::Channel && offers(it, RENEW);
                self.presses(schema, &deed, offers, RENEW).await;
            }
            9 => {
                let Some(ack) = self.types(schema, &deed, &format!("cancel {schema}")).await else { return };
                let question = private(deed.channel, deed.user, Clock::default().now(), &ack);
                if offers(&question, CANCEL) {
                    self.press(&deed, &question, CANCEL).await;
                }
            }
            10..13 => self.confirms(schema, &deed, POST_HERE).await,
            13 => self.confirms(schema, &deed, REAUTHORISE).await,
            14..16 => self.finishes(schema, &deed).await,
            16 => {
                self.breaks(schema);
                self.types(schema, &deed, &format!("status {schema}")).await;
            }
            _ => drop(self.types(schema, &deed, &format!("status {schema}")).await),
        }
    }

    /// Types something, and gives what the bot says to it.
    async fn types(&self, schema: &str, deed: &Deed, arguments: &str) -> Option<Ack> {
        let from = self.outside.slack.read(|_, history| history.len());
        let typed = format!("/connect-card {arguments}");
        let ack = self.outside.slack.command(&deed.url, &typed, deed.channel, deed.user).await;
        self.diary.sent.fetch_add(1, Ordering::Relaxed);
        let Ok(ack) = ack else {
            self.diary.unanswered.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        assert_eq!(ack.status, 200, "{typed}: {}", ack.text());
        let text = render(&ack.json());
        if let Some(reference) = promised(&text) {
            let renews = text.contains("Making a new link");
            let promise = Promise { reference, schema: schema.to_owned(), renews, from };
            self.diary.promises.lock().unwrap().push(promise);
        }
        Some(ack)
    }

    /// The newest message about a schema that is of some kind, as it stands.
    fn newest(&self, schema: &str, is_meant: impl Fn(&Message) -> bool) -> Option<Message> {
        self.outside.slack.read(|messages, _| {
            let mut newest = messages.iter().rev().take(ON_SCREEN);
            newest.find(|it| is_meant(it) && it.payload.to_string().contains(schema)).cloned()
        })
    }

    async fn press(&self, deed: &Deed, message: &Message, action: &str) {
        let user = message.user.as_deref().unwrap_or(deed.user);
        self.diary.sent.fetch_add(1, Ordering::Relaxed);
        match self.outside.slack.press(&deed.url, message, action, user).await {
            Ok(ack) => assert_eq!(ack.status, 200, "{}", ack.text()),
            Err(_) => drop(self.diary.unanswered.fetch_add(1, Ordering::Relaxed)),
        }
    }

    async fn presses(&self, schema: &str, deed: &Deed, is_meant: impl Fn(&Message) -> bool, action: &str) {
        if let Some(message) = self.newest(schema, is_meant) {
            self.press(deed, &message, action).await;
        }
    }

    /// Says yes to the newest question of a kind.
    async fn confirms(&self, schema: &str, deed: &Deed, action: &str) {
        let asks = |it: &Message| it.visibility == Visibility::Ephemeral && offers(it, action);
        let Some(question) = self.newest(schema, asks) else { return };
        let (schema, channel) = (schema.to_owned(), question.channel.clone());
        self.diary.moves.lock().unwrap().push(Move { schema, channel, at: now() });
        self.press(deed, &question, action).await;
    }

    /// The customer finishes behind the newest link, and their browser comes back.
    async fn finishes(&self, schema: &str, deed: &Deed) {
        let shows = |it: &Message| it.visibility == Visibility::Channel && link_of(it).is_some();
        let Some(link) = self.newest(schema, shows).and_then(|it| link_of(&it)) else { return };
        let connection = Card::of(&link).connection;
        self.diary.finished.lock().unwrap().push((connection.clone(), now()));
        self.outside.fivetran.finish_setup(&connection);
        let _ = client().get(format!("{}/connected/{}", deed.url, landing_of(&link))).send().await;
    }

    /// The newest connection that was finished stops working.
    fn breaks(&self, schema: &str) {
        let finished = self.diary.finished.lock().unwrap();
        let fivetran = &self.outside.fivetran;
        let of_schema = finished
            .iter()
            .rev()
            .take(ON_SCREEN)
            .find(|(id, _)| fivetran.connection(id).is_some_and(|it| it["schema"] == schema));
        if let Some((id, _)) = of_schema {
            // Now its customer can help it, now not.
            let code = if finished.len().is_multiple_of(2) { "reconnect" } else { "unknown_sync_failure" };
            fivetran.break_with(id, [code, "Something is wrong", ""]);
        }
    }
}

fn offers(message: &Message, action: &str) -> bool {
    message.payload["blocks"].to_string().contains(&format!("\"{action}\""))
}

/// The reference of what a text says will be done.
pub(super) fn promised(text: &str) -> Option<String> {
    let words = ["Making a link for ", "Making a new link for ", "Cancelling the connection for "];
    words.iter().any(|words| text.starts_with(words)).then(|| reference(text)).flatten()
}
