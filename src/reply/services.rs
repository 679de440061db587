//! What `services` answers: ids and names of services, and how to ask for one.

use slack_morphism::prelude::{SlackBlock, SlackMessageContent};

use super::markup::{Mrkdwn, content, cut, plain_section};
use crate::command::meant::wanted_target;
use crate::command::services::{Found, How};
use crate::fivetran::catalog::{Service, ServiceStatus};

/// Longest name that is shown, in characters.
const NAME_LIMIT: usize = 80;
/// Lines in one block, so that even the longest ones fit.
const LINES: usize = 5;

/// The services found for `words`; for the person alone.
#[must_use]
pub fn services(found: &Found, words: &str, slash: &str) -> SlackMessageContent {
    let Found { how, services, more } = found;
    let words = cut(words, 40);
    let head = match how {
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
    let ids: Vec<_> = services.iter().map(|service| service.id.as_str()).collect();
    content(&format!("{head} {}", ids.join(", ")), blocks)
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
