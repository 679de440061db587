//! `connect-card init`: asks a person in a terminal for what the bot needs, keeps it in `.env`, runs the
//! check, and says the next step.
//!
//! Owns the words of the dialogue and what is kept when: each answer as soon as it has been tried, so that
//! whoever stops half-way goes on from there. It does nothing that cannot be done by hand, and never
//! replaces a value without asking.

mod channels;
mod destinations;
mod plan;
mod terminal;
mod trial;
mod words;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::Ordering;

use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::signal::unix::{SignalKind, signal};

use self::channels::Channel;
use self::destinations::Choice;
use self::plan::{Item, Known, Standing, Step, Way};
use self::terminal::{Answer, End, Terminal};
use self::trial::Verdict;
use self::words::Place;
use super::{Exit, check, plain, remark};
use crate::clock::Clock;
use crate::command::naming::Customer;
use crate::config::env_file::EnvFile;
use crate::config::{self, Faults, Vars, single};
use crate::fivetran::Fivetran;
use crate::fivetran::model::Group;
use crate::outbound;
use crate::slack::id::Kind;
use crate::slack::manifest::{self, Reached};

/// The file with the defaults of channels, if it is made here.
const CHANNELS_FILE: &str = "connect-card.toml";

/// Asks for what is missing.
///
/// # Errors
/// What is wrong with `.env` or with a variable that is not asked for.
pub async fn run(vars: Vars, clock: &Clock) -> Result<Exit, Faults> {
    let known = Known::of(|name| vars.is_set(name));
    let Some(terminal) = Terminal::of_this_process() else {
        remark(&words::by_hand("This asks in a terminal, and there is none", &known.missing()));
        return Ok(Exit::Usage);
    };
    let file = EnvFile::of_this_folder()?;
    let network = single::network(&vars)?;
    let (Ok(http), Ok(mut interrupts)) = (outbound::client(&network), signal(SignalKind::interrupt())) else {
        remark(outbound::without_client(&network));
        return Ok(Exit::Failed);
    };
    let hiding = terminal.hiding();
    let mut dialogue = Dialogue {
        terminal,
        file,
        http,
        known,
        vars,
        told: BTreeSet::new(),
        groups: Vec::new(),
        kept: Vec::new(),
        named: None,
    };
    let asked = {
        let mut asked = pin!(dialogue.hold());
        loop {
            tokio::select! {
                end = &mut asked => break end,
                _ = interrupts.recv() => if !hiding.load(Ordering::SeqCst) {
                    break Err(End::Stopped);
                },
            }
        }
    };
    let Dialogue { terminal, known, vars, kept, named, .. } = &dialogue;
    let (program, place) = (std::env::args().next().unwrap_or_default(), place(vars));
    match asked {
        Ok(()) => {}
        Err(End::Stopped) => {
            terminal.say(&words::stopped(&program, place, kept));
            return Ok(Exit::Failed);
        }
        Err(End::Unkept(faults)) => return Err(faults),
    }
    terminal.say("\nNow connect-card check:\n");
    let vars = Vars::from_process()?;
    let exit = tokio::select! {
        exit = check::look(&vars, clock) => exit,
        _ = interrupts.recv() => {
            terminal.say(words::UNCHECKED);
            return Ok(Exit::Failed);
        }
    };
    terminal.say(&match exit {
        Exit::Well => words::next(&program, known.way, place, named.as_deref()),
        _ => words::mend(&program, place),
    });
    Ok(exit)
}

/// Where `.env` is written. The image has no shell, so whoever runs this there can type nothing else.
fn place(vars: &Vars) -> Place {
    if !Path::new("/bin/sh").exists() {
        Place::Container
    } else if std::env::current_dir().is_ok_and(|folder| folder == Path::new(check::SERVICE_FOLDER)) {
        Place::Service { has_database: vars.is_set("DATABASE_URL") }
    } else {
        Place::Folder
    }
}

/// The dialogue with one person.
struct Dialogue {
    terminal: Terminal,
    file: EnvFile,
    http: Client,
    known: Known,
    /// What is set, those answers included that are kept.
    vars: Vars,
    /// What has been explained.
    told: BTreeSet<Item>,
    /// The destinations that the key sees, once they have been listed.
    groups: Vec<Group>,
    /// The variables that have been written.
    kept: Vec<&'static str>,
    /// The first channel that was given a customer.
    named: Option<String>,
}

impl Dialogue {
    async fn hold(&mut self) -> Result<(), End> {
        self.terminal.say(words::WELCOME);
        if let Some(found) = words::found(&self.known.found) {
            self.terminal.say(&found);
        }
        while let Some(step) = self.known.next() {
            match step {
                Step::AskWay => self.ask_way().await?,
                Step::ShowApp(way) => self.show_app(way),
                Step::Try(item) => self.try_again(item).await?,
                Step::Ask(Item::Destination) => self.ask_destination().await?,
                Step::Ask(item) => self.ask(item).await?,
                Step::AskChannels => {
                    self.ask_channels().await?;
                    self.known.channels_are_settled = true;
                }
            }
        }
        Ok(())
    }

    async fn ask_way(&mut self) -> Result<(), End> {
        self.terminal.say(words::WAYS);
        loop {
            self.known.way = match self.terminal.short("1 or 2 [1]:").await?.expose_secret() {
                "" | "1" => Some(Way::Socket),
                "2" => Some(Way::Https),
                _ => {
                    self.terminal.say(words::WAYS_AGAIN);
                    continue;
                }
            };
            return Ok(());
        }
    }

    fn show_app(&mut self, way: Way) {
        // A wrong one may have been left as it is.
        let address = single::public_url(&self.vars).ok();
        let reached = match (way, &address) {
            (Way::Socket, _) => Some(Reached::BySockets),
            (Way::Https, Some(address)) => Some(Reached::At(address)),
            (Way::Https, None) => None,
        };
        self.terminal.say(&match reached {
            Some(reached) => words::app(&manifest::link(&manifest::manifest(reached))),
            None => words::NO_APP.to_owned(),
        });
        self.known.has_app = true;
    }

    /// Tries what is set already. What is wrong is replaced only if the person wants that.
    async fn try_again(&mut self, item: Item) -> Result<(), End> {
        let why = match trial::of(item, &self.vars, &self.http).await {
            Verdict::Good(line) => {
                self.terminal.say(&format!("✓ {line}"));
                self.known.note(item, Standing::Settled);
                return Ok(());
            }
            Verdict::Unclear(why) => {
                self.terminal.say(&format!("· {why} {} stays as it is.", words::noun(item)));
                self.known.note(item, Standing::Settled);
                return Ok(());
            }
            Verdict::Wrong(why) => why,
        };
        self.terminal.say(&format!("✗ {why}"));
        if self.is_elsewhere(item) {
            self.terminal.say(words::ELSEWHERE);
            self.known.note(item, Standing::Settled);
            return Ok(());
        }
        // Whoever pasted a secret here wants to replace it, and is asked for it where it is hidden. Nothing
        // is replaced before that.
        let is_hidden = !matches!(item, Item::PublicUrl | Item::Destination);
        let standing = match self.terminal.answer("Replace it in .env?", true).await? {
            Answer::Yes => Standing::Missing,
            Answer::Neither if is_hidden => Standing::Missing,
            Answer::No | Answer::Neither => Standing::Settled,
        };
        self.known.note(item, standing);
        Ok(())
    }

    /// Whether a value in `.env` would not count: the environment goes before, and a file has its own.
    fn is_elsewhere(&self, item: Item) -> bool {
        let environment = Vars::from_environment();
        let has_file = |name: &str| self.vars.is_set(&format!("{name}_FILE"));
        item.variables().iter().any(|&name| {
            environment.is_set(name) || has_file(name) || (name == "CONFIG" && self.vars.is_set(name))
        })
    }

    /// Asks for an item once. If the answer is not kept, it is still missing and asked for again.
    async fn ask(&mut self, item: Item) -> Result<(), End> {
        if self.told.insert(item) {
            self.terminal.say(words::explanation(item));
        }
        let pairs = match item {
            Item::PublicUrl => {
                let url = self.terminal.line("Address:").await?;
                vec![("PUBLIC_URL", SecretString::from(url))]
            }
            Item::AppToken => vec![("SLACK_APP_TOKEN", self.terminal.hidden("App-level token:").await?)],
            Item::SigningSecret => {
                vec![("SLACK_SIGNING_SECRET", self.terminal.hidden("Signing secret:").await?)]
            }
            Item::BotToken => vec![("SLACK_BOT_TOKEN", self.terminal.hidden("Bot token:").await?)],
            Item::Key => match self.ask_key().await? {
                Some(pairs) => pairs,
                None => return Ok(()),
            },
            Item::Destination => {
                vec![(
                    "FIVETRAN_GROUP_ID",
                    SecretString::from(self.terminal.line("Destination Group ID:").await?),
                )]
            }
        };
        if pairs.iter().any(|(_, value)| value.expose_secret().is_empty()) {
            if item != Item::BotToken {
                self.terminal.say(words::NOTHING_TYPED);
                return Ok(());
            }
            self.terminal.say(words::WITHOUT_BOT_TOKEN);
            if self.terminal.yes("Leave it out?", false).await? {
                self.known.note(item, Standing::Settled);
            }
            return Ok(());
        }
        match trial::of(item, &self.with(&pairs), &self.http).await {
            Verdict::Good(line) => {
                self.keep(item, &pairs)?;
                self.terminal.say(&format!("✓ {line}"));
            }
            Verdict::Wrong(why) => self.terminal.say(&format!("✗ {why}")),
            Verdict::Unclear(why) => {
                self.terminal.say(&format!("· {why}"));
                if self.terminal.yes("Keep it anyway?", false).await? {
                    self.keep(item, &pairs)?;
                    self.terminal.say("Kept.");
                }
            }
        }
        Ok(())
    }

    /// Asks for both halves of a key, which one text may hold.
    async fn ask_key(&mut self) -> Result<Option<Vec<(&'static str, SecretString)>>, End> {
        const NAMES: [&str; 2] = ["FIVETRAN_API_KEY", "FIVETRAN_API_SECRET"];
        let [key_name, secret_name] = NAMES;
        let key = self.terminal.hidden("API key:").await?;
        if key.expose_secret().is_empty() {
            self.terminal.say(words::NOTHING_TYPED);
            return Ok(None);
        }
        let mut typed = vec![(key_name, key), (secret_name, SecretString::default())];
        let mut read = single::fivetran(&self.with(&typed));
        if let Err(faults) = &read
            && faults.0.iter().all(|fault| fault.variable == secret_name)
        {
            let secret = self.terminal.hidden("API secret:").await?;
            if secret.expose_secret().is_empty() {
                self.terminal.say(words::NOTHING_TYPED);
                return Ok(None);
            }
            typed.pop();
            typed.push((secret_name, secret));
            read = single::fivetran(&self.with(&typed));
        }
        match read {
            Ok(config) => Ok(Some(vec![(key_name, config.key.key), (secret_name, config.key.secret)])),
            Err(faults) if faults.0.iter().any(|fault| !NAMES.contains(&fault.variable.as_str())) => {
                Err(End::Unkept(faults))
            }
            Err(faults) => {
                // Of the secret that was not asked for there is nothing to say.
                let of_key = faults.0.iter().find(|fault| fault.variable == key_name).cloned();
                let faults = of_key.map_or(faults, |fault| Faults(vec![fault]));
                self.terminal.say(&format!("✗ {faults}"));
                Ok(None)
            }
        }
    }

    /// Asks for the destination, by name if the key sees any.
    async fn ask_destination(&mut self) -> Result<(), End> {
        if let Err(why) = self.list().await {
            self.terminal.say(&format!("\nThe destinations can't be listed: {why}."));
            return self.ask(Item::Destination).await;
        }
        if self.groups.is_empty() {
            self.terminal.say(words::NO_DESTINATION);
            return self.ask(Item::Destination).await;
        }
        let groups = std::mem::take(&mut self.groups);
        let chosen = self.choose(&groups, "Where should the data go?").await;
        self.groups = groups.clone();
        let Group { id, name } = chosen?;
        self.keep(Item::Destination, &[("FIVETRAN_GROUP_ID", SecretString::from(id.as_str()))])?;
        self.terminal.say(&format!("✓ Destination: {name} ({id})"));
        Ok(())
    }

    /// Lists the destinations that the key sees, unless that has been done.
    async fn list(&mut self) -> Result<(), String> {
        if self.groups.is_empty() {
            let config = single::fivetran(&self.vars).map_err(|faults| faults.to_string())?;
            let groups = Fivetran::new(self.http.clone(), config).groups().await;
            self.groups = groups.map_err(|error| error.to_string())?;
            self.groups.iter_mut().for_each(|group| group.name = plain(&group.name));
            self.groups.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        }
        Ok(())
    }

    /// Asks for one of several destinations.
    async fn choose(&self, groups: &[Group], question: &str) -> Result<Group, End> {
        let all: Vec<&Group> = groups.iter().collect();
        let mut shown = all.clone();
        loop {
            self.terminal.say(&format!("\n{question}\n{}", destinations::listed(&shown)));
            let prompt = if shown.len() == 1 { "Number [1]:" } else { "Number:" };
            let typed = self.terminal.line(prompt).await?;
            // What narrows the list down is looked for in all of it.
            match destinations::choice(&shown, &typed) {
                Choice::One(group) => return Ok(group.clone()),
                Choice::Some(found) => shown = found,
                Choice::None => match destinations::choice(&all, &typed) {
                    Choice::One(group) if !typed.is_empty() && typed.parse::<usize>().is_err() => {
                        return Ok(group.clone());
                    }
                    _ => {
                        self.terminal.say(words::CHOOSE);
                        shown.clone_from(&all);
                    }
                },
            }
        }
    }

    /// Asks for defaults of channels and writes the file `CONFIG`.
    async fn ask_channels(&mut self) -> Result<(), End> {
        self.terminal.say(words::CHANNELS);
        if !self.terminal.yes("Set channel defaults now?", false).await? {
            return Ok(());
        }
        let usual = config::destinations(&self.vars).ok().and_then(|known| known.default_group);
        let (Some(usual), false) = (usual, Path::new(CHANNELS_FILE).exists()) else {
            self.terminal.say(words::CHANNELS_BY_HAND);
            return Ok(());
        };
        // By hand, one may be chosen that is not on the list.
        let _ = self.list().await;
        let groups = self.groups.clone();
        let named = groups.iter().find(|group| group.id == usual);
        let usual = named.cloned().unwrap_or_else(|| Group { id: usual.clone(), name: usual });
        let mut found = Vec::new();
        while let Some(channel) = self.ask_channel(&usual, &groups).await? {
            found.retain(|known: &Channel| known.id != channel.id);
            found.push(channel);
        }
        if found.is_empty() {
            return Ok(());
        }
        let text = channels::text(&usual, &groups, &found);
        let made = OpenOptions::new().write(true).create_new(true).open(CHANNELS_FILE);
        if made.and_then(|mut file| file.write_all(text.as_bytes())).is_err() {
            self.terminal.say(&format!("✗ {CHANNELS_FILE} cannot be written here."));
            return Ok(());
        }
        let pairs = [("CONFIG", SecretString::from(CHANNELS_FILE))];
        config::destinations(&self.with(&pairs)).map_err(End::Unkept)?;
        self.keep(Item::Destination, &pairs)?;
        self.terminal.say(&format!("✓ {CHANNELS_FILE}: {} set", counted(found.len())));
        self.named = found.into_iter().find(|channel| channel.customer.is_some()).map(|channel| channel.id);
        self.terminal.say(words::CHANNELS_IN_CONTAINER);
        Ok(())
    }

    /// Asks for one channel; nothing, once there are no more.
    async fn ask_channel(&self, usual: &Group, groups: &[Group]) -> Result<Option<Channel>, End> {
        let id = loop {
            let id = self.terminal.line("\nChannel id (Enter: no more):").await?;
            if id.is_empty() {
                return Ok(None);
            }
            if Kind::Channel.has(&id) {
                break id;
            }
            self.terminal.say(words::CHANNEL_ID);
        };
        let customer = loop {
            let typed = self.terminal.line("Its customer, such as acme (Enter: none):").await?;
            if typed.is_empty() || Customer::parse(&typed).is_ok() {
                break Some(typed).filter(|typed| !typed.is_empty());
            }
            self.terminal.say(words::CUSTOMER);
        };
        let question = format!("Another destination than {}?", usual.name);
        let group = if groups.len() > 1 && self.terminal.yes(&question, false).await? {
            Some(self.choose(groups, "Which one?").await?.id)
        } else {
            None
        };
        let reminders =
            self.terminal.yes("Remind people there of links that nobody has finished?", false).await?;
        Ok(Some(Channel { id, customer, group, reminders }))
    }

    /// What is set, with answers that are not kept yet.
    fn with(&self, pairs: &[(&'static str, SecretString)]) -> Vars {
        self.vars.with(pairs.iter().map(|(name, value)| (*name, value.expose_secret())))
    }

    /// Keeps an answer in `.env`.
    fn keep(&mut self, item: Item, pairs: &[(&'static str, SecretString)]) -> Result<(), End> {
        self.file.set(pairs).map_err(End::Unkept)?;
        self.vars = Vars::from_process().map_err(End::Unkept)?;
        self.kept.extend(pairs.iter().map(|(name, _)| *name));
        self.known.note(item, Standing::Settled);
        Ok(())
    }
}

fn counted(channels: usize) -> String {
    if channels == 1 { "1 channel".to_owned() } else { format!("{channels} channels") }
}
