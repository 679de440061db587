//! Thousands of connections at a time that say nothing, or say it slowly, or hear nothing, beside people who type.

use std::sync::LazyLock;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Target, Typed, hear, in_time, is_whole, statuses, tell};
use crate::harness::proc::most_memory_kb;
use crate::harness::{landing_of, link_of, number, say, until};

/// What comes in a crowd.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Says nothing.
    Silent,
    /// Has had an answer, and says nothing more.
    Idle,
    /// Never comes to the end of its header.
    SlowHeader,
    /// Never comes to the end of its body, which comes byte by byte.
    SlowBody,
    /// The same with nearly all of it at once.
    LargeBody,
    /// The same in the smallest of chunks.
    SmallChunks,
    /// Asks for more and more, and reads no answer.
    SlowReader,
}

/// Who comes, and how many of every ten.
const KINDS: [(usize, Kind); 7] = [
    (4, Kind::Silent),
    (1, Kind::Idle),
    (1, Kind::SlowHeader),
    (1, Kind::SlowBody),
    (1, Kind::LargeBody),
    (1, Kind::SmallChunks),
    (1, Kind::SlowReader),
];
/// Between two bytes of those who are slow.
const SLOWNESS: Duration = Duration::from_millis(100);
/// How many commands are typed beside them.
const COMMANDS: usize = 30;
/// As many descriptors as this process wants: more than any crowd has, and few enough for every system.
const DESCRIPTORS: u64 = 1 << 16;
/// One crowd at a time, since they share this process's descriptors.
static CROWD: Semaphore = Semaphore::const_new(1);

impl Kind {
    /// What is said first, and what again and again.
    fn says(self) -> (Vec<u8>, &'static [u8]) {
        let post = |more: &str| format!("POST /slack/commands HTTP/1.1\r\nhost: bot\r\n{more}").into_bytes();
        match self {
            Self::Silent => (Vec::new(), b""),
            Self::Idle => (b"GET /healthz HTTP/1.1\r\nhost: bot\r\n\r\n".to_vec(), b""),
            Self::SlowHeader => (post("x: "), b"y"),
            Self::SlowBody => (post("content-length: 60000\r\n\r\n"), b"x"),
            Self::LargeBody => ([post("content-length: 65535\r\n\r\n"), vec![b'x'; 65_000]].concat(), b"x"),
            Self::SmallChunks => {
                (post("transfer-encoding: chunked\r\n\r\n"), b"1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n")
            }
            Self::SlowReader => (Vec::new(), b"GET /connected/0123456789 HTTP/1.1\r\nhost: bot\r\n\r\n"),
        }
    }

    /// Whether the bot ends it within seconds, because it holds what others need.
    fn is_ended(self) -> bool {
        matches!(self, Self::SlowHeader | Self::SlowBody | Self::LargeBody | Self::SmallChunks)
    }

    /// Says its part until the bot has had enough.
    async fn play(self, mut stream: TcpStream) -> TcpStream {
        let (first, again) = self.says();
        tell(&mut stream, &first).await;
        if again.is_empty() || !self.is_ended() {
            for _ in 0..20 {
                // One that nobody reads takes no more at some time.
                let _ = stream.try_write(again);
                tokio::time::sleep(SLOWNESS).await;
            }
            return stream;
        }
        let mut answer = [0; 512];
        in_time("one who holds what others need to be ended", async {
            loop {
                tokio::select! {
                    read = stream.read(&mut answer) => if !matches!(read, Ok(1..)) { break },
                    () = tokio::time::sleep(SLOWNESS) => if stream.try_write(again).is_err() { break },
                }
            }
        })
        .await;
        stream
    }
}

/// How many descriptors this process may have, once it has raised its own limit as far as it may and wants to.
fn descriptors() -> usize {
    static LIMIT: LazyLock<usize> = LazyLock::new(|| {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
        if current.is_some_and(|current| current < wanted) {
            // Where that fails, the crowds are as small as the limit that stays.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
        }
        let current = getrlimit(Resource::Nofile).current;
        current.and_then(|current| usize::try_from(current).ok()).unwrap_or(usize::MAX)
    });
    *LIMIT
}

/// As many as these, or as there are descriptors for in this process, beside its other tests.
fn size(asked: usize) -> usize {
    let limit = descriptors();
    let size = asked.min(limit.saturating_sub(500).max(limit / 4));
    if size < asked {
        say(&format!(
            "  {size} connections in the place of {asked}: this process may have {limit} descriptors"
        ));
    }
    size
}

async fn good_commands_beside(kinds: &'static [(usize, Kind)], usual: usize) {
    let _one_at_a_time = CROWD.acquire().await.unwrap();
    let size = size(number("CONNECT_CARD_CROWD", usual));
    let bot = Target::start().await;
    let (address, mut typed) = (bot.address(), Typed::default());
    let (comes, mut come) = mpsc::unbounded_channel();
    // On a thread of its own, since people who type have no thousand strangers on theirs.
    let crowd = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(crowd(&address, kinds, size, comes))
    });
    while let Some(at) = come.recv().await {
        bot.types(&format!("among_{at}"), &mut typed).await;
    }
    for at in 0..COMMANDS / 2 {
        bot.types(&format!("after_{at}"), &mut typed).await;
    }
    bot.types_until(COMMANDS / 2, &mut typed).await;
    let _open = tokio::task::spawn_blocking(|| crowd.join()).await.unwrap().unwrap();
    say(&format!("  {size} connections; {typed}"));
    bot.judge(&typed).await;
}

/// So many come, and say so now and then. All who hold what others need are ended; the others may stay, and are
/// given back.
async fn crowd(
    address: &str,
    kinds: &[(usize, Kind)],
    size: usize,
    comes: mpsc::UnboundedSender<usize>,
) -> Vec<std::net::TcpStream> {
    let whole: usize = kinds.iter().map(|(share, _)| share).sum();
    let (mut open, mut crowd) = (Vec::new(), JoinSet::new());
    for at in 0..size {
        let mut place = at % whole;
        let kind = kinds.iter().find(|(share, _)| {
            let is_it = place < *share;
            place = place.saturating_sub(*share);
            is_it
        });
        let kind = kind.unwrap().1;
        let stream = TcpStream::connect(address).await.unwrap();
        if matches!(kind, Kind::Silent) {
            // They need no task to do nothing.
            open.push(stream);
        } else {
            crowd.spawn(kind.play(stream));
        }
        if at % (size / (COMMANDS / 2)).max(1) == 0 {
            comes.send(at).unwrap();
        }
    }
    drop(comes);
    while let Some(stream) = crowd.join_next().await {
        open.push(stream.unwrap());
    }
    open.into_iter().map(|stream| stream.into_std().unwrap()).collect()
}

#[tokio::test]
async fn a_crowd_of_all_kinds_keeps_nobody_out_and_costs_no_memory() {
    good_commands_beside(&KINDS, 1_500).await;
}

#[tokio::test]
async fn a_crowd_that_says_nothing_keeps_nobody_out() {
    good_commands_beside(&[(1, Kind::Silent)], 3_000).await;
}

/// Asks for the same again and again, each time as soon as the answer is there, until this is over. Gives how often.
async fn asks_without_rest(address: &str, request: &[u8], over: &CancellationToken) -> usize {
    let mut asked = 0;
    while !over.is_cancelled() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        while !over.is_cancelled() && stream.write_all(request).await.is_ok() {
            let (mut answer, mut more) = (Vec::new(), [0; 16 * 1024]);
            while !is_whole(&answer) {
                match in_time("an answer", stream.read(&mut more)).await {
                    Ok(count @ 1..) => answer.extend_from_slice(&more[..count]),
                    _ => break,
                }
            }
            if !is_whole(&answer) {
                break;
            }
            asked += 1;
        }
    }
    asked
}

#[tokio::test]
async fn a_few_who_never_rest_keep_nobody_out() {
    let _one_at_a_time = CROWD.acquire().await.unwrap();
    let size = size(number("CONNECT_CARD_RESTLESS", 64));
    let (bot, mut all) = (Target::start().await, Typed::default());
    bot.types_until(1, &mut all).await;
    let messages = || bot.outside.slack.messages();
    let link = until("a link", async || messages().iter().find_map(link_of)).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: bot\r\n\r\n");
    let asked = [
        get("/connected/0123456789"),
        get(&format!("/connected/{}", landing_of(&link))),
        get("/readyz"),
        "POST /slack/commands HTTP/1.1\r\nhost: bot\r\ncontent-length: 6\r\n\r\nunread".to_owned(),
    ];
    for (at, request) in asked.into_iter().enumerate() {
        let (over, address) = (CancellationToken::new(), bot.address());
        let what = request.lines().next().unwrap_or_default().to_owned();
        let crowd = std::thread::spawn({
            let over = over.clone();
            move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                let ask = async || asks_without_rest(&address, request.as_bytes(), &over).await;
                runtime.block_on(join_all((0..size).map(|_| ask())))
            }
        });
        let mut typed = Typed::default();
        for command in 0..COMMANDS / 2 {
            bot.types(&format!("beside_{at}_{command}"), &mut typed).await;
        }
        bot.types_until(COMMANDS / 4, &mut typed).await;
        over.cancel();
        let counts = tokio::task::spawn_blocking(|| crowd.join()).await.unwrap().unwrap();
        say(&format!("  {size} who never rest, {} × {what}; {typed}", counts.iter().sum::<usize>()));
        all.accepted.append(&mut typed.accepted);
        all.unsure.append(&mut typed.unsure);
    }
    bot.judge(&all).await;
}

#[tokio::test]
async fn where_there_are_few_descriptors_strangers_do_not_get_them_all() {
    let _one_at_a_time = CROWD.acquire().await.unwrap();
    let strangers = size(800);
    let mut bot = Target::start().await;
    // The limit of this process is every test's; the shell has one of its own.
    let (name, few) = ("ulimited", strangers / 2);
    let script = bot.program.folder().join(name);
    let program = env!("CARGO_BIN_EXE_connect-card");
    std::fs::write(&script, format!("ulimit -n {few}\nexec '{program}' serve\n")).unwrap();
    bot.process.terminate().await;
    bot.process.wait().await;
    bot.process = bot.program.spawn_by("/bin/sh", &[script.to_str().unwrap()]);
    bot.process.until_it_answers().await;
    bot.warms_up().await;
    let mut open = Vec::new();
    for _ in 0..strangers {
        open.push(TcpStream::connect(bot.address()).await.unwrap());
    }
    let mut typed = Typed::default();
    for at in 0..10 {
        bot.types(&format!("one_of_few_{at}"), &mut typed).await;
    }
    bot.types_until(5, &mut typed).await;
    bot.judge(&typed).await;
}

#[tokio::test]
async fn a_body_byte_by_byte_costs_what_it_is_long() {
    let bot = Target::start().await;
    let before = most_memory_kb(bot.process.id());
    let mut drips = JoinSet::new();
    for _ in 0..4 {
        let address = bot.address();
        drips.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let head = b"POST /slack/commands HTTP/1.1\r\nhost: bot\r\ncontent-length: 60000\r\n\r\n";
            tell(&mut stream, head).await;
            // All but the last, so that it never comes to its end.
            for _ in 1..60_000 {
                tell(&mut stream, b"x").await;
                tokio::task::yield_now().await;
            }
            statuses(&hear(&mut stream).await)
        });
    }
    while let Some(drip) = drips.join_next().await {
        // It takes too long.
        assert_eq!(drip.unwrap(), [408]);
    }
    if let (Some(before), Some(after)) = (before, most_memory_kb(bot.process.id())) {
        // Each byte that came alone cost 8 KiB once: ten thousand of them 80 MB.
        assert!(after < before + 16_000, "from {before} to {after} kB");
    }
    bot.judge(&Typed::default()).await;
}
