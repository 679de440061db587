//! The one source of chance: SplitMix64, so that a seed is a whole run.

pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Mixed first, or each seed would throw what the one before it throws, one throw later.
        Self(crate::journal::mix(seed.wrapping_add(1)))
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        crate::journal::mix(self.0)
    }

    pub(super) fn below(&mut self, limit: i64) -> i64 {
        (self.roll() >> 1).cast_signed() % limit
    }

    /// Both ends are possible.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    pub(super) fn one_in(&mut self, times: i64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as i64)).unwrap()]
    }
}
