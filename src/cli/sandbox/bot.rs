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

    /// Whether one of its commands is still open.
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
        let mut command = Command::new(std::env::current_exe()?);
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
        match process.ask(&start).await? {
            Word::Ready(port) => process.port = port,
            Word::Failed(why) => return Err(io::Error::other(why)),
            other => return Err(io::Error::other(format!("the bot said {other:?}"))),
        }
        let pid = process.child.id();
        self.change(|health| (health.state, health.pid) = (State::Running, pid));
        Ok(process)
    }

    /// Keeps it running until it is to stop, or nobody holds its handle any more.
    async fn keep(mut self, mut process: Process, mut orders: mpsc::Receiver<Asked>) {
        let mut trap: Option<oneshot::Receiver<Caught>> = None;
        loop {
            let (caught, step) = tokio::select! {
                order = orders.recv() => match order {
                    None => return process.stop().await,
                    Some(Asked::Stop(stopped)) => {
                        process.stop().await;
                        let _ = stopped.send(());
                        return;
                    }
                    Some(Asked::Kill(When::InAStep)) => {
                        trap = Some(self.tape.trap());
                        self.change(|health| health.state = State::Armed);
                        continue;
                    }
                    Some(Asked::Kill(When::Now)) => (None, "It was killed between two steps.".to_owned()),
                    Some(Asked::Advance(by, done)) => {
                        self.ahead += by;
                        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
                        // One that has just died takes it up in its next life.
                        let _ = process.ask(&Order::Advance(ms)).await;
                        let _ = done.send(());
                        continue;
                    }
                    Some(Asked::IsOpen(answer)) => {
                        let open = matches!(process.ask(&Order::IsOpen).await, Ok(Word::Open(true)));
                        let _ = answer.send(open);
                        continue;
                    }
                },
                caught = caught(&mut trap) => {
                    // So that a command that is killed is an acknowledged one.
                    self.until_slack_is_answered().await;
                    let step = told(&caught);
                    (Some(caught), step)
                }
                _ = process.child.wait() => (None, "It ended by itself.".to_owned()),
            };
            trap = None;
            process = match self.bury(process, caught, step).await {
                Ok(process) => process,
                Err(error) => {
                    cli::remark(&format!("the bot could not start again: {error}"));
                    return;
                }
            };
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

    /// Kills it if it still lives, and starts it again after a while.
    async fn bury(&self, mut process: Process, caught: Option<Caught>, step: String) -> io::Result<Process> {
        // SIGKILL: it has no time to write or say anything more.
        process.child.kill().await?;
        let death = Death { at: self.clock.now(), step };
        self.change(|health| {
            (health.state, health.pid) = (State::Dead, None);
            health.deaths.push(death);
        });
        drop(caught);
        tokio::time::sleep(DEAD_FOR).await;
        self.change(|health| health.state = State::Starting);
        self.launch().await
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

/// What fell into the trap; nothing ever, where none is set.
async fn caught(trap: &mut Option<oneshot::Receiver<Caught>>) -> Caught {
    match trap {
        Some(set) => match set.await {
            Ok(caught) => caught,
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn told(caught: &Caught) -> String {
    let whom = match caught.to {
        Party::Slack => "Slack",
        _ => "Fivetran",
    };
    format!("{}: {whom} had answered, and the bot died before it heard.", caught.label)
}
