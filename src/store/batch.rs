//! What waits for a writer, put together for one statement.
//!
//! Owns how much of it that is at the most. Must not know what waits.

use tokio::sync::mpsc::UnboundedReceiver;

/// Most rows of one statement, and of one commit. One of this size takes a few milliseconds; a larger one would
/// keep the acknowledgements behind it waiting.
pub(super) const MOST: usize = 256;

/// Adds what waits to a batch; waits for it only while there is nothing in that. False: nothing ever comes any more.
pub(super) async fn fill<T>(batch: &mut Vec<T>, waiting: &mut UnboundedReceiver<T>) -> bool {
    if batch.is_empty() {
        return waiting.recv_many(batch, MOST).await > 0;
    }
    let room = MOST.saturating_sub(batch.len());
    batch.extend(std::iter::from_fn(|| waiting.try_recv().ok()).take(room));
    true
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn a_batch_takes_what_waits_as_far_as_there_is_room() {
        let (send, mut waiting) = mpsc::unbounded_channel();
        let mut batch = Vec::new();
        assert_eq!(fill(&mut batch, &mut waiting).now_or_never(), None, "it waits");
        for number in 0..MOST + 10 {
            send.send(number).unwrap();
        }
        let mut filled =
            |batch: &mut Vec<_>| fill(batch, &mut waiting).now_or_never().expect("it does not wait");
        assert!(filled(&mut batch));
        assert!(batch.iter().copied().eq(0..MOST));
        assert!(filled(&mut batch), "it is full");
        assert_eq!(batch.len(), MOST);
        batch.truncate(MOST - 4);
        assert!(filled(&mut batch));
        assert_eq!((batch.len(), batch.last()), (MOST, Some(&(MOST + 3))));
        // What is left over goes on, whether or not more comes.
        batch.truncate(1);
        assert!(filled(&mut batch) && batch.len() == 7);
        drop(send);
        assert!(filled(&mut batch) && batch.len() == 7);
        batch.clear();
        assert!(!filled(&mut batch), "nothing comes any more");
    }
}
