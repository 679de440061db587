//! Answers that took a call to the outside, kept for a while.
//!
//! Owns how many are kept and that one question is under way only once. Must not know what is
//! asked. The lock is never held while something is awaited, so a slow answer delays nobody who
//! asks something else.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// An answer, and how long it is believed.
pub(super) type Answer<T> = (T, Duration);

/// Answers by their questions.
pub(super) struct Cache<T> {
    slots: Mutex<HashMap<String, Slot<T>>>,
    limit: usize,
}

/// Empty while the answer is under way.
type Slot<T> = watch::Receiver<Option<Kept<T>>>;

struct Kept<T> {
    answer: T,
    asked_at: Timestamp,
    keep: SignedDuration,
}

impl<T: Clone + Send + Sync + 'static> Cache<T> {
    /// Keeps at most `limit` answers.
    pub(super) fn new(limit: usize) -> Self {
        Self { slots: Mutex::default(), limit }
    }

    /// The answer to `question`: kept, or under way already, or asked for now. The asking goes on
    /// when the caller gives up, and helps the next one. `None` if it ends without an answer.
    pub(super) async fn get<F>(&self, question: &str, now: Timestamp, ask: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let mut slot = self.slot(question, now, ask);
        let kept = slot.wait_for(Option::is_some).await.ok()?;
        kept.as_ref().map(|kept| kept.answer.clone())
    }

    fn slot<F>(&self, question: &str, now: Timestamp, ask: impl FnOnce() -> F) -> Slot<T>
    where
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(question).filter(|slot| is_good(slot, now)) {
            return slot.clone();
        }
        if slots.len() >= self.limit {
            slots.retain(|_, slot| is_good(slot, now));
        }
        // So many at once are no workspace that we know of; they are asked for again.
        if slots.len() >= self.limit {
            slots.clear();
        }
        let (sender, slot) = watch::channel(None);
        slots.insert(question.to_owned(), slot.clone());
        let asking = ask();
        tokio::spawn(async move {
            let (answer, keep) = asking.await;
            let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
            sender.send_replace(Some(Kept { answer, asked_at: now, keep }));
        });
        slot
    }
}

/// Whether a slot has an answer that is still believed, or will have one.
fn is_good<T>(slot: &Slot<T>, now: Timestamp) -> bool {
    match &*slot.borrow() {
        // A clock that was set back makes an answer look as if it were from the future.
        Some(kept) => now >= kept.asked_at && now.duration_since(kept.asked_at) < kept.keep,
        None => slot.has_changed().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const KEEP: Duration = Duration::from_secs(300);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_its_time() {
        let cache = Cache::new(10);
        let asked = Arc::new(AtomicUsize::new(0));
        for (now, calls) in [(1000, 1), (1299, 1), (1300, 2), (1299, 3), (1301, 3)] {
            let asked_now = Arc::clone(&asked);
            let answer = cache.get("a", at(now), || async move {
                asked_now.fetch_add(1, Ordering::Relaxed);
                ("answer", KEEP)
            });
            assert_eq!(answer.await, Some("answer"));
            assert_eq!(asked.load(Ordering::Relaxed), calls, "{now}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_question_is_asked_once_and_delays_no_other() {
        let cache = Cache::new(10);
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            ("slow", KEEP)
        };
        let never = || async { unreachable!("it is under way already") };
        let began = tokio::time::Instant::now();
        let quick = async {
            let answer = cache.get("b", at(1), || async { ("quick", KEEP) }).await;
            (answer, began.elapsed())
        };
        let impatient = tokio::time::timeout(Duration::from_secs(1), cache.get("a", at(1), slow));
        assert!(impatient.await.is_err());
        let (first, second, quick) =
            tokio::join!(cache.get("a", at(1), never), cache.get("a", at(2), never), quick);
        assert_eq!(
            (first, second),
            (Some("slow"), Some("slow")),
            "the first caller's going away ended nothing"
        );
        assert_eq!(quick, (Some("quick"), Duration::from_secs(1)));
    }

    #[tokio::test]
    async fn a_question_without_an_answer_is_asked_again() {
        let cache = Cache::new(10);
        let failing = cache.get("a", at(1), || async { panic!("on purpose") });
        assert_eq!(failing.await, None::<&str>);
        assert_eq!(cache.get("a", at(1), || async { ("answer", KEEP) }).await, Some("answer"));
    }

    #[tokio::test]
    async fn what_is_believed_no_more_makes_room_for_what_is_asked() {
        let cache = Cache::new(2);
        let asked = Arc::new(AtomicUsize::new(0));
        for (question, now, calls) in [
            ("a", 0, 1),
            ("b", 200, 2),
            ("a", 299, 2),
            // There is room for two, and the first is out of date.
            ("c", 300, 3),
            ("b", 300, 3),
            ("c", 301, 3),
            // All are good: they are asked for again.
            ("d", 302, 4),
            ("c", 303, 5),
        ] {
            let asked_now = Arc::clone(&asked);
            let answer = cache.get(question, at(now), || async move {
                asked_now.fetch_add(1, Ordering::Relaxed);
                ("answer", KEEP)
            });
            assert_eq!(answer.await, Some("answer"));
            assert_eq!(asked.load(Ordering::Relaxed), calls, "{question} {now}");
        }
    }

    #[tokio::test]
    async fn no_more_are_kept_than_allowed() {
        let cache = Cache::new(100);
        for question in 0..1000 {
            let name = question.to_string();
            let answer = cache.get(&name, at(question / 10), || async move { (question, KEEP) });
            assert_eq!(answer.await, Some(question));
            assert!(cache.slots.lock().unwrap().len() <= 100);
        }
    }
}
