//! What the file `CONFIG` makes of names and days, told before anybody asks for a connection.
//!
//! Owns how many lines there are of it, and what is said of watched destinations and of bundles. Must not know
//! how a name is made, nor what is wrong with one.

use jiff::Timestamp;

use super::Report;
use crate::command::places::Destinations;
use crate::config::Config;
use crate::digest::{Plan, To};
use crate::fivetran::catalog::Catalog;
use crate::reply::Audience;

/// Lines of one kind. What is said of one channel is mostly so of all.
const SHOWN: usize = 5;

/// Which destinations are watched, and whether anything of theirs can be brought up.
pub(super) fn watched(report: &Report, config: &Config) {
    let (destinations, watched) = (&config.destinations, &config.destinations.watched);
    if watched.is_empty() {
        return;
    }
    let names: Vec<_> = watched.iter().filter_map(|group| destinations.name_of(group)).collect();
    let names = names.join(", ");
    let (catalog, customers) = (Catalog::built_in(), config.channels.customers().count());
    let rivals: Vec<_> = config.channels.rivals(&catalog, destinations).collect();
    let known = customers.saturating_sub(rivals.len());
    if config.slack.bot_token.is_none() || config.visibility != Audience::Channel {
        report.note(&format!(
            "CONFIG: watch = true for {names} does nothing: it takes SLACK_BOT_TOKEN, and LINK_VISIBILITY=channel"
        ));
        return;
    }
    if customers == 0 {
        report.note(&format!(
            "CONFIG: watch = true for {names}, but nothing can be brought up: no channel has a customer or a schema of \
             its own; add customer = \"…\" to [channels.ID]"
        ));
    } else if known == 0 {
        report.note(&format!(
            "CONFIG: watch = true for {names}, but nothing can be brought up: no names are one channel's alone"
        ));
    } else {
        let channels = if known == 1 {
            "one channel's customer is".to_owned()
        } else {
            format!("{known} channels' customers are")
        };
        report.good(&format!(
            "CONFIG: watches {names} for connections that were not requested here; {channels} known"
        ));
    }
    for line in few(rivals.into_iter()) {
        report.note(&format!("CONFIG: {line}"));
    }
}

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
    for line in few(config.channels.unused_customers()) {
        report.note(&format!("CONFIG: {line}"));
    }
    let Destinations { default_group, named, .. } = &config.destinations;
    if default_group.is_none() {
        report.note(&format!(
            "CONFIG: {} destinations and no default: in a channel without one of its own, every command needs “to” and \
             a name; set default_destination to spare people that",
            named.len()
        ));
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
        report.good(&format!("CONFIG: the next digest goes to {whom} on {at} ({zone}); a channel that has had one in that week gets none"));
    }
}

/// Which bundles can be set up, and where each is refused all the same.
pub(super) fn bundles(report: &Report, config: &Config, catalog: &Catalog) {
    for line in few(config.bundles.usable(catalog)) {
        report.good(&format!("CONFIG: {line}"));
    }
    for line in few(config.bundles.refused(&config.channels, catalog)) {
        report.note(&format!("CONFIG: {line}"));
    }
    let takes_several = config.slack.bot_token.is_some() && config.visibility == Audience::Channel;
    if config.bundles.by_name.values().any(|services| services.len() > 1) && !takes_several {
        report.note(
            "CONFIG: bundles of several services are refused: they take SLACK_BOT_TOKEN, and LINK_VISIBILITY=channel",
        );
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
