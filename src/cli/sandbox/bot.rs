//! The bot of a sandbox as the sandbox sees it: a process that is started, asked, killed in the middle
//! of a step, and started again.
//!
//! Owns the process and its deaths. `child` is the other end of the pipe. Must not know what the bot is
//! made of.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use stand_ins::tape::{Caught, Party, Tape};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};

use super::child::{Order, Word};
use crate::cli;
use crate::clock::Clock;

/// For how long a dead bot stays dead, so that a person sees it.
const DEAD_FOR: Duration = Duration::from_secs(1);
/// Longest wait for its word: it has little to do for any.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for a bot to stop by itself, which takes it some seconds at most.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What the bot is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It runs.
    Running,
    /// It runs, and will die in the middle of its next step.
    Armed,
    /// It is dead.
    Dead,
    /// It starts again.
    Starting,
}

/// One death.
#[derive(Clone, Debug)]
pub(super) struct Death {
    /// When.
    pub(super) at: Timestamp,
    /// In the middle of what.
    pub(super) step: String,
    /// Whether that was in the middle of a step that it had been waited for in.
    pub(super) in_a_step: bool,
}

/// How the bot is.
#[derive(Clone, Debug)]
pub(super) struct Health {
    pub(super) state: State,
    /// The process that runs, if one does.
    pub(super) pid: Option<u32>,
    /// Its deaths, oldest first.
    pub(super) deaths: Vec<Death>,
}

/// When to kill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At once.
    Now,
    /// In the middle of its next step: what it asked for is done, and it dies before it hears so.
    InAStep,
}

enum Asked {
    Kill(When),
    Advance(Duration, oneshot::Sender<()>),
    IsOpen(oneshot::Sender<bool>),
    Stop(oneshot::Sender<()>),
}

/// A handle on the bot.
pub(super) struct Bot {
    /// Where it listens, from its first start to the last.
    pub(super) url: String,
    asked: mpsc::Sender<Asked>,
    health: watch::Receiver<Health>,
}

/// The process with its pipes.
struct Process {
    child: Child,
    orders: ChildStdin,
    words: Lines<BufReader<ChildStdout>>,
    port: u16,
}

/// Whoever keeps the process running.
struct Keeper {
    vars: Vec<(String, String)>,
    port: u16,
    ahead: Duration,
    tape: Tape,
    clock: Clock,
    health: watch::Sender<Health>,
}

impl Bot {
    /// Starts it with these variables; `clock` is the sandbox's own.
    pub(super) async fn start(vars: Vec<(String, String)>, tape: &Tape, clock: &Clock) -> io::Result<Self> {
        let health = Health { state: State::Starting, pid: None, deaths: Vec::new() };
        let (health, seen) = watch::channel(health);
        let (tape, clock) = (tape.clone(), clock.clone());
        let mut keeper = Keeper { vars, port: 0, ahead: Duration::ZERO, tape, clock, health };
        let process = keeper.launch().await?;
        keeper.port = process.port;
        let url = format!("http://127.0.0.1:{}", process.port);
        let (asked, orders) = mpsc::channel(16);
        tokio::spawn(keeper.keep(process, orders));
        Ok(Self { url, asked, health: seen })
    }

    /// How it is, now and from now on.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Kills it; it starts again by itself.
    pub(super) async fn kill(&self, when: When) {
        let _ = self.asked.send(Asked::Kill(when)).await;
    }

    /// Moves its clock ahead, be it in its next life.
    pub(super) async fn advance(&self, by: Duration) {
        let (done, wait) = oneshot::channel();
        if self.asked.send(Asked::Advance(by, done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// Whether one of its commands is still open, or a message not as it should be.
    pub(super) async fn is_open(&self) -> bool {
        let (answer, wait) = oneshot::channel();
        self.asked.send(Asked::IsOpen(answer)).await.is_ok() && wait.await.unwrap_or(false)
    }

    /// Stops it in its own time.
    pub(super) async fn stop(&self) {
        let (stopped, wait) = oneshot::channel();
        if self.asked.send(Asked::Stop(stopped)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

impl Keeper {
    /// Starts a process, and waits until it listens.
    async fn launch(&self) -> io::Result<Process> {
        // On Linux this is the same program even where its file has been replaced, as by a build.
        let myself =
            if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
        let mut command = Command::new(myself);
        command.args(["sandbox", "--bot"]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // A Ctrl-C is for the sandbox, which then stops the bot.
        command.process_group(0);
        let mut child = command.spawn()?;
        let lost = || io::Error::other("the bot's process has no pipes");
        let orders = child.stdin.take().ok_or_else(lost)?;
        let words = BufReader::new(child.stdout.take().ok_or_else(lost)?).lines();
        let mut process = Process { child, orders, words, port: self.port };
        let ahead_ms = u64::try_from(self.ahead.as_millis()).unwrap_or(u64::MAX);
        let start = Order::Start { vars: self.vars.clone(), port: self.port, ahead_ms };
        let late = |_| io::Error::other("it does not answer");
        match tokio::time::timeout(ANSWER_LIMIT, process.ask(&start)).await.map_err(late)?? {
            Word::Ready(port) => process.port = port,
            Word::Failed(why) => return Err(io::Error::other(why)),
            other => return Err(io::Error::other(format!("the bot said {other:?}"))),
        }
        let pid = process.child.id();
        self.change(|health| (health.state, health.pid) = (State::Running, pid));
        Ok(process)
    }

    /// Keeps it running until it is to stop, or nobody holds its handle any more.
    async fn keep(mut self, first: Process, mut orders: mpsc::Receiver<Asked>) {
        let mut process = Some(first);
        let mut trap: Option<oneshot::Receiver<Caught>> = None;
        loop {
            let end = tokio::select! {
                // What was caught waits for its end before anything else is asked for.
                biased;
                end = caught(&mut trap) => end,
                _ = ended(&mut process) => Some(End::of("It ended by itself.")),
                order = orders.recv() => match order {
                    None => return,
                    Some(Asked::Stop(stopped)) => {
                        if let Some(process) = process.take() {
                            process.stop().await;
                        }
                        let _ = stopped.send(());
                        return;
                    }
                    Some(Asked::Kill(When::InAStep)) if process.is_some() => {
                        trap = Some(self.tape.trap());
                        self.change(|health| health.state = State::Armed);
                        continue;
                    }
                    Some(Asked::Kill(_)) => Some(End::of("It was killed at once, whatever it was at.")),
                    Some(Asked::Advance(by, done)) => {
                        self.ahead += by;
                        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
                        // One that is dead takes it up in its next life.
                        let end = self.order(&mut process, &Order::Advance(ms)).await.err();
                        let _ = done.send(());
                        end
                    }
                    Some(Asked::IsOpen(answer)) => match self.order(&mut process, &Order::IsOpen).await {
                        Ok(word) => {
                            let _ = answer.send(matches!(word, Some(Word::Open(true))));
                            None
                        }
                        Err(end) => Some(end),
                    },
                },
            };
            let Some(end) = end else { continue };
            trap = None;
            process = self.bury(process.take(), end).await;
        }
    }

    /// Asks the bot, if there is one; one that does not answer has come to its end.
    async fn order(&self, process: &mut Option<Process>, order: &Order) -> Result<Option<Word>, End> {
        let Some(process) = process else { return Ok(None) };
        match tokio::time::timeout(ANSWER_LIMIT, process.ask(order)).await {
            Ok(Ok(word)) => Ok(Some(word)),
            Ok(Err(_)) => Err(End::of("It ended by itself.")),
            Err(_) => Err(End::of("It hung, and was killed.")),
        }
    }

    /// Waits for whatever Slack has asked the bot; Slack itself does not wait for long.
    async fn until_slack_is_answered(&self) {
        let mut changes = self.tape.changes();
        while self.tape.is_awaited(Party::Bot) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Kills it if it still lives, and starts it again after a while. Without one that starts it stays
    /// dead until somebody kills it once more.
    async fn bury(&self, process: Option<Process>, end: End) -> Option<Process> {
        if end.caught.is_some() {
            // So that a command that is killed is an acknowledged one.
            self.until_slack_is_answered().await;
        }
        if let Some(mut process) = process {
            // SIGKILL: it has no time to write or say anything more.
            let _ = process.child.kill().await;
            let death = Death { at: self.clock.now(), step: end.step, in_a_step: end.caught.is_some() };
            if let Some(caught) = &end.caught {
                self.tape.bury(caught.n);
            }
            self.change(|health| {
                (health.state, health.pid) = (State::Dead, None);
                health.deaths.push(death);
            });
        }
        drop(end.caught);
        tokio::time::sleep(DEAD_FOR).await;
        self.change(|health| health.state = State::Starting);
        match self.launch().await {
            Ok(process) => Some(process),
            Err(error) => {
                cli::remark(&format!("the bot could not start again: {error}"));
                self.change(|health| health.state = State::Dead);
                None
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Health)) {
        self.health.send_modify(change);
        self.tape.touch();
    }
}

impl Process {
    async fn ask(&mut self, order: &Order) -> io::Result<Word> {
        let line = format!("{}\n", serde_json::to_string(order)?);
        self.orders.write_all(line.as_bytes()).await?;
        self.orders.flush().await?;
        let gone = || io::Error::other("the bot's process has ended");
        let answer = self.words.next_line().await?.ok_or_else(gone)?;
        Ok(serde_json::from_str(&answer)?)
    }

    async fn stop(self) {
        let Self { mut child, orders, .. } = self;
        drop(orders);
        // What it does not finish in time ends with it: nobody looks at this sandbox any more.
        let _ = tokio::time::timeout(STOP_LIMIT, child.wait()).await;
    }
}

/// How the bot came to its end.
struct End {
    step: String,
    /// The exchange in whose middle.
    caught: Option<Caught>,
}

impl End {
    fn of(step: &str) -> Self {
        Self { step: step.to_owned(), caught: None }
    }
}

/// What fell into the trap; nothing ever, where none is set.
async fn caught(trap: &mut Option<oneshot::Receiver<Caught>>) -> Option<End> {
    let Some(set) = trap else { return std::future::pending().await };
    let Ok(caught) = set.await else {
        // Another one has been set in its place.
        *trap = None;
        return None;
    };
    let whom = if caught.to == Party::Slack { "Slack" } else { "Fivetran" };
    let step = format!("{}: {whom} had answered, and the bot died before it heard.", caught.label);
    Some(End { step, caught: Some(caught) })
}

/// When the process ends; never, where there is none.
async fn ended(process: &mut Option<Process>) {
    match process {
        Some(process) => drop(process.child.wait().await),
        None => std::future::pending().await,
    }
}
