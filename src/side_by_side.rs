//! Work that comes in pieces, carried side by side.
//!
//! Owns that a piece which hangs keeps only its own place: those behind it are begun as others end.
//! Must not know what the work is.

use std::panic::resume_unwind;

use tokio::task::{JoinError, JoinSet};

/// The pieces under way. Dropped, it ends them all.
pub struct SideBySide {
    pieces: JoinSet<()>,
    most: usize,
}

impl SideBySide {
    /// None yet, and never more than `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { pieces: JoinSet::new(), most }
    }

    /// For how many more there is room.
    pub fn room(&mut self) -> usize {
        while let Some(ended) = self.pieces.try_join_next() {
            pass_on(ended);
        }
        self.most.saturating_sub(self.pieces.len())
    }

    /// Begins one.
    pub fn begin(&mut self, piece: impl Future<Output = ()> + Send + 'static) {
        self.pieces.spawn(piece);
    }

    /// Waits until half of the places are free: those that were begun together often end together, and
    /// each need not ask for another by itself.
    pub async fn half_is_free(&mut self) {
        while self.pieces.len() > self.most / 2 {
            if let Some(ended) = self.pieces.join_next().await {
                pass_on(ended);
            }
        }
    }

    /// Waits for the end of all.
    pub async fn finish(mut self) {
        while let Some(ended) = self.pieces.join_next().await {
            pass_on(ended);
        }
    }
}

/// A piece that panics ends whoever began it.
fn pass_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_hangs_keeps_only_its_own_place() {
        let mut pieces = SideBySide::new(4);
        pieces.begin(std::future::pending());
        for _ in 0..3 {
            pieces.begin(std::future::ready(()));
        }
        pieces.half_is_free().await;
        while pieces.room() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pieces.room(), 3);
    }

    #[tokio::test]
    #[should_panic(expected = "on purpose")]
    async fn one_that_panics_ends_whoever_began_it() {
        let mut pieces = SideBySide::new(4);
        pieces.begin(async { panic!("on purpose") });
        pieces.finish().await;
    }
}
