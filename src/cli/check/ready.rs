//! `connect-card check --ready`: asks the bot that runs on this machine whether it is ready.
//!
//! Owns how long it waits, and what it says of each answer. It is a health check for where there is no
//! shell, so an address is all it needs: no key, no certificate, no database, and it goes through no
//! proxy. Must not know what makes a bot ready.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::{self, Exit};
use crate::outbound;

/// Longest wait for the whole answer: Docker's and Kubernetes' own probes are given one to five seconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most of an answer that is read, in bytes. The bot's own has one line.
const ANSWER_LIMIT: usize = 4096;
/// Most of an answer that is shown, in characters.
const LINE_LIMIT: usize = 200;
/// What the answer of a bot that is ready begins with.
const READY: &str = "ready";

/// Where a bot listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl From<SocketAddr> for Address {
    /// What listens everywhere on this machine is asked by the machine's own address.
    fn from(listen: SocketAddr) -> Self {
        let host = match listen.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self { host: host.to_string(), port: listen.port() }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = match text.parse::<SocketAddr>() {
            Ok(address) => Some(Self::from(address)),
            Err(_) => text.rsplit_once(':').and_then(|(host, port)| {
                let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                let named = !host.is_empty() && host.chars().all(is_name);
                Some(Self { host: host.to_owned(), port: port.parse().ok()? }).filter(|_| named)
            }),
        };
        address
            .filter(|address| address.port > 0)
            .ok_or("write it as HOST:PORT, such as 127.0.0.1:3000 or [::1]:3000")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Why a bot is not ready.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// It says so, in these words.
    #[error("not ready: {0}")]
    Says(String),
    /// There is none.
    #[error("nothing listens at {0}: the bot does not run, or listens elsewhere (HOST, PORT)")]
    Nothing(Address),
    /// There may be one, and it is stuck.
    #[error("{0} gives no answer within {seconds} s", seconds = PATIENCE.as_secs())]
    Late(Address),
    /// There is something else.
    #[error("what answers at {0} is not connect-card; name the bot's own address with --address HOST:PORT")]
    Foreign(Address),
}

/// Asks the bot at an address and prints what it says.
pub async fn run(address: &Address) -> Exit {
    match ask(address).await {
        Ok(line) => cli::print(&format!("{line}\n")),
        Err(unready) => {
            cli::remark(&unready.to_string());
            Exit::Failed
        }
    }
}

/// Asks the bot at an address; its own line, if it is ready.
///
/// # Errors
/// [`Unready`].
pub async fn ask(address: &Address) -> Result<String, Unready> {
    let answer = timeout(PATIENCE, exchange(address)).await;
    answer.unwrap_or_else(|_| Err(Unready::Late(address.clone())))
}

/// `GET /readyz`
async fn exchange(address: &Address) -> Result<String, Unready> {
    let foreign = || Unready::Foreign(address.clone());
    let stream = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(|_| Unready::Nothing(address.clone()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| foreign())?;
    tokio::spawn(connection);
    let request = Request::get("/readyz")
        .header(HOST, address.to_string())
        .header(USER_AGENT, outbound::USER_AGENT)
        .body(Empty::<Bytes>::new())
        .map_err(|_| foreign())?;
    let response = sender.send_request(request).await.map_err(|_| foreign())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await.map_err(|_| foreign())?;
    let line = line(&body.to_bytes());
    match status {
        StatusCode::OK if line.starts_with(READY) => Ok(line),
        StatusCode::SERVICE_UNAVAILABLE if !line.is_empty() => Err(Unready::Says(line)),
        _ => Err(foreign()),
    }
}

/// The first line of an answer, as it may be shown in a terminal.
fn line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|c| !c.is_control()).take(LINE_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_everywhere_is_here() {
        for (text, shown) in [
            ("127.0.0.1:3000", Some("127.0.0.1:3000")),
            ("0.0.0.0:3000", Some("127.0.0.1:3000")),
            ("[::]:3000", Some("[::1]:3000")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("10.0.0.7:80", Some("10.0.0.7:80")),
            ("localhost:3000", Some("localhost:3000")),
            ("connect-card_1.internal:3000", Some("connect-card_1.internal:3000")),
            ("localhost", None),
            ("localhost:0", None),
            ("localhost:70000", None),
            (":3000", None),
            ("::1:3000", None),
            ("http://localhost:3000", None),
            ("a b:3000", None),
            ("", None),
        ] {
            let read = text.parse::<Address>().ok().map(|address| address.to_string());
            assert_eq!(read.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn only_one_harmless_line_of_an_answer_is_shown() {
        assert_eq!(line(b"ready, 2 of 2 sockets\n"), "ready, 2 of 2 sockets");
        assert_eq!(line(b"no\x1b[31m\x07\r\nsecond"), "no[31m");
        assert_eq!(line("ä".repeat(300).as_bytes()).chars().count(), LINE_LIMIT);
        assert_eq!(line(b"\xff"), "\u{FFFD}");
    }
}
