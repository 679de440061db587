//! A Slack that breaks the protocol of its sockets: in the handshake, in frames, in what is in them. Each time the
//! bot has to let go and open another one, over which commands come as if nothing had been.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use serde_json::json;
use stand_ins::slack::APP_TOKEN;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Target, Typed};
use crate::harness::proc::most_memory_kb;
use crate::harness::{CHANNEL, Outside, Program, USER, until};

/// What is said in the place of a handshake or after it.
#[derive(Clone)]
enum Breach {
    /// This in the place of the handshake's answer, in which KEY is the right one.
    Answer(&'static str),
    /// These bytes after the handshake and the hello.
    Frames(Vec<u8>),
    /// The same for as long as they are taken.
    Endless(Vec<u8>),
}
use Breach::{Answer, Endless, Frames};

/// A frame: its first byte, the length as it is told, and what is in it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ ..=125 => frame.push(length as u8),
        length @ ..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// A text frame.
fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// The head of a frame of this length, and nothing of it.
fn promised(length: u64) -> Vec<u8> {
    [&[0x81, 127], length.to_be_bytes().as_slice()].concat()
}

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n";

/// After each of these the socket is of no use.
fn breaches() -> Vec<(&'static str, Breach)> {
    vec![
        ("no upgrade", Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")),
        (
            "led elsewhere",
            Answer("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "no key",
            Answer("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n"),
        ),
        (
            "the example's key",
            Answer(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                 sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            ),
        ),
        (
            "another protocol",
            Answer(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: Upgrade\r\n\
                 sec-websocket-accept: KEY\r\n\r\n",
            ),
        ),
        ("no HTTP", Answer("\u{16}\u{3}\u{1}\0\0")),
        ("nothing", Answer("")),
        ("a frame that is masked", Frames(vec![0x81, 0x82, 1, 2, 3, 4, b'{', b'}'])),
        ("reserved bits", Frames(frame(0xc1, b"{}"))),
        ("a reserved kind of frame", Frames(frame(0x83, b"{}"))),
        ("a reserved kind of control frame", Frames(frame(0x8b, b""))),
        ("a ping in pieces", Frames(frame(0x09, b"x"))),
        ("a long ping", Frames(frame(0x89, &[b'x'; 126]))),
        ("a continuation of nothing", Frames(frame(0x80, b"{}"))),
        ("a text within a text", Frames([frame(0x01, b"{"), frame(0x81, b"}")].concat())),
        ("2^63 bytes", Frames(promised(1 << 63))),
        ("2^62 bytes", Frames(promised(1 << 62))),
        ("100 MB", Endless([promised(100 << 20), vec![b'x'; 1 << 20]].concat())),
        ("a text that is no UTF-8", Frames(frame(0x81, b"\xff\xfe"))),
        (
            "pieces for ever",
            Endless([frame(0x01, &[b'x'; 65_000]), frame(0x00, &[b'x'; 65_000])].concat()[..].to_vec()),
        ),
        ("a close of one byte", Frames(frame(0x88, b"x"))),
        ("a close for no reason there is", Frames(frame(0x88, &1005_u16.to_be_bytes()))),
        ("a close that is no UTF-8", Frames(frame(0x88, &[0x03, 0xe8, 0xff]))),
        ("garbage", Frames(b"GET / HTTP/1.1\r\n\r\n".to_vec())),
    ]
}

/// What is odd and no breach: the socket lives on.
fn oddities() -> Vec<u8> {
    let deep = format!("{{\"envelope_id\":\"deep\",\"payload\":{}", "[".repeat(100_000));
    let wide = format!(
        "{{\"type\":\"slash_commands\",\"envelope_id\":\"wide\",\"payload\":[{}0]}}",
        "0,".repeat(400_000)
    );
    let mut all = Vec::new();
    for odd in [
        "",
        "{}",
        "[]",
        "null",
        "{",
        "\0",
        "\"text\"",
        r#"{"type":7,"envelope_id":{}}"#,
        r#"{"type":"slash_commands","envelope_id":"","payload":{}}"#,
        r#"{"type":"slash_commands","envelope_id":"none"}"#,
        r#"{"type":"slash_commands","envelope_id":"null","payload":null}"#,
        r#"{"type":"slash_commands","envelope_id":"types","payload":{"text":1,"user_id":[],"team_id":{},"channel_id":true}}"#,
        r#"{"type":"slash_commands","payload":{"text":"google_ads nameless"}}"#,
        r#"{"type":"interactive","envelope_id":"half","payload":{"type":"\ud800","n":1e308}}"#,
        r#"{"type":"events_api","envelope_id":"event","payload":[1,2,3]}"#,
        r#"{"type":"hello","num_connections":-1}"#,
        &deep,
        &wide,
    ] {
        all.extend(text(odd));
    }
    for _ in 0..4 {
        all.extend(text(&wide.replace("slash_commands", "interactive")));
    }
    all.extend(frame(0x82, &[0xff; 1000]));
    all.extend(frame(0x8a, b"nobody asked"));
    for _ in 0..20_000 {
        all.extend(frame(0x89, b"flood"));
    }
    // In pieces, with a ping between them.
    all.extend([frame(0x01, b"{\"type\":"), frame(0x89, b"x"), frame(0x80, b"\"tomorrow\"}")].concat());
    all
}

/// A Slack whose sockets are these, one after the other, and whose other methods are the stand-in's.
struct Breaker {
    address: String,
    /// How many sockets were asked for.
    opened: watch::Sender<usize>,
    breaches: Mutex<VecDeque<(&'static str, Breach)>>,
    /// What is said on the first socket that breaks nothing.
    last: Mutex<Option<Vec<u8>>>,
    /// What the bot has said there, without its masks.
    heard: watch::Sender<Vec<u8>>,
}

impl Breaker {
    async fn start(outside: &Outside, breaches: Vec<(&'static str, Breach)>, last: Vec<u8>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let breaker = Arc::new(Self {
            address: listener.local_addr().unwrap().to_string(),
            opened: watch::Sender::new(0),
            breaches: Mutex::new(breaches.into()),
            last: Mutex::new(Some(last)),
            heard: watch::Sender::new(Vec::new()),
        });
        let slack = outside.slack.api_url();
        let slack = slack.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        let answers = Arc::clone(&breaker);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (breaker, slack) = (Arc::clone(&answers), slack.clone());
                tokio::spawn(async move { breaker.answer(stream, &slack).await });
            }
        });
        breaker
    }

    async fn answer(&self, mut stream: TcpStream, slack: &str) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        if head.contains("apps.connections.open") {
            let body = json!({ "ok": true, "url": format!("ws://{}/socket", self.address) }).to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            return stream.write_all(answer.as_bytes()).await.ok();
        }
        if !head.starts_with("GET /socket") {
            let mut there = TcpStream::connect(slack).await.ok()?;
            let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            there.write_all(head.as_bytes()).await.ok()?;
            return tokio::io::copy_bidirectional(&mut stream, &mut there).await.ok().map(drop);
        }
        let key = head.lines().find(|line| line.to_lowercase().starts_with("sec-websocket-key"));
        let key = derive_accept_key(key.unwrap().split_once(':').unwrap().1.trim().as_bytes());
        let breach = self.breaches.lock().unwrap().pop_front().map(|(_, breach)| breach);
        self.opened.send_modify(|opened| *opened += 1);
        if let Some(Answer(answer)) = breach {
            return stream.write_all(answer.replace("KEY", &key).as_bytes()).await.ok();
        }
        let hello = text(r#"{"type":"hello","num_connections":1,"connection_info":{}}"#);
        let shaken = format!("{SWITCHING}sec-websocket-accept: {key}\r\n\r\n");
        stream.write_all(&[shaken.as_bytes(), &hello].concat()).await.ok()?;
        match breach {
            // Until the bot lets go. It may say something first.
            Some(Frames(frames)) => {
                let _ = stream.write_all(&frames).await;
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
            Some(Endless(frames)) => {
                let ((mut from, mut to), mut nobody) = (stream.into_split(), tokio::io::sink());
                let says = async { while to.write_all(&frames).await.is_ok() {} };
                tokio::select! {
                    () = says => {}
                    _ = tokio::io::copy(&mut from, &mut nobody) => {}
                }
            }
            Some(Answer(_)) | None => {
                let last = self.last.lock().unwrap().take();
                let (mut from, mut to) = stream.into_split();
                let says = async {
                    if let Some(last) = last {
                        let _ = to.write_all(&last).await;
                    }
                };
                tokio::join!(says, self.hear(&mut from));
            }
        }
        Some(())
    }

    /// Reads the bot's frames, which are masked, and keeps what is in the texts.
    async fn hear(&self, from: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<()> {
        loop {
            let kind = from.read_u8().await.ok()? & 0x0f;
            let length = match from.read_u8().await.ok()? & 0x7f {
                126 => usize::from(from.read_u16().await.ok()?),
                127 => from.read_u64().await.ok()? as usize,
                length => usize::from(length),
            };
            let mut mask = [0; 4];
            from.read_exact(&mut mask).await.ok()?;
            let mut payload = vec![0; length];
            from.read_exact(&mut payload).await.ok()?;
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            if kind == 1 {
                self.heard.send_modify(|heard| heard.extend([payload.as_slice(), b"\n"].concat()));
            }
        }
    }

    async fn hears(&self, word: &str) {
        let mut heard = self.heard.subscribe();
        let said = |heard: &Vec<u8>| String::from_utf8_lossy(heard).contains(word);
        let waiting = tokio::time::timeout(crate::harness::PATIENCE, heard.wait_for(said));
        waiting.await.unwrap_or_else(|_| panic!("the bot does not say {word}")).unwrap();
    }
}

/// A command in an envelope.
fn envelope(outside: &Outside, id: &str, name: &str) -> Vec<u8> {
    let form = outside.slack.command_request(&format!("/connect-card google_ads {name}"), CHANNEL, USER).body;
    let fields: serde_json::Map<_, _> = form_urlencoded::parse(form.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into()))
        .collect();
    let envelope = json!({
        "type": "slash_commands", "envelope_id": id, "accepts_response_payload": true, "payload": fields,
    });
    text(&envelope.to_string())
}

/// A bot whose sockets are these, until a command that comes over the first one that is good is carried out.
async fn survives(breaches: Vec<(&'static str, Breach)>, first: Vec<u8>) {
    let outside = Outside::start().await;
    let broken: Vec<_> = breaches.iter().map(|(what, _)| *what).collect();
    let (before, after) = (envelope(&outside, "before", "one"), envelope(&outside, "after", "another"));
    let breaker = Breaker::start(&outside, breaches, [before, first, after].concat()).await;
    let program = Program::against(&outside)
        .with("SLACK_API_URL", &format!("http://{}/api", breaker.address))
        .with("SLACK_APP_TOKEN", APP_TOKEN);
    let process = program.start().await;
    let before_kb = most_memory_kb(process.id());
    breaker.hears(r#""envelope_id":"before""#).await;
    breaker.hears(r#""envelope_id":"after""#).await;
    until(&format!("another socket after {broken:?}"), async || {
        (*breaker.opened.borrow() >= broken.len() + 2).then_some(())
    })
    .await;
    let log = process.log();
    // Of a trouble that goes on is told once, until a socket opens.
    let complaints = log.matches("could not open a socket to Slack; the bot keeps trying").count();
    let opened = log.matches("a socket to Slack is open").count();
    assert!(complaints <= opened + 1, "{complaints} and {opened}: {log}");
    let bot = Target { outside, program, process, before_kb, once_more: AtomicUsize::default() };
    let accepted = BTreeSet::from(["one".to_owned(), "another".to_owned()]);
    bot.judge(&Typed { accepted, ..Typed::default() }).await;
}

#[tokio::test]
async fn after_whatever_breach_the_next_socket_is_heard() {
    // A few bots at a time: after each breach one rests.
    let mut each: [Vec<_>; 4] = Default::default();
    for (at, breach) in breaches().into_iter().enumerate() {
        each[at % 4].push(breach);
    }
    futures_util::future::join_all(each.map(|breaches| survives(breaches, Vec::new()))).await;
}

#[tokio::test]
async fn what_is_odd_is_passed_over_and_the_socket_lives() {
    survives(Vec::new(), oddities()).await;
}
