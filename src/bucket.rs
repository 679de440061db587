//! A bucket of tokens: how much may be done now of what may be done over time.
//!
//! Pure: time is handed in, so that it is the bot's clock and not the machine's. Must not know what
//! a token buys. (The crates for this go by a clock of their own, and none takes tokens back.)

use jiff::Timestamp;

/// Tokens that come with time, up to what there is room for.
#[derive(Debug)]
pub struct Bucket {
    left: f64,
    room: f64,
    /// Until when the tokens that came with time have been put in.
    filled_until: Option<Timestamp>,
}

impl Bucket {
    /// A full one with room for so many.
    #[must_use]
    pub fn full(room: u32) -> Self {
        Self { left: room.into(), room: room.into(), filled_until: None }
    }

    /// Takes up to `wanted` tokens, after what has come `per_second` since the last time. Returns
    /// how many there were.
    pub fn take(&mut self, wanted: i64, per_second: f64, now: Timestamp) -> i64 {
        // A clock that was set back brings nothing, and takes nothing away.
        let since = self.filled_until.map_or(0.0, |then| now.duration_since(then).as_secs_f64().max(0.0));
        self.filled_until = Some(now);
        self.put(since * per_second);
        // Rounds down: a part of a token buys nothing yet.
        // What was spent unasked is owed.
        let taken = wanted.clamp(0, (self.left as i64).max(0));
        self.left -= taken as f64;
        taken
    }

    /// Takes one token whether or not there is one, unless `most` are owed already. Returns whether it
    /// did.
    pub fn owe(&mut self, most: u32) -> bool {
        let allowed = self.left - 1.0 >= -f64::from(most);
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }

    /// Whether it holds all that there is room for by now, at so many tokens `per_second`.
    #[must_use]
    pub fn is_full(&self, per_second: f64, now: Timestamp) -> bool {
        let since = self.filled_until.map_or(0.0, |then| now.duration_since(then).as_secs_f64().max(0.0));
        self.left + since * per_second >= self.room
    }

    /// Puts tokens in, as many as there is room for: those that were taken and not used.
    pub fn put(&mut self, tokens: f64) {
        self.left = (self.left + tokens).min(self.room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_full_bucket_gives_what_it_has_and_then_what_comes_with_time() {
        let mut bucket = Bucket::full(10);
        assert_eq!(bucket.take(7, 0.5, at(100)), 7);
        assert_eq!(bucket.take(7, 0.5, at(100)), 3);
        assert_eq!(bucket.take(7, 0.5, at(100)), 0);
        assert_eq!(bucket.take(7, 0.5, at(101)), 0, "half a token buys nothing");
        assert_eq!(bucket.take(7, 0.5, at(102)), 1, "and is not lost");
        assert_eq!(bucket.take(7, 0.5, at(106)), 2);
    }

    #[test]
    fn it_never_holds_more_than_it_has_room_for() {
        let mut bucket = Bucket::full(10);
        bucket.put(5.0);
        assert_eq!(bucket.take(100, 1.0, at(0)), 10);
        assert_eq!(bucket.take(100, 1.0, at(3600)), 10);
        bucket.put(500.0);
        assert_eq!(bucket.take(100, 1.0, at(3600)), 10);
    }

    #[test]
    fn what_was_put_in_can_be_taken() {
        let mut bucket = Bucket::full(10);
        assert_eq!(bucket.take(10, 0.0, at(0)), 10);
        bucket.put(3.0);
        assert_eq!(bucket.take(10, 0.0, at(0)), 3);
    }

    #[test]
    fn what_is_owed_is_limited_and_paid_back_first() {
        let mut bucket = Bucket::full(1);
        let owed = [0; 4].map(|_| bucket.owe(2));
        assert_eq!(owed, [true, true, true, false]);
        assert_eq!(bucket.take(9, 1.0, at(0)), 0);
        assert_eq!(bucket.take(9, 1.0, at(2)), 0);
        assert_eq!(bucket.take(9, 1.0, at(3)), 1);
    }

    #[test]
    fn it_is_full_once_all_that_was_taken_has_come_back() {
        let mut bucket = Bucket::full(10);
        assert!(bucket.is_full(0.5, at(0)));
        assert_eq!(bucket.take(2, 0.5, at(0)), 2);
        assert!(!bucket.is_full(0.5, at(3)));
        assert!(bucket.is_full(0.5, at(4)));
        assert!(!bucket.is_full(0.5, at(-4)));
    }

    #[test]
    fn a_clock_set_back_costs_nothing() {
        let mut bucket = Bucket::full(10);
        assert_eq!(bucket.take(8, 1.0, at(1000)), 8);
        assert_eq!(bucket.take(1, 1.0, at(0)), 1);
        assert_eq!(bucket.take(10, 1.0, at(2)), 3);
    }
}
