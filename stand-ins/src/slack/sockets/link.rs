//! One socket: its handshake, its frames, and its end.
//!
//! Owns the connection. Must not know which envelopes there are; it carries what it is told to.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::{HOST, Habits, Opening, Order, Rule, Standing, ping};
use crate::lock;
use crate::slack::{APP_ID, Inner};

const BUILD: u32 = 10;
/// With `debug_reconnects=true` a socket lives so long: docs.slack.dev.
const DEBUG_LIFE: Duration = Duration::from_secs(360);
/// From the last word to the close: what is under way may still arrive.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long a closing frame waits for its answer.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a frame may take to leave.
const SEND_PATIENCE: Duration = Duration::from_secs(5);
/// node-slack-sdk, #2752: after the closing handshake Slack leaves the connection open.
const LINGERS: Duration = Duration::from_secs(30);
/// What a handshake is answered with whose ticket does not count: bolt-python, issue 1203.
const NOT_ADMITTED: u16 = 409;

type WebSocket = WebSocketStream<TcpStream>;

/// Why a socket ends.
enum End {
    /// The other side has gone, or has broken the protocol.
    Over,
    /// The closing handshake is done.
    Closed,
    Reset,
    Hung,
}

/// Serves one connection until it ends.
pub(in crate::slack) async fn serve(inner: Arc<Inner>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let opening = lock(&inner.sockets).openings.pop_front();
    match opening {
        Some(Opening::Reset) => return reset(&stream),
        Some(Opening::Hangs) => return swallow(stream, std::future::pending()).await,
        _ => {}
    }
    let mut debug = false;
    #[expect(clippy::result_large_err, reason = "the crate's own type for an answer")]
    let admit = |request: &Request, response: Response| {
        if let Some(Opening::Refused(status)) = opening {
            return Err(refused(status));
        }
        let word = |name: &str| query(request.uri(), name);
        debug = word("debug_reconnects").as_deref() == Some("true");
        let now = inner.clock.now();
        let ticket = word("ticket").is_some_and(|ticket| lock(&inner.sockets).redeem(&ticket, now));
        let here = request.uri().path() == "/link/" && word("app_id").as_deref() == Some(APP_ID);
        if ticket && here { Ok(response) } else { Err(refused(NOT_ADMITTED)) }
    };
    let Ok(mut socket) = accept_hdr_async(stream, admit).await else { return };
    let (orders, inbox) = mpsc::unbounded_channel();
    let (number, count, mut habits) = {
        let mut sockets = lock(&inner.sockets);
        (sockets.admit(orders), sockets.sockets.len(), sockets.habits)
    };
    let Some(number) = number else { return turn_away(socket, count).await };
    let place = Place { inner: Arc::clone(&inner), number };
    if debug {
        habits.life = habits.life.min(DEBUG_LIFE);
    }
    if opening != Some(Opening::Silent) {
        if say(&mut socket, Message::text(hello(count, habits.life))).await.is_err() {
            return;
        }
        lock(&inner.sockets).stand(number, Standing::Live);
    }
    let mut link = Link { inner, number, socket, inbox, habits, end: None, closing: false };
    let end = link.run().await;
    let Link { socket, mut inbox, .. } = link;
    match end {
        End::Over => {}
        End::Reset => reset(socket.get_ref()),
        End::Closed => {
            drop(place);
            swallow(socket.into_inner(), tokio::time::sleep(LINGERS)).await;
        }
        End::Hung => {
            let stream = socket.into_inner();
            swallow(stream, async {
                while let Some(order) = inbox.recv().await {
                    if matches!(order, Order::Reset | Order::Close(..)) {
                        return;
                    }
                }
            })
            .await;
        }
    }
}

/// A socket's place among those that there are, which it leaves with its end.
struct Place {
    inner: Arc<Inner>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.inner.sockets).leave(self.number);
    }
}

struct Link {
    inner: Arc<Inner>,
    number: u64,
    socket: WebSocket,
    inbox: mpsc::UnboundedReceiver<Order>,
    habits: Habits,
    /// When it will be closed.
    end: Option<tokio::time::Instant>,
    /// A closing frame has been sent or has come.
    closing: bool,
}

impl Link {
    async fn run(&mut self) -> End {
        let began = tokio::time::Instant::now();
        let mut next_ping = began + self.habits.ping_every;
        let mut heard = began;
        let mut pings = 0;
        let mut warns_at = began.checked_add(self.habits.life.saturating_sub(self.habits.warning));
        let refreshes_at = began.checked_add(self.habits.life);
        let mut refreshed = false;
        loop {
            let wakes = [warns_at, refreshes_at.filter(|_| !refreshed), self.end];
            let wake = wakes.into_iter().flatten().fold(next_ping, Ord::min);
            tokio::select! {
                said = self.socket.next() => match said {
                    Some(Ok(Message::Text(text))) => {
                        lock(&self.inner.sockets).hear(self.number, &text, Instant::now());
                    }
                    Some(Ok(Message::Binary(bytes))) => {
                        lock(&self.inner.sockets).breach(Rule::Text, &format!("{} bytes", bytes.len()));
                    }
                    Some(Ok(Message::Pong(_))) => heard = tokio::time::Instant::now(),
                    // The answer to it leaves with the next look for frames.
                    Some(Ok(Message::Close(_))) => self.begin_to_close(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return self.broken(&error),
                    None => return if self.closing { End::Closed } else { End::Over },
                },
                Some(order) = self.inbox.recv() => {
                    if let Some(end) = self.obey(order).await {
                        return end;
                    }
                }
                () = sleep_until(wake) => {
                    let now = tokio::time::Instant::now();
                    if self.end.is_some_and(|end| end <= now) {
                        if self.closing {
                            return End::Reset;
                        }
                        if self.close(1000, "").await.is_err() {
                            return End::Over;
                        }
                    } else if refreshes_at.is_some_and(|at| at <= now) && !refreshed {
                        refreshed = true;
                        lock(&self.inner.sockets).stand(self.number, Standing::Leaving);
                        if let Some(end) = self.obey(Order::Disconnect("refresh_requested", LAST_WORD)).await {
                            return end;
                        }
                    } else if warns_at.is_some_and(|at| at <= now) {
                        warns_at = None;
                        if self.send(Message::text(disconnect("warning"))).await.is_err() {
                            return End::Over;
                        }
                    } else if next_ping <= now {
                        if now.duration_since(heard) > self.habits.pong_patience {
                            return End::Reset;
                        }
                        pings += 1;
                        next_ping = now + self.habits.ping_every;
                        if !self.closing && self.send(Message::Ping(ping(pings).into())).await.is_err() {
                            return End::Over;
                        }
                    }
                }
            }
        }
    }

    /// Does what it is told to; gives the end that it is.
    async fn obey(&mut self, order: Order) -> Option<End> {
        if self.closing && !matches!(order, Order::Reset) {
            return None;
        }
        let done = match order {
            Order::Reset => return Some(End::Reset),
            Order::Hang => return Some(End::Hung),
            Order::Text(text) => self.send(Message::text(text)).await,
            Order::Binary(bytes) => self.send(Message::binary(bytes)).await,
            Order::Pieces(text) => self.send_in_pieces(&text).await,
            Order::Close(code, reason) => self.close(code, &reason).await,
            Order::Disconnect(reason, after) => {
                self.end = tokio::time::Instant::now().checked_add(after);
                self.send(Message::text(disconnect(reason))).await
            }
        };
        done.err().map(|_| End::Over)
    }

    async fn send_in_pieces(&mut self, text: &str) -> io::Result<()> {
        let bytes = Bytes::from(text.to_owned());
        let third = bytes.len() / 3;
        let pieces = [
            (bytes.slice(..third), Data::Text, false),
            (bytes.slice(third..third * 2), Data::Continue, false),
            (bytes.slice(third * 2..), Data::Continue, true),
        ];
        for (piece, kind, is_last) in pieces {
            self.send(Message::Frame(Frame::message(piece, OpCode::Data(kind), is_last))).await?;
            if !is_last {
                self.send(Message::Ping(ping(0).into())).await?;
            }
        }
        Ok(())
    }

    /// From the first closing frame on nothing new comes.
    fn begin_to_close(&mut self) {
        if !self.closing {
            self.closing = true;
            self.end = tokio::time::Instant::now().checked_add(CLOSE_PATIENCE);
            lock(&self.inner.sockets).stand(self.number, Standing::Leaving);
        }
    }

    async fn close(&mut self, code: u16, reason: &str) -> io::Result<()> {
        self.begin_to_close();
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.send(Message::Close(Some(frame))).await
    }

    async fn send(&mut self, message: Message) -> io::Result<()> {
        say(&mut self.socket, message).await
    }

    /// The end that an error is. Who has only gone has broken nothing.
    fn broken(&self, error: &Error) -> End {
        let gone = ProtocolError::ResetWithoutClosingHandshake;
        match error {
            Error::ConnectionClosed if self.closing => return End::Closed,
            Error::Protocol(what) if *what == gone => {}
            Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_) => {
                lock(&self.inner.sockets).breach(Rule::WebSocket, &error.to_string());
            }
            _ => {}
        }
        End::Over
    }
}

/// Sends a frame, or fails where it does not leave in time.
async fn say(socket: &mut WebSocket, message: Message) -> io::Result<()> {
    match timeout(SEND_PATIENCE, socket.send(message)).await {
        Ok(sent) => sent.map_err(io::Error::other),
        Err(late) => Err(late.into()),
    }
}

/// Tells one socket too many so, and closes it.
async fn turn_away(mut socket: WebSocket, count: usize) {
    let mut last = about("too_many_websockets");
    last["num_connections"] = json!(count);
    last["connection_info"] = json!({ "app_id": APP_ID });
    let closed = async {
        say(&mut socket, Message::text(last.to_string())).await?;
        say(&mut socket, Message::Close(None)).await?;
        while let Some(Ok(_)) = socket.next().await {}
        io::Result::Ok(())
    };
    // Whoever does not answer is left alone all the same.
    let _ = timeout(CLOSE_PATIENCE, closed).await;
}

fn hello(count: usize, life: Duration) -> String {
    json!({
        "type": "hello", "num_connections": count,
        "debug_info": {
            "host": HOST, "build_number": BUILD, "approximate_connection_time": life.as_secs(),
        },
        "connection_info": { "app_id": APP_ID },
    })
    .to_string()
}

fn disconnect(reason: &str) -> String {
    about(reason).to_string()
}

fn about(reason: &str) -> Value {
    json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": HOST } })
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// An answer to a handshake as the proxy before Slack gives it: without a body.
fn refused(status: u16) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status.try_into().unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in [("server", "envoy"), ("connection", "close"), ("content-length", "0")] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    response
}

fn reset(stream: &TcpStream) {
    // What cannot be reset is closed, since it is dropped.
    let _ = stream.set_zero_linger();
}

/// Takes bytes and says nothing, until this is over or nobody is there any more; then resets.
async fn swallow(mut stream: TcpStream, over: impl Future<Output = ()>) {
    let mut bytes = vec![0; 16 * 1024];
    let taken = async { while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {} };
    tokio::select! {
        () = over => {}
        () = taken => {}
    }
    reset(&stream);
}
