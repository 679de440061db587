//! What is told in the place of a link: what happened, what to do, and a short reference.
//!
//! Made as plain text, so that it reads the same in Slack and in a terminal, and nothing typed by a
//! person can be markup in it.

use slack_morphism::prelude::{SlackBlock, SlackMessageContent};

use super::ask;
use super::in_the_way::in_the_way;
use super::markup::{Mrkdwn, content, cut, plain_section, plainly, reference_line, unstopped};
use super::usage::{fitting, misfit_words};
use crate::command::proposal::Proposal;
use crate::command::surface::Surface;
use crate::fivetran::catalog;
use crate::fivetran::model::ApiMessage;
use crate::fivetran::schema::Target;
use crate::journal::{Notice, Others, Problem};
use crate::outbound::Obstacle;
use crate::slack::refusal;
use crate::work::{Request, Work};

/// What is told in the place of a link; for the person alone, `user`, who asked in `channel`. What can
/// be decided is decided by whoever typed the command, not by whoever pressed a button.
#[must_use]
pub fn notice(
    notice: &Notice,
    work: &Work,
    reference: &str,
    user: &str,
    channel: &str,
) -> SlackMessageContent {
    match (notice, work) {
        (
            Notice::Problem(why),
            Work::Renew { requester: Some(requester), .. } | Work::Open { requester: Some(requester), .. },
        ) if is_beyond_them(why) => for_somebody_else(why, work, requester, reference),
        (Notice::Problem(why), Work::Connect(request)) => {
            let line = instead(why, request);
            let slash = request.slash.as_str();
            let proposals = line.iter().map(|line| Proposal { user, channel, slash, line });
            let buttons = ask::type_buttons(proposals, |line| format!("Use {line}"));
            problem(why, work, reference, buttons)
        }
        (notice, work) => plainly(&notice_sentence(notice, work), reference),
    }
}

/// Whether a problem of a renewal is none that whoever pressed the button can do anything about, who may
/// be of the customer's: they are told whom to ask, and [`behind`] tells that one why.
fn is_beyond_them(problem: &Problem) -> bool {
    !matches!(problem, Problem::AlreadyConnected { .. } | Problem::Superseded)
}

fn for_somebody_else(
    problem: &Problem,
    work: &Work,
    requester: &str,
    reference: &str,
) -> SlackMessageContent {
    let name = cut(&work.request().service_name, 100);
    let sentence = match problem {
        Problem::Unconfirmed => format!(
            "The new link for {name} may not have arrived. If you don't see it in the message, please ask "
        ),
        _ => format!("I couldn't make a new link for {name} just now. Please ask "),
    };
    let shown = Mrkdwn::default().text(&sentence).raw("<@").text(requester).raw(">.");
    let text = format!("{sentence}whoever requested it. (ref {reference})");
    content(&text, vec![shown.section(), reference_line(reference)])
}

/// What the person who asked for a link is told when somebody else could not get a new one by its
/// button; `None` if that one has been told all there is to tell.
#[must_use]
pub fn behind(
    notice: &Notice,
    work: &Work,
    reference: &str,
    user: &str,
    channel: &str,
) -> Option<SlackMessageContent> {
    let Notice::Problem(why) = notice else { return None };
    work.requester().filter(|_| is_beyond_them(why))?;
    let request = work.request();
    let (name, schema) = (cut(&request.service_name, 100), request.target.connection_name());
    let lead = Mrkdwn::default().raw("<@").text(user).raw("> asked for a new link for ").bold(&name);
    let lead = lead.raw(" into ").code(&schema).raw(" in <#").text(channel);
    let lead = lead.raw(">, and was told to ask you.").section();
    let why = problem_sentence(why, work);
    let text = format!("Somebody asked for a new link for {name} into {schema}. {why} (ref {reference})");
    Some(content(&text, vec![lead, plain_section(&why), reference_line(reference)]))
}

/// [`notice`] as plain sentences.
#[must_use]
pub fn notice_sentence(notice: &Notice, work: &Work) -> String {
    let Request { service_name: name, target, slash, .. } = work.request();
    let (slash, schema) = (Surface::of(slash), target.connection_name());
    match notice {
        Notice::Problem(problem) => problem_sentence(problem, work),
        Notice::SyncBegun => format!(
            "Fivetran is syncing {name} now. To see how that goes, type {slash} status {schema}. If it fails again, open \
             the connection in Fivetran."
        ),
        Notice::SyncRunning => {
            format!("Fivetran is already syncing {name}. To see how it goes, type {slash} status {schema}.")
        }
        Notice::Cancelled => format!(
            "The connection for {name} into {schema} is cancelled, and its link no longer works. Data already in the \
             destination stays there."
        ),
    }
}

/// Why there is no link, with the choices that there are.
fn problem(
    problem: &Problem,
    work: &Work,
    reference: &str,
    proposed: Option<SlackBlock>,
) -> SlackMessageContent {
    let text = problem_sentence(problem, work);
    let mut blocks = vec![plain_section(&text)];
    blocks.extend(ask::about(problem, reference));
    blocks.extend(proposed);
    blocks.push(reference_line(reference));
    content(&format!("{text} (ref {reference})"), blocks)
}

/// [`problem`] as plain sentences: what happened, then what to do.
fn problem_sentence(problem: &Problem, work: &Work) -> String {
    let request = work.request();
    let slash = Surface::of(&request.slash);
    let name = request.service_name.as_str();
    let schema = request.target.connection_name();
    match problem {
        Problem::KeyRejected => format!(
            "Fivetran rejected the API key, so {}. Whoever runs connect-card needs to set FIVETRAN_API_KEY and \
             FIVETRAN_API_SECRET to a valid key.",
            undone(work)
        ),
        Problem::Forbidden(said) => format!(
            "The Fivetran API key isn't allowed to do this{}, so {}. Whoever runs connect-card needs to let it {} in \
             this destination.",
            quoted(said),
            undone(work),
            match work {
                Work::Connect(_) | Work::Renew { .. } | Work::Open { .. } | Work::Cancel { .. } =>
                    "create, read and delete connections",
                Work::Sync { .. } => "read and sync connections",
            }
        ),
        Problem::GroupUnknown(said) => format!(
            "Fivetran doesn't know this destination{}, so {}. Whoever runs connect-card needs to check {}.",
            quoted(said),
            undone(work),
            group_variable(request)
        ),
        Problem::Refused(said) => refused(said, work),
        Problem::Declined { status, said } => declined(*status, said, work),
        Problem::Conflict(said) => format!(
            "Fivetran can't do this for {name} at the moment{}, so {}. Try again in a few minutes.",
            quoted(said),
            undone(work)
        ),
        Problem::Blocked(obstacle) => blocked(*obstacle, work),
        Problem::TooLarge { limit_mb } => format!(
            "Fivetran's answer is larger than the {limit_mb} MB that I read, so {}. {}",
            undone(work),
            match slash {
                Surface::Slack(_) => "Ask whoever runs connect-card to look up the reference in the log.",
                Surface::Shell(_) => "Set this connection up in Fivetran instead.",
            }
        ),
        Problem::SchemaTaken { service } => format!(
            "The schema {schema} belongs to a connection for another service ({}). Choose another schema, for \
             example: {slash} {}",
            catalog::built_in_name(service).unwrap_or(service),
            instead(problem, request).unwrap_or_default()
        ),
        Problem::NameTaken(said) => format!(
            "Fivetran says {schema} is already taken{} by a connection that this API key can't see. Choose another \
             schema.",
            quoted(said)
        ),
        Problem::AlreadyConnected { .. } if matches!(work, Work::Renew { .. } | Work::Open { .. }) => {
            format!("{name} is already connected, so it doesn't need a new link.")
        }
        Problem::AlreadyConnected { .. } => format!(
            "{name} is already connected to {schema}, so I didn't post a link here: it would let whoever \
             sees it sign in again. If you meant another customer, choose another schema."
        ),
        Problem::Elsewhere { .. } => format!(
            "{name} for {schema} was already requested in another channel, so I didn't post a link here: it could \
             reach the wrong customer. If you meant another customer, choose another schema."
        ),
        Problem::Shared(others) => format!(
            "{}, and everyone in it could use a link for {name} to sign in, so I didn't post one. If it's for only \
             one of them, type the command in a channel that you share with them alone.",
            shared_with(*others)
        ),
        Problem::Gone if matches!(work, Work::Cancel { .. }) => format!(
            "Fivetran doesn't show the connection for {name} into {schema}, so there was nothing to cancel."
        ),
        Problem::Gone if matches!(work, Work::Sync { .. }) => format!(
            "Fivetran doesn't show the connection for {name} into {schema}, so there was nothing to sync."
        ),
        Problem::Paused => format!(
            "The connection for {name} is paused in Fivetran, so no sync was started. Resume it there first, then try again."
        ),
        Problem::Unfinished => format!(
            "The setup of {name} isn't finished, so there was nothing to sync. Type {slash} renew {schema} for a new link."
        ),
        Problem::Gone => format!(
            "Fivetran doesn't show the connection for {name}, so there can't be a new link. If it was removed, ask \
             whoever requested it to start over; if not, try again in a few minutes."
        ),
        Problem::Superseded if matches!(work, Work::Open { .. }) => {
            format!("{name} isn't part of this message any more, so there's no link for it here.")
        }
        Problem::Superseded => {
            format!("A newer link for {name} has been posted in this channel; use that one.")
        }
        // People of the customer's workspace read these.
        Problem::NotHere => format!(
            "I can't make a link for {name} in this channel any more. If it's still needed, ask the people who run this \
             bot."
        ),
        Problem::CompanyUntold => format!(
            "Slack doesn't tell me at the moment who else is in this channel, so I didn't make a link for {name}. \
             Press the button again in a few minutes."
        ),
        Problem::NotCancelled => format!(
            "{name} is connected to {schema} now, so I didn't cancel it. A connection in use can only be deleted in Fivetran."
        ),
        Problem::Misfit(fault) => {
            misfit_words(name, request.kind, *fault)
                + &format!(" Try: {slash} {}", instead(problem, request).unwrap_or_default())
        }
        Problem::RateLimited { retry_after_s } => format!(
            "Fivetran's rate limit has been reached, so {}. Try again in {}.",
            undone(work),
            retry_after_s.map_or_else(|| "an hour".to_owned(), pause)
        ),
        Problem::NoAnswer => no_answer(work),
        Problem::OutOfTime => out_of_time(work),
        Problem::Unsure { why } => format!(
            "{} A connection for {name} may have been made before that; if so, the same command finds it and won't \
             create a second one.",
            problem_sentence(why, work)
        ),
        Problem::CannotPost { slack_says } => cannot_post(work.request(), slack_says),
        Problem::Unconfirmed => format!(
            "The connection for {name} is ready, but I couldn't make sure that its link was posted. The link may \
             already be in the channel; if it isn't, type the command again for a fresh one."
        ),
    }
}

/// Fivetran was never reached, so nothing can have happened; for a shell, where the address is no
/// secret. `advice` is what to do, without a full stop.
#[must_use]
pub fn unreachable(api_url: &str, advice: &str) -> String {
    format!("Fivetran is not reachable (no connection) at {api_url}; nothing was created: {advice}.")
}

/// Fivetran's refusal for a reason that nothing typed can be the cause of, and who can do something.
fn declined(status: u16, said: &ApiMessage, work: &Work) -> String {
    let name = work.request().service_name.as_str();
    let lead = format!("Fivetran refused the request for {name}{}, so {}.", quoted(said), undone(work));
    match status {
        402 => format!(
            "{lead} This is about the Fivetran account's plan, trial or payment: one of its administrators needs to \
             look into that in Fivetran. {}",
            again(work)
        ),
        405 | 406 | 410 | 414 | 415 | 426 | 431 => format!(
            "{lead} Whoever runs connect-card needs to check HTTPS_PROXY, and whether there is a newer \
             connect-card (status {status}){}.",
            in_the_log(work)
        ),
        _ if matches!(work, Work::Sync { .. }) => refused(said, work),
        _ => format!(
            "{lead} Whoever runs connect-card needs to look into it (status {status}){}.",
            in_the_log(work)
        ),
    }
}

/// Where the reference leads, for who has it.
fn in_the_log(work: &Work) -> &'static str {
    match Surface::of(&work.request().slash) {
        Surface::Slack(_) => "; the log has the reference",
        // There the log is on the same screen.
        Surface::Shell(_) => "",
    }
}

/// What to do once somebody has done something.
fn again(work: &Work) -> &'static str {
    match work {
        Work::Connect(_) => "After that, type the same command again.",
        Work::Renew { .. } | Work::Open { .. } | Work::Cancel { .. } | Work::Sync { .. } => {
            "After that, try again."
        }
    }
}

/// Fivetran's refusal, which only the words of a new connection can be the cause of.
fn refused(said: &ApiMessage, work: &Work) -> String {
    let request = work.request();
    let name = request.service_name.as_str();
    let said = quoted(said);
    if let Work::Sync { .. } = work {
        return format!(
            "Fivetran refused to start a sync of {name}{said}. Open the connection in Fivetran to see why."
        );
    }
    let Work::Connect(_) = work else {
        return format!(
            "Fivetran refused the request for {name}{said}, so {}. Whoever runs connect-card can look up the reference \
             in the log.",
            undone(work)
        );
    };
    let log = match Surface::of(&request.slash) {
        Surface::Slack(_) => {
            " If both are right, whoever runs connect-card can look up the reference in the log."
        }
        // There the log is on the same screen.
        Surface::Shell(_) => "",
    };
    format!(
        "Fivetran refused the request for {name}{said}, so there's no link. Check the service and the \
         schema ({}).{log}",
        request.target.connection_name()
    )
}

/// What stands between the bot and Fivetran, and what has not come about for it.
fn blocked(obstacle: Obstacle, work: &Work) -> String {
    let (what, remedy) = in_the_way(obstacle);
    let lead = match obstacle {
        Obstacle::OddShape => "I can't read Fivetran's answer",
        _ => "I can't reach Fivetran",
    };
    format!(
        "{lead}: {what}. So {}. Whoever runs connect-card needs to {remedy}{}. {}",
        undone(work),
        in_the_log(work),
        again(work)
    )
}

/// With whom a channel is shared.
pub(super) fn shared_with(Others { connected, invited }: Others) -> String {
    let many = |count: u32| format!("{count} other organisation{}", if count == 1 { "" } else { "s" });
    match (connected, invited) {
        (connected, 0) => format!("This channel is shared with {}", many(connected)),
        (0, invited) => format!("This channel is about to be shared with {}", many(invited)),
        (connected, invited) => {
            let are = if invited == 1 { "is" } else { "are" };
            format!("This channel is shared with {}, {invited} more {are} invited", many(connected))
        }
    }
}

/// What has not come about.
fn undone(work: &Work) -> String {
    let name = work.request().service_name.as_str();
    match work {
        Work::Connect(_) => format!("there's no link for {name} yet"),
        Work::Renew { .. } => format!("I couldn't make a new link for {name}"),
        Work::Open { .. } => format!("I couldn't get a link for {name}"),
        Work::Cancel { .. } => format!("the connection for {name} may not have been cancelled"),
        Work::Sync { .. } => format!("a sync of {name} may not have started"),
    }
}

/// Fivetran's silence, and what may have become of the command.
fn no_answer(work: &Work) -> String {
    let name = work.request().service_name.as_str();
    let silence = "Fivetran couldn't be reached, or gave no clear answer in time";
    match work {
        Work::Connect(_) => format!(
            "{silence}. Try the same command again in a while: if the connection for {name} was created after all, \
             you'll get a link for it, not a second connection."
        ),
        Work::Renew { .. } => format!("{silence}, so I couldn't make a new link. Try again later."),
        Work::Open { .. } => format!("{silence}, so I couldn't get a link. Try again later."),
        Work::Sync { .. } => {
            format!("{silence}, so a sync of {name} may not have started. Try again later.")
        }
        Work::Cancel { .. } => {
            format!("{silence}, so the connection for {name} may not have been cancelled. Try again later.")
        }
    }
}

/// That it took too long, and what may have become of the command.
fn out_of_time(work: &Work) -> String {
    let lead = format!("I couldn't finish this in time, so {}.", undone(work));
    match work {
        Work::Connect(request) => format!(
            "{lead} Type the same command again: if the connection for {} was created after all, you'll get a link \
             for it, not a second connection.",
            request.service_name
        ),
        _ => format!("{lead} Try again."),
    }
}

/// Why the link is not in the channel, by Slack's word for it.
fn cannot_post(request: &Request, slack_says: &str) -> String {
    let ready = format!("The connection for {} is ready, but", request.service_name);
    let word = cut(slack_says, 60);
    match slack_says {
        "not_in_channel" | "channel_not_found" if request.in_direct_message => format!(
            "{ready} Slack wouldn't let me post in this direct message ({word}). Type the command again for a fresh \
             link; if that fails too, type it in a channel that I'm a member of."
        ),
        "not_in_channel" | "channel_not_found" => format!(
            "{ready} Slack wouldn't let me post here ({word}). If I'm not in this channel, invite me with \
             /invite; then type the command again for a fresh link."
        ),
        word_of_slack if refusal::is_archived(word_of_slack) => format!(
            "{ready} this channel is archived ({word}), so I couldn't post its link. Type the command again in \
             an active channel."
        ),
        word_of_slack if refusal::closes_the_place(word_of_slack) => format!(
            "{ready} Slack doesn't let me post in this channel ({word}), so I couldn't post its link. Ask whoever \
             manages the channel to let me, or type the command in another channel."
        ),
        word_of_slack if refusal::fix(word_of_slack).is_some() => format!(
            "{ready} Slack doesn't take my messages ({word}), so I couldn't post its link. Typing the command again \
             won't help yet: whoever runs connect-card needs to see to it first, and the log says how."
        ),
        _ => format!(
            "{ready} Slack rejected the message with its link ({word}). Type the command again for a fresh link; \
             if that fails too, ask whoever runs connect-card to look up the reference in the log."
        ),
    }
}

/// Where the group of a destination is written down.
pub(super) fn group_variable(request: &Request) -> String {
    match &request.destination {
        Some(name) => format!("the group_id of {} in the CONFIG file", cut(name, 60)),
        None => "FIVETRAN_GROUP_ID".to_owned(),
    }
}

/// Fivetran's own words, where there are any.
pub(super) fn quoted(said: &ApiMessage) -> String {
    if said.message.is_empty() {
        String::new()
    } else {
        format!(" (“{}”)", cut(unstopped(&said.message), 300))
    }
}

/// What to type instead, after the slash command, where that can be told.
fn instead(problem: &Problem, request: &Request) -> Option<String> {
    let target = match problem {
        Problem::SchemaTaken { .. } => another(&request.target),
        Problem::Misfit(fault) => fitting(*fault, &request.target, &request.service),
        _ => return None,
    };
    let to = Surface::of(&request.slash).to_destination(request.destination.as_deref());
    Some(format!("{} {target}{to}", request.service))
}

/// Another good target close to one that is taken.
fn another(target: &Target) -> String {
    let schema = cut_ascii(target.schema.as_str(), 61);
    match &target.table {
        Some(table) => format!("{schema}_2.{table}"),
        None => format!("{schema}_2"),
    }
}

fn cut_ascii(text: &str, limit: usize) -> &str {
    text.get(..limit).unwrap_or(text)
}

/// A pause as people say it: seconds up to two minutes, then minutes. Fivetran's limit is of an hour, so
/// whoever names more is mistaken, or something else on the way.
pub(super) fn pause(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=120 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.min(3600).div_ceil(60)),
    }
}
