//! The sandbox in a terminal: what is typed there, and what it prints of what each party saw.
//!
//! Owns the words of the terminal. The page may be used beside it: it shows what came of that, too.

use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stand_ins::slack::{self, Author, Message, Used, Visibility};
use stand_ins::tape::{Exchange, Party};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};
use tokio::signal::unix::{SignalKind, signal};

use super::EXAMPLE;
use super::stage::{CHANNEL, Fivetran, Secrets, Stage, USER, fivetran_vars, slack_vars};
use crate::cli::{self, Exit};
use crate::command::bundle::NO_BUNDLES;
use crate::command::places::{Destinations, NO_DEFAULTS};
use crate::command::surface::Surface;
use crate::command::{self, Command, Vocabulary};
use crate::fivetran::catalog::Catalog;
use crate::reply::onboarding::CONNECT;

/// Longest wait for a command to end, in `--once`.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the stand-ins' logs are looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// What a keyboard says.
pub(super) type Keyboard = Lines<BufReader<Stdin>>;

/// The keyboard of this process.
pub(super) fn keyboard() -> Keyboard {
    BufReader::new(tokio::io::stdin()).lines()
}

/// A terminal before a stage.
pub(super) struct Terminal<'a> {
    stage: &'a Stage,
    /// The buttons on show, by their numbers from 1; `None` where nobody can type.
    buttons: Mutex<Option<Vec<Button>>>,
    /// What has been shown so far.
    shown: Mutex<Shown>,
}

/// A button that can be pressed by typing.
#[derive(Clone)]
struct Button {
    message: Message,
    block: Option<String>,
    action: String,
    label: String,
}

/// What has been shown so far of what the stand-ins have seen.
#[derive(Default)]
struct Shown {
    /// How much of the tape.
    revision: u64,
    /// How many edits of each message.
    edits: Vec<usize>,
}

impl<'a> Terminal<'a> {
    pub(super) fn before(stage: &'a Stage) -> Self {
        Self { stage, buttons: Mutex::default(), shown: Mutex::default() }
    }

    /// Sends one command and shows what came of it.
    pub(super) async fn once(&self, typed: &str) -> Exit {
        say(&format!("{USER} types in {}:\n    {typed}\n", CHANNEL.1));
        if !self.send(typed).await {
            return Exit::Failed;
        }
        let end = tokio::time::Instant::now() + PATIENCE;
        let wanted = Wanted::of(typed);
        while !self.has(wanted) && tokio::time::Instant::now() < end && self.stage.bot.is_open().await {
            tokio::time::sleep(GLANCE).await;
        }
        self.catch_up();
        // Of several, one may have been refused: the message with the others stands all the same.
        let at_least = if let Wanted::Buttons(_) = wanted { Wanted::Buttons(1) } else { wanted };
        if !self.has(at_least) {
            return if wanted == Wanted::Nothing { Exit::Well } else { Exit::Failed };
        }
        say(match wanted {
            Wanted::Nothing | Wanted::Link => {
                "The stand-ins stop now, so the link stops working. To play the customer, run connect-card sandbox\n\
                 without --once, type the same command, and open its link in a browser."
            }
            Wanted::Buttons(_) => {
                "The stand-ins stop now, so the buttons stop working. To play the customer, run connect-card sandbox\n\
                 without --once, type the same command, and press them in a browser."
            }
        });
        Exit::Well
    }

    /// Whether it stands in the channel. A link counts where none was expected, too.
    fn has(&self, wanted: Wanted) -> bool {
        let messages = self.stage.slack.messages();
        match wanted {
            Wanted::Nothing | Wanted::Link => messages.iter().any(|message| link_of(message).is_some()),
            Wanted::Buttons(count) => {
                let in_channel = messages.iter().filter(|it| it.visibility == Visibility::Channel);
                let connects = |(_, it): &(Option<&str>, &Value)| {
                    it.pointer("/action_id").and_then(Value::as_str) == Some(CONNECT)
                };
                in_channel.map(|message| elements(message).filter(connects).count()).max() >= Some(count)
            }
        }
    }

    /// Sends a slash command and shows its acknowledgement; false unless it was 200.
    async fn send(&self, typed: &str) -> bool {
        let Stage { slack, .. } = self.stage;
        let opened = slack.views().len();
        match self.stage.command(typed).await {
            Ok(ack) => {
                let ms = ack.elapsed.as_secs_f64() * 1e3;
                say(&format!("The bot acknowledges with {} after {ms:.1} ms; only {USER} sees:", ack.status));
                say(&indented(&rendered(&ack.json())));
                let shown = if ack.status == 200 { slack.show(&ack, CHANNEL.0, USER) } else { None };
                let message =
                    shown.and_then(|id| slack.messages().into_iter().find(|message| message.id == id));
                if let Some(message) = message {
                    self.offer(&message);
                    let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
                    self.show_until(&mut shown, message.id);
                    // It is on show already.
                    shown.edits.push(0);
                }
                for view in slack.views().iter().skip(opened) {
                    say(&format!("A form opens for {USER}; it can be filled in on the sandbox's page:"));
                    say(&indented(&rendered(view)));
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
        for (block, element) in elements(message) {
            let word = |path| element.pointer(path).and_then(Value::as_str);
            let (action, label) = (word("/action_id"), word("/text/text"));
            if let (None, Some(action), Some(label)) = (word("/url"), action, label) {
                let (block, action, label) = (block.map(str::to_owned), action.to_owned(), label.to_owned());
                say(&indented(&format!("[{label}]: type press {}", on_show.len() + 1)));
                on_show.push(Button { message: message.clone(), block, action, label });
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
        let Some(Button { message, block, action, label }) = button else {
            return say("There's no button with that number.");
        };
        say(&format!("{USER} presses [{label}] in {}.", self.place(&message)));
        let used = Used { action_id: &action, block_id: block.as_deref(), ..Used::default() };
        let pressed =
            self.stage.with_slack(async |slack, bot| slack.use_in_message(bot, &message, used, USER).await);
        if let Err(error) = pressed.await {
            say(&format!("The bot didn't answer: {error}"));
        }
    }

    /// Lets a person type until they have had enough.
    pub(super) async fn converse(&self, mut lines: Keyboard, page: &str) -> Exit {
        say(&self.banner(page));
        *self.on_show() = Some(Vec::new());
        let (mut reading, mut typed_anything) = (true, false);
        let interrupted = interrupted();
        tokio::pin!(interrupted);
        loop {
            tokio::select! {
                () = &mut interrupted => return Exit::Well,
                line = lines.next_line(), if reading => match line.ok().flatten() {
                    Some(typed) => {
                        typed_anything = true;
                        match typed.trim() {
                            "" => {}
                            "quit" | "exit" => break,
                            typed if let Some(number) = typed.strip_prefix("press ") => self.press(number).await,
                            slash if slash.starts_with('/') => drop(self.send(slash).await),
                            _ => {
                                say("A slash command starts with a slash. Here is the help; type quit to stop.");
                                self.send("/connect-card help").await;
                            }
                        }
                    }
                    None if typed_anything || std::io::stdin().is_terminal() => break,
                    // No keyboard, as in a container: the bot goes on all the same.
                    None => reading = false,
                },
                () = tokio::time::sleep(GLANCE) => self.catch_up(),
            }
        }
        let all_has_ended = async {
            while self.stage.bot.is_open().await {
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::select! {
            _ = tokio::time::timeout(PATIENCE, all_has_ended) => {}
            // Whoever asks twice wants it now.
            () = &mut interrupted => {}
        }
        self.catch_up();
        Exit::Well
    }

    /// Where everything is, to be copied into the variables of another bot or into a request.
    fn banner(&self, page: &str) -> String {
        let Stage { bot, slack, fivetran, .. } = self.stage;
        let mut values = Vec::new();
        let what = match fivetran {
            Fivetran::StandIn(fivetran) => {
                values.extend(slack_vars(slack, &Secrets::default()));
                values.extend(fivetran_vars(fivetran));
                "stand-ins for Slack and Fivetran"
            }
            // The secrets of this Slack open the way to a real account.
            Fivetran::Real(_) => "a stand-in for Slack and the real Fivetran",
        };
        let end = if values.is_empty() { "." } else { ":" };
        let values: String = values.iter().map(|(name, value)| format!("    {name}={value}\n")).collect();
        format!(
            "Open this in a browser to see everything and play everybody:\n    {page}\n\n\
             The bot runs at {} with {what}{end}\n{values}\
             Or type a slash command here, as {USER} in {}, for example:\n    {EXAMPLE}\n\
             Under a message with buttons it says what to type to press one. To stop: quit, Ctrl-D or Ctrl-C.\n",
            bot.url, CHANNEL.1
        )
    }

    /// Shows what has happened since.
    fn catch_up(&self) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        self.show_until(&mut shown, u64::MAX);
    }

    /// The same, of the messages before this one.
    fn show_until(&self, shown: &mut Shown, end: u64) {
        let (exchanges, revision) = self.stage.tape.since(shown.revision);
        shown.revision = revision;
        let answered =
            |it: &&Exchange| it.to == Party::Fivetran && it.took.is_some() && it.label.contains(" /v1/");
        for call in exchanges.iter().filter(answered) {
            let path = call.label.split('?').next().unwrap_or_default();
            let status = call.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            say(&format!("Fivetran was asked: {path} -> {status}"));
        }
        for (at, message) in self.stage.slack.messages().iter().enumerate().take_while(|(_, it)| it.id < end)
        {
            match shown.edits.get_mut(at) {
                None => {
                    self.show(message);
                    self.offer(message);
                    shown.edits.push(message.edits.len());
                }
                Some(shown) if *shown < message.edits.len() => {
                    *shown = message.edits.len();
                    let which = match (&message.visibility, &message.user) {
                        (Visibility::Channel, _) => format!("The message above in {}", self.place(message)),
                        (Visibility::Ephemeral, Some(user)) => format!("What only {user} sees"),
                        (Visibility::Ephemeral, None) => "What only one person sees".to_owned(),
                    };
                    say(&format!("\n{which} now reads:\n{}", indented(&rendered(&message.payload))));
                    self.offer(message);
                }
                Some(_) => {}
            }
        }
    }

    fn show(&self, message: &Message) {
        let who = match (&message.visibility, &message.user, &message.author) {
            (_, _, Author::Person(who)) => format!("{who} writes in {}:", self.place(message)),
            (Visibility::Channel, ..) => format!("Everyone in {} sees:", self.place(message)),
            (Visibility::Ephemeral, Some(user), _) => format!("Only {user} sees:"),
            (Visibility::Ephemeral, None, _) => "Only one person sees:".to_owned(),
        };
        say(&format!("\n{who}\n{}", indented(&rendered(&message.payload))));
    }

    fn place(&self, message: &Message) -> String {
        self.stage.slack.channel_name(&message.channel).unwrap_or_else(|| "a direct message".to_owned())
    }
}

/// What comes of a slash command in the channel, if all goes well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Nothing: it is answered in its acknowledgement, as `doctor` is, by a question or by a form.
    Nothing,
    /// A link.
    Link,
    /// One message with so many buttons, by which one sees a link.
    Buttons(usize),
}

impl Wanted {
    fn of(typed: &str) -> Self {
        let (slash, words) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
        let catalog = Catalog::built_in();
        // Which one it is changes nothing of what comes.
        let destinations =
            Destinations { default_group: Some("default".to_owned()), ..Destinations::default() };
        let slash = Surface::Slack(slash);
        let vocabulary = Vocabulary {
            slash,
            catalog: &catalog,
            destinations: &destinations,
            channel: &NO_DEFAULTS,
            bundles: &NO_BUNDLES,
        };
        if words.trim().is_empty() {
            return Self::Nothing;
        }
        match command::parse(words, &vocabulary) {
            Ok(
                Command::Doctor | Command::Help | Command::List | Command::Services(_) | Command::Status(_),
            ) => Self::Nothing,
            // Its names are shown first.
            Ok(Command::Onboard(several)) if several.asks => Self::Nothing,
            Ok(Command::Onboard(several)) => Self::Buttons(several.onboard.sources.len()),
            _ => Self::Link,
        }
    }
}

/// When this process is to end: Ctrl-C, a polite kill, or the end of its terminal.
pub(super) async fn interrupted() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    let any = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    let _ = futures_util::future::select_all(any).await;
}

/// The elements of a message that can be used, each with its block's id.
fn elements(message: &Message) -> impl Iterator<Item = (Option<&str>, &Value)> {
    let blocks = message.payload.get("blocks").and_then(Value::as_array).into_iter().flatten();
    blocks.flat_map(|block| {
        let id = block.get("block_id").and_then(Value::as_str);
        let row = block.get("elements").and_then(Value::as_array).into_iter().flatten();
        row.chain(block.get("accessory")).map(move |element| (id, element))
    })
}

/// The link behind the first button of a message that the whole channel sees.
fn link_of(message: &Message) -> Option<&str> {
    let blocks = message.payload.get("blocks")?.as_array()?;
    let buttons = blocks.iter().filter_map(|block| block.get("elements")?.as_array()).flatten();
    let mut urls = buttons.filter_map(|button| button.get("url")?.as_str());
    if message.visibility == Visibility::Channel { urls.next() } else { None }
}

/// As it is read in Slack, where a channel has a name.
fn rendered(shown: &Value) -> String {
    slack::render(shown).replace(&format!("#{}", CHANNEL.0), CHANNEL.1)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn say(text: &str) {
    let _ = cli::print(&format!("{text}\n"));
}
