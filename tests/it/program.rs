//! The real binary in a clean environment and a folder of its own.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use stand_ins::fivetran::FivetranStandIn;
use stand_ins::slack::{Ack, SlackStandIn};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::harness::{CHANNEL, USER, stand_in_vars, until};

/// Longest run of a task that ends by itself, and longest shutdown.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a task printed and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with its variables; nothing of the test's own environment reaches it.
pub(crate) struct Program {
    folder: TempDir,
    vars: Vec<(String, String)>,
}

impl Program {
    /// With no variables at all.
    pub(crate) fn bare() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), vars: Vec::new() }
    }

    /// With all that `serve` needs to work against these stand-ins, on a port of the system's choice.
    pub(crate) fn against(slack: &SlackStandIn, fivetran: &FivetranStandIn) -> Self {
        let mut program = Self::bare();
        program.vars = stand_in_vars(slack, fivetran);
        let database = format!("sqlite:{}", program.database().display());
        program
            .with("DATABASE_URL", &database)
            .with("PUBLIC_URL", "http://127.0.0.1:3000")
            .with("HOST", "127.0.0.1")
            .with("PORT", "0")
    }

    /// Sets a variable, in place of what it was.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let mut program = self.without(name);
        program.vars.push((name.to_owned(), value.to_owned()));
        program
    }

    /// Takes a variable away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.vars.retain(|(known, _)| known != name);
        self
    }

    /// The working folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("bot.db")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_connect-card"));
        command
            .args(arguments)
            .env_clear()
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a task to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let running = self.command(arguments).output();
        let output = tokio::time::timeout(PATIENCE, running).await.expect("it ends").unwrap();
        Output {
            code: output.status.code().expect("no signal ends it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a task to its end with something typed into it.
    pub(crate) async fn run_typing(&self, arguments: &[&str], typed: &str) -> Output {
        let input = self.folder().join("typed");
        std::fs::write(&input, typed).unwrap();
        let mut command = self.command(arguments);
        let running = command.stdin(File::open(&input).unwrap()).output();
        let output = tokio::time::timeout(PATIENCE, running).await.expect("it ends").unwrap();
        Output {
            code: output.status.code().expect("no signal ends it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a task whose standard output nobody reads. Gives what it says on standard error.
    pub(crate) async fn run_into_closed_pipe(&self, arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output =
            tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts `serve` and waits until it listens.
    pub(crate) async fn serve(&self) -> Running {
        let log = tempfile::NamedTempFile::new_in(self.folder()).unwrap().into_temp_path().keep().unwrap();
        let file = File::create(&log).unwrap();
        let mut command = self.command(&["serve"]);
        let mut child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let url = until("the bot to listen", async || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", std::fs::read_to_string(&log).unwrap());
            }
            let text = std::fs::read_to_string(&log).unwrap();
            let line = text.lines().find(|line| line.contains(r#""message":"listening""#))?;
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(format!("http://{}", line["address"].as_str()?))
        })
        .await;
        Running { child, url, log }
    }
}

/// A running `serve`; it is killed when the test ends early.
pub(crate) struct Running {
    child: Child,
    pub(crate) url: String,
    log: PathBuf,
}

impl Running {
    /// Types what follows `/connect-card`; the bot must acknowledge with 200.
    pub(crate) async fn send(&self, slack: &SlackStandIn, arguments: &str) -> Ack {
        self.send_in(slack, CHANNEL, arguments).await
    }

    /// The same in another channel.
    pub(crate) async fn send_in(&self, slack: &SlackStandIn, channel: &str, arguments: &str) -> Ack {
        let typed = format!("/connect-card {arguments}");
        let ack = slack.command(&self.url, &typed, channel, USER).await.unwrap();
        assert_eq!(ack.status, 200, "{typed}: {}", ack.text());
        ack
    }

    /// All that it has printed so far, on both streams.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Asks it to end, and gives its exit code, how long that took, and all that it printed.
    pub(crate) async fn terminate(mut self) -> (i32, Duration, String) {
        let began = Instant::now();
        self.signal("-TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it does not end: {}", self.printed())).unwrap();
        (status.code().expect("no signal ends it"), began.elapsed(), self.printed())
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(mut self) {
        self.signal("-KILL").await;
        let status = self.child.wait().await.unwrap();
        assert_eq!(status.code(), None);
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }
}

/// An address that is free now.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
