//! Hostile traffic at the real ports of the real program: what breaks the protocols, what comes in crowds, and
//! what comes slowly. Nothing of it may panic, leave a row, cost memory or keep good commands out.

mod breakers;
mod conflicts;
mod crowd;
mod mutants;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::Connection as _;
use stand_ins::slack::sign;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::proc::most_memory_kb;
use crate::harness::{CHANNEL, Outside, PATIENCE, Process, Program, USER, say, until};

/// The most memory that an attack may cost, in kB, beside what the program takes anyway, which differs between
/// builds and machines. It lets a thousand strangers have spoken, who take some 20 KiB each, and holds 4 MiB of
/// what is unfinished; the rest is for those who say nothing, for the good commands and for the allocator.
const GROWTH_LIMIT_KB: u64 = 80_000;
/// After so long without an answer nothing more is said.
const GLANCE: Duration = Duration::from_millis(50);
const COMMANDS: &str = "/slack/commands";

/// A program between its outside parties.
struct Target {
    outside: Outside,
    program: Program,
    process: Process,
    /// The most memory that it had before it was attacked, in kB; `None`: not on Linux.
    before_kb: Option<u64>,
    /// How often somebody has typed a command more.
    once_more: AtomicUsize,
}

impl Target {
    async fn start() -> Self {
        let outside = Outside::start().await;
        let program = Program::against(&outside);
        let process = program.start().await;
        let mut target =
            Self { outside, program, process, before_kb: None, once_more: AtomicUsize::default() };
        target.warms_up().await;
        target
    }

    /// Has it do once what it does at every request, so that its memory is what it takes anyway.
    async fn warms_up(&mut self) {
        let help = self.process.send(&self.outside.slack, "help").await;
        assert!(!help.text().is_empty());
        self.before_kb = most_memory_kb(self.process.id());
    }

    /// Where it listens.
    fn address(&self) -> String {
        self.process.url().replace("http://", "")
    }

    /// The form of a command with this text.
    fn form(&self, text: &str) -> Vec<u8> {
        self.outside.slack.command_request(&format!("/connect-card {text}"), CHANNEL, USER).body.into_bytes()
    }

    /// The whole of a request that is a command for a connection of this name.
    fn good(&self, name: &str, more: &str) -> Vec<u8> {
        let body = self.form(&format!("google_ads {name}"));
        let length = format!("{more}content-length: {}\r\n", body.len());
        [head(COMMANDS, &body, &length).as_slice(), &body].concat()
    }

    /// How many commands it has ever accepted.
    async fn rows(&self) -> usize {
        let mut db = sqlx::SqliteConnection::connect(self.program.var("DATABASE_URL")).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM command").fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        usize::try_from(rows).unwrap()
    }

    /// Types a good command for a connection of this name.
    async fn types(&self, name: &str, typed: &mut Typed) {
        let began = std::time::Instant::now();
        let ack = self.process.try_to_send(&self.outside.slack, CHANNEL, &format!("google_ads {name}")).await;
        let took = began.elapsed();
        typed.is_answered(name, ack.ok().map(|ack| ack.text()).as_deref());
        typed.times.push(took);
    }

    /// Types on until so many are accepted. A machine that is busy with everything else may keep a commit from
    /// being in time, and then that is said; nothing that comes in may keep out everybody.
    async fn types_until(&self, enough: usize, typed: &mut Typed) {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            if typed.accepted.len() >= enough {
                return;
            }
            assert!(
                std::time::Instant::now() < end,
                "waited in vain for {enough} that are accepted: {typed}"
            );
            let at = self.once_more.fetch_add(1, Ordering::Relaxed);
            self.types(&format!("once_more_{at}"), typed).await;
        }
    }

    /// Waits until what was accepted is made, and judges: there is nothing else, no other row, nothing panicked,
    /// and it cost no more memory than it may.
    async fn judge(self, typed: &Typed) {
        let Typed { accepted, unsure, times } = typed;
        assert!(times.is_empty() || !accepted.is_empty(), "none of {} was accepted", times.len());
        until("the good commands' connections", async || {
            let made = self.outside.connections_by_name();
            accepted.iter().all(|name| made.contains_key(name)).then_some(())
        })
        .await;
        let made = self.outside.connections_by_name();
        let names: BTreeSet<_> = accepted.union(unsure).collect();
        let unwanted: Vec<_> =
            made.iter().filter(|(name, count)| !names.contains(name) || **count != 1).collect();
        assert_eq!(unwanted, [], "of {} connections", made.len());
        assert!(
            (accepted.len()..=names.len()).contains(&self.rows().await),
            "{} of {names:?}",
            self.rows().await
        );
        let most = most_memory_kb(self.process.id());
        let log = self.process.stop().await;
        assert!(!log.contains("panicked"), "{log}");
        self.outside.shutdown();
        if let (Some(before), Some(most)) = (self.before_kb, most) {
            say(&format!("  most memory: {} MB, {} MB before", most / 1000, before / 1000));
            assert!(most < before + GROWTH_LIMIT_KB, "from {before} to {most} kB");
        }
    }
}

/// What good commands were answered.
#[derive(Default)]
struct Typed {
    /// Of these a connection has to come.
    accepted: BTreeSet<String>,
    /// Of these one may come: they were told so, or the machine was too busy to tell them anything.
    unsure: BTreeSet<String>,
    /// How long each took to be answered.
    times: Vec<Duration>,
}

impl Typed {
    /// What comes of the command for a connection of this name, by its answer, if it got one.
    fn is_answered(&mut self, name: &str, answer: Option<&str>) {
        match answer {
            Some(text) if text.contains("Making a link") => self.accepted.insert(name.to_owned()),
            None => self.unsure.insert(name.to_owned()),
            Some(text) if text.contains("in time, so it may be lost") => self.unsure.insert(name.to_owned()),
            Some(text) => panic!("{name}: {text}"),
        };
    }
}

impl std::fmt::Display for Typed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        let [half, most, longest] = [50, 99, 100].map(|percent| at(percent).unwrap_or_default());
        write!(out, "{} acknowledged, ", times.len() - self.unsure.len().min(times.len()))?;
        write!(out, "{} not in time, p50 {half:?}, p99 {most:?}, longest {longest:?}", self.unsure.len())
    }
}

/// A request's head, signed as Slack would, with these lines more.
fn head(path: &str, body: &[u8], more: &str) -> Vec<u8> {
    let time = seconds();
    let signature = sign(time, body);
    format!(
        "POST {path} HTTP/1.1\r\nhost: bot\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         x-slack-request-timestamp: {time}\r\nx-slack-signature: {signature}\r\n{more}\r\n"
    )
    .into_bytes()
}

/// The time as Slack's header has it.
fn seconds() -> u64 {
    u64::try_from(connect_card::clock::Clock::default().now().as_second()).unwrap()
}

/// A body in chunks of so many bytes.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut whole = Vec::new();
    for chunk in body.chunks(size) {
        whole.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        whole.extend_from_slice(chunk);
        whole.extend_from_slice(b"\r\n");
    }
    [whole.as_slice(), b"0\r\n\r\n"].concat()
}

/// Waits for what the bot must do, or fails the test.
async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Writes a request. It may be refused before it is written to its end.
async fn tell(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = in_time("a request to be read or refused", stream.write_all(bytes)).await;
}

/// Everything that is answered until the bot hangs up.
async fn hear(stream: &mut TcpStream) -> Vec<u8> {
    in_time("the bot to hang up", async {
        let (mut answers, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            answers.extend_from_slice(&buffer[..count]);
        }
        answers
    })
    .await
}

/// The same, hanging up after the first answer. Whoever is not answered soon says that nothing more will come.
async fn hear_one(stream: &mut TcpStream) -> Vec<u8> {
    in_time("an answer", async {
        let (mut answer, mut buffer, mut is_open) = (Vec::new(), [0; 4096], true);
        while !is_whole(&answer) {
            match tokio::time::timeout(GLANCE, stream.read(&mut buffer)).await {
                Ok(Ok(count @ 1..)) => answer.extend_from_slice(&buffer[..count]),
                Ok(_) => break,
                Err(_) if is_open => is_open = stream.shutdown().await.is_err(),
                Err(_) => {}
            }
        }
        answer
    })
    .await
}

/// Whether this is an answer with all of its body.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| length.parse().is_ok_and(|length: usize| body.len() >= length))
}

/// The statuses of the answers in there.
fn statuses(answers: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answers);
    let parts = text.split("HTTP/1.").skip(1);
    parts.filter_map(|part| part.get(2..5)?.parse().ok()).filter(|status| *status != 100).collect()
}
