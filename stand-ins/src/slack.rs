//! A stateful stand-in for Slack: its Web API, its response URLs, and Slack as the caller.
//!
//! Owns the running stand-in and what tests may ask of it. Must not know the bot's own types.

mod acks;
mod arguments;
mod blocks;
mod directory;
mod elements;
mod events;
mod files;
mod hooks;
mod outbound;
mod payloads;
mod people;
mod render;
mod sockets;
mod state;
mod web_api;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use hyper::header::{DATE, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::Value;

pub use self::blocks::block_faults;
pub use self::elements::Used;
pub use self::events::Retry;
pub use self::files::File;
pub use self::outbound::{Ack, Outgoing, post, sign, signed_headers};
pub use self::payloads::{QUIRKS, Quirk};
pub use self::render::render;
pub use self::sockets::{Delivery, Oddity, Opening, Rotation, Rule, Twice, Violation, Which};
pub use self::state::{Author, Message, Shown, Via, Visibility};

use self::directory::Organisation;
use self::sockets::Sockets;
use self::state::State;
use crate::chaos::{self, Lasts, Partner};
use crate::clock::Clock;
use crate::fault::{self, Fault, Faults};
use crate::lock;
use crate::tape::{Beginning, Party, Tape};
use crate::wire::{self, Answer, Listening, Outcome, Request, pause};

/// The secret that the stand-in signs with.
pub const SIGNING_SECRET: &str = "5a4db0c05a4db0c05a4db0c05a4db0c0";
/// The one bot token that it knows.
pub const BOT_TOKEN: &str = "xoxb-sandbox-not-a-real-token";
/// The app-level token that opens sockets, unless another is set.
pub const APP_TOKEN: &str = "xapp-1-A0SANDBOX-1-not-a-real-token";
/// The workspace.
pub const TEAM_ID: &str = "T0SANDBOX";
/// The workspace of the outsider.
pub const OTHER_TEAM_ID: &str = "T0OTHER";
/// Another workspace of the organisation, once there is one.
pub const SIBLING_TEAM_ID: &str = "T0SIBLING";
/// The organisation, once the workspace is in one.
pub const ENTERPRISE_ID: &str = "E0ORG";
/// The workspace's domain.
pub const TEAM_DOMAIN: &str = "sandbox";
/// The bot's user.
pub const BOT_USER_ID: &str = "U0BOT";
/// The bot itself.
pub const BOT_ID: &str = "B0BOT";
/// The app.
pub const APP_ID: &str = "A0SANDBOX";

const SCOPES: [&str; 7] = [
    "commands",
    "chat:write",
    "channels:read",
    "groups:read",
    "users:read",
    "usergroups:read",
    "files:write",
];
/// Slack waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
const CALLS_KEPT: usize = 200_000;
/// The calls by which the bot shows something; all others only look.
const STEPS: [&str; 4] = ["chat.postMessage", "chat.postEphemeral", "chat.update", "response_url"];
const PAUSE_SLACK_MS: i128 = 50;

struct Inner {
    listening: Listening,
    /// Where sockets are opened: another machine than the Web API's, as at Slack.
    links: Listening,
    base: String,
    clock: Clock,
    client: reqwest::Client,
    state: Mutex<State>,
    calls: Mutex<VecDeque<(String, Value)>>,
    faults: Mutex<Faults>,
    latency: Mutex<Duration>,
    paused: Mutex<Paused>,
    quirks: Mutex<Vec<(&'static Quirk, Lasts)>>,
    tape: OnceLock<Tape>,
    signing_secret: Mutex<String>,
    sockets: Mutex<Sockets>,
}

/// The methods of which Slack has asked for a pause, and how many calls have come within one.
#[derive(Default)]
struct Paused {
    until: HashMap<String, Timestamp>,
    calls: usize,
}

impl Paused {
    /// The seconds for which a method must still be left alone.
    fn left(&mut self, method: &str, now: Timestamp) -> Option<i64> {
        let left = self.until.get(method)?.duration_since(now).as_millis();
        // Whoever counts from when the answer came may be this much early by another clock.
        if left <= PAUSE_SLACK_MS {
            self.until.remove(method);
            return None;
        }
        self.calls += 1;
        i64::try_from((left + 999) / 1000).ok()
    }

    fn begin(&mut self, method: &str, fault: &Fault, now: Timestamp) {
        if let Fault::Throttled { retry_after: Some(seconds) } = fault
            && let Some(end) = seconds
                .parse()
                .ok()
                // Slack's windows are of a minute: what asks for more than a day is none of its words.
                .filter(|seconds| *seconds <= 24 * 60 * 60)
                .and_then(|seconds: i64| now.checked_add(jiff::SignedDuration::from_secs(seconds)).ok())
        {
            self.until.insert(method.to_owned(), end);
        }
    }
}

/// A running stand-in for Slack. Clones are the same stand-in.
#[derive(Clone)]
pub struct SlackStandIn(Arc<Inner>);

impl SlackStandIn {
    /// Starts on a free port of 127.0.0.1. `now` tells it the time; with `client` it calls the bot.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        client: reqwest::Client,
    ) -> io::Result<Self> {
        Self::start_with(now, client, SIGNING_SECRET, BOT_TOKEN).await
    }

    /// The same, with secrets of its own, which nobody knows who only has this code.
    ///
    /// # Errors
    /// When no port can be bound.
    #[expect(clippy::unused_async, reason = "must be called inside a runtime")]
    pub async fn start_with(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        client: reqwest::Client,
        signing_secret: &str,
        bot_token: &str,
    ) -> io::Result<Self> {
        let bound = wire::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let links = wire::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let base = format!("http://{}", bound.addr);
        let inner = Arc::new(Inner {
            base: base.clone(),
            listening: bound.handle(),
            links: links.handle(),
            clock: Clock::new(now),
            client,
            state: Mutex::new(State::new(&SCOPES, bot_token, &base)),
            calls: Mutex::default(),
            faults: Mutex::default(),
            latency: Mutex::default(),
            paused: Mutex::default(),
            quirks: Mutex::default(),
            tape: OnceLock::new(),
            signing_secret: Mutex::new(signing_secret.to_owned()),
            sockets: Mutex::new(Sockets::new(links.addr.to_string(), APP_TOKEN)),
        });
        let served = Arc::clone(&inner);
        bound.serve(&inner.listening, move |request| dated(Arc::clone(&served), request));
        let served = Arc::clone(&inner);
        links.accept(&inner.links, move |stream| sockets::serve(Arc::clone(&served), stream));
        Ok(Self(inner))
    }

    /// The base address, which is also the origin of its response URLs.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.base.clone()
    }

    /// The Web API's address, with its trailing slash.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/api/", self.0.base)
    }

    /// The address that it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.listening.addr
    }

    /// Stops listening and closes every connection.
    pub fn shutdown(&self) {
        self.0.listening.shutdown();
        self.0.links.shutdown();
    }

    /// Tapes what is asked of it and by it from now on; the first tape is the only one.
    pub fn tape(&self, tape: &Tape) {
        let _ = self.0.tape.set(tape.clone());
    }

    /// A fresh response URL: five uses within thirty minutes.
    #[must_use]
    pub fn response_url(&self, channel: &str, user: &str) -> String {
        let now = self.0.clock.now();
        let path = self.state().hook(channel, user, None, now);
        format!("{}{path}", self.0.base)
    }

    /// A fresh trigger id of a person's deed: one use within three seconds.
    #[must_use]
    pub fn trigger_id(&self, user: &str) -> String {
        let now = self.0.clock.now();
        self.state().trigger(user, now)
    }

    /// Every message, oldest first, as each now stands.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.state().messages.clone()
    }

    /// Looks at every message as it now stands, and at what was shown, both oldest first.
    pub fn read<R>(&self, look: impl FnOnce(&[Message], &[Shown]) -> R) -> R {
        let state = self.state();
        look(&state.messages, &state.history)
    }

    /// What every message has shown, in the order in which Slack came to show it.
    #[must_use]
    pub fn history(&self) -> Vec<Shown> {
        self.state().history.clone()
    }

    /// The calls so far as route and body, oldest first; the newest 200,000 are kept.
    #[must_use]
    pub fn calls(&self) -> Vec<(String, Value)> {
        lock(&self.0.calls).iter().cloned().collect()
    }

    /// How many of the kept calls went to a route, such as `response_url` or `chat.update`.
    #[must_use]
    pub fn calls_to(&self, route: &str) -> usize {
        lock(&self.0.calls).iter().filter(|(known, _)| known == route).count()
    }

    /// Every file that was announced, oldest first.
    #[must_use]
    pub fn files(&self) -> Vec<File> {
        self.state().files.all()
    }

    /// Every opened view as it now stands.
    #[must_use]
    pub fn views(&self) -> Vec<Value> {
        self.state().views.values().cloned().collect()
    }

    /// One view, be it somebody's home.
    #[must_use]
    pub fn view(&self, id: &str) -> Option<Value> {
        let state = self.state();
        let home = || state.homes.values().find(|home| home["id"] == id);
        state.views.get(id).or_else(home).cloned()
    }

    /// Sets the scopes that the bot's token has.
    pub fn set_scopes(&self, scopes: &[&str]) {
        self.state().scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    }

    /// Sets the members of a user group.
    pub fn set_user_group(&self, group: &str, members: &[&str]) {
        let members = members.iter().map(|&member| member.to_owned()).collect();
        self.state().directory.groups.insert(group.to_owned(), members);
    }

    /// Invites the bot into a channel.
    pub fn join(&self, channel: &str) {
        self.state().directory.join(channel);
    }

    /// Other organisations, by their ids, share a channel from now on, and others are invited to it.
    pub fn share(&self, channel: &str, with: &[&str], invited: &[&str]) {
        self.state().directory.share(channel, with, invited);
    }

    /// The bot token is of this app. The sockets are of [`APP_ID`] all the same.
    pub fn set_bot_app(&self, app: &str) {
        app.clone_into(&mut self.state().bot_app);
    }

    /// Archives a channel: nothing can be posted there or edited any more.
    pub fn archive(&self, channel: &str) {
        self.state().directory.archive(channel);
    }

    /// Forgets the pauses that it has asked for.
    pub fn end_pauses(&self) {
        lock(&self.0.paused).until.clear();
    }

    /// How many calls have come to a method during a pause that it had asked for, all of which were
    /// refused.
    #[must_use]
    pub fn calls_in_a_pause(&self) -> usize {
        lock(&self.0.paused).calls
    }

    /// Pushes the stand-in's clock forward: response URLs age, later messages get later stamps.
    pub fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
    }

    /// Every answer takes this long, half of it before the work.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.0.latency) = latency;
    }

    /// Arranges or ends faults.
    pub fn faults<R>(&self, arrange: impl FnOnce(&mut Faults) -> R) -> R {
        arrange(&mut lock(&self.0.faults))
    }

    /// Behaves as the row of this name says, of [`chaos::all`] or of [`QUIRKS`].
    ///
    /// # Panics
    ///
    /// If Slack has no behaviour of this name.
    pub fn chaos(&self, name: &str, lasts: Lasts) {
        if let Some(quirk) = payloads::quirk(name) {
            lock(&self.0.quirks).push((quirk, lasts));
            return;
        }
        self.faults(|faults| chaos::befall(faults, Partner::Slack, name, lasts));
    }

    /// Sends its payloads in their usual shapes again.
    pub fn usual_payloads(&self) {
        lock(&self.0.quirks).clear();
    }

    /// The workspace moves into an Enterprise organisation, with the app as it is: in this workspace.
    pub fn join_organisation(&self) {
        self.state().directory.organisation = Organisation::Joined;
    }

    /// The same, with the app in the whole organisation.
    pub fn install_in_organisation(&self) {
        self.state().directory.organisation = Organisation::Whole;
    }

    /// Gives a payload the shapes that were asked for.
    fn shape(&self, payload: &mut Value) {
        lock(&self.0.quirks).retain_mut(|(quirk, lasts)| {
            (quirk.change)(payload);
            match lasts {
                Lasts::UntilHealed => true,
                Lasts::Calls(left) => {
                    *left = left.saturating_sub(1);
                    *left > 0
                }
            }
        });
    }

    /// A response URL whose original is this message.
    fn answer_url(&self, message: &Message, user: &str) -> String {
        let now = self.0.clock.now();
        let path = self.state().hook(&message.channel, user, Some(message.id), now);
        format!("{}{path}", self.0.base)
    }

    /// The names of a channel and a user as a form tells them.
    fn names(&self, channel: &str, user: &str) -> (String, String) {
        let state = self.state();
        let channel = state.directory.channel(channel).map_or("", |known| known.form_name());
        let user = state.directory.user(user).map_or("", |known| known.name);
        (channel.to_owned(), user.to_owned())
    }

    fn team_of(&self, user: &str) -> &'static str {
        self.state().directory.user(user).map_or(TEAM_ID, |known| known.team)
    }

    fn organisation(&self) -> Organisation {
        self.state().directory.organisation
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// Slack's answer with the time by Slack's clock, which may have been moved.
async fn dated(inner: Arc<Inner>, request: Request) -> Outcome {
    let mut response = handle(Arc::clone(&inner), request).await?;
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&inner.clock.now());
    if let Some(date) = date.ok().and_then(|date| HeaderValue::from_str(&date).ok()) {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

async fn handle(inner: Arc<Inner>, request: Request) -> Outcome {
    let method = request.path.strip_prefix("/api/").map(str::to_owned);
    let route = match &method {
        Some(method) => method.as_str(),
        None if request.path.starts_with("/commands/") => "response_url",
        None if request.path.starts_with(files::UPLOADS) => "upload",
        None => "unknown",
    };
    let arguments = match &method {
        Some(_) => arguments::read(&request),
        None => Ok(request.json().unwrap_or_default()),
    };
    let taped = inner.tape.get().map(|tape| {
        let label = match route {
            "response_url" => "POST response_url".to_owned(),
            route => format!("{} {route}", request.method),
        };
        let asked = arguments.clone().unwrap_or_default();
        tape.begin(Beginning {
            from: Party::Bot,
            to: Party::Slack,
            label,
            at: inner.clock.now(),
            request: asked,
        })
    });
    let is_step = STEPS.contains(&route);
    let latency = *lock(&inner.latency);
    let taped = taped.map(|taped| if latency.is_zero() { taped } else { taped.faulty() });
    let paused = match &method {
        Some(method) => lock(&inner.paused).left(method, inner.clock.now()),
        None => None,
    };
    let fault = match paused {
        Some(seconds) => Some(Fault::Throttled { retry_after: Some(seconds.to_string()) }),
        None => lock(&inner.faults).meet(route, &request),
    };
    if let (Some(fault), Some(method), None) = (&fault, &method, paused) {
        lock(&inner.paused).begin(method, fault, inner.clock.now());
    }
    pause(latency / 2).await;
    let answer = fault::work_unless(fault.as_ref(), web_api::refusal_body, || {
        let now = inner.clock.now();
        let mut state = lock(&inner.state);
        let before = state.messages.len();
        let answer = match route {
            "unknown" => Answer::text(404, "not found"),
            "response_url" => hooks::answer(&request, &mut state, now),
            "upload" => state.files.upload(&request),
            "apps.connections.open" => {
                let asked = arguments.clone().unwrap_or_default();
                lock(&inner.sockets).open(&request, &asked, &state.bot_tokens, now)
            }
            method => web_api::answer(method, &request, &arguments, &mut state, now),
        };
        if fault.as_ref().is_some_and(Fault::spoils_the_answer) {
            state.messages.iter_mut().skip(before).for_each(|message| message.heard = false);
        }
        answer
    });
    {
        let mut calls = lock(&inner.calls);
        if calls.len() == CALLS_KEPT {
            calls.pop_front();
        }
        calls.push_back((route.to_owned(), arguments.unwrap_or_default()));
    }
    if let Some(taped) = &taped {
        taped.pass(is_step && fault.is_none()).await;
    }
    pause(latency / 2).await;
    fault::deliver(fault, answer, taped).await
}

#[cfg(test)]
mod tests;
