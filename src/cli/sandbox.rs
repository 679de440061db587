//! `connect-card sandbox`: the real bot against stand-ins for Slack and Fivetran, on loopback and
//! without any account.
//!
//! Owns what a person sees of it. The stand-ins are a crate of their own, which the tests use too.

use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use stand_ins::fivetran::{self, FivetranStandIn};
use stand_ins::slack::{self, Message, SlackStandIn, Via, Visibility};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::app::{self, App};
use crate::cli::{self, Exit};
use crate::clock::Clock;
use crate::config::{self, Vars};
use crate::outbound::{self, Network};

/// Where the typing happens.
const CHANNEL: (&str, &str) = ("C0CUSTOMER", "#customer-acme");
/// Who types.
const USER: &str = "U0ALICE";
/// Longest wait for a command to end, in `--once`.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the stand-ins' logs are looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// The bot and both outside parties.
struct Sandbox {
    app: App,
    clock: Clock,
    url: String,
    slack: SlackStandIn,
    fivetran: FivetranStandIn,
    folder: PathBuf,
    /// The buttons on show, by their numbers from 1; `None` where nobody can type.
    buttons: Mutex<Option<Vec<Button>>>,
}

/// A button that can be pressed by typing.
#[derive(Clone)]
struct Button {
    message: Message,
    action: String,
    label: String,
}

/// What can be tried.
const EXAMPLE: &str = "/connect-card adwords customer_schema";

/// Sends one command and shows what came of it, or lets a person type.
pub async fn run(once: Option<&str>) -> Exit {
    let once = once.map(str::trim);
    if once.is_some_and(|typed| !typed.starts_with('/')) {
        cli::remark(&format!("A slash command starts with a slash: connect-card sandbox --once '{EXAMPLE}'"));
        return Exit::Usage;
    }
    let sandbox = match Sandbox::start().await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            cli::remark(&format!("the sandbox could not start: {error}"));
            return Exit::Failed;
        }
    };
    let exit = match once {
        Some(typed) => sandbox.once(typed).await,
        None => sandbox.converse().await,
    };
    sandbox.stop().await;
    exit
}

impl Sandbox {
    async fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let (slack, fivetran) = stand_ins(outbound::client(&Network::default())?).await?;
        let folder = std::env::temp_dir().join(format!("connect-card-sandbox-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let listener = app::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "PORT")?;
        let url = format!("http://{}", listener.local_addr()?);
        let database = format!("sqlite:{}", folder.join("connect-card.db").display());
        let theirs = stand_in_vars(&slack, &fivetran);
        let own = [("PUBLIC_URL", url.as_str()), ("DATABASE_URL", database.as_str())];
        let vars = theirs.iter().map(|(name, value)| (*name, value.as_str())).chain(own);
        let vars = Vars::from_pairs(vars);
        let clock = Clock::default();
        let app = App::start(config::serve(&vars)?, listener, clock.clone()).await?;
        Ok(Self { app, clock, url, slack, fivetran, folder, buttons: Mutex::default() })
    }

    async fn stop(self) {
        self.app.stop().await;
        self.slack.shutdown();
        self.fivetran.shutdown();
        // A folder of the system's temporary ones; it does no harm if it stays.
        let _ = std::fs::remove_dir_all(self.folder);
    }

    async fn once(&self, typed: &str) -> Exit {
        let sent = self.slack.messages().len();
        say(&format!("{USER} types in {}:\n    {typed}\n", CHANNEL.1));
        if !self.send(typed).await {
            return Exit::Failed;
        }
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.slack.messages().len() == sent && tokio::time::Instant::now() < end && self.is_open().await
        {
            tokio::time::sleep(GLANCE).await;
        }
        Shown::default().catch_up(self);
        if !self.slack.messages().iter().skip(sent).any(|message| link_of(message).is_some()) {
            return Exit::Failed;
        }
        say(
            "The stand-ins stop now, so the link stops working. To play the customer, run connect-card sandbox\n\
             without --once, type the same command, and open its link in a browser.",
        );
        Exit::Well
    }

    /// Whether a command is still open, by the only one who knows: the database.
    async fn is_open(&self) -> bool {
        let census = self.app.store.census(self.clock.now()).await;
        census.is_ok_and(|census| census.oldest_open.is_some())
    }

    /// Sends a slash command and shows its acknowledgement; false unless it was 200.
    async fn send(&self, typed: &str) -> bool {
        let opened = self.slack.views().len();
        match self.slack.command(&self.url, typed, CHANNEL.0, USER).await {
            Ok(ack) => {
                let ms = ack.elapsed.as_secs_f64() * 1e3;
                say(&format!("The bot acknowledges with {} after {ms:.1} ms; only {USER} sees:", ack.status));
                say(&indented(&slack::render(&ack.json())));
                self.offer(&private(ack.json(), self.clock.now()));
                for view in self.slack.views().iter().skip(opened) {
                    say(&format!("A form opens for {USER}; it can only be filled in inside Slack:"));
                    say(&indented(&slack::render(view)));
                }
                ack.status == 200
            }
            Err(error) => {
                say(&format!("The bot didn't acknowledge: {error}"));
                false
            }
        }
    }

    /// Says by what to type each button of a message is pressed. One that leads to an address is there
    /// to be opened in a browser.
    fn offer(&self, message: &Message) {
        let mut on_show = self.on_show();
        let Some(on_show) = on_show.as_mut() else { return };
        let blocks = message.payload.get("blocks").and_then(Value::as_array).into_iter().flatten();
        for element in blocks.filter_map(|block| block.get("elements")?.as_array()).flatten() {
            let word = |path| element.pointer(path).and_then(Value::as_str);
            let (action, label) = (word("/action_id"), word("/text/text"));
            if let (None, Some(action), Some(label)) = (word("/url"), action, label) {
                let (action, label) = (action.to_owned(), label.to_owned());
                say(&indented(&format!("[{label}]: type press {}", on_show.len() + 1)));
                on_show.push(Button { message: message.clone(), action, label });
            }
        }
    }

    fn on_show(&self) -> MutexGuard<'_, Option<Vec<Button>>> {
        self.buttons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Presses a button by its number.
    async fn press(&self, number: &str) {
        let place = number.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let button = place.and_then(|place| self.on_show().as_ref()?.get(place).cloned());
        let Some(Button { message, action, label }) = button else {
            return say("There's no button of that number.");
        };
        say(&format!("{USER} presses [{label}] in {}.", CHANNEL.1));
        if let Err(error) = self.slack.press(&self.url, &message, &action, USER).await {
            say(&format!("The bot didn't answer: {error}"));
        }
    }

    async fn converse(&self) -> Exit {
        say(&self.banner());
        *self.on_show() = Some(Vec::new());
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let (mut shown, mut reading, mut typed_anything) = (Shown::default(), true, false);
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return Exit::Well,
                line = lines.next_line(), if reading => match line.ok().flatten() {
                    Some(typed) => {
                        typed_anything = true;
                        match typed.trim() {
                            "" => {}
                            "quit" | "exit" => break,
                            typed if let Some(number) = typed.strip_prefix("press ") => self.press(number).await,
                            slash if slash.starts_with('/') => drop(self.send(slash).await),
                            _ => {
                                say("A slash command starts with a slash; type quit to stop.");
                                self.send("/connect-card help").await;
                            }
                        }
                    }
                    None if typed_anything || std::io::stdin().is_terminal() => break,
                    // No keyboard, as in a container: the bot goes on all the same.
                    None => reading = false,
                },
                () = tokio::time::sleep(GLANCE) => shown.catch_up(self),
            }
        }
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.is_open().await && tokio::time::Instant::now() < end {
            tokio::time::sleep(GLANCE).await;
        }
        shown.catch_up(self);
        Exit::Well
    }

    /// Where everything is, to be copied into the variables of another bot or into a request.
    fn banner(&self) -> String {
        let Self { url, slack, fivetran, .. } = self;
        let values = stand_in_vars(slack, fivetran);
        let values: String = values.iter().map(|(name, value)| format!("    {name}={value}\n")).collect();
        format!(
            "The bot runs at {url} with stand-ins for Slack and Fivetran:\n{values}\
             Type a slash command as {USER} in {}, for example:\n    {EXAMPLE}\n\
             Under a message with buttons it says what to type to press one. Open a link in a browser\n\
             to play the customer. To stop: quit, Ctrl-D or Ctrl-C.\n",
            CHANNEL.1
        )
    }
}

/// Starts both outside parties, by the real time; with `client`, Slack calls the bot.
///
/// # Errors
/// When no port can be bound.
pub async fn stand_ins(client: reqwest::Client) -> io::Result<(SlackStandIn, FivetranStandIn)> {
    let clock = Clock::default();
    let now = move || clock.now();
    Ok((SlackStandIn::start(now.clone(), client).await?, FivetranStandIn::start(now).await?))
}

/// The variables that lead a bot to these stand-ins instead of to Slack and Fivetran.
#[must_use]
pub fn stand_in_vars(slack: &SlackStandIn, fivetran: &FivetranStandIn) -> [(&'static str, String); 8] {
    [
        ("SLACK_API_URL", slack.api_url()),
        ("SLACK_RESPONSE_URL_ORIGINS", slack.url()),
        ("SLACK_SIGNING_SECRET", slack::SIGNING_SECRET.to_owned()),
        ("SLACK_BOT_TOKEN", slack::BOT_TOKEN.to_owned()),
        ("FIVETRAN_API_URL", fivetran.url()),
        ("FIVETRAN_API_KEY", fivetran::API_KEY.to_owned()),
        ("FIVETRAN_API_SECRET", fivetran::API_SECRET.to_owned()),
        ("FIVETRAN_GROUP_ID", fivetran::GROUP_ID.to_owned()),
    ]
}

/// What has been shown so far of what the stand-ins have seen.
#[derive(Default)]
struct Shown {
    calls: usize,
    /// How many edits of each message.
    edits: Vec<usize>,
}

impl Shown {
    fn catch_up(&mut self, sandbox: &Sandbox) {
        let calls = sandbox.fivetran.calls();
        for call in calls.iter().skip(self.calls).filter(|call| call.path.starts_with("/v1/")) {
            say(&format!("Fivetran was asked: {} {} -> {}", call.method, call.path, call.status));
        }
        self.calls = calls.len();
        for (at, message) in sandbox.slack.messages().iter().enumerate() {
            match self.edits.get_mut(at) {
                None => {
                    show(message);
                    sandbox.offer(message);
                    self.edits.push(message.edits.len());
                }
                Some(shown) if *shown < message.edits.len() => {
                    *shown = message.edits.len();
                    say(&format!(
                        "\nThe message above in {} now reads:\n{}",
                        CHANNEL.1,
                        indented(&message.rendered())
                    ));
                    sandbox.offer(message);
                }
                Some(_) => {}
            }
        }
    }
}

/// An acknowledgement as the private message that Slack makes of it.
fn private(payload: Value, now: Timestamp) -> Message {
    Message {
        id: u64::MAX,
        channel: CHANNEL.0.to_owned(),
        ts: format!("{}.{:06}", now.as_second(), now.subsec_microsecond()),
        user: Some(USER.to_owned()),
        visibility: Visibility::Ephemeral,
        via: Via::ResponseUrl,
        thread_ts: None,
        payload,
        edits: Vec::new(),
        unfurl_links: None,
        unfurl_media: None,
        deleted: false,
        heard: true,
    }
}

fn show(message: &Message) {
    let who = match (&message.visibility, &message.user) {
        (Visibility::Channel, _) => format!("Everyone in {} sees:", CHANNEL.1),
        (Visibility::Ephemeral, Some(user)) => format!("Only {user} sees:"),
        (Visibility::Ephemeral, None) => "Only one person sees:".to_owned(),
    };
    say(&format!("\n{who}\n{}", indented(&message.rendered())));
}

/// The link behind the first button of a message that the whole channel sees.
fn link_of(message: &Message) -> Option<&str> {
    let blocks = message.payload.get("blocks")?.as_array()?;
    let buttons = blocks.iter().filter_map(|block| block.get("elements")?.as_array()).flatten();
    let mut urls = buttons.filter_map(|button| button.get("url")?.as_str());
    if message.visibility == Visibility::Channel { urls.next() } else { None }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn say(text: &str) {
    let _ = cli::print(&format!("{text}\n"));
}
