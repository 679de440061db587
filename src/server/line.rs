//! A connection as a line on which somebody speaks or is silent.
//!
//! Owns what a connection is at, and how long it may be so in silence. A balancer keeps its connections for the
//! next request, and takes one that breaks off under a request for a failure of the bot's; so a line that has
//! been used is kept for longer than balancers keep theirs. Which one makes room when there are too many is
//! `crowd`'s to say. Must not know what a request is about.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::http::Request;
use hyper::body::{Body, Frame, SizeHint};
use hyper::service::Service;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::deadline::Deadline;
use super::seats::{Seats, Spare, Standing};

/// From a request's first byte to its last, however slowly it comes. Slack's whole time for an answer is
/// shorter.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// How long a connection is kept after an answer, or without a request. Balancers close theirs after 60 s of silence, and
/// have to be the first to do so: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#connection-idle-timeout>
/// Proxies written in Go dial ahead: while a request waits for one of two connections, the other is kept for a later
/// one, and a command that comes just as it is closed would be lost. So one that was never used is kept as long.
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come yet.
    Fresh(Instant),
    /// A request's first byte came then, and its last is still to come.
    Begun(Instant),
    /// The bot is at work on a request.
    Busy,
    /// The last answer was given then.
    Idle(Instant),
    /// Another one needs the place. What comes before it has left is heard.
    Leaving,
    /// The same in the middle of a request: the rest of it is not heard, lest it be acted upon and not answered.
    Dismissed,
}

impl Phase {
    /// How a connection at this stands to its place.
    fn standing(self) -> Standing {
        let spare = match self {
            Self::Fresh(since) => Some(Spare::Fresh(since)),
            Self::Idle(since) => Some(Spare::Idle(since)),
            Self::Begun(since) => Some(Spare::Begun(since)),
            Self::Busy | Self::Leaving | Self::Dismissed => None,
        };
        Standing { spare, stays: !matches!(self, Self::Leaving | Self::Dismissed) }
    }
}

/// What a connection is at, and by which number it has a place.
struct At {
    phase: Phase,
    seat: Option<u64>,
}

/// One connection of a [`Crowd`](super::crowd::Crowd).
pub(super) struct Line {
    at: Mutex<At>,
    seats: Arc<Seats>,
    changed: Notify,
    /// Bytes of a request that is not whole yet: its own, and those of all.
    unfinished: AtomicUsize,
    of_all: Arc<AtomicUsize>,
    /// Somebody can be spared.
    room: Arc<Notify>,
}

impl Line {
    /// On which nothing has come yet.
    pub(super) fn new(of_all: Arc<AtomicUsize>, room: Arc<Notify>, seats: Arc<Seats>) -> Self {
        let at = Mutex::new(At { phase: Phase::Fresh(Instant::now()), seat: None });
        Self { at, seats, changed: Notify::new(), unfinished: AtomicUsize::new(0), of_all, room }
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has a place by this number from now on, until it [ends](Self::ends).
    pub(super) fn sits(&self, id: u64) {
        let mut at = self.at();
        at.seat = Some(id);
        self.seats.turn(id, None, Some(at.phase.standing()));
    }

    /// Turns from one phase to another, unless it was told to leave in the middle of a request: from that there is
    /// no way back. Gives the phase before.
    fn turn(&self, next: impl FnOnce(Phase) -> Phase) -> Phase {
        let mut at = self.at();
        let was = at.phase;
        let next = if was == Phase::Dismissed { was } else { next(was) };
        if next == was {
            return was;
        }
        at.phase = next;
        if let Some(id) = at.seat {
            self.seats.turn(id, Some(was.standing()), Some(next.standing()));
        }
        if !matches!(next, Phase::Begun(_)) {
            self.lets_go();
        }
        drop(at);
        self.changed.notify_one();
        if matches!(next, Phase::Idle(_)) {
            self.room.notify_one();
        }
        was
    }

    /// So many bytes have come. False: nobody is to hear them.
    pub(super) fn hears(&self, bytes: usize) -> bool {
        let was = self.turn(|phase| match phase {
            Phase::Fresh(_) | Phase::Idle(_) | Phase::Leaving => Phase::Begun(Instant::now()),
            // While the bot is at work they are of a request that nobody waits for yet.
            phase => phase,
        });
        match was {
            Phase::Dismissed => return false,
            Phase::Busy => {}
            _ => {
                self.unfinished.fetch_add(bytes, Ordering::Relaxed);
                self.of_all.fetch_add(bytes, Ordering::Relaxed);
            }
        }
        true
    }

    /// A request's header is there. Says when it began; `None`: it has come with the one before it.
    fn begins(&self) -> Option<Instant> {
        let now = Instant::now();
        match self.turn(|phase| if matches!(phase, Phase::Begun(_)) { phase } else { Phase::Begun(now) }) {
            Phase::Begun(at) => Some(at),
            _ => None,
        }
    }

    /// A request is whole. False: it is not to be acted upon.
    pub(super) fn is_whole(&self) -> bool {
        self.turn(|_| Phase::Busy) != Phase::Dismissed
    }

    /// The bytes of a request are no longer those of one that is not whole.
    fn lets_go(&self) {
        let bytes = self.unfinished.swap(0, Ordering::Relaxed);
        self.of_all.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// It is there no more.
    pub(super) fn ends(&self) {
        // First, lest somebody else is chosen for what it has kept.
        self.lets_go();
        let mut at = self.at();
        if let Some(id) = at.seat.take() {
            self.seats.turn(id, Some(at.phase.standing()), None);
        }
    }

    /// Whether and by what right it can make room.
    pub(super) fn spare(&self) -> Option<Spare> {
        self.at().phase.standing().spare
    }

    /// Asks it to leave, if it is still at what it was.
    pub(super) fn leaves(&self, spare: Spare) -> bool {
        let mut leaves = false;
        self.turn(|phase| {
            let (is_so, next) = match (spare, phase) {
                (Spare::Fresh(then), Phase::Fresh(since)) | (Spare::Idle(then), Phase::Idle(since)) => {
                    (then == since, Phase::Leaving)
                }
                (Spare::Begun(then), Phase::Begun(since)) => (then == since, Phase::Dismissed),
                _ => (false, phase),
            };
            leaves = is_so;
            if is_so { next } else { phase }
        });
        leaves
    }

    /// Waits until it has been silent for too long, or has to leave.
    pub(super) async fn is_over(&self) {
        loop {
            let phase = self.at().phase;
            let end = match phase {
                Phase::Begun(at) => at + REQUEST_LIMIT,
                Phase::Fresh(at) | Phase::Idle(at) => at + IDLE_LIMIT,
                Phase::Leaving | Phase::Dismissed => return,
                Phase::Busy => {
                    self.changed.notified().await;
                    continue;
                }
            };
            let silent = timeout_at(end, self.changed.notified()).await.is_err();
            if silent && self.at().phase == phase {
                return;
            }
        }
    }
}

/// A connection whose bytes are noted.
pub(super) struct Noted<I> {
    io: I,
    line: Arc<Line>,
    /// Is called whenever more is kept of a request that is not whole.
    kept: Box<dyn Fn() + Send>,
}

impl<I> Noted<I> {
    pub(super) fn new(io: I, line: Arc<Line>, kept: impl Fn() + Send + 'static) -> Self {
        Self { io, line, kept: Box::new(kept) }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Noted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, into))?;
        let bytes = into.filled().len() - before;
        if bytes > 0 {
            if !self.line.hears(bytes) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            (self.kept)();
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

/// A service that tells each request when it began.
#[derive(Clone)]
pub(super) struct Dated<S> {
    service: S,
    line: Arc<Line>,
}

impl<S> Dated<S> {
    pub(super) fn new(service: S, line: Arc<Line>) -> Self {
        Self { service, line }
    }
}

impl<S, B> Service<Request<B>> for Dated<S>
where
    S: Service<Request<Listened<B>>>,
    S::Future: Send + 'static,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let line = Arc::clone(&self.line);
        let began = line.begins();
        let is_dismissed = request.body().is_end_stream() && !line.is_whole();
        let mut request = request.map(|body| Listened { body, line: Arc::clone(&line) });
        request.extensions_mut().insert(Deadline::since(began.unwrap_or_else(Instant::now)));
        let answer = (!is_dismissed).then(|| self.service.call(request));
        Box::pin(async move {
            // Without one the connection ends now.
            let Some(answer) = answer else { return std::future::pending().await };
            if began.is_none() {
                // Others have their turn before the next of a hundred that came at once.
                tokio::task::yield_now().await;
            }
            let answer = answer.await;
            line.turn(|_| Phase::Idle(Instant::now()));
            answer
        })
    }
}

/// A body of which is noted when it is whole, or when nobody waits for the rest.
pub(super) struct Listened<B> {
    body: B,
    line: Arc<Line>,
}

impl<B: Body + Unpin> Body for Listened<B>
where
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        Poll::Ready(match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(frame) => Some(frame.map_err(Into::into)),
            None if self.line.is_whole() => None,
            None => Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted).into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        // Whoever reads it has to ask once more for the end, and is told there whether it is to be used.
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Listened<B> {
    fn drop(&mut self) {
        self.line.turn(|phase| if matches!(phase, Phase::Begun(_)) { Phase::Busy } else { phase });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_begins_with_its_first_byte() {
        let line = Arc::new(Line::new(Arc::default(), Arc::default(), Arc::default()));
        let (mut client, server) = tokio::io::duplex(64);
        let mut noted = Noted::new(server, Arc::clone(&line), || {});
        let mut byte = [0];
        let start = Instant::now();
        client.write_all(b"POST").await.unwrap();
        noted.read_exact(&mut byte).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        noted.read_exact(&mut byte).await.unwrap();
        assert_eq!(line.begins(), Some(start), "not with a later one");
        assert_eq!(line.of_all.load(Ordering::Relaxed), 2);
        noted.read_exact(&mut byte).await.unwrap();
        assert!(line.is_whole());
        assert_eq!((line.at().phase, line.of_all.load(Ordering::Relaxed)), (Phase::Busy, 0));
        line.turn(|_| Phase::Idle(Instant::now()));
        tokio::time::advance(Duration::from_secs(1)).await;
        noted.read_exact(&mut byte).await.unwrap();
        assert_eq!(line.begins(), Some(start + Duration::from_secs(2)), "the next one by its own");
        assert!(line.is_whole());
        line.turn(|_| Phase::Idle(Instant::now()));
        assert_eq!(line.begins(), None, "of one that was there already, nothing comes");
    }
}
