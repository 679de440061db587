//! What the person who asked for a link is told, alone, of a trouble that its customer cannot help.
//!
//! Owns what can be done about it, in words. Whose fault it is, [`crate::life`] knows; that a sync is
//! begun by the button is the server's to see to.

use slack_morphism::prelude::{SlackBlock, SlackMessageContent};

use super::ask;
use super::markup::{Mrkdwn, content, context, cut, plain_section, unstopped};
use crate::command::status::Choices;
use crate::command::surface::Surface;
use crate::fivetran::model::Task;
use crate::fivetran::tasks::Cause;
use crate::life::{Link, Trouble};

/// How many tasks are shown.
const SHOWN: usize = 3;
/// Longest code, label and details that are shown, in characters.
const CODE_LIMIT: usize = 60;
const LABEL_LIMIT: usize = 100;
const DETAILS_LIMIT: usize = 400;

/// What is wrong with a link's connection, and what can be done; for the person who asked alone.
#[must_use]
pub fn trouble(link: &Link) -> SlackMessageContent {
    let (name, schema) = (link.request.service_name.as_str(), link.request.target.connection_name());
    let unknown = Trouble::default();
    let trouble = link.trouble.as_ref().unwrap_or(&unknown);
    let lead = Mrkdwn::default().raw(":warning: ").bold(name).raw(" into ").code(&schema);
    let lead = lead.raw(" isn't getting new data. Your customer isn't asked to do anything.").section();
    let mut blocks = vec![lead];
    blocks.extend(says(&trouble.tasks));
    blocks.push(plain_section(what_to_do(trouble)));
    blocks.extend(ask::choices(link, Choices::of(link)));
    let reference = Mrkdwn::default().raw("Ref ").code(&link.id);
    let connection = Mrkdwn::default().raw("Connection ").code(&cut(&link.connection_id, 200));
    // It is read in a direct message.
    let channel = Mrkdwn::default().raw("Requested in <#").text(&link.channel_id).raw(">");
    let facts = [connection, channel, reference].map(|fact| fact.object().into());
    blocks.push(context(facts.to_vec()));
    content(&format!("{name} into {schema} isn't getting new data."), blocks)
}

/// The customer's access is lost, and there is no message that could ask them for it; for the person who
/// asked alone.
#[must_use]
pub fn nobody_asked(link: &Link) -> SlackMessageContent {
    let (name, schema) = (link.request.service_name.as_str(), link.request.target.connection_name());
    let slash = Surface::of(&link.request.slash);
    let lead = Mrkdwn::default().raw(":warning: ").bold(name).raw(" into ").code(&schema);
    let mut lead = lead.raw(" was connected, but its access has stopped working.");
    if let Some(detail) = &link.detail {
        lead = lead.raw(" Fivetran says: ").text(&cut(unstopped(detail), 500)).raw(".");
    }
    let what = Mrkdwn::default().raw("I can't say so under its link in <#").text(&link.channel_id);
    let what = what
        .raw(">, so your customer doesn't know yet. To get a link by which they can sign in again, type ");
    let what = what.code(&format!("{slash} renew {schema}")).raw(" there.");
    // No button: pressed here, it would have to post where nothing can be posted.
    let mut blocks = vec![lead.section(), what.section()];
    let reference = Mrkdwn::default().raw("Ref ").code(&link.id);
    blocks.push(context(vec![reference.object().into()]));
    content(&format!("{name} into {schema} has lost its access, and your customer doesn't know yet."), blocks)
}

/// It is over; for the same person.
#[must_use]
pub fn recovered(link: &Link) -> SlackMessageContent {
    let (name, schema) = (link.request.service_name.as_str(), link.request.target.connection_name());
    let lead = Mrkdwn::default().raw(":white_check_mark: ").bold(name).raw(" into ").code(&schema);
    let lead = lead.raw(" is getting new data again.").section();
    content(&format!("{name} into {schema} is getting new data again."), vec![lead])
}

/// A task in one line: its label and code, and what it says.
pub(super) fn line(task: &Task) -> Option<String> {
    let Task { code, message, details } = task;
    let code = cut(code.trim(), CODE_LIMIT);
    let label = cut(unstopped(message.trim()), LABEL_LIMIT);
    let label = match (label.is_empty(), code.is_empty()) {
        (true, true) => String::new(),
        (true, false) => code,
        (false, true) => label,
        (false, false) => format!("{label} ({code})"),
    };
    let details = cut(details.trim(), DETAILS_LIMIT);
    match (label.is_empty(), details.is_empty()) {
        (true, true) => None,
        (true, false) => Some(details),
        (false, true) => Some(label),
        (false, false) => Some(format!("{label}: {details}")),
    }
}

fn says(tasks: &[Task]) -> Option<SlackBlock> {
    let lines: Vec<_> = tasks.iter().filter_map(line).take(SHOWN).map(|line| format!("\n• {line}")).collect();
    (!lines.is_empty()).then(|| plain_section(&format!("Fivetran says:{}", lines.concat())))
}

fn what_to_do(trouble: &Trouble) -> &'static str {
    match trouble.cause {
        // Told to nobody alone: its customer is asked.
        Cause::Access => "The sign-in doesn't work any more.",
        Cause::Sync => {
            "A sync failed. Signing in again wouldn't change that, but another sync may succeed. If it fails too, open \
             the connection in Fivetran."
        }
        Cause::Destination => {
            "The destination is the problem, not the sign-in. Once whoever looks after the destination has fixed it, \
             start a sync."
        }
        Cause::Transformation => {
            "A transformation is the problem, not the sign-in. Once whoever looks after transformations in Fivetran \
             has fixed it, start a sync."
        }
        Cause::Account => {
            "Your Fivetran account is the problem, not the sign-in. Once whoever looks after its plan and billing has \
             put that right, start a sync."
        }
        Cause::Network => {
            "Fivetran can't reach the source. Whoever looks after the source may have to let Fivetran through; then \
             start a sync. Only if the source's address has changed does a new link help: your customer can enter the \
             new one there."
        }
        Cause::Unknown if trouble.tasks.iter().all(|task| line(task).is_none()) => {
            "Fivetran doesn't say why, so I can't tell whether signing in again would help, and I haven't asked for it. \
             A sync may clear it; if it doesn't, open the connection in Fivetran."
        }
        Cause::Unknown if trouble.may_be_access() => {
            "That may mean that the sign-in no longer works, but it isn't certain, so I haven't asked your customer to \
             sign in again. A sync may clear it; if it doesn't, get a link."
        }
        Cause::Unknown => {
            "That doesn't tell me whether signing in again would help, so I haven't asked for it. A sync may clear it; \
             if it doesn't, open the connection in Fivetran."
        }
    }
}
