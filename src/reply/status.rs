//! What `status` answers: the state of a link, what Fivetran says about it, and what can be done.

use slack_morphism::prelude::{SlackBlock, SlackMessageContent};

use super::live::requested_by;
use super::markup::{Mrkdwn, content, context, cut, local_time, plain_section, sentences};
use super::state::{mark, state_words, when};
use super::unseen::unseen;
use super::{ask, trouble};
use crate::command::status::{Choices, Report, View};
use crate::fivetran::model::{SetupState, Status, SyncState, Task};
use crate::fivetran::tasks::failed;
use crate::life::{Link, State};

/// How many tasks, and how many warnings, are shown at most.
const TASKS: usize = 5;
/// Longest of them, in characters.
const TASK_LIMIT: usize = 250;

/// How a link stands that is being posted.
const ON_ITS_WAY: &str = "its link is on its way; Slack hasn't confirmed the message yet";

/// A link and what can be done about it; for the person alone.
#[must_use]
pub fn status(report: &Report) -> SlackMessageContent {
    let Report { link, view, on_its_way } = report;
    let (name, schema) = (link.request.service_name.as_str(), link.request.target.connection_name());
    let lead = Mrkdwn::default().raw(mark(link.state)).raw(" ").bold(name).raw(" into ").code(&schema);
    let words = if *on_its_way { ON_ITS_WAY } else { state_words(link) };
    let lead = lead.raw("\n").raw(words);
    let lead = if *on_its_way { lead } else { when(lead, link) }.section();
    let mut blocks = vec![lead];
    blocks.extend(fivetran(view, link));
    blocks.push(facts(link));
    blocks.extend(ask::choices(link, Choices::of(link)));
    content(&format!("{name} into {schema}: {words}"), blocks)
}

/// The database did not answer.
#[must_use]
pub fn unavailable() -> SlackMessageContent {
    sentences("I couldn't look that up just now. Nothing was changed. Please try again in a minute.")
}

fn facts(link: &Link) -> SlackBlock {
    let posted = link.posted_at.as_second();
    let asked = match &link.requester {
        Some(requester) => requested_by(requester),
        None => Mrkdwn::default().raw("Not requested here"),
    };
    let age = Mrkdwn::default()
        .raw(if link.requester.is_some() { "Link created " } else { "Posted " })
        .raw(&local_time(link.posted_at))
        .raw(&format!(", <!date^{posted}^{{ago}}|earlier>"));
    let mut facts = vec![asked, age];
    if let Some(destination) = &link.request.destination {
        facts.push(Mrkdwn::default().raw("In ").text(&cut(destination, 200)));
    }
    facts.push(Mrkdwn::default().raw("Connection ").code(&cut(&link.connection_id, 200)));
    facts.push(Mrkdwn::default().raw("Ref ").code(&link.id));
    context(facts.into_iter().map(|fact| fact.object().into()).collect())
}

/// Fivetran's view in words, and what it wants done.
fn fivetran(view: &View, link: &Link) -> Vec<SlackBlock> {
    let state = link.state;
    match view {
        View::Seen { status, tests } => {
            let mut blocks = vec![plain_section(&format!("{}.", in_words(status, state)))];
            let mut to_do = status.tasks.clone();
            // A connection that works has passed those that matter.
            if status.setup_state != SetupState::Connected {
                to_do.extend(failed(tests.as_deref().unwrap_or_default()));
            }
            blocks.extend(tasks("To do:", &to_do));
            blocks.extend(tasks("Warnings:", &status.warnings));
            blocks
        }
        // The state says it.
        View::Gone if state.is_over() => Vec::new(),
        // One answer is not enough to believe it.
        View::Gone => vec![plain_section(
            "Fivetran doesn't show this connection right now. One answer isn't enough to believe that it's gone.",
        )],
        View::Silent(why) => {
            let why = why.as_ref().and_then(|why| unseen(why, &link.request)).map(|why| format!(" {why}"));
            let just_now = if why.is_none() { " just now" } else { "" };
            vec![plain_section(&format!(
                "I couldn't see what Fivetran says{just_now}; this is the last known status.{}",
                why.unwrap_or_default()
            ))]
        }
    }
}

fn in_words(status: &Status, state: State) -> String {
    let setup = match status.setup_state {
        // It was finished once.
        SetupState::Incomplete if state == State::Broken => {
            return "Fivetran says: the setup needs to be finished again".to_owned();
        }
        SetupState::Incomplete => return "Fivetran says: nobody has finished the setup yet".to_owned(),
        SetupState::Connected => "Fivetran says: set up and working",
        SetupState::Broken => "Fivetran says: set up, but not working now",
        // It says nothing, or a word of tomorrow.
        SetupState::Unknown => "Fivetran doesn't say, in words that I know, how far the setup is",
    };
    let sync = match status.sync_state {
        SyncState::Scheduled => "; the next sync is scheduled",
        SyncState::Syncing => "; a sync is running",
        SyncState::Paused => "; syncing is paused",
        SyncState::Rescheduled => "; the sync has been rescheduled",
        SyncState::Unknown => "",
    };
    let first = if status.is_historical_sync { "; the first sync isn't finished yet" } else { "" };
    format!("{setup}{sync}{first}")
}

fn tasks(head: &str, tasks: &[Task]) -> Option<SlackBlock> {
    let said = tasks.iter().filter_map(trouble::line);
    let lines: Vec<_> = said.take(TASKS).map(|line| format!("\n• {}", cut(&line, TASK_LIMIT))).collect();
    (!lines.is_empty()).then(|| plain_section(&format!("{head}{}", lines.concat())))
}
