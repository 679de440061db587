//! One deadline for everything that happens before an answer.
//!
//! Owns when a request began, which is when its first byte was read, and what of its time each part
//! may use. Slack gives the whole answer three seconds, whatever is slow: the header, the body, Slack
//! itself when it is asked about a person, the database. Must not know what is waited for.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::{Extensions, Request};
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

/// From the first byte to the answer. Slack's 3 s begin when it sends, and end when it has the
/// answer: the rest is for the way there and back.
const LIMIT: Duration = Duration::from_millis(2600);
/// What is kept of it, when Slack or Fivetran is asked or the body is read, for what comes after: the
/// commit, and the answer itself.
const RESERVE: Duration = Duration::from_millis(400);

/// By when a request is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    began: Instant,
}

/// The time is over.
#[derive(Debug)]
pub(super) struct Over;

impl Deadline {
    /// Of a request; one that came in another way begins now.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or_else(|| Self { began: Instant::now() })
    }

    /// When the request began.
    pub(super) fn began(self) -> Instant {
        self.began
    }

    /// The answer has to leave now.
    pub(super) fn end(self) -> Instant {
        self.began + LIMIT
    }

    /// What comes before the last step has to end now.
    pub(super) fn early(self) -> Instant {
        self.end() - RESERVE
    }

    /// Waits for work with the database until the end. It goes on all the same, in a task of its own:
    /// a statement that is dropped half-way leaves its session in disorder.
    ///
    /// # Errors
    /// [`Over`].
    pub(super) async fn wait_for<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Over> {
        match timeout_at(self.end(), tokio::spawn(work)).await {
            Ok(Ok(done)) => Ok(done),
            // It panicked, which the log says, and has no answer either.
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }
}

/// When the first byte of the next request of a connection was read.
#[derive(Clone, Default)]
struct FirstByte(Arc<Mutex<Option<Instant>>>);

impl FirstByte {
    fn note(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }

    fn take(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection whose bytes are noted, and the service that tells each request when it began.
pub(super) fn noted<I, S>(io: I, service: S) -> (Noted<I>, Dated<S>) {
    let first = FirstByte::default();
    (Noted { io, first: first.clone() }, Dated { service, first })
}

/// See [`noted`].
pub(super) struct Noted<I> {
    io: I,
    first: FirstByte,
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
            self.first.note();
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

/// See [`noted`].
#[derive(Clone)]
pub(super) struct Dated<S> {
    service: S,
    first: FirstByte,
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
        let began = self.first.take().unwrap_or_else(Instant::now);
        request.extensions_mut().insert(Deadline { began });
        let (answer, first) = (self.service.call(request), self.first.clone());
        Box::pin(async move {
            let answer = answer.await;
            // What was read since was this request's body. The next request's first byte comes after
            // the answer; of one that came before, nobody has waited for the answer yet.
            first.take();
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_begins_with_its_first_byte() {
        let (mut client, server) = tokio::io::duplex(64);
        let (mut noted, dated) = noted(server, ());
        let mut byte = [0];
        assert!(dated.first.take().is_none());
        let start = Instant::now();
        client.write_all(b"POST").await.unwrap();
        noted.read_exact(&mut byte).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        noted.read_exact(&mut byte).await.unwrap();
        assert_eq!(dated.first.take(), Some(start), "not with a later one");
        noted.read_exact(&mut byte).await.unwrap();
        assert_eq!(dated.first.take(), Some(start + Duration::from_secs(1)), "the next one by its own");
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_waited_for_until_the_end_and_goes_on() {
        let deadline = Deadline { began: Instant::now() };
        assert_eq!(deadline.wait_for(async { 1 }).await.unwrap(), 1);
        let (done, mut seen) = tokio::sync::oneshot::channel();
        let slow = async move {
            tokio::time::sleep(LIMIT * 2).await;
            let _ = done.send(());
        };
        assert!(deadline.wait_for(slow).await.is_err());
        assert_eq!(deadline.began().elapsed().as_millis(), LIMIT.as_millis());
        assert!(seen.try_recv().is_err());
        seen.await.unwrap();
    }
}
