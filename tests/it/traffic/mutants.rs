//! Requests that are made wrong by a grammar: from those that Slack sends, by a few changes each to line, headers,
//! body, encoding and signature. Half of them are signed after they were changed, and so get behind the signature.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stand_ins::slack::sign;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{Target, Typed, chunked, hear_one, in_time, is_whole, seconds, statuses, tell};
use crate::harness::{Random, number, say, seed};

/// How many connections there are side by side.
const AT_ONCE: usize = 32;
/// How many good commands are typed beside them at most.
const GOOD: usize = 1_000;
/// Of so many mutants one is a command for all its odd looks.
const WELL_MEANT_EVERY: u64 = 200;

/// Where they are sent.
const PATHS: [&str; 8] = [
    "/slack/commands",
    "/slack/commands",
    "/slack/interactivity",
    "/slack/events",
    "/connected/x",
    "/connected/x/y",
    "/healthz",
    "/slack/commands/%2e%2e/%zz%00",
];
const METHODS: [&str; 9] = ["GET", "HEAD", "OPTIONS", "PUT", "TRACE", "CONNECT", "post", "PRI", "\u{0}"];
const VERSIONS: [&str; 6] = ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.1 ", "HTTP/11", ""];
/// Values at which readers of numbers, lists and texts fail.
const ODD: [&str; 24] = [
    "",
    " ",
    "0",
    "-1",
    "+1",
    "1e308",
    "0x10",
    "18446744073709551616",
    "9223372036854775807",
    "chunked",
    "chunked, chunked",
    "gzip",
    "identity",
    "close",
    "\0",
    "\u{7f}",
    "\u{e9}\u{ff}",
    "a\tb",
    "a\rb",
    "a\nb",
    "v0=",
    "v0=00,v0=00",
    "100-continue",
    "application/json",
];
const HEADERS: [&str; 16] = [
    "content-length",
    "transfer-encoding",
    "content-type",
    "content-encoding",
    "host",
    "connection",
    "expect",
    "upgrade",
    "te",
    "trailer",
    "x-slack-signature",
    "x-slack-request-timestamp",
    "x-slack-retry-num",
    "cookie",
    "x y",
    "",
];
/// What is put into bodies.
const PIECES: [&str; 20] = [
    "&text=",
    "&command=",
    "&payload=",
    "&team_id=",
    "&ssl_check=1",
    "%",
    "%f",
    "%zz",
    "%00",
    "%ff%fe",
    "\0",
    "&&&&==",
    "[[[[[[[[",
    "{\"a\":",
    "\\ud800",
    "1e999",
    "\"",
    "+",
    "&response_url=http://127.0.0.1/",
    "=",
];

/// One request, and whether it is a command all the same.
struct Mutant {
    bytes: Vec<u8>,
    /// Of the connection that comes of it.
    name: Option<String>,
}

/// Makes mutants from forms of this bot's.
struct Grammar {
    random: Random,
    /// A command that would make a connection called `evil`, were it believed.
    command: Vec<u8>,
    /// A form that is signed, with words of which nothing is ever made.
    nonsense: Vec<u8>,
}

impl Grammar {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.random.below(from.len() as u64) as usize]
    }

    fn chance(&mut self, of: u64) -> bool {
        self.random.below(of) == 0
    }

    /// Changes a body somewhere.
    fn change(&mut self, body: &mut Vec<u8>) {
        let at = self.random.below(body.len() as u64 + 1) as usize;
        match self.random.below(6) {
            0 => body.truncate(at),
            1 => body.splice(at..at, self.pick(&PIECES).bytes()).for_each(drop),
            2 if at < body.len() => body[at] = self.random.below(256) as u8,
            3 if at < body.len() => drop(body.remove(at)),
            4 => {
                let piece = self.pick(&PIECES).repeat(1 + self.random.below(2000) as usize);
                body.extend_from_slice(piece.as_bytes());
            }
            _ => {
                let again = body[at..].to_vec();
                body.extend_from_slice(&again);
            }
        }
    }

    /// A body of the kind that a path takes, in which there is no command.
    fn nonsense(&mut self, path: &str) -> Vec<u8> {
        let json = r#"{"type":"block_actions","team":{"id":"T0"},"user":{"id":"U0"},"actions":[{"action_id":"x","value":"y"}],"view":{"state":{"values":{}}}}"#;
        let mut body = match path {
            "/slack/interactivity" => format!("payload={json}").into_bytes(),
            "/slack/events" => json.as_bytes().to_vec(),
            _ => self.nonsense.clone(),
        };
        for _ in 0..self.random.below(4) {
            self.change(&mut body);
        }
        body
    }

    fn next(&mut self, bot: &Target, at: usize) -> Mutant {
        if self.chance(WELL_MEANT_EVERY) {
            return self.well_meant(bot, format!("kept_{at}"));
        }
        let path = self.pick(&PATHS);
        let is_signed = self.chance(2);
        let body = if is_signed { self.nonsense(path) } else { self.command.clone() };
        let mut signature = sign(seconds(), &body);
        let mut time = seconds().to_string();
        if !is_signed {
            match self.random.below(5) {
                0 => signature = signature.to_uppercase(),
                1 => signature.truncate(self.random.below(67) as usize),
                2 => time = format!("{}", seconds() - 302 - self.random.below(1 << 40).min(1 << 29)),
                3 => signature = sign(seconds(), b"another body"),
                _ => signature = self.pick(&ODD).to_owned(),
            }
        }
        let mut headers = vec![
            ("host".to_owned(), "bot".to_owned()),
            ("x-slack-request-timestamp".to_owned(), time),
            ("x-slack-signature".to_owned(), signature),
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ];
        let is_chunked = self.chance(4);
        let written = if is_chunked { chunked(&body, 1 + self.random.below(500) as usize) } else { body };
        headers.push(match is_chunked {
            true => ("transfer-encoding".to_owned(), "chunked".to_owned()),
            false => ("content-length".to_owned(), written.len().to_string()),
        });
        let (mut method, mut version) = ("POST", "HTTP/1.1");
        for _ in 0..self.random.below(3) {
            match self.random.below(7) {
                0 => method = self.pick(&METHODS),
                1 => version = self.pick(&VERSIONS),
                2 => headers.push((self.pick(&HEADERS).to_owned(), self.pick(&ODD).to_owned())),
                3 => {
                    let header = self.random.below(headers.len() as u64) as usize;
                    headers[header].1 = self.pick(&ODD).to_owned();
                }
                4 => {
                    let again = self.random.below(headers.len() as u64) as usize;
                    headers.push(headers[again].clone());
                }
                5 => headers.extend((0..self.random.below(80)).map(|n| (format!("x-{n}"), "y".to_owned()))),
                _ => headers.push(("x".to_owned(), "y".repeat(self.random.below(20_000) as usize))),
            }
        }
        let mut bytes = format!("{method} {path} {version}\r\n").into_bytes();
        for (name, value) in headers {
            // As they are: characters of one byte, in one byte.
            bytes.extend(format!("{name}: {value}\r\n").chars().map(|character| character as u8));
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&written);
        // Those that are signed have their whole behind the signature; others are broken anywhere.
        if !is_signed && self.chance(3) {
            self.change(&mut bytes);
        }
        Mutant { bytes, name: None }
    }

    /// A command as nobody writes it, and as everybody has to read it.
    fn well_meant(&mut self, bot: &Target, name: String) -> Mutant {
        let body = bot.form(&format!("google_ads {name}"));
        let mut head = format!("POST http://bot{} HTTP/1.1\r\nHOST:\tbot\r\n", super::COMMANDS);
        let mut lines = [
            format!("X-SLACK-request-TIMESTAMP:{}\r\n", seconds()),
            format!("x-Slack-Signature:   {}  \r\n", sign(seconds(), &body)),
            "content-TYPE: application/json\r\n".to_owned(),
            format!("x: {}\r\n", "y".repeat(self.random.below(9000) as usize)),
        ];
        let by = self.random.below(4) as usize;
        lines.rotate_left(by);
        head.push_str(&lines.concat());
        let bytes = if self.chance(2) {
            let size = 1 + self.random.below(50) as usize;
            [head.as_bytes(), b"Transfer-Encoding: Chunked\r\n\r\n", &chunked(&body, size)].concat()
        } else {
            let length = format!("Content-Length: 000{}\r\n\r\n", body.len());
            [head.as_bytes(), length.as_bytes(), &body].concat()
        };
        Mutant { bytes, name: Some(name) }
    }
}

/// A connection from an address of its own where there will be more of them than one address has ports for.
async fn connect(address: &str, at: usize, total: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    if total > 20_000 {
        let from = format!("127.0.{}.{}:0", 1 + at / 200 % 200, 1 + at % 200);
        socket.bind(from.parse().unwrap()).unwrap();
    }
    socket.connect(address.parse().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mutant_leaves_a_row_or_a_panic_or_disturbs_who_types() {
    let (seed, total) = (seed(), number("CONNECT_CARD_REQUESTS", 3_000));
    say(&format!("  CONNECT_CARD_SEED={seed} CONNECT_CARD_REQUESTS={total}"));
    let bot = Arc::new(Target::start().await);
    let done = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let (bot, done) = (Arc::clone(&bot), Arc::clone(&done));
        workers.spawn(async move {
            let random = Random(seed.wrapping_add(worker as u64));
            let (command, nonsense) = (bot.form("google_ads evil"), bot.form("nothing that anybody offers"));
            let mut grammar = Grammar { random, command, nonsense };
            let (mut kept, mut answers) = (Typed::default(), [0_usize; 6]);
            for at in (worker..total).step_by(AT_ONCE) {
                let Mutant { bytes, name } = grammar.next(&bot, at);
                let mut stream = connect(&bot.address(), at, total).await;
                tell(&mut stream, &bytes).await;
                let answer = match &name {
                    Some(_) => hear_well(&mut stream).await,
                    None => hear_one(&mut stream).await,
                };
                let shown = || String::from_utf8_lossy(&bytes).into_owned();
                for status in statuses(&answer) {
                    assert!(status < 500 || status == 501 || status == 505, "{status} to {}", shown());
                    answers[usize::from(status / 100).min(5)] += 1;
                }
                if let Some(name) = name {
                    let text = String::from_utf8_lossy(&answer);
                    kept.is_answered(&name, (!text.is_empty()).then_some(&*text));
                }
                // The port is free again at once.
                let _ = stream.set_zero_linger();
                done.fetch_add(1, Ordering::Relaxed);
            }
            (kept, answers)
        });
    }
    let (mut typed, mut shares) = (Typed::default(), Vec::new());
    let good = (total / 30).min(GOOD);
    for at in 0..good {
        while done.load(Ordering::Relaxed) * good < at * total {
            // One that fails never does its share, so it is not waited for.
            while let Some(worker) = workers.try_join_next() {
                shares.push(worker.unwrap());
            }
            tokio::time::sleep(super::GLANCE / 10).await;
        }
        bot.types(&format!("good_{at}"), &mut typed).await;
    }
    bot.types_until(good / 2, &mut typed).await;
    while let Some(worker) = workers.join_next().await {
        shares.push(worker.unwrap());
    }
    let mut answers = [0_usize; 6];
    for (kept, of_worker) in shares {
        typed.accepted.extend(kept.accepted);
        typed.unsure.extend(kept.unsure);
        answers.iter_mut().zip(of_worker).for_each(|(sum, count)| *sum += count);
    }
    let [_, _, good, other, refused, _] = answers;
    say(&format!("  {total} requests: {good} × 2xx, {other} × 3xx, {refused} × 4xx; {typed}"));
    assert!(good > total / 20 && refused > total / 20, "the mutants get nowhere");
    let bot = Arc::into_inner(bot).expect("every worker has ended");
    bot.judge(&typed).await;
}

/// The answer to a command, without hanging up before it.
async fn hear_well(stream: &mut TcpStream) -> Vec<u8> {
    in_time("the answer to a command", async {
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while !is_whole(&answer) {
            match stream.read(&mut buffer).await {
                Ok(count @ 1..) => answer.extend_from_slice(&buffer[..count]),
                _ => break,
            }
        }
        answer
    })
    .await
}
