//! A question to the database that anybody may have asked, and hang up before it is answered.
//!
//! Owns that there is one at a time, so that asking costs no command its place before the database, and for how
//! long an answer holds. Must not know what is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How long an answer is waited for.
const LIMIT: Duration = Duration::from_secs(1);

/// An answer and when it was given; `None`: none came in time until then.
type Answer<T> = (Instant, Option<T>);

/// The question, and its last answer.
pub(super) struct Question<T> {
    holds: Duration,
    asked: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    answered: Arc<Mutex<Option<Answer<T>>>>,
}

impl<T: Clone + Send + 'static> Question<T> {
    /// One whose answer holds for so long.
    pub(super) fn holding(holds: Duration) -> Self {
        Self { holds, asked: tokio::sync::Mutex::default(), answered: Arc::default() }
    }

    /// The answer; `None`: there was none for a second. `ask` goes on whoever waits for it.
    pub(super) async fn answer<F>(&self, ask: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut asked = self.asked.lock().await;
        if let Some(answer) = self.that_holds() {
            return answer;
        }
        // Nobody has heard it, and it may be old by now.
        if asked.as_ref().is_some_and(JoinHandle::is_finished) {
            *asked = None;
        }
        let under_way = asked.get_or_insert_with(|| {
            let (asking, answered) = (ask(), Arc::clone(&self.answered));
            tokio::spawn(async move {
                let answer = asking.await;
                *lock(&answered) = Some((Instant::now(), Some(answer)));
            })
        });
        let began = Instant::now();
        let in_time = timeout(LIMIT, under_way).await;
        let mut answered = lock(&self.answered);
        // It may have come at the last moment.
        let is_new = answered.as_ref().is_some_and(|(at, _)| *at >= began);
        if !is_new && !matches!(in_time, Ok(Ok(()))) {
            // Whoever asks next does not wait as long again.
            *answered = Some((Instant::now(), None));
        }
        answered.as_ref().and_then(|(_, answer)| answer.clone())
    }

    fn that_holds(&self) -> Option<Option<T>> {
        let answered = lock(&self.answered);
        answered.as_ref().filter(|(at, _)| at.elapsed() < self.holds).map(|(_, answer)| answer.clone())
    }

    #[cfg(test)]
    pub(super) fn is_answered(&self, answer: T) {
        *lock(&self.answered) = Some((Instant::now(), Some(answer)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join;
    use tokio::sync::oneshot;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_one_at_a_time_whoever_hangs_up_and_its_answer_holds_for_a_second() {
        let (question, (tell, told)) = (Question::holding(LIMIT), oneshot::channel::<u64>());
        let mut told = Some(told);
        let mut asks = || {
            let told = told.take().expect("it is asked once");
            async move { told.await.unwrap() }
        };
        for _ in 0..3 {
            assert!(question.answer(&mut asks).now_or_never().is_none());
        }
        tell.send(7).unwrap();
        let again = || async { panic!("it is answered") };
        assert_eq!(join(question.answer(again), question.answer(again)).await, (Some(7), Some(7)));
        // It was the answer of that moment, whoever heard it first.
        advance(LIMIT).await;
        assert_eq!(question.answer(|| async { 8 }).await, Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_hold_is_for_whoever_waits_for_it() {
        let question = Question::holding(Duration::ZERO);
        for number in 0..3 {
            assert_eq!(question.answer(|| async move { number }).await, Some(number));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_without_an_answer_keeps_whoever_asks_for_a_second_and_nobody_after_them() {
        let question = Question::<u64>::holding(LIMIT);
        let began = Instant::now();
        assert_eq!(question.answer(std::future::pending).await, None);
        assert_eq!(began.elapsed(), LIMIT);
        assert_eq!(question.answer(|| async { panic!("it is still asked") }).now_or_never(), Some(None));
        advance(LIMIT).await;
        assert_eq!(question.answer(|| async { panic!("it is still asked") }).await, None);
    }
}
