//! How many commands this process has in hand, for the numbers.
//!
//! Owns that the count is right whatever ends a command's task. Must not know a command.

use prometheus_client::metrics::gauge::Gauge;

/// Counts a command in hand for as long as it lives, a panic included.
pub(super) struct InHand(Gauge);

impl InHand {
    pub(super) fn count(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.dec();
    }
}
