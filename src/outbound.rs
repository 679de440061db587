//! The one HTTP client of the process, and how an answer is read.
//!
//! Owns the TLS provider, the timeouts, the cap on an answer's size and the rule that no redirect
//! is followed. Knows neither Slack nor Fivetran. An error here never carries a URL or a body:
//! either may hold a secret.

pub mod json;
mod obstacle;
pub mod proxies;
pub mod roots;

use std::time::Duration;

use jiff::Timestamp;
pub use obstacle::Obstacle;
use proxies::Proxies;
use reqwest::header::{ACCEPT_ENCODING, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, Response, redirect};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use url::{Host, Url};

/// Longest wait for a TCP and TLS connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer, unless a call has a reason for another one. Short enough that a
/// lease always outlives the call that it guards (`LEASE_SECONDS`).
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes, unless it is known to be larger. Slack's largest is the list
/// of a user group's members: 100,000 of them have less than 2 MB.
pub const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
/// What every call may hold of an answer without asking, in bytes: nearly all have less.
const UNASKED: usize = 64 * 1024;
/// Memory for what is beyond that, of all answers together, in bytes: one of the largest that any call
/// takes. Two hundred calls that are answered by as much as each would read would otherwise take more than
/// a gigabyte.
const ROOM: usize = 32 * 1024 * 1024;
/// How much of it is taken at once.
const PIECE: usize = 512 * 1024;
/// How long an answer waits for room in all. A lease outlives its longest call by twice that.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);
/// The pieces that nobody has.
static FREE: Semaphore = Semaphore::const_new(ROOM / PIECE);
/// What some programs, and proxies that rewrite answers, put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How many idle connections to one host are kept: as many as the worker has calls under way.
const IDLE_PER_HOST: usize = 256;

/// What the outside sees of us.
pub const USER_AGENT: &str = concat!("connect-card/", env!("CARGO_PKG_VERSION"));

/// Why no answer came of a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request was never sent: the host could not be found or reached.
    #[error("not reachable ({0})")]
    NotSent(&'static str),
    /// The request was never sent, for what stands in the way.
    #[error("not reachable ({0})")]
    Barred(Obstacle),
    /// The request may have been received and acted upon.
    #[error("no usable answer ({0})")]
    Unanswered(&'static str),
    /// The request was answered, and the answer is larger than so many bytes.
    #[error("no usable answer (larger than {0} bytes)")]
    TooLarge(usize),
}

/// Why a call had no answer.
const TIMEOUT: &str = "timeout";
/// The same.
const LOST: &str = "connection lost";
/// The same.
const NO_ROOM: &str = "no room for so much at the moment";

impl CallError {
    /// Whether it was waited for as long as it may take.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Unanswered(why) if *why == TIMEOUT)
    }

    /// Whether nobody answered, rather than in a way that is of no use.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Barred(_) => true,
            Self::Unanswered(why) => matches!(*why, TIMEOUT | LOST),
            Self::TooLarge(_) => false,
        }
    }
}

/// How to reach the world outside. No `Debug`: a proxy's URL can hold a password.
#[derive(Clone, Default)]
pub struct Network {
    /// Which proxy is used for what.
    pub proxies: Proxies,
    /// The certificates to trust; `None`: the system's.
    pub roots: Option<Vec<Certificate>>,
}

/// Builds the client. Installs the process's TLS provider first, since reqwest is built without
/// one of its own and two in one process make rustls refuse to choose.
///
/// # Errors
/// When the certificates to trust cannot be read.
pub fn client(network: &Network) -> Result<Client, reqwest::Error> {
    builder(network).build()
}

/// The same client for what becomes a WebSocket, which only HTTP/1.1 can, and which nobody else uses
/// afterwards.
///
/// # Errors
/// When the certificates to trust cannot be read.
pub fn client_of_sockets(network: &Network) -> Result<Client, reqwest::Error> {
    builder(network).http1_only().pool_max_idle_per_host(0).build()
}

#[expect(clippy::disallowed_methods, reason = "this is the one client")]
fn builder(network: &Network) -> ClientBuilder {
    // A second call finds the provider in place, which is just as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Whoever names no coding takes any, and nothing here unpacks one. RFC 9110, 12.5.3.
    let uncoded = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
    // What the client itself would make of the environment is only half of what others do.
    let mut client = Client::builder().no_proxy();
    if network.proxies.http.is_some() || network.proxies.https.is_some() {
        let proxies = network.proxies.clone();
        client = client.proxy(Proxy::custom(move |url| proxies.of(url).cloned()));
    }
    if let Some(roots) = &network.roots {
        client = client.tls_certs_only(roots.iter().cloned());
    }
    client
        .user_agent(USER_AGENT)
        .default_headers(uncoded)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .tcp_nodelay(true)
}

/// Why there is no client, and what to do: only the certificates can be at fault.
#[must_use]
pub fn without_client(network: &Network) -> &'static str {
    if network.roots.is_some() {
        "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names can't be used; name others, or unset both"
    } else {
        "the system has no root certificates that can be read; install ca-certificates, or name a file of them \
         in SSL_CERT_FILE (where that is set to nothing, unset it)"
    }
}

/// Says what kind of failure `error` is, without its text, which can hold the URL.
#[must_use]
pub fn classify(error: &reqwest::Error) -> CallError {
    if error.is_connect() {
        match Obstacle::of(error) {
            Some(obstacle) => CallError::Barred(obstacle),
            None => CallError::NotSent("no connection"),
        }
    } else if error.is_timeout() {
        CallError::Unanswered(TIMEOUT)
    } else if error.is_builder() {
        CallError::NotSent("request could not be built")
    } else {
        CallError::Unanswered(LOST)
    }
}

/// Whether a URL stays on this machine, so that it need not be encrypted.
#[must_use]
pub fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Reads an answer's body up to `limit` bytes, without a byte-order mark, which is no part of a text.
///
/// # Errors
/// [`CallError::Unanswered`] when the connection ends early, or there is no room for so much while others
/// are read, [`CallError::TooLarge`].
pub async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, CallError> {
    let expected = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if expected > limit {
        return Err(CallError::TooLarge(limit));
    }
    let mut body = Vec::with_capacity(expected.min(UNASKED));
    let mut room = Room { pieces: Vec::new(), patience: ROOM_PATIENCE };
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        let length = body.len() + chunk.len();
        if length > limit {
            return Err(CallError::TooLarge(limit));
        }
        if length > UNASKED + room.pieces.len() * PIECE {
            room.grow(length).await?;
            body.reserve_exact(UNASKED + room.pieces.len() * PIECE - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    if body.starts_with(BYTE_ORDER_MARK) {
        body.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(body)
}

/// What an answer that is being read has of [`ROOM`].
struct Room {
    pieces: Vec<SemaphorePermit<'static>>,
    patience: Duration,
}

impl Room {
    /// Takes as much as an answer of this length needs.
    async fn grow(&mut self, length: usize) -> Result<(), CallError> {
        while length > UNASKED + self.pieces.len() * PIECE {
            let asked = Instant::now();
            let piece = tokio::time::timeout(self.patience, FREE.acquire()).await;
            self.patience = self.patience.saturating_sub(asked.elapsed());
            // Never closed, so only the time can be over.
            let Ok(Ok(piece)) = piece else { return Err(CallError::Unanswered(NO_ROOM)) };
            self.pieces.push(piece);
        }
        Ok(())
    }
}

/// The `Retry-After` of an answer: seconds, as both Slack and Fivetran send it, or the moment, which is
/// told by the answer's own clock. <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
///
/// `None` when it is absent or says neither. Absurd values are returned as they are; whoever waits has a
/// cap.
#[must_use]
pub fn retry_after(response: &Response) -> Option<Duration> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    pause(header(RETRY_AFTER)?, header(DATE))
}

fn pause(asked: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    if let Ok(seconds) = asked.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.ceil()).ok();
    }
    let left = moment(asked)?.duration_since(moment(date?)?);
    // What is over already asks for no more.
    Some(Duration::try_from(left).unwrap_or_default())
}

/// When an answer was given, by the clock of whoever gave it.
#[must_use]
pub fn answered_at(response: &Response) -> Option<Timestamp> {
    moment(response.headers().get(DATE)?.to_str().ok()?)
}

fn moment(date: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(date.trim()).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_every_name_it_has() {
        for here in ["http://127.0.0.1:80/x", "ws://127.8.8.8", "http://[::1]:3000", "http://LOCALHOST/"] {
            assert!(is_here(&Url::parse(here).unwrap()), "{here}");
        }
        for there in
            ["http://10.0.0.1", "http://localhost.example", "http://127.0.0.1.example", "data:,127.0.0.1"]
        {
            assert!(!is_here(&Url::parse(there).unwrap()), "{there}");
        }
    }

    #[tokio::test]
    async fn no_more_is_read_than_was_asked_for() {
        let answer = |bytes: usize| Response::from(hyper::Response::new("x".repeat(bytes)));
        assert_eq!(read(answer(10), 10).await.unwrap().len(), 10);
        assert!(matches!(read(answer(11), 10).await, Err(CallError::TooLarge(10))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_waits_for_room_and_not_for_long() {
        let answer = |bytes: usize| Response::from(hyper::Response::new("x".repeat(bytes)));
        let taken = FREE.acquire_many(u32::try_from(ROOM / PIECE).unwrap()).await.unwrap();
        assert_eq!(read(answer(UNASKED), ANSWER_LIMIT).await.unwrap().len(), UNASKED, "it needs none");
        let large = read(answer(2 * PIECE), ANSWER_LIMIT).await;
        assert!(matches!(large, Err(CallError::Unanswered(NO_ROOM))));
        let (large, ()) = tokio::join!(read(answer(2 * PIECE), ANSWER_LIMIT), async { drop(taken) });
        assert_eq!(large.unwrap().len(), 2 * PIECE);
        assert_eq!(FREE.available_permits(), ROOM / PIECE, "all of it is given back");
    }

    #[tokio::test]
    async fn a_byte_order_mark_is_no_part_of_an_answer() {
        for (sent, expected) in [("\u{feff}{}", "{}"), ("\u{feff}", ""), ("{}\u{feff}", "{}\u{feff}")] {
            let answer = Response::from(hyper::Response::new(sent));
            assert_eq!(read(answer, 100).await.unwrap(), expected.as_bytes());
        }
    }

    #[test]
    fn a_pause_is_understood_in_every_form() {
        let date = Some("Thu, 26 Nov 2026 12:00:00 GMT");
        for (asked, date, seconds) in [
            ("7", None, Some(7)),
            ("0", None, Some(0)),
            ("90.5", None, Some(91)),
            ("99999999999999", None, Some(99_999_999_999_999)),
            ("Thu, 26 Nov 2026 12:01:30 GMT", date, Some(90)),
            ("Thu, 26 Nov 2026 11:00:00 GMT", date, Some(0)),
            ("Thu, 26 Nov 2026 12:01:30 GMT", None, None),
            ("-1", None, None),
            ("NaN", None, None),
            ("soon", date, None),
            ("", date, None),
        ] {
            assert_eq!(pause(asked, date), seconds.map(Duration::from_secs), "{asked}");
        }
    }
}
