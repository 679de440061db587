//! What `doctor` answers: whether the bot is well, a line for each thing, with what to do about what is
//! not.
//!
//! Owns the words and which mark stands before each. Must not know how anything was found out.

use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::{SlackBlock, SlackMessageContent};

use super::markup::{Mrkdwn, content, context, cut, local_time, utc};
use crate::command::doctor::{
    Backlog, Configured, FEW_CALLS, Findings, Fivetran, Listed, NOTICE, Presence, SKEW_LIMIT_S, Slack,
    UNLISTED,
};
use crate::command::naming::Schema;
use crate::slack::refusal::{self, Fix};

/// Longest name of a destination that is shown, in characters.
const NAME_LIMIT: usize = 200;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Well,
    Amiss,
    /// Nobody knows, or it is not there and need not be.
    Open,
}

/// One thing and how it stands.
struct Line(Mark, Mrkdwn);

impl Line {
    fn well(text: &str) -> Self {
        Self(Mark::Well, Mrkdwn::default().text(text))
    }

    fn amiss(text: &str) -> Self {
        Self(Mark::Amiss, Mrkdwn::default().text(text))
    }

    fn open(text: &str) -> Self {
        Self(Mark::Open, Mrkdwn::default().text(text))
    }

    fn of(is_well: bool, text: &str) -> Self {
        if is_well { Self::well(text) } else { Self::amiss(text) }
    }
}

/// Everything that was found; for the person alone. `slash` is the slash command.
#[must_use]
pub fn doctor(findings: &Findings, slash: &str) -> SlackMessageContent {
    let parts = [("The bot", own(findings)), ("Slack", slack(findings)), ("Fivetran", fivetran(findings))];
    let amiss = parts.iter().flat_map(|(_, lines)| lines).filter(|line| line.0 == Mark::Amiss).count();
    let head = match amiss {
        0 => "Everything looks fine.".to_owned(),
        1 => "One thing needs attention. It has a ✗.".to_owned(),
        amiss => format!("{amiss} things need attention. They have a ✗."),
    };
    let mut blocks = vec![Mrkdwn::default().bold(&head).section()];
    blocks.extend(parts.into_iter().map(|(title, lines)| part(title, lines)));
    blocks.push(context(vec![here(&findings.channel, slash).object().into()]));
    content(&head, blocks)
}

fn part(title: &str, lines: Vec<Line>) -> SlackBlock {
    let mut shown = Mrkdwn::default().bold(title);
    for Line(mark, text) in lines {
        let mark = match mark {
            Mark::Well => "\n✓ ",
            Mark::Amiss => "\n✗ ",
            Mark::Open => "\n– ",
        };
        shown = shown.raw(mark).add(text);
    }
    shown.section()
}

fn own(findings: &Findings) -> Vec<Line> {
    let Findings { version, started_at, takes_writes, database, .. } = findings;
    let runs =
        Mrkdwn::default().text(&format!("Version {version}, running since ")).raw(&local_time(*started_at));
    let mut lines = vec![Line(Mark::Well, runs.raw("."))];
    lines.push(Line::of(
        *takes_writes,
        if *takes_writes {
            "The database is writable."
        } else {
            "The database doesn't take writes in time, so I can't accept commands. Check that it runs, can be \
             reached, and has room on its disk."
        },
    ));
    match database {
        Some(backlog) => {
            lines.push(commands(findings, backlog));
            lines.extend(undeliverable(backlog.undeliverable));
            lines.push(messages(findings, backlog));
            lines.extend(audit(findings, backlog));
        }
        None if *takes_writes => lines.push(Line::open(
            "I couldn't read in time which commands are open, or whether messages are up to date. Try again in a \
             minute.",
        )),
        None => lines
            .push(Line::open("So I can't say which commands are open, or whether messages are up to date.")),
    }
    lines.push(clock(findings.skew_s, findings.by_http));
    lines
}

fn commands(findings: &Findings, backlog: &Backlog) -> Line {
    let Some(oldest) = backlog.oldest.filter(|_| backlog.open > 0) else {
        return Line::well("No command is open.");
    };
    let age = span(findings.since(oldest));
    let open = match backlog.open {
        1 => format!("One command has been open for {age}"),
        open => format!("{open} commands are open, the oldest for {age}"),
    };
    if findings.is_long(Some(oldest)) {
        let waits = if backlog.open == 1 { "it waits" } else { "they wait" };
        Line::amiss(&format!("{open}. The log says what {waits} for, in lines with “commands wait”."))
    } else {
        Line::well(&format!("{open}."))
    }
}

fn undeliverable(commands: i64) -> Option<Line> {
    let commands = match commands {
        ..=0 => return None,
        1 => "one command".to_owned(),
        commands => format!("{commands} commands"),
    };
    Some(Line::amiss(&format!(
        "In the last day {commands} ended without my being able to tell anybody. At a shell, connect-card check lists \
         what became of them."
    )))
}

fn audit(findings: &Findings, backlog: &Backlog) -> Option<Line> {
    let since = backlog.line_since.filter(|since| findings.is_long(Some(*since)))?;
    let waits =
        format!("The audit channel hasn't been told what happened {} ago. ", span(findings.since(since)));
    let line = Mrkdwn::default().text(&waits).raw("If I'm not in it, type ").code("/invite @connect-card");
    Some(Line(Mark::Amiss, line.raw(" there; else the log says what Slack answers.")))
}

fn messages(findings: &Findings, backlog: &Backlog) -> Line {
    let behind = match backlog.behind {
        0 => return Line::well("Every message shows how its link stands."),
        1 => "One message isn't up to date yet".to_owned(),
        behind => format!("{behind} messages aren't up to date yet"),
    };
    match backlog.behind_since.filter(|since| findings.is_long(Some(*since))) {
        Some(since) => {
            let age = span(findings.since(since));
            Line::amiss(&format!("{behind}, for {age} by now. The log says what Slack refuses, and why."))
        }
        None => Line::well(&format!("{behind}.")),
    }
}

fn clock(skew_s: Option<f64>, by_http: bool) -> Line {
    match skew_s {
        None => Line::open("Slack hasn't told me its time yet, so I can't say whether my clock is right."),
        Some(skew) if skew.abs() < 1.0 => Line::well("The clock is right."),
        Some(skew) => {
            let way = if skew > 0.0 { "ahead of" } else { "behind" };
            let off = format!("The clock is {:.0} s {way} Slack's.", skew.abs());
            if skew.abs() < SKEW_LIMIT_S {
                Line::well(&off)
            } else {
                let follows = if by_http {
                    "From five minutes on I have to refuse every command."
                } else {
                    "By as much I'm wrong about when a link expires."
                };
                Line::amiss(&format!("{off} {follows} Let NTP set the machine's time."))
            }
        }
    }
}

fn slack(findings: &Findings) -> Vec<Line> {
    let mut lines = token(&findings.slack);
    lines.extend(presence(findings.presence));
    lines.extend(findings.sockets.map(sockets));
    lines
}

fn token(slack: &Slack) -> Vec<Line> {
    match slack {
        Slack::NoToken => vec![Line::open(
            "I have no bot token, so messages stay as they were posted. SLACK_BOT_TOKEN changes that.",
        )],
        Slack::Works(missing) => {
            let mut lines = vec![Line::well("Slack accepts my token.")];
            match missing.as_deref() {
                None => lines.push(Line::open("Slack didn't say which scopes I'm granted.")),
                Some([]) => lines.push(Line::well("All scopes that I need are granted.")),
                Some(missing) => lines.extend(missing.iter().map(|it| {
                    let sentence = capital(it.sentence);
                    if it.is_needed { Line::amiss(&sentence) } else { Line::open(&sentence) }
                })),
            }
            lines
        }
        Slack::Refuses(word) => {
            let advice = refusal::fix(word).unwrap_or(Fix::Token).advice();
            vec![Line::amiss(&format!("Slack refuses my token ({word}): {advice}."))]
        }
        Slack::Pauses => vec![Line::open("Slack asks me not to ask so often. Try again in a minute.")],
        Slack::Unreachable => {
            vec![Line::amiss("I can't reach Slack. Check the network, DNS, the firewall and HTTPS_PROXY.")]
        }
        Slack::Silent => vec![Line::open("Slack gave no clear answer in time. Try again in a minute.")],
    }
}

fn presence(presence: Presence) -> Option<Line> {
    let on = |text: &str, moment: Timestamp, rest: &str| {
        Mrkdwn::default().text(text).raw(&local_time(moment)).text(rest)
    };
    Some(match presence {
        Presence::In(at) => {
            Line(Mark::Well, on("I'm in this channel, as far as I know; my last post here: ", at, "."))
        }
        Presence::Out(at) => {
            let rest = ", so what I posted can't be updated. If nobody has invited me since, type ";
            let line = on("I wasn't in this channel when I last tried to post here: ", at, rest);
            let line = line.code("/invite @connect-card");
            Line(Mark::Open, line.text(". Whether I'm in it, I'll know when I next post here."))
        }
        Presence::Unknown => {
            Line::open("I don't know yet whether I'm in this channel: I know of nothing that I posted here.")
        }
        Presence::DoesNotMatter => return None,
    })
}

fn sockets((open, wanted): (usize, usize)) -> Line {
    let open = open.min(wanted);
    match open {
        0 => Line::amiss(
            "No socket to Slack is open here. Check the network and SLACK_APP_TOKEN; the log says what Slack answers.",
        ),
        open if open < wanted => {
            Line::open(&format!("{open} of {wanted} sockets to Slack are open; I'm opening the rest."))
        }
        _ => Line::well(&format!("{open} of {wanted} sockets to Slack are open.")),
    }
}

fn fivetran(findings: &Findings) -> Vec<Line> {
    let (variable, expires) = findings.key;
    let mut lines = Vec::new();
    let takes = Line::well(&format!("Fivetran accepts the key of {variable}."));
    match &findings.fivetran {
        Fivetran::Works(name) => {
            lines.push(takes);
            lines.push(match name {
                Some(name) => Line(
                    Mark::Well,
                    Mrkdwn::default().text("Data from this channel goes to ").bold(&cut(name, NAME_LIMIT)).raw("."),
                ),
                None => Line::open("This channel has no destination of its own, so it has to be typed after “to”."),
            });
        }
        Fivetran::KeyRejected => lines.push(Line::amiss(&format!(
            "Fivetran rejects the key of {variable}. Make a new one at Fivetran, set it and its secret, and restart me."
        ))),
        Fivetran::Forbidden => lines.push(Line::amiss(&format!(
            "The key of {variable} may not read this channel's destination. At a shell, connect-card check says what \
             the key lacks."
        ))),
        Fivetran::NoDestination => {
            lines.push(takes);
            lines.push(Line::amiss(
                "Fivetran has no destination with the id that is configured for this channel. Correct \
                 FIVETRAN_GROUP_ID, or the file CONFIG.",
            ));
        }
        Fivetran::Pauses(pause) => {
            let pause = pause.and_then(|pause| SignedDuration::try_from(pause).ok());
            let long = pause.map(|pause| format!(" of {}", span(pause))).unwrap_or_default();
            lines.push(Line::amiss(&format!(
                "Fivetran asks for a pause{long}: the account has made too many calls. Commands go on after it."
            )));
        }
        Fivetran::Unreachable => lines.push(Line::amiss(
            "I can't reach Fivetran. Commands wait for it, at most 25 minutes. Check the network, DNS, the firewall \
             and HTTPS_PROXY, and Fivetran's status page.",
        )),
        Fivetran::Silent => {
            lines.push(Line::open("Fivetran gave no clear answer in time. Try again in a minute."));
        }
    }
    lines.extend(expires.map(|expires| expiry(findings, expires)));
    lines.extend(findings.listed.map(|last| listed(findings, last)));
    lines.extend(findings.calls.map(calls));
    lines
}

fn expiry(findings: &Findings, expires: Timestamp) -> Line {
    let left = expires.duration_since(findings.now);
    if left <= SignedDuration::ZERO {
        Line::amiss(&format!("The key's last day was {}. Replace it.", day(expires)))
    } else {
        let replace = if left <= NOTICE { " Replace it before that." } else { "" };
        Line::of(left > NOTICE, &format!("The key expires on {}.{replace}", day(expires)))
    }
}

fn listed(findings: &Findings, listed: Listed) -> Line {
    match listed {
        Listed::NotWatched => Line::open("No links to watch there at the moment."),
        Listed::NotYet(Some(since)) if findings.since(since) > UNLISTED => Line::amiss(&format!(
            "I should have looked {} ago how its connections stand, and haven't yet; the log says why.",
            span(findings.since(since))
        )),
        Listed::NotYet(_) => Line::open("I'm about to look for the first time how its connections stand."),
        Listed::At(at) => {
            let ago = findings.since(at);
            let looked = format!("I last saw how its connections stand {} ago", span(ago));
            if ago > UNLISTED {
                Line::amiss(&format!("{looked}. That's long; the log says why I couldn't look again."))
            } else {
                Line::well(&format!("{looked}."))
            }
        }
    }
}

fn calls((left, of): (u32, Option<u64>)) -> Line {
    let few = of.is_some_and(|of| f64::from(left) < of as f64 * FEW_CALLS);
    let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
    let left = format!("{left}{of} calls are left in this hour.");
    if few {
        Line::amiss(&format!(
            "{left} Something else may be using the same account; wait, or ask Fivetran for more."
        ))
    } else {
        Line::well(&left)
    }
}

/// What is configured for the channel, and for all of them.
fn here(channel: &Configured, slash: &str) -> Mrkdwn {
    let Configured { destination, schema, services, who, channels } = channel;
    let mut line = Mrkdwn::default().raw("In this channel: ");
    line = match destination {
        Some(name) => line.raw("destination ").code(&cut(name, NAME_LIMIT)),
        None => line.raw("the usual destination"),
    };
    line = match schema {
        Some(Schema::Plain(target)) => line.raw(", default schema ").code(&target.connection_name()),
        Some(Schema::Template(pattern)) => line.raw(", schemas by the pattern ").code(&pattern.to_string()),
        None => line.raw(", no default schema"),
    };
    line = match services {
        0 => line.raw(", all services."),
        1 => line.raw(", one service."),
        services => line.raw(&format!(", {services} services.")),
    };
    let who = match who {
        (0, 0) => "every member of the workspace".to_owned(),
        (people, 0) => counted(*people, "person on a list", "people on a list"),
        (0, groups) => format!("the members of {}", counted(*groups, "user group", "user groups")),
        (people, groups) => format!(
            "{} and the members of {}",
            counted(*people, "person on a list", "people on a list"),
            counted(*groups, "user group", "user groups")
        ),
    };
    let where_ = match channels {
        0 => "in every channel".to_owned(),
        channels => format!("in {}", counted(*channels, "channel", "channels")),
    };
    line.raw(&format!(" I may be used by {who}, {where_}. A – marks what I don't know. Look again with "))
        .code(&format!("{slash} doctor"))
        .raw(".")
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("one {one}") } else { format!("{count} {many}") }
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// How long something is, in one unit.
fn span(long: SignedDuration) -> String {
    let seconds = long.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn day(moment: Timestamp) -> String {
    utc(moment).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_one_unit() {
        for (seconds, told) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 minutes"),
            (7199, "119 minutes"),
            (7200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn a_clock_that_is_off_is_amiss_before_signatures_fail() {
        for (skew, mark, words) in [
            (None, Mark::Open, "hasn't told"),
            (Some(0.0), Mark::Well, "right"),
            (Some(5.4), Mark::Well, "5 s ahead of"),
            (Some(-59.0), Mark::Well, "59 s behind"),
            (Some(60.0), Mark::Amiss, "NTP"),
            (Some(-299.0), Mark::Amiss, "299 s behind"),
        ] {
            let Line(found, text) = clock(skew, true);
            let shown = format!("{text:?}");
            assert!(found == mark && shown.contains(words), "{skew:?}: {shown}");
        }
    }
}
