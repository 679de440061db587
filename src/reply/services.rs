//! What `services` answers: ids and names of services, and how to ask for one.

use slack_morphism::prelude::{SlackBlock, SlackMessageContent};

use super::markup::{Mrkdwn, content, cut, plain_section};
use crate::command::meant;
use crate::command::meant::wanted_target;
use crate::command::services::{Found, How, Names};
use crate::fivetran::catalog::{Service, ServiceStatus};

/// Longest name that is shown, in characters.
const NAME_LIMIT: usize = 80;
/// Lines in one block, so that even the longest ones fit.
const LINES: usize = 5;
/// Bundles that are shown, each in a line of this many characters at most.
const BUNDLES: (usize, usize) = (10, 250);
/// Destinations that are shown.
const DESTINATIONS: usize = 25;

/// The services found for `words`, and what the configuration has a name for; for the person alone.
#[must_use]
pub fn services(found: &Found, names: &Names, words: &str, slash: &str) -> SlackMessageContent {
    let Found { how, services, more } = found;
    let words = cut(words, 40);
    // What is only near is of no use beside what was found.
    let is_named = *how == How::Nearest && *names != Names::default();
    let (services, more) = if is_named { (&[][..], &0) } else { (services.as_slice(), more) };
    let head = match how {
        _ if is_named => format!("No service matches “{words}”, but this does:"),
        How::Popular => "Popular services:".to_owned(),
        How::Matching => format!("Services matching “{words}”:"),
        How::Retired => format!("“{words}” is the old name of this service:"),
        How::Nearest if services.is_empty() => {
            format!("No service matches “{words}”. Try fewer letters, or another word from its name.")
        }
        How::Nearest => format!("No service matches “{words}”. The closest:"),
    };
    let mut blocks = vec![plain_section(&head)];
    blocks.extend(services.chunks(LINES).map(lines));
    let possible = services.iter().find(|service| service.obstacle.is_none());
    blocks.extend(possible.map(|service| example(service, *more, slash)));
    blocks.extend(bundles(names, slash));
    blocks.extend(destinations(names));
    let names = names.bundles.iter().map(|(name, _)| name.as_str());
    let ids: Vec<_> = services.iter().map(|service| service.id.as_str()).chain(names).collect();
    content(&format!("{head} {}", ids.join(", ")), blocks)
}

/// The bundles, and how to ask for one.
fn bundles(names: &Names, slash: &str) -> Vec<SlackBlock> {
    let (shown, length) = BUNDLES;
    let Some((first, _)) = names.bundles.first() else { return Vec::new() };
    let mut said = Mrkdwn::default().raw("*Bundles*");
    for (name, services) in names.bundles.iter().take(shown) {
        let services = services.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
        said = said.raw("\n• ").code(&cut(name, NAME_LIMIT)).raw(" — ").text(&cut(&services, length));
    }
    if names.bundles.len() > shown {
        said = said.raw(&format!("\nAnd {} more.", names.bundles.len() - shown));
    }
    let line = format!("{slash} {} {}", cut(first, NAME_LIMIT), meant::CUSTOMER);
    vec![said.raw("\nTo request all of one: ").code(&line).section()]
}

fn destinations(names: &Names) -> Vec<SlackBlock> {
    if names.destinations.is_empty() {
        return Vec::new();
    }
    let mut said = Mrkdwn::default().raw("*Destinations*, which can be typed after “to”: ");
    for (n, name) in names.destinations.iter().take(DESTINATIONS).enumerate() {
        said = said.raw(if n == 0 { "" } else { ", " }).code(&cut(name, NAME_LIMIT));
    }
    let said = match names.destinations.len().saturating_sub(DESTINATIONS) {
        0 => said.raw("."),
        more => said.raw(&format!(" and {more} more.")),
    };
    vec![said.section()]
}

fn lines(services: &[Service]) -> SlackBlock {
    let mut lines = Mrkdwn::default();
    for (n, service) in services.iter().enumerate() {
        let break_ = if n == 0 { "• " } else { "\n• " };
        lines = lines.raw(break_).code(service.id.as_str()).raw(" — ").text(&cut(&service.name, NAME_LIMIT));
        lines = lines.raw(mark(service).map_or("", |mark| mark.in_line));
    }
    lines.section()
}

fn example(service: &Service, more: usize, slash: &str) -> SlackBlock {
    let mut line = Mrkdwn::default();
    if more > 0 {
        line = line.raw(&format!("And {more} more: add a word to narrow it down.\n"));
    }
    // Nobody's schema: a line that is sent as it stands would be there for good.
    let target = wanted_target(service.kind);
    line.raw("To request one: ").code(&format!("{slash} {} {target}", service.id)).section()
}

/// What is said of a service that is not simply available.
pub(super) struct Mark {
    in_line: &'static str,
    /// For a list of choices.
    pub(super) short: &'static str,
}

pub(super) fn mark(service: &Service) -> Option<Mark> {
    if service.obstacle.is_some() {
        return Some(Mark { in_line: " _(not by a link)_", short: "not by a link" });
    }
    let (in_line, short) = match service.status {
        ServiceStatus::Beta => (" _(beta)_", "beta"),
        ServiceStatus::PrivatePreview => {
            (" _(private preview: not open to every account)_", "private preview")
        }
        ServiceStatus::Sunset => (" _(being retired)_", "being retired"),
        ServiceStatus::Development => (" _(in development)_", "in development"),
        ServiceStatus::Available | ServiceStatus::Unknown => return None,
    };
    Some(Mark { in_line, short })
}
