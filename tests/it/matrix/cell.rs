//! One cell: a command meets what is wrong, somebody else's command beside it does not, and both are
//! judged by what there is in the end.
//!
//! Owns the judgement. Must not know how many cells there are.

use std::fmt;

use stand_ins::fault::Faults;
use stand_ins::slack::{Message, Visibility, render};

use super::call::{self, BYSTANDER, Call, Sort};
use super::fault::{Kind, Nature};
use super::rule::{self, End, Lasts};
use super::time;
use crate::harness::{COLLEAGUE, PRIVATE, TestBot, accepted, is_note, link_of, until};

/// What is wrong with which calls.
pub(super) struct Cell {
    pub(super) call: &'static Call,
    pub(super) kind: &'static Kind,
    pub(super) lasts: Lasts,
    /// What else is wrong, for the long run.
    pub(super) second: Option<(&'static str, &'static Kind, Lasts)>,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {:?}", self.call.name, self.kind.name, self.lasts)?;
        match &self.second {
            Some((route, kind, lasts)) => write!(f, " and {route}: {}, {lasts:?}", kind.name),
            None => Ok(()),
        }
    }
}

/// What came of one.
#[derive(Default)]
pub(super) struct Played {
    pub(super) end: String,
    pub(super) calls: usize,
    pub(super) links: usize,
    pub(super) violations: Vec<String>,
}

/// Calls of one route that a command makes at the most, whatever answers: half an hour of Fivetran's and
/// two of Slack's, at half a minute to a minute between two calls once the first few have failed.
fn budget(call: &Call) -> usize {
    if call.is_fivetrans { 64 } else { 256 }
}

fn arm(faults: &mut Faults, route: &str, kind: &Kind, lasts: Lasts) {
    match lasts {
        Lasts::Once => faults.fail_next(route, (kind.fault)(), 1),
        Lasts::Thrice => faults.fail_next(route, (kind.fault)(), 3),
        Lasts::Ever => faults.fail_always(route, (kind.fault)()),
    }
}

fn is_of_slack(route: &str) -> bool {
    route.contains('.') || route == "response_url"
}

fn applied(bot: &TestBot) -> u64 {
    bot.fivetran.faults(|faults| faults.applied()) + bot.slack.faults(|faults| faults.applied())
}

/// What a message says, without its reference.
fn said(message: &Message) -> String {
    let text = message.payload["text"].as_str().unwrap_or_default();
    text.split(" (ref ").next().unwrap_or_default().to_owned()
}

pub(super) async fn play(cell: &Cell) -> Played {
    let bot = call::ready(cell.call).await;
    let question = call::question(cell.call, &bot).await;
    let (before, met) = (bot.slack.messages().len(), applied(&bot));
    let met_there = |bot: &TestBot| match is_of_slack(cell.call.route) {
        true => bot.slack.faults(|faults| faults.met(cell.call.route)),
        false => bot.fivetran.faults(|faults| faults.met(cell.call.route)),
    };
    let to_route = |bot: &TestBot, route: &str| match is_of_slack(route) {
        true => bot.slack.calls_to(route),
        false => bot.fivetran.calls_to(route),
    };
    let (made, met_before) = (to_route(&bot, cell.call.route), met_there(&bot));
    let spared = [BYSTANDER, "HubSpot", PRIVATE, COLLEAGUE];
    bot.slack.faults(|faults| faults.spare(&spared));
    bot.fivetran.faults(|faults| faults.spare(&spared));
    let wrong = [Some((cell.call.route, cell.kind, cell.lasts)), cell.second];
    for (route, kind, lasts) in wrong.into_iter().flatten() {
        match is_of_slack(route) {
            true => bot.slack.faults(|faults| arm(faults, route, kind, lasts)),
            false => bot.fivetran.faults(|faults| arm(faults, route, kind, lasts)),
        }
    }
    let read = call::ask(cell.call, &bot, question.as_ref()).await;
    until("what is wrong to be met", async || {
        let ended = bot.census().await.oldest_open.is_none();
        (applied(&bot) > met || ended).then_some(())
    })
    .await;
    let mut violations = bystander(cell, &bot).await;
    let lasted = time::passes(&bot).await;
    if lasted.is_none() {
        violations.push("never ends".to_owned());
    }
    // Each command makes its call, unless something else is wrong that ends it before.
    if cell.second.is_none() && met_there(&bot) == met_before {
        violations.push("what is wrong is never met".to_owned());
    }
    let untold = bot.census().await.undeliverable;
    let calls = to_route(&bot, cell.call.route) - made;
    let (slack, fivetran) = (bot.slack.clone(), bot.fivetran.clone());
    let admitted = read.is_empty() || read.contains("Making a link");
    let opened = !slack.views().is_empty();
    bot.stop().await;
    let messages: Vec<_> = slack.messages().into_iter().skip(before).collect();
    let connections: Vec<_> = fivetran.connections();
    let there = connections.iter().filter(|it| it["schema"] != BYSTANDER).count();
    slack.shutdown();
    fivetran.shutdown();
    let mine = |message: &&Message| {
        message.channel != PRIVATE && message.thread_ts.is_none() && !said(message).starts_with("Cancelling")
    };
    // Of these Slack says yes when nobody listens any more.
    let late = slack.faults(|faults| usize::try_from(faults.held()).unwrap());
    let (notes, finals): (Vec<_>, Vec<_>) = messages.iter().filter(mine).partition(|it| is_note(it));
    let (links, told): (Vec<&Message>, Vec<&Message>) =
        finals.iter().partition(|message| link_of(message).is_some());
    if notes.len() > 1 {
        violations.push(format!("{} notes", notes.len()));
    }
    if there > 1 {
        violations.push(format!("{there} connections"));
    }
    if calls > budget(cell.call) {
        violations.push(format!("{calls} calls"));
    }
    let mut sentences: Vec<String> = told.iter().map(|message| said(message)).collect();
    if !admitted || (cell.call.sort == Sort::Opens && !opened) {
        sentences.push(read.replace('\n', " "));
    }
    violations.extend(judge(cell, &links, &told, &sentences, untold, opened, late));
    violations.extend(truth(cell, &sentences, there, links.len()));
    let end = match (links.len(), sentences.first()) {
        (0, None) if opened => "the form".to_owned(),
        (0, None) => format!("nothing ({untold} untold)"),
        (links, None) => format!("{links} link(s)"),
        (links, Some(sentence)) => format!("{links} link(s); {} × {sentence}", sentences.len()),
    };
    Played { end, calls, links: links.len(), violations }
}

/// Somebody else's command, beside one that is in trouble: it has its link although no clock moves.
async fn bystander(cell: &Cell, bot: &TestBot) -> Vec<String> {
    let paused = |kind: &Kind| matches!(kind.nature, Nature::Pauses | Nature::PausesLong);
    let wrong = [Some((cell.call.route, cell.kind, cell.lasts)), cell.second];
    let pauses = |of_slack: bool| {
        let mut wrong = wrong.into_iter().flatten();
        wrong.any(|(route, kind, _)| is_of_slack(route) == of_slack && paused(kind))
    };
    let ack = bot.send_as(COLLEAGUE, PRIVATE, &format!("hubspot {BYSTANDER}")).await;
    if accepted(&ack).is_none() {
        // A pause that Slack asks for is its method's, whoever is asked about.
        let read = render(&ack.json());
        let is_told = pauses(true) && read.contains("limiting how often");
        return if is_told { Vec::new() } else { vec![format!("the bystander reads at once: {read}")] };
    }
    let theirs = until("the bystander's end", async || {
        let mut messages = bot.slack.messages().into_iter();
        messages.find(|message| message.channel == PRIVATE && !is_note(message))
    })
    .await;
    match link_of(&theirs) {
        Some(_) => Vec::new(),
        // A pause that Fivetran asks for is its account's.
        None if pauses(false) && said(&theirs).contains("rate limit") => Vec::new(),
        None => vec![format!("the bystander reads: {}", said(&theirs))],
    }
}

/// Whether it ends as it may, and once.
fn judge(
    cell: &Cell,
    links: &[&Message],
    told: &[&Message],
    sentences: &[String],
    untold: i64,
    opened: bool,
    late: usize,
) -> Vec<String> {
    let mut violations = Vec::new();
    let Cell { call, kind, lasts, second } = cell;
    let may = rule::ends(call.sort, kind.nature, *lasts);
    let end = match (links, sentences) {
        ([], []) if opened => End::Form,
        ([], []) => End::Untold,
        (_, []) => End::Link,
        _ => End::Told,
    };
    // What Slack said yes to. What it did and did not say may be said again, in the same words.
    let heard = |messages: &[&Message]| messages.iter().filter(|message| message.heard).count();
    let heard = (heard(links) + heard(told)).saturating_sub(late);
    let unheard = links.len() + told.len() - heard;
    let finals = heard + (sentences.len() - told.len());
    match end {
        End::Untold if untold == 0 => violations.push("silence".to_owned()),
        End::Form | End::Untold => {}
        _ if finals > 1 => violations.push(format!("{finals} ends")),
        _ if finals == 0 && unheard == 0 => violations.push("no end".to_owned()),
        _ => {}
    }
    if second.is_none() && !may.contains(&end) {
        violations.push(format!("ends in {end:?}, and may in {may:?}"));
    }
    for sentence in sentences {
        let words = rule::words(call.sort, kind.nature);
        if second.is_none() && end == End::Told && !words.iter().any(|word| sentence.contains(word)) {
            violations.push(format!("says nothing of {words:?}"));
        }
        violations.extend(rule::faults_of(sentence));
    }
    for link in links {
        if link.visibility != Visibility::Channel {
            violations.push("a link for one person".to_owned());
        }
        if link_of(link).is_some_and(|link| !link.contains("auth=")) {
            violations.push("a link that is no card's".to_owned());
        }
    }
    violations
}

/// What says that there is a connection, or may be.
const TELL_OF_IT: [&str; 4] =
    ["may have been made before that", "was created after all", "is ready, but", "so I did nothing"];

/// Whether what is told is so.
fn truth(cell: &Cell, sentences: &[String], there: usize, links: usize) -> Vec<String> {
    let mut violations = Vec::new();
    for sentence in sentences {
        let denies = sentence.contains("there's no link") || sentence.contains("couldn't post its link");
        if links > 0 && denies {
            violations.push("a link is denied".to_owned());
        }
        if sentence.contains("is cancelled") && there > 0 {
            violations.push("it is not cancelled".to_owned());
        }
        let alone = cell.call.sort == Sort::Creates && cell.second.is_none();
        let is_told = TELL_OF_IT.iter().any(|words| sentence.contains(words));
        if alone && there > 0 && !is_told {
            violations.push("a connection is kept back".to_owned());
        }
    }
    violations
}
