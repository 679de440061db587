//! What the file `CONFIG` makes of names and days, told before anybody asks for a connection.
//!
//! Owns how many lines there are of it. Must not know how a name is made, nor what is wrong with one.

use jiff::Timestamp;

use super::Report;
use crate::config::Config;
use crate::digest::{Plan, To};
use crate::fivetran::catalog::Catalog;

/// Lines of one kind. What is said of one channel is mostly so of all.
const SHOWN: usize = 5;

/// How each channel names its schemas, where that leaves room for one source only, and when the next digest
/// is.
pub(super) fn tell(report: &Report, config: &Config, now: Timestamp) {
    let catalog = Catalog::built_in();
    for line in few(config.channels.patterns(&catalog, &config.destinations)) {
        report.good(&format!("CONFIG: {line}"));
    }
    for line in few(config.channels.one_source_only(&catalog)) {
        report.note(&format!("CONFIG: {line}"));
    }
    if let Some(Plan { schedule, to }) = &config.digest
        && let Some(next) = schedule.next(now)
    {
        let whom = match to {
            To::Channels => "each channel that has something unfinished",
            To::Audit => "AUDIT_CHANNEL",
        };
        let at = next.at.to_zoned(schedule.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        let zone = schedule.zone_name();
        report.good(&format!("CONFIG: the next digest goes to {whom} on {at} ({zone})"));
    }
}

/// The first lines, and how many more there are.
fn few(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}
