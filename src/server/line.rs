//! A connection as a line on which somebody speaks or is silent.
//!
//! Owns what a connection is at, how long it may be so in silence, and which one makes room when
//! there are too many. A balancer keeps its connections for the next request, and takes one that
//! breaks off under a request for a failure of the bot's; so a line that has been used is kept for
//! longer than balancers keep theirs. Must not know what a request is about.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::deadline::Deadline;

/// After how long a connection on which nothing has come yet is the first to make room for another one.
/// It may be somebody who takes places from others. But proxies written in Go dial ahead: while a request
/// waits for one of two connections, the other is kept for a later one, and a command that comes just as
/// it is closed would be lost. So as long as there is room, it is kept like one that has been used.
const FRESH_LIMIT: Duration = Duration::from_secs(5);
/// How often a newcomer to a full house looks for one of those.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// From a request's first byte to the end of its header, however slowly it comes.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// How long a connection is kept after an answer, or without a request. Balancers close theirs after 60 s of silence, and
/// have to be the first to do so: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#connection-idle-timeout>
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come yet.
    Fresh(Instant),
    /// A request's first byte came then.
    Begun(Instant),
    /// The bot is at work on a request.
    Busy,
    /// The last answer was given then.
    Idle(Instant),
    /// Another one needs the place.
    Leaving,
}

/// One connection of a [`Crowd`].
pub(super) struct Line {
    phase: Mutex<Phase>,
    changed: Notify,
    /// Some connection may be asked to leave, or one that was asked does not.
    idle: Arc<Notify>,
}

impl Line {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, to: Phase) -> Phase {
        let was = std::mem::replace(&mut *self.phase(), to);
        self.changed.notify_one();
        if was == Phase::Leaving || matches!(to, Phase::Idle(_)) {
            self.idle.notify_one();
        }
        was
    }

    /// Bytes have come.
    fn hears(&self) {
        // While the bot is at work they are the body's, or of a request that nobody waits for yet.
        let waited = matches!(*self.phase(), Phase::Fresh(_) | Phase::Idle(_) | Phase::Leaving);
        if waited {
            self.turn(Phase::Begun(Instant::now()));
        }
    }

    /// A request's header is whole. Says when it began.
    fn begins(&self) -> Instant {
        match self.turn(Phase::Busy) {
            Phase::Begun(at) => at,
            _ => Instant::now(),
        }
    }

    /// Asks it to leave, if it has nothing to do since then.
    fn leaves(&self, since: Instant) -> bool {
        let mut phase = self.phase();
        let idle = matches!(*phase, Phase::Idle(at) | Phase::Fresh(at) if at == since);
        if idle {
            *phase = Phase::Leaving;
            self.changed.notify_one();
        }
        idle
    }

    /// Since when it could make room, and before that, whether it has ever been used.
    fn idle_since(&self) -> Option<(bool, Instant)> {
        match *self.phase() {
            Phase::Idle(since) => Some((true, since)),
            Phase::Fresh(since) if since.elapsed() >= FRESH_LIMIT => Some((false, since)),
            _ => None,
        }
    }

    /// Waits until it has been silent for too long, or has to leave.
    async fn is_over(&self) {
        loop {
            let phase = *self.phase();
            let end = match phase {
                Phase::Begun(at) => at + HEADER_LIMIT,
                Phase::Fresh(at) | Phase::Idle(at) => at + IDLE_LIMIT,
                Phase::Leaving => return,
                Phase::Busy => {
                    self.changed.notified().await;
                    continue;
                }
            };
            let silent = timeout_at(end, self.changed.notified()).await.is_err();
            if silent && *self.phase() == phase {
                return;
            }
        }
    }
}

/// The connections that there are, and the places for them.
pub(super) struct Crowd {
    lines: Mutex<HashMap<u64, Arc<Line>>>,
    next: AtomicU64,
    places: Arc<Semaphore>,
    idle: Arc<Notify>,
}

impl Crowd {
    /// Room for so many connections.
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            next: AtomicU64::new(0),
            places: Arc::new(Semaphore::new(places)),
            idle: Arc::default(),
        })
    }

    /// A place for one more connection: a free one, else that of one which has never been used, else that
    /// of the one which has been idle for longest. Waits only while all of them are at something. For one newcomer at a time.
    pub(super) async fn admit(self: &Arc<Self>) -> Option<Place> {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                break permit;
            }
            self.ask_one_to_leave();
            tokio::select! {
                permit = Arc::clone(&self.places).acquire_owned() => break permit.ok()?,
                () = self.idle.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        };
        let phase = Mutex::new(Phase::Fresh(Instant::now()));
        let line = Arc::new(Line { phase, changed: Notify::new(), idle: Arc::clone(&self.idle) });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lines().insert(id, Arc::clone(&line));
        Some(Place { crowd: Arc::clone(self), id, line, _permit: permit })
    }

    /// Asks the one that can be spared most, unless one is leaving already: `idle` also wakes
    /// a newcomer for what became idle before it came.
    fn ask_one_to_leave(&self) {
        let lines = self.lines();
        if lines.values().any(|line| *line.phase() == Phase::Leaving) {
            return;
        }
        let idle = lines.values().filter_map(|line| Some((line.idle_since()?, line)));
        let mut idle: Vec<_> = idle.collect();
        idle.sort_unstable_by_key(|(idle, _)| *idle);
        // One may have come to be used just now.
        let _ = idle.into_iter().any(|((_, since), line)| line.leaves(since));
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<u64, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in a [`Crowd`], until it is dropped.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    id: u64,
    line: Arc<Line>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// The connection, whose bytes are noted, and the service that tells each request when it began.
    pub(super) fn noted<I, S>(&self, io: I, service: S) -> (Noted<I>, Dated<S>) {
        (Noted { io, line: Arc::clone(&self.line) }, Dated { service, line: Arc::clone(&self.line) })
    }

    /// Carries the connection until it ends, is silent for too long, or has to leave.
    pub(super) async fn hold(self, connection: impl Future) {
        tokio::select! {
            // A request that comes at the last moment is still heard.
            biased;
            // A connection that breaks off is the peer's business; the request was logged.
            _ = connection => {}
            () = self.line.is_over() => {}
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.lines().remove(&self.id);
    }
}

/// See [`Place::noted`].
pub(super) struct Noted<I> {
    io: I,
    line: Arc<Line>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Noted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, into))?;
        if into.filled().len() > before {
            self.line.hears();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Noted<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// See [`Place::noted`].
#[derive(Clone)]
pub(super) struct Dated<S> {
    service: S,
    line: Arc<Line>,
}

impl<S> Service<Request<Incoming>> for Dated<S>
where
    S: Service<Request<Incoming>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Deadline::since(self.line.begins()));
        let (answer, line) = (self.service.call(request), Arc::clone(&self.line));
        Box::pin(async move {
            let answer = answer.await;
            line.turn(Phase::Idle(Instant::now()));
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: bot\r\n\r\n";

    /// A peer, and its connection, carried by a task of its own.
    async fn connect(crowd: &Arc<Crowd>) -> DuplexStream {
        let (peer, io) = tokio::io::duplex(4096);
        let place = crowd.admit().await.unwrap();
        let service = TowerToHyperService::new(Router::new().route("/", get(async || "well")));
        let (io, service) = place.noted(io, service);
        let connection = crate::server::http().serve_connection(TokioIo::new(io), service);
        tokio::spawn(place.hold(connection));
        peer
    }

    /// Whether a request is answered; `false`: the connection is closed.
    async fn asks(peer: &mut DuplexStream) -> bool {
        if peer.write_all(REQUEST).await.is_err() {
            return false;
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"well") {
            if peer.read_buf(&mut answer).await.unwrap_or(0) == 0 {
                return false;
            }
        }
        answer.starts_with(b"HTTP/1.1 200 OK")
    }

    /// After how many whole seconds of silence the connection is closed.
    async fn closes_after(peer: &mut DuplexStream) -> u64 {
        let began = Instant::now();
        let mut nothing = [0];
        assert_eq!(peer.read(&mut nothing).await.unwrap_or(0), 0);
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_been_used_is_kept_for_longer_than_a_balancer_keeps_it() {
        let crowd = Crowd::new(8);
        let mut peer = connect(&crowd).await;
        for seconds in [0, 5, 60, 74] {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            assert!(asks(&mut peer).await, "after {seconds} s");
        }
        assert_eq!(closes_after(&mut peer).await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_dialled_ahead_answers_its_first_request_whenever_that_comes() {
        let crowd = Crowd::new(8);
        for seconds in [0, 4, 5, 6, 60, 74] {
            let mut peer = connect(&crowd).await;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            assert!(asks(&mut peer).await, "after {seconds} s");
        }
        assert_eq!(closes_after(&mut connect(&crowd).await).await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_makes_room_before_those_who_have_been_heard() {
        let crowd = Crowd::new(3);
        let mut heard = connect(&crowd).await;
        assert!(asks(&mut heard).await);
        let mut silent = [connect(&crowd).await, connect(&crowd).await];
        tokio::time::sleep(FRESH_LIMIT).await;
        for _ in 0..2 {
            let began = Instant::now();
            assert!(asks(&mut connect(&crowd).await).await);
            assert_eq!(began.elapsed().as_secs(), 0);
        }
        for peer in &mut silent {
            assert!(!asks(peer).await);
        }
        assert!(asks(&mut heard).await);
        // Nor for longer than that, whatever there is room for.
        let crowd = Crowd::new(1);
        let _silent = connect(&crowd).await;
        let began = Instant::now();
        assert!(asks(&mut connect(&crowd).await).await);
        assert!(began.elapsed() >= FRESH_LIMIT && began.elapsed() <= FRESH_LIMIT + LOOK_AGAIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_said_slowly_is_closed_soon() {
        let crowd = Crowd::new(8);
        let mut peer = connect(&crowd).await;
        for used in [false, true] {
            if used {
                peer = connect(&crowd).await;
                assert!(asks(&mut peer).await);
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
            let began = Instant::now();
            for byte in &REQUEST[..10] {
                if peer.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
            assert_eq!(closes_after(&mut peer).await, 0, "used: {used}");
            assert!(began.elapsed() >= HEADER_LIMIT, "used: {used}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_house_of_idle_connections_lets_everybody_in() {
        let crowd = Crowd::new(3);
        let mut peers = Vec::new();
        for _ in 0..3 {
            let mut peer = connect(&crowd).await;
            assert!(asks(&mut peer).await);
            tokio::time::sleep(Duration::from_secs(1)).await;
            peers.push(peer);
        }
        // The first one has been used since.
        assert!(asks(&mut peers[0]).await);
        for _ in 0..2 {
            let mut newcomer = connect(&crowd).await;
            assert!(asks(&mut newcomer).await);
            tokio::time::sleep(Duration::from_secs(1)).await;
            peers.push(newcomer);
        }
        let mut open = Vec::new();
        for peer in &mut peers {
            open.push(asks(peer).await);
        }
        assert_eq!(open, [true, false, false, true, true], "the longest idle ones have made room");
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_to_a_full_house_takes_the_place_of_one() {
        let crowd = Crowd::new(3);
        let mut peers = Vec::new();
        for _ in 0..3 {
            let mut peer = connect(&crowd).await;
            assert!(asks(&mut peer).await);
            tokio::time::sleep(Duration::from_secs(1)).await;
            peers.push(peer);
        }
        peers.push(connect(&crowd).await);
        let mut open = Vec::new();
        for peer in &mut peers {
            open.push(asks(peer).await);
        }
        assert_eq!(open, [false, true, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_in_use_is_not_closed_for_a_newcomer() {
        let crowd = Crowd::new(1);
        let mut peer = connect(&crowd).await;
        peer.write_all(&REQUEST[..10]).await.unwrap();
        let began = Instant::now();
        let mut newcomer = {
            let crowd = Arc::clone(&crowd);
            tokio::spawn(async move { connect(&crowd).await })
        };
        tokio::select! {
            biased;
            _ = &mut newcomer => panic!("there is no place"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        peer.write_all(&REQUEST[10..]).await.unwrap();
        let mut newcomer = newcomer.await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 1, "once the answer was given");
        assert!(asks(&mut newcomer).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_begins_with_its_first_byte() {
        let crowd = Crowd::new(1);
        let place = crowd.admit().await.unwrap();
        let (mut client, server) = tokio::io::duplex(64);
        let (mut noted, dated) = place.noted(server, ());
        let mut byte = [0];
        let start = Instant::now();
        client.write_all(b"POST").await.unwrap();
        noted.read_exact(&mut byte).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        noted.read_exact(&mut byte).await.unwrap();
        assert_eq!(dated.line.begins(), start, "not with a later one");
        noted.read_exact(&mut byte).await.unwrap();
        assert_eq!(*dated.line.phase(), Phase::Busy, "that was the body");
        dated.line.turn(Phase::Idle(Instant::now()));
        tokio::time::advance(Duration::from_secs(1)).await;
        noted.read_exact(&mut byte).await.unwrap();
        assert_eq!(dated.line.begins(), start + Duration::from_secs(2), "the next one by its own");
    }
}
