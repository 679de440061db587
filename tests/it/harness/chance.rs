//! The choices of a run at random, and how long it is.

/// The generator of a run's choices: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The run's seed, from `CONNECT_CARD_SEED` or the clock.
#[expect(clippy::disallowed_methods, reason = "a seed that differs each time")]
pub(crate) fn seed() -> u64 {
    variable("CONNECT_CARD_SEED").unwrap_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |now| now.as_nanos() as u64)
    })
}

/// How many kills a run has: `usual` in the suite, or what `CONNECT_CARD_KILLS` says.
pub(crate) fn kills(usual: usize) -> usize {
    number("CONNECT_CARD_KILLS", usual)
}

/// How large a run is: `usual` in the suite, or what a variable says.
pub(crate) fn number(name: &str, usual: usize) -> usize {
    variable(name).unwrap_or(usual)
}

/// Which form of a run is wanted; nothing in the suite.
#[expect(clippy::disallowed_methods, reason = "the tests' own variables")]
pub(crate) fn form(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the tests' own variables")]
fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}
