//! The real binary: in a clean environment and a folder of its own, on a port that stays its own
//! over restarts.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use stand_ins::fivetran::API_SECRET;
use stand_ins::slack::{APP_TOKEN, Ack, BOT_TOKEN, SIGNING_SECRET, SlackStandIn};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::postgres::Postgres;
use super::{CHANNEL, Outside, PATIENCE, USER, free_port, until};

/// Where a database lives.
#[derive(Clone, Copy)]
pub(crate) enum Engine {
    Sqlite,
    Postgres(&'static Postgres),
}

impl std::fmt::Display for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(if matches!(self, Self::Sqlite) { "SQLite" } else { "Postgres" })
    }
}

impl Engine {
    /// A program that needs no bot token, on a new database.
    pub(crate) fn program(self, outside: &Outside) -> Program {
        let program = Program::against(outside).without("SLACK_BOT_TOKEN");
        match self {
            Self::Sqlite => program,
            Self::Postgres(postgres) => program.with("DATABASE_URL", &postgres.database()),
        }
    }
}

/// The secrets of every test's configuration: no program ever prints one.
const STANDING: &[&str] = &[SIGNING_SECRET, BOT_TOKEN, APP_TOKEN, API_SECRET];
/// Parts of the secrets that come and go: a Connect Card's link, a response_url, a socket's address. Only the
/// answer to whoever asked for a link may have one.
const LIVING: &[&str] = &["auth=", "eyJ", "/commands/T0", "ticket="];
/// Starts that a bot may give up because its database is silent, in a run that often silences it.
const STARTS: usize = 20;

/// Asserts that a program has told none of these.
#[track_caller]
fn assert_no_secret(text: &str, secrets: &[&str], place: &str) {
    let told = secrets.iter().find(|secret| text.contains(**secret));
    assert!(told.is_none(), "{told:?} is in {place}: {text}");
}

/// What a task printed and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with its variables; nothing of the test's own environment reaches it. Clones share
/// the folder.
#[derive(Clone)]
pub(crate) struct Program {
    folder: Arc<TempDir>,
    vars: Vec<(String, String)>,
    port: u16,
}

impl Program {
    /// With no variables at all.
    pub(crate) fn bare() -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()), vars: Vec::new(), port: 0 }
    }

    /// With all that `serve` needs to work against these stand-ins, and a bot token.
    pub(crate) fn against(outside: &Outside) -> Self {
        let mut program = Self::bare();
        program.vars = outside.vars();
        let database = format!("sqlite:{}", program.database().display());
        program
            .with("DATABASE_URL", &database)
            .with("HOST", "127.0.0.1")
            // The stand-in does at once what it does at all.
            .with("CREATE_GRACE_MS", "3000")
            // Where the crash points find `kill`.
            .with("PATH", "/usr/local/bin:/usr/bin:/bin")
            .on_another_port()
    }

    /// The same on a port of its own.
    pub(crate) fn on_another_port(mut self) -> Self {
        self.port = free_port();
        let (port, url) = (self.port.to_string(), self.url());
        self.with("PORT", &port).with("PUBLIC_URL", &url)
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

    /// What a variable is set to.
    pub(crate) fn var(&self, name: &str) -> &str {
        self.vars.iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap()
    }

    /// The working folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database file, unless another database was set.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("bot.db")
    }

    /// Where `serve` listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Has its database do something, past the program.
    pub(crate) async fn sql(&self, statement: &str) {
        let (url, statement) = (self.var("DATABASE_URL"), sqlx::AssertSqlSafe(statement.to_owned()));
        if url.starts_with("sqlite:") {
            let mut db = sqlx::SqliteConnection::connect(url).await.unwrap();
            sqlx::query(statement).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
        } else {
            let mut db = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::query(statement).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
        }
    }

    /// The first column of what its database answers.
    pub(crate) async fn asks_its_database(&self, question: &str) -> Vec<String> {
        let (url, question) = (self.var("DATABASE_URL"), sqlx::AssertSqlSafe(question.to_owned()));
        if url.starts_with("sqlite:") {
            let mut db = sqlx::SqliteConnection::connect(url).await.unwrap();
            let answer = sqlx::query_scalar(question).fetch_all(&mut db).await.unwrap();
            db.close().await.unwrap();
            answer
        } else {
            let mut db = sqlx::PgConnection::connect(url).await.unwrap();
            let answer = sqlx::query_scalar(question).fetch_all(&mut db).await.unwrap();
            db.close().await.unwrap();
            answer
        }
    }

    /// Waits until every command has ended, those too of which a kill cut off the acknowledgement.
    pub(crate) async fn until_nothing_is_open(&self) {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let open = self.asks_its_database("SELECT id FROM command WHERE ended_at IS NULL").await;
            if open.is_empty() {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "waited in vain for {open:?} to end");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_connect-card"), arguments)
    }

    /// The same of another program that starts it.
    fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
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
        self.run_reading(arguments, Stdio::null()).await
    }

    /// Runs a task to its end with something typed into it.
    pub(crate) async fn run_typing(&self, arguments: &[&str], typed: &str) -> Output {
        let input = self.folder().join("typed");
        std::fs::write(&input, typed).unwrap();
        self.run_reading(arguments, File::open(&input).unwrap().into()).await
    }

    async fn run_reading(&self, arguments: &[&str], input: Stdio) -> Output {
        let mut command = self.command(arguments);
        let running = command.stdin(input).output();
        let output = tokio::time::timeout(PATIENCE, running).await.expect("it ends").unwrap();
        let output = Output {
            code: output.status.code().expect("no signal ends it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        // The sandbox prints its stand-ins' secrets, for whoever wants to use them.
        if arguments.first() != Some(&"sandbox") {
            assert_no_secret(&output.stdout, STANDING, "what it prints");
        }
        assert_no_secret(&output.stderr, STANDING, "what it says");
        assert_no_secret(&output.stderr, LIVING, "what it says");
        output
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

    /// Starts `serve` without waiting for it.
    pub(crate) fn spawn(&self) -> Process {
        self.spawn_by(env!("CARGO_BIN_EXE_connect-card"), &["serve"])
    }

    /// The same by another program that becomes `serve`.
    pub(crate) fn spawn_by(&self, program: &str, arguments: &[&str]) -> Process {
        let log = tempfile::Builder::new().prefix("log-").tempfile_in(self.folder()).unwrap();
        let log = log.into_temp_path().keep().unwrap();
        let file = File::create(&log).unwrap();
        let mut command = self.command_of(program, arguments);
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Process { child, port: self.port, log, _folder: Arc::clone(&self.folder) }
    }

    /// Starts `serve` and waits until it answers.
    pub(crate) async fn start(&self) -> Process {
        let mut process = self.spawn();
        process.until_it_answers().await;
        process
    }

    /// The same as a service manager does it: again, if it gave up because the database kept it waiting.
    pub(crate) async fn start_again_and_again(&self) -> Process {
        // A database that falls silent does so in one start or two, and not in every one.
        for _ in 0..STARTS {
            let mut process = self.spawn();
            let Some(status) = process.answers_or_ends().await else { return process };
            let log = process.log();
            assert!(log.contains("the database does not answer"), "the bot ended with {status}: {log}");
        }
        panic!("the bot gave up {STARTS} starts in a row");
    }
}

/// A running `serve`; it is killed when the test ends early.
pub(crate) struct Process {
    child: Child,
    port: u16,
    log: PathBuf,
    _folder: Arc<TempDir>,
}

impl Process {
    /// Waits until it answers requests; the socket alone is open a little earlier.
    pub(crate) async fn until_it_answers(&mut self) {
        if let Some(status) = self.answers_or_ends().await {
            panic!("the bot ended with {status}: {}", self.log());
        }
    }

    /// The same, or until it has ended: how.
    async fn answers_or_ends(&mut self) -> Option<ExitStatus> {
        until("the bot to answer", async || match self.child.try_wait().unwrap() {
            None => self.is_alive().await.then_some(None),
            ended => Some(ended),
        })
        .await
    }

    async fn is_alive(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let Ok(mut stream) = TcpStream::connect(address).await else { return false };
        let asked =
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n").await;
        let mut answer = Vec::new();
        asked.is_ok() && stream.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// All that it has printed so far, on both streams.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Types what follows `/connect-card`; the bot must acknowledge with 200.
    pub(crate) async fn send(&self, slack: &SlackStandIn, arguments: &str) -> Ack {
        self.send_in(slack, CHANNEL, arguments).await
    }

    /// The same in another channel.
    pub(crate) async fn send_in(&self, slack: &SlackStandIn, channel: &str, arguments: &str) -> Ack {
        let ack = self.try_to_send(slack, channel, arguments).await.unwrap();
        assert_eq!(ack.status, 200, "{arguments}: {}", ack.text());
        ack
    }

    /// The same to a bot that may die before it answers.
    pub(crate) async fn try_to_send(
        &self,
        slack: &SlackStandIn,
        channel: &str,
        arguments: &str,
    ) -> std::io::Result<Ack> {
        slack.command(&self.url(), &format!("/connect-card {arguments}"), channel, USER).await
    }

    /// Ends it as a crash would (SIGKILL), and waits for that.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end (SIGTERM).
    pub(crate) async fn terminate(&self) {
        self.signal("-TERM").await;
    }

    /// Has it read its secrets again (SIGHUP).
    pub(crate) async fn hang_up(&self) {
        self.signal("-HUP").await;
    }

    /// Wakes it after it was stopped (SIGCONT): for itself, no time has passed.
    pub(crate) async fn wake(&self) {
        self.signal("-CONT").await;
    }

    /// Has it stand still (SIGSTOP) until it is woken.
    pub(crate) async fn stand_still(&self) {
        self.signal("-STOP").await;
        self.until_it_is_stopped().await;
    }

    /// Waits until it has stopped itself (SIGSTOP).
    pub(crate) async fn until_it_is_stopped(&self) {
        let id = self.id().to_string();
        until("the process to be stopped", async || {
            let is_stopped = match std::fs::read_to_string(format!("/proc/{id}/stat")) {
                Ok(stat) => stat.contains(") T "),
                // Not on Linux.
                Err(_) => {
                    let shown = Command::new("ps").args(["-o", "state=", "-p", &id]).output().await.unwrap();
                    shown.stdout.starts_with(b"T")
                }
            };
            is_stopped.then_some(())
        })
        .await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }

    /// Asks it to end, and gives all that it printed until it has ended well.
    pub(crate) async fn stop(mut self) -> String {
        self.terminate().await;
        let status = self.wait().await;
        assert_eq!(status.code(), Some(0), "{}", self.log());
        self.log()
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it does not end: {}", self.log())).unwrap()
    }
}

/// Whatever a test is about, the log of every `serve` in it is looked through for secrets.
impl Drop for Process {
    fn drop(&mut self) {
        // What it says while it ends is read where a test waits for that.
        if !std::thread::panicking() {
            let log = std::fs::read(&self.log).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            assert_no_secret(&log, STANDING, "a log");
            assert_no_secret(&log, LIVING, "a log");
        }
    }
}
