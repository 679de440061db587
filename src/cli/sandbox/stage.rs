//! The stage of a sandbox: the bot, its Slack, its Fivetran, and the time that they share.
//!
//! Owns how these are started and stopped, and what a person can do to them. Must not know who does it:
//! the terminal and the page are both users of it.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use stand_ins::fivetran::{self, FivetranStandIn};
use stand_ins::slack::{self, Ack, SlackStandIn};
use stand_ins::tape::{Party, Tape};
use tokio::sync::RwLock;

use super::bot::Bot;
use super::faults::Switched;
use super::relay::Relay;
use crate::clock::Clock;
use crate::config::{self, Vars};
use crate::outbound::{self, Network};

/// Where the typing in a terminal happens.
pub(super) const CHANNEL: (&str, &str) = ("C0CUSTOMER", "#customer-acme");
/// Who types there.
pub(super) const USER: &str = "U0ALICE";
/// How soon a bot that was started again takes up what the dead one had in hand, in seconds.
const LEASE: &str = "3";

/// Which Fivetran there is.
pub(super) enum Fivetran {
    /// The stand-in.
    StandIn(FivetranStandIn),
    /// The real one, by a relay that tells what passes.
    Real(Relay),
}

/// What is on it.
pub(super) struct Stage {
    pub(super) bot: Bot,
    pub(super) slack: SlackStandIn,
    pub(super) fivetran: Fivetran,
    /// The way of the customer's browser to the bot.
    landing: Relay,
    pub(super) switched: Switched,
    pub(super) tape: Tape,
    pub(super) clock: Clock,
    /// Held for reading by whatever Slack sends, and for writing while the time moves: a signature must
    /// not be older than it is.
    time: RwLock<()>,
    folder: Folder,
}

/// A folder for this user alone, which is gone with its holder.
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("connect-card-sandbox-{}", random()?));
        // What is there already is somebody else's.
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is one of the system's temporary ones, and does no harm if it stays.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What cannot be guessed: 128 bits, as 22 letters that stand in an address and a file name.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    let none = |_| io::Error::other("the system gives no random numbers");
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

impl Stage {
    /// Starts everything; with `real`, with the Fivetran that these variables lead to.
    pub(super) async fn start(real: Option<&Vars>) -> Result<Self, Box<dyn std::error::Error>> {
        let (tape, clock) = (Tape::default(), Clock::default());
        let folder = Folder::make()?;
        let database = format!("sqlite:{}", folder.0.join("connect-card.db").display());
        // Whoever knows the well-known ones could ask a bot for something that has a real account.
        let secrets = match real {
            // A bot token has no other signs in it.
            Some(_) => {
                Secrets { signing: random()?, token: format!("xoxb-{}", random()?.replace(['-', '_'], "0")) }
            }
            None => Secrets::default(),
        };
        let slack = {
            let (clock, client) = (clock.clone(), outbound::client(&Network::default())?);
            SlackStandIn::start_with(move || clock.now(), client, &secrets.signing, &secrets.token).await?
        };
        slack.tape(&tape);
        let mut vars: Vec<(String, String)> = Vec::new();
        let fivetran = match real {
            None => {
                let clock = clock.clone();
                let fivetran = FivetranStandIn::start(move || clock.now()).await?;
                fivetran.tape(&tape);
                Fivetran::StandIn(fivetran)
            }
            Some(theirs) => {
                let config::LinkConfig { fivetran, network, .. } = config::link(theirs)?;
                let client = outbound::client(&network)?;
                vars.extend(theirs.of_fivetran());
                let relay = Relay::start(client, (Party::Bot, Party::Fivetran), &tape, &clock).await?;
                relay.lead_to(&fivetran.api_url);
                Fivetran::Real(relay)
            }
        };
        let client = outbound::client(&Network::default())?;
        let landing = Relay::start(client, (Party::Browser, Party::Bot), &tape, &clock).await?;
        let mut set = |name: &str, value: &str| {
            vars.retain(|(known, _)| known != name);
            vars.push((name.to_owned(), value.to_owned()));
        };
        for (name, value) in slack_vars(&slack, &secrets) {
            set(name, &value);
        }
        match &fivetran {
            Fivetran::StandIn(fivetran) => {
                for (name, value) in fivetran_vars(fivetran) {
                    set(name, &value);
                }
            }
            Fivetran::Real(relay) => set("FIVETRAN_API_URL", &relay.url),
        }
        set("PUBLIC_URL", &landing.url);
        set("DATABASE_URL", &database);
        set("LEASE_SECONDS", LEASE);
        let bot = Bot::start(vars, &tape, &clock).await?;
        landing.lead_to(&bot.url);
        let (switched, time) = (Switched::default(), RwLock::default());
        Ok(Self { bot, slack, fivetran, landing, switched, tape, clock, time, folder })
    }

    /// Somebody writes in a channel; what comes of it appears there.
    pub(super) async fn write(&self, typed: &str, channel: &str, user: &str) {
        let _time = self.time.read().await;
        self.slack.write(&self.bot.url, typed, channel, user).await;
    }

    /// Types a slash command in the terminal.
    pub(super) async fn command(&self, typed: &str) -> io::Result<Ack> {
        let _time = self.time.read().await;
        self.slack.command(&self.bot.url, typed, CHANNEL.0, USER).await
    }

    /// Does something that makes Slack call the bot, while the time stands still.
    pub(super) async fn with_slack<T>(
        &self,
        act: impl AsyncFnOnce(&SlackStandIn, &str) -> io::Result<T>,
    ) -> io::Result<T> {
        let _time = self.time.read().await;
        act(&self.slack, &self.bot.url).await
    }

    /// Moves the time ahead for everybody. The real Fivetran's stands where it is, so there it is
    /// refused.
    pub(super) async fn advance(&self, by: Duration) -> Result<(), &'static str> {
        if let Fivetran::Real(_) = self.fivetran {
            return Err("The real Fivetran's clock can't be moved.");
        }
        let _time = self.time.write().await;
        self.clock.advance(by);
        self.bot.advance(by).await;
        self.tape.touch();
        Ok(())
    }

    /// How far the time is ahead of the real one.
    pub(super) fn ahead(&self) -> Duration {
        self.clock.ahead()
    }

    /// Switches a fault on or off.
    pub(super) fn switch(&self, name: &str, on: bool) -> Result<(), &'static str> {
        let Fivetran::StandIn(fivetran) = &self.fivetran else {
            return Err("Faults can't be switched on with the real Fivetran.");
        };
        let known = self.switched.set(name, on, &self.slack, fivetran);
        self.tape.touch();
        if known { Ok(()) } else { Err("There's no fault with that name.") }
    }

    /// Stops everything.
    pub(super) async fn stop(&self) {
        self.bot.stop().await;
        self.slack.shutdown();
        self.landing.stop();
        match &self.fivetran {
            Fivetran::StandIn(fivetran) => fivetran.shutdown(),
            Fivetran::Real(relay) => relay.stop(),
        }
    }

    /// A file of this name in the sandbox's own folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }
}

/// What Slack and the bot know of each other.
pub(super) struct Secrets {
    signing: String,
    token: String,
}

impl Default for Secrets {
    /// Those that everybody knows.
    fn default() -> Self {
        Self { signing: slack::SIGNING_SECRET.to_owned(), token: slack::BOT_TOKEN.to_owned() }
    }
}

/// The variables that lead a bot to this stand-in instead of to Slack.
pub(super) fn slack_vars(slack: &SlackStandIn, secrets: &Secrets) -> [(&'static str, String); 4] {
    [
        ("SLACK_API_URL", slack.api_url()),
        ("SLACK_RESPONSE_URL_ORIGINS", slack.url()),
        ("SLACK_SIGNING_SECRET", secrets.signing.clone()),
        ("SLACK_BOT_TOKEN", secrets.token.clone()),
    ]
}

/// The variables that lead a bot to this stand-in instead of to Fivetran.
pub(super) fn fivetran_vars(fivetran: &FivetranStandIn) -> [(&'static str, String); 4] {
    [
        ("FIVETRAN_API_URL", fivetran.url()),
        ("FIVETRAN_API_KEY", fivetran::API_KEY.to_owned()),
        ("FIVETRAN_API_SECRET", fivetran::API_SECRET.to_owned()),
        ("FIVETRAN_GROUP_ID", fivetran::GROUP_ID.to_owned()),
    ]
}
