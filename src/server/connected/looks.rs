//! What the landing pages read of the database: a few looks at a time.
//!
//! Owns that a crowd of whoever asks for pages does not stand between a command and its commit: each look waits
//! for its turn, and keeps it until the database has answered. Must not know what is looked for.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::server::deadline::{Deadline, Over};
use crate::store::StoreError;

/// Looks at a time. With Postgres there are two sessions beside those of the writers.
const AT_A_TIME: usize = 2;

/// The way by which a page reads the database, which is `S`.
pub struct Looks<S> {
    database: S,
    turns: Arc<Semaphore>,
}

impl<S: Clone> Looks<S> {
    /// At this database.
    #[must_use]
    pub fn at(database: S) -> Self {
        Self { database, turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// Looks, if there is a turn before the deadline.
    ///
    /// # Errors
    /// [`Over`]: there was none, or no answer until then, or the database had none.
    pub(super) async fn look<T, F>(&self, deadline: Deadline, look: impl FnOnce(S) -> F) -> Result<T, Over>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let turn = timeout_at(deadline.end(), Arc::clone(&self.turns).acquire_owned()).await;
        // They are never closed.
        let turn = turn.ok().and_then(Result::ok).ok_or(Over)?;
        let looking = look(self.database.clone());
        let found = deadline.wait_for(async move {
            let found = looking.await;
            drop(turn);
            found
        });
        found.await?.map_err(|error| {
            // No warning: strangers could fill a disk with it, and whoever else asks the database says so.
            tracing::debug!(%error, "could not look up what a page shows");
            Over
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_look_at_a_time_than_have_a_turn_whoever_still_waits_for_the_answer() {
        let looks = Looks::at(());
        let deadline = || Deadline::since(Instant::now());
        let mut answers = Vec::new();
        for _ in 0..AT_A_TIME {
            let (answer, asked) = oneshot::channel::<()>();
            answers.push(answer);
            let hangs = looks.look(deadline(), |()| async move { Ok(asked.await) });
            assert!(hangs.await.is_err(), "nobody waits for it any more, and it goes on");
        }
        let (asks, mut asked) = oneshot::channel();
        let next = looks.look(deadline(), |()| async move { Ok(asks.send(())) });
        assert!(next.await.is_err());
        assert!(asked.try_recv().is_err(), "it never had a turn");
        drop(answers.pop());
        assert_eq!(looks.look(deadline(), |()| async { Ok(1) }).await.ok(), Some(1));
    }

    #[tokio::test]
    async fn a_database_that_fails_has_no_answer() {
        let looks = Looks::at(());
        let fails = async { Err::<(), _>(StoreError::Unanswered) };
        assert!(looks.look(Deadline::since(Instant::now()), |()| fails).await.is_err());
    }
}
