//! One deadline for everything that happens before an answer.
//!
//! Owns what of a request's time each part may use, counted from its first byte, which `line` notes. Slack gives the whole answer three seconds, whatever is slow: the header, the body, Slack
//! itself when it is asked about a person, the database. Must not know what is waited for.

use std::time::Duration;

use axum::http::Extensions;
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
    /// Of a request whose first byte came then.
    pub(super) fn since(began: Instant) -> Self {
        Self { began }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

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
