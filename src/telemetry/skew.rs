//! How far this machine's clock is from another's that tells whole seconds.
//!
//! Owns what of a difference is believed. Pure: must not know whose clocks they are.

use jiff::Timestamp;

/// A difference up to this, in seconds, says nothing: the other clock tells whole seconds, and its word
/// took some time to come.
const DOUBT: f64 = 1.0;

/// By how many seconds this machine's clock, which says `here`, is surely ahead of the one that said
/// `there` in whole seconds; 0 where it may be right.
pub(super) fn skew(here: Timestamp, there: i64) -> f64 {
    let ahead = here.as_duration().as_secs_f64() - there as f64;
    // The other one said the same second for a whole one.
    let sure = if ahead < 0.0 { ahead } else { (ahead - 1.0).max(0.0) };
    if sure.abs() > DOUBT { sure } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_sure_is_believed() {
        for (here_ms, there, expected) in [
            (100_000, 100, 0.0),
            (100_999, 100, 0.0),
            // It took a moment to come.
            (102_000, 100, 0.0),
            (102_500, 100, 1.5),
            (99_000, 100, 0.0),
            (98_500, 100, -1.5),
            (400_250, 100, 299.25),
            (0, 300, -300.0),
        ] {
            assert_eq!(skew(Timestamp::from_millisecond(here_ms).unwrap(), there), expected, "{here_ms}");
        }
    }
}
