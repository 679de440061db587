//! What the tests share: both outside parties, a bot in this process or as one of its own between
//! them, and the ways to wait, to draw lots and to look into what was said.
//!
//! Nothing here judges time. What must happen is waited for, for as long as a busy machine may
//! need; that something comes before something else is a matter of order, never of milliseconds.

pub(crate) mod aged;
mod bot;
mod browser;
mod chance;
mod look;
pub(crate) mod needs;
mod outside;
pub(crate) mod postgres;
pub(crate) mod proc;
mod program;
mod talk;
mod terminal;
mod transcript;
mod wire;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use connect_card::outbound;
use tokio::net::TcpSocket;
use tokio::time::Instant;

pub(crate) use bot::{Setup, TestBot};
pub(crate) use browser::{Browser, Page};
pub(crate) use chance::{Random, form, kills, number, seed};
pub(crate) use look::{
    accepted, button_of, channels_with_a_link, is_note, landing_of, link_of, most_links_on_show, objects,
    post, private, reference, signed_headers, strings, token_of,
};
pub(crate) use outside::Outside;
pub(crate) use program::{Engine, Output, Process, Program};
pub(crate) use talk::{label_of, values};
pub(crate) use terminal::Terminal;
pub(crate) use transcript::{Masks, wrapped};
pub(crate) use wire::{Trick, Wire};

/// A public channel with the bot in it.
pub(crate) const CHANNEL: &str = "C0CUSTOMER";
/// A private channel without the bot.
pub(crate) const PRIVATE: &str = "C0PRIVATE";
/// A channel that is shared with a customer's workspace, with the bot in it.
pub(crate) const SHARED: &str = "C0SHARED";
/// A private channel of those who run the bot, with the bot in it.
pub(crate) const AUDIT: &str = "C0AUDIT";
/// Who types.
pub(crate) const USER: &str = "U0ALICE";
/// A colleague.
pub(crate) const COLLEAGUE: &str = "U0BOB";
/// A guest of the workspace.
pub(crate) const GUEST: &str = "U0GUEST";
/// Somebody of the customer's workspace.
pub(crate) const OUTSIDER: &str = "U0OUTSIDER";

/// Longest wait for anything that must happen. Nearly all of it comes within a second; this is for
/// a machine that is busy with everything else, and only a test that fails waits it out.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(5);

/// Looks until there is something, or fails the test.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(GLANCE).await;
    }
}

/// Says something past the capture of the test harness: seeds and counts are there to be read.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The time in seconds, as Slack's message ids tell it.
pub(crate) fn now() -> f64 {
    connect_card::clock::Clock::default().now().as_millisecond() as f64 / 1e3
}

/// The HTTP client of a test. One for each runtime, since its connections live in that; to build one
/// takes the reading of every root certificate.
pub(crate) fn client() -> reqwest::Client {
    static CLIENTS: Mutex<BTreeMap<String, reqwest::Client>> = Mutex::new(BTreeMap::new());
    let runtime = tokio::runtime::Handle::current().id().to_string();
    let mut clients = CLIENTS.lock().unwrap();
    clients.entry(runtime).or_insert_with(|| outbound::client(&outbound::Network::default()).unwrap()).clone()
}

/// A port for a process that may be started there again and again. On Linux it is ours for as long
/// as the tests run: a socket that is bound and does not listen keeps everybody else off it, but
/// not a listener that, as all servers do, reuses addresses.
pub(crate) fn free_port() -> u16 {
    static HELD: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = socket.local_addr().unwrap().port();
    if cfg!(target_os = "linux") {
        HELD.lock().unwrap().push(socket);
    }
    port
}
