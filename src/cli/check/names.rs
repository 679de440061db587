//! What the file `CONFIG` makes of names, told before anybody asks for a connection.
//!
//! Owns how many lines there are of it. Must not know how a name is made, nor what is wrong with one.

use super::Report;
use crate::config::Config;
use crate::fivetran::catalog::Catalog;

/// Lines of one kind. What is said of one channel is mostly so of all.
const SHOWN: usize = 5;

/// How each channel names its schemas, and where that leaves room for one source only.
pub(super) fn tell(report: &Report, config: &Config) {
    let catalog = Catalog::built_in();
    for line in few(config.channels.patterns(&catalog, &config.destinations)) {
        report.good(&format!("CONFIG: {line}"));
    }
    for line in few(config.channels.one_source_only(&catalog)) {
        report.note(&format!("CONFIG: {line}"));
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
