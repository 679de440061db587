//! The real binary as a process of its own, between stand-ins that live in the test's process and
//! so outlive it.
//!
//! Owns starting, killing and watching it. The judge of every test that uses it is what the
//! stand-ins saw, not what the bot's own table says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use stand_ins::fivetran::{self, FivetranStandIn};
use stand_ins::slack::{self, Ack, SlackStandIn, Visibility};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::stand_ins;

/// How long anything that must happen is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// The channel and the person of every command.
pub(crate) const CHANNEL: &str = "C0CUSTOMER";
pub(crate) const USER: &str = "U0ALICE";

/// A port that nobody listens on, now or while a process that is to listen there is restarted: below
/// those that the system gives to outgoing connections, and each given once.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + std::process::id() % 89 * 100;
        let port = 20_000 + u16::try_from(offset % 10_000).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Both outside parties.
#[derive(Clone)]
pub(crate) struct Outside {
    pub slack: SlackStandIn,
    pub fivetran: FivetranStandIn,
}

impl Outside {
    pub(crate) async fn start() -> Self {
        let (slack, fivetran) = stand_ins().await;
        Self { slack, fivetran }
    }

    /// The messages that carry a command's reference: first the links, then the failures.
    pub(crate) fn messages_by_reference(&self) -> HashMap<String, (usize, usize)> {
        let mut found = HashMap::new();
        for message in self.slack.messages() {
            let Some(reference) = reference(&message.rendered()) else { continue };
            let counts: &mut (usize, usize) = found.entry(reference).or_default();
            match message.visibility {
                Visibility::Channel => counts.0 += 1,
                Visibility::Ephemeral => counts.1 += 1,
            }
        }
        found
    }

    /// Whether a command's failure says that a link may have been posted all the same.
    pub(crate) fn says_so(&self, wanted: &str) -> bool {
        let messages = self.slack.messages();
        let mut failures = messages.iter().filter(|message| message.visibility == Visibility::Ephemeral);
        failures.any(|message| {
            let text = message.rendered();
            reference(&text).as_deref() == Some(wanted) && text.contains("Slack never confirmed")
        })
    }

    /// When each command's messages were posted, by Slack's clock in seconds.
    pub(crate) fn post_times(&self) -> HashMap<String, Vec<f64>> {
        let mut found: HashMap<String, Vec<f64>> = HashMap::new();
        for message in self.slack.messages() {
            if let Some(reference) = reference(&message.rendered()) {
                found.entry(reference).or_default().push(message.ts.parse().unwrap());
            }
        }
        found
    }

    /// How many connections there are of each name.
    pub(crate) fn connections_by_name(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for connection in self.fivetran.connections() {
            *counts.entry(connection["schema"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    /// Waits until each of `references` has had its link or its sentence.
    pub(crate) async fn until_all_ended(&self, references: &HashSet<String>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.messages_by_reference();
            let open: Vec<_> = references.iter().filter(|reference| !seen.contains_key(*reference)).collect();
            if open.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {} commands have not ended: {open:?}",
                open.len(),
                references.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Says something past the capture of the test harness: seeds and counts are there to be read.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The reference that an acknowledgement or a message shows.
pub(crate) fn reference(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Ref `")?;
    Some(rest.split_once('`')?.0.to_owned())
}

/// The reference of a command that was accepted; `None` if it was not.
pub(crate) fn accepted(ack: &Ack) -> Option<String> {
    let text = slack::render(&ack.json());
    (ack.status == 200 && text.contains("Making a link")).then(|| reference(&text)).flatten()
}

/// The time in seconds, as Slack's message ids tell it.
pub(crate) fn now() -> f64 {
    connect_card::clock::Clock::default().now().as_millisecond() as f64 / 1e3
}

/// Waits until `done`, or fails saying what was waited for.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How a process is to run.
#[derive(Clone)]
pub(crate) struct Setup {
    pub database: String,
    pub port: u16,
    pub extra: Vec<(String, String)>,
    pub log: PathBuf,
}

impl Setup {
    pub(crate) fn new(database: String, log: PathBuf) -> Self {
        Self { database, port: free_port(), extra: Vec::new(), log }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the process without waiting for it.
    pub(crate) fn spawn(&self, outside: &Outside) -> Process {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_connect-card"))
            .arg("serve")
            .env_clear()
            // Where the crash points find `kill`.
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOST", "127.0.0.1")
            .env("PORT", self.port.to_string())
            .env("PUBLIC_URL", self.url())
            .env("DATABASE_URL", &self.database)
            .env("SLACK_SIGNING_SECRET", slack::SIGNING_SECRET)
            .env("SLACK_API_URL", outside.slack.api_url())
            .env("SLACK_RESPONSE_URL_ORIGINS", outside.slack.url())
            .env("FIVETRAN_API_URL", outside.fivetran.url())
            .env("FIVETRAN_API_KEY", fivetran::API_KEY)
            .env("FIVETRAN_API_SECRET", fivetran::API_SECRET)
            .env("FIVETRAN_GROUP_ID", fivetran::GROUP_ID)
            .env("LOG_FORMAT", "json")
            .env("RUST_LOG", "info")
            .envs(self.extra.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Process { child, setup: self.clone() }
    }

    /// Starts the process and waits until it listens.
    pub(crate) async fn start(&self, outside: &Outside) -> Process {
        let mut process = self.spawn(outside);
        process.until_it_listens().await;
        process
    }
}

/// A running bot.
pub(crate) struct Process {
    child: Child,
    setup: Setup,
}

impl Process {
    pub(crate) async fn until_it_listens(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.answers().await {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the bot does not start: {ended:?}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether it answers requests; the socket alone is open a little earlier.
    async fn answers(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.setup.port));
        let Ok(mut stream) = TcpStream::connect(address).await else { return false };
        let asked =
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n").await;
        let mut answer = Vec::new();
        asked.is_ok() && stream.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200")
    }

    pub(crate) fn url(&self) -> String {
        self.setup.url()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.setup.log).unwrap_or_default()
    }

    /// Ends it as the kernel would (SIGKILL) and waits for that.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end (SIGTERM).
    pub(crate) fn terminate(&self) {
        let id = self.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }

    /// Sends a slash command to it.
    pub(crate) async fn send(&self, outside: &Outside, typed: &str) -> std::io::Result<Ack> {
        outside.slack.command(&self.url(), typed, CHANNEL, USER).await
    }
}
