//! What the audit channel is told: a line for each thing that happened.
//!
//! Nobody is mentioned, since a mention would call whoever it names each time they use the bot, and
//! there is no address in any of it: of what comes from outside, only names and ids are shown.

use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::SlackMessageContent;

use super::markup::{Mrkdwn, TEXT_LIMIT, content, cut, local_time_first};
use crate::fivetran::tasks::Cause;
use crate::journal::{MisfitKind, Problem};
use crate::trail::{End, Entry, Line, What};

/// Most lines of one message.
pub const LINES: usize = 50;
/// Longest name that is shown whole, in characters; a line has two of them.
const NAME_LIMIT: usize = 60;
/// The same for a connection's, which can be a schema's and a table's together.
const SCHEMA_LIMIT: usize = 130;
/// The same for a word of Slack's or an id of Fivetran's.
const WORD_LIMIT: usize = 60;
/// How old a thing is of which the line says when it happened: of what is newer, the message's own time
/// does.
const LATE: SignedDuration = SignedDuration::from_mins(2);

/// One message with as many of the lines as it has room for, in order, and how many those are: at least
/// one, if there is any. `dropped`: how many were given up before them.
#[must_use]
pub fn lines(lines: &[Line], dropped: i64, now: Timestamp) -> (SlackMessageContent, usize) {
    let mut shown = Mrkdwn::default();
    if dropped > 0 {
        let lines = if dropped == 1 { "line is" } else { "lines are" };
        shown = shown.raw(&format!(
            ":warning: {dropped} earlier {lines} missing here: not posted in time. The log has them all."
        ));
    }
    let mut taken = 0;
    for line in lines.iter().take(LINES) {
        let said = say(line, now);
        let begins = taken == 0 && dropped <= 0;
        if taken > 0 && shown.characters() + 1 + said.characters() > TEXT_LIMIT {
            break;
        }
        shown = if begins { said } else { shown.raw("\n").then(&said) };
        taken += 1;
    }
    let text = match (lines.first(), taken) {
        (Some(Line { entry: Some(entry), .. }), 1) if dropped <= 0 && is_known(entry) => {
            let Entry { service, schema, .. } = entry;
            format!("{}: {} into {}", title(entry), name(service, NAME_LIMIT), name(schema, SCHEMA_LIMIT))
        }
        (_, 1) => "One line for the audit channel".to_owned(),
        (_, taken) => format!("{taken} lines for the audit channel"),
    };
    (content(&text, vec![shown.section()]), taken)
}

/// One line.
fn say(line: &Line, now: Timestamp) -> Mrkdwn {
    let Some(entry) = &line.entry else {
        let words = ":grey_question: Something that this version can't read; the log has it · Ref ";
        return Mrkdwn::default().raw(words).code(&cut(&line.id, SCHEMA_LIMIT));
    };
    let Entry { at, reference, channel_id, service, schema, destination, what } = entry;
    let mut said = Mrkdwn::default().raw(mark(what)).raw(" ");
    if now.duration_since(*at) >= LATE {
        said = said.raw(&local_time_first(*at)).raw(" · ");
    }
    said = said.raw("*").raw(title(entry)).raw("*");
    if is_known(entry) {
        said =
            said.raw(" · ").text(&name(service, NAME_LIMIT)).raw(" into ").code(&name(schema, SCHEMA_LIMIT));
    }
    if let Some(destination) = destination {
        said = said.raw(" in ").text(&name(destination, NAME_LIMIT));
    }
    said = details(said, what);
    said = channel(said.raw(" · "), channel_id);
    if let What::Ended { by, .. } = what {
        said = said.raw(" · by ").code(by);
    }
    said.raw(" · Ref ").code(reference)
}

/// Whether it can be read which connection it is about.
fn is_known(entry: &Entry) -> bool {
    !entry.service.is_empty() && !entry.schema.is_empty()
}

/// A name in one line. What is not in code could still be bold there, which does no harm.
fn name(text: &str, limit: usize) -> String {
    cut(&text.replace(char::is_control, " "), limit)
}

/// A channel by its name, which calls nobody; a conversation without one by its id.
fn channel(said: Mrkdwn, id: &str) -> Mrkdwn {
    match id.starts_with(['C', 'G']) {
        true => said.raw("<#").text(id).raw(">"),
        false => said.code(id),
    }
}

fn mark(what: &What) -> &'static str {
    match what {
        What::Ended { untold: true, .. } => ":rotating_light:",
        What::Ended { end, .. } => match end {
            End::Posted | End::Added | End::Moved { .. } | End::Renewed | End::Shown | End::Reauthorised => {
                ":link:"
            }
            End::Cancelled => ":no_entry_sign:",
            End::SyncBegun | End::SyncRunning => ":arrow_forward:",
            End::Failed { .. } | End::Unreadable => ":x:",
        },
        What::Connected | What::Fixed => ":white_check_mark:",
        What::Expired | What::Lapsed | What::Back => ":hourglass:",
        What::Broken { .. } | What::BroughtUp => ":warning:",
        What::Gone | What::LetGo { .. } => ":no_entry_sign:",
    }
}

/// What happened, in two or three words.
fn title(entry: &Entry) -> &'static str {
    match &entry.what {
        What::Ended { end, .. } => match end {
            End::Posted => "Link posted",
            End::Added => "Source added",
            End::Moved { .. } => "Link moved here",
            End::Renewed => "Link renewed",
            End::Shown => "Link shown",
            End::Reauthorised => "Link to sign in again posted",
            End::Cancelled => "Connection cancelled",
            End::SyncBegun => "Sync started",
            End::SyncRunning => "Sync already running",
            End::Failed { verb, .. } => match verb.as_str() {
                "renew" => "No new link",
                "cancel" => "Not cancelled",
                "sync" => "Not synced",
                _ => "No link",
            },
            End::Unreadable => "Command abandoned",
        },
        What::Connected => "Connected",
        What::Expired => "Link expired",
        What::Lapsed => "Link to sign in again expired",
        What::Broken { .. } => "Needs attention",
        What::BroughtUp => "Access lost",
        What::LetGo { .. } => "No longer for this channel",
        What::Fixed => "Working again",
        What::Back => "Back in Fivetran",
        What::Gone => "Gone from Fivetran",
    }
}

/// What there is to say besides.
fn details(said: Mrkdwn, what: &What) -> Mrkdwn {
    match what {
        What::Ended { end, untold, .. } => {
            let said = match end {
                End::Moved { from: Some(from) } => channel(said.raw(" · from "), from),
                End::Failed { why: Some(why), .. } => reason(said.raw(" · "), why),
                End::Failed { why: None, .. } => said.raw(" · Slack took no message"),
                End::Unreadable => said.raw(" · no version of the bot could read it in time"),
                _ => said,
            };
            if *untold { said.raw(" · *nobody could be told*") } else { said }
        }
        What::BroughtUp => said.raw(" · not requested here; the customer is to be asked to sign in again"),
        What::LetGo { why } => said.raw(" · ").text(why),
        What::Broken { asks_customer: true, .. } => said.raw(" · the customer is asked to sign in again"),
        What::Broken { cause, .. } => said.raw(" · ").raw(at_fault(*cause)),
        What::Lapsed => said.raw(" · connected as before"),
        What::Back => said.raw(" · the setup isn't finished"),
        What::Connected | What::Expired | What::Fixed | What::Gone => said,
    }
}

fn at_fault(cause: Cause) -> &'static str {
    match cause {
        Cause::Access => "the sign-in no longer works",
        Cause::Sync => "a sync failed",
        Cause::Destination => "the destination is the problem",
        Cause::Transformation => "a transformation is the problem",
        Cause::Account => "the Fivetran account is the problem",
        Cause::Network => "Fivetran can't reach the source",
        Cause::Unknown => "Fivetran doesn't say why",
    }
}

/// Why nothing came of a command, in short. What to do about it was said to whoever typed it.
fn reason(said: Mrkdwn, problem: &Problem) -> Mrkdwn {
    let code = |said: Mrkdwn, words: &str, word: &str| said.raw(words).code(&cut(word, WORD_LIMIT));
    match problem {
        Problem::KeyRejected => said.raw("Fivetran rejects the API key"),
        Problem::Forbidden(_) => said.raw("the API key isn't allowed to"),
        Problem::GroupUnknown(_) => said.raw("Fivetran doesn't know the destination"),
        Problem::Refused(_) => said.raw("Fivetran refused it"),
        Problem::Declined { status, .. } => said.raw(&format!("Fivetran declined it with {status}")),
        Problem::Conflict(_) => said.raw("Fivetran can't do it at the moment"),
        Problem::Blocked(obstacle) => {
            said.raw("something is between the bot and Fivetran: ").text(obstacle.words())
        }
        Problem::TooLarge { limit_mb } => {
            said.raw(&format!("Fivetran's answer is larger than {limit_mb} MB"))
        }
        Problem::SchemaTaken { service } => code(said, "the schema belongs to another service, ", service),
        Problem::NameTaken(_) => said.raw("the schema is taken by a connection that the key can't see"),
        Problem::AlreadyConnected { .. } => said.raw("it is connected already"),
        Problem::Elsewhere { origin } => channel(said.raw("it belongs to "), &origin.channel_id),
        Problem::Shared(others) => {
            said.raw(&format!("the channel is shared with {} other organisations", others.all()))
        }
        Problem::Gone => said.raw("Fivetran doesn't show the connection"),
        Problem::NotCancelled => said.raw("it has been connected"),
        Problem::Paused => said.raw("it is paused"),
        Problem::Unfinished => said.raw("its setup isn't finished"),
        Problem::Misfit(MisfitKind::TableMissing) => said.raw("the service needs a table"),
        Problem::Misfit(MisfitKind::TableNotWanted) => said.raw("the service takes no table"),
        Problem::RateLimited { .. } => said.raw("Fivetran's rate limit is used up"),
        Problem::NoAnswer => said.raw("Fivetran gave no clear answer"),
        Problem::OutOfTime => said.raw("it wasn't finished in time"),
        Problem::Unsure { why } => reason(said.raw("a connection may have been made, but "), why),
        Problem::CannotPost { slack_says } => code(said, "Slack refuses the message: ", slack_says),
        Problem::Unconfirmed => said.raw("it isn't sure whether the link was posted"),
        Problem::Superseded => said.raw("a newer link has taken its place"),
        Problem::NotHere => {
            said.raw("it wasn't requested here, and isn't for this channel any more; the log says why")
        }
        Problem::CompanyUntold => said.raw("Slack didn't say who else is in the channel"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::Value;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn entry(what: What) -> Entry {
        Entry {
            at: NOW,
            reference: "R1".to_owned(),
            channel_id: "C0CUSTOMER".to_owned(),
            service: "Google Ads".to_owned(),
            schema: "acme".to_owned(),
            destination: None,
            what,
        }
    }

    fn line(what: What) -> Line {
        Line { id: "R1".to_owned(), entry: Some(entry(what)) }
    }

    fn ended(end: End) -> What {
        What::Ended { by: "U0ALICE".to_owned(), end, untold: false }
    }

    fn shown(lines: &[Line], dropped: i64) -> (String, usize) {
        let (content, taken) = super::lines(lines, dropped, NOW);
        let content: Value = serde_json::to_value(content).unwrap();
        let block = &content["blocks"][0]["text"];
        assert_eq!(block["verbatim"], true);
        (block["text"].as_str().unwrap().to_owned(), taken)
    }

    #[test]
    fn a_line_says_what_of_what_where_by_whom_and_the_reference() {
        let verb = |verb: &str, why| ended(End::Failed { verb: verb.to_owned(), why });
        let slack = Problem::CannotPost { slack_says: "is_archived".to_owned() };
        let unreadable = Entry::of_unreadable("R3", "U0ALICE", "C0CUSTOMER", None, false, NOW);
        let unreadable = Line { id: "R3".to_owned(), entry: Some(unreadable) };
        let lines = [
            line(ended(End::Posted)),
            line(ended(End::Moved { from: Some("C0OLD".to_owned()) })),
            line(ended(End::Renewed)),
            line(ended(End::Reauthorised)),
            line(ended(End::Cancelled)),
            line(ended(End::SyncBegun)),
            line(ended(End::SyncRunning)),
            line(verb("connect", Some(slack))),
            line(verb("renew", Some(Problem::Superseded))),
            line(What::Ended {
                by: "U0ALICE".to_owned(),
                end: End::Failed { verb: "sync".to_owned(), why: None },
                untold: true,
            }),
            line(What::Ended { by: "U0ALICE".to_owned(), end: End::Unreadable, untold: true }),
            unreadable,
            line(What::Connected),
            line(What::Expired),
            line(What::Lapsed),
            line(What::Broken { cause: Cause::Access, asks_customer: true }),
            line(What::Broken { cause: Cause::Destination, asks_customer: false }),
            line(What::BroughtUp),
            line(What::LetGo { why: "its destination isn't watched".to_owned() }),
            line(What::Fixed),
            line(What::Back),
            line(What::Gone),
            Line { id: "R2".to_owned(), entry: None },
        ];
        let (text, taken) = shown(&lines, 0);
        assert_eq!(taken, lines.len());
        expect![[r#"
            :link: *Link posted* · Google Ads into `acme` · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :link: *Link moved here* · Google Ads into `acme` · from <#C0OLD> · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :link: *Link renewed* · Google Ads into `acme` · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :link: *Link to sign in again posted* · Google Ads into `acme` · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :no_entry_sign: *Connection cancelled* · Google Ads into `acme` · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :arrow_forward: *Sync started* · Google Ads into `acme` · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :arrow_forward: *Sync already running* · Google Ads into `acme` · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :x: *No link* · Google Ads into `acme` · Slack refuses the message: `is_archived` · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :x: *No new link* · Google Ads into `acme` · a newer link has taken its place · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :rotating_light: *Not synced* · Google Ads into `acme` · Slack took no message · *nobody could be told* · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :rotating_light: *Command abandoned* · Google Ads into `acme` · no version of the bot could read it in time · *nobody could be told* · <#C0CUSTOMER> · by `U0ALICE` · Ref `R1`
            :x: *Command abandoned* · no version of the bot could read it in time · <#C0CUSTOMER> · by `U0ALICE` · Ref `R3`
            :white_check_mark: *Connected* · Google Ads into `acme` · <#C0CUSTOMER> · Ref `R1`
            :hourglass: *Link expired* · Google Ads into `acme` · <#C0CUSTOMER> · Ref `R1`
            :hourglass: *Link to sign in again expired* · Google Ads into `acme` · connected as before · <#C0CUSTOMER> · Ref `R1`
            :warning: *Needs attention* · Google Ads into `acme` · the customer is asked to sign in again · <#C0CUSTOMER> · Ref `R1`
            :warning: *Needs attention* · Google Ads into `acme` · the destination is the problem · <#C0CUSTOMER> · Ref `R1`
            :warning: *Access lost* · Google Ads into `acme` · not requested here; the customer is to be asked to sign in again · <#C0CUSTOMER> · Ref `R1`
            :no_entry_sign: *No longer for this channel* · Google Ads into `acme` · its destination isn't watched · <#C0CUSTOMER> · Ref `R1`
            :white_check_mark: *Working again* · Google Ads into `acme` · <#C0CUSTOMER> · Ref `R1`
            :hourglass: *Back in Fivetran* · Google Ads into `acme` · the setup isn't finished · <#C0CUSTOMER> · Ref `R1`
            :no_entry_sign: *Gone from Fivetran* · Google Ads into `acme` · <#C0CUSTOMER> · Ref `R1`
            :grey_question: Something that this version can't read; the log has it · Ref `R2`
        "#]]
        .assert_eq(&format!("{text}\n"));
    }

    #[test]
    fn nobody_is_called_and_what_was_typed_is_no_markup() {
        let typed = "<!channel> & <https://canary.example|here> `x` *y*\n@here";
        let foreign = Entry {
            channel_id: "D0DIRECT".to_owned(),
            service: typed.to_owned(),
            schema: typed.to_owned(),
            destination: Some(typed.to_owned()),
            ..entry(ended(End::Posted))
        };
        let (text, _) = shown(&[Line { id: "R".to_owned(), entry: Some(foreign) }], 0);
        assert!(!text.contains('<') && !text.contains('>'), "{text}");
        assert!(!text.contains('\n'), "it stays one line: {text}");
    }

    #[test]
    fn a_message_has_as_many_lines_as_there_is_room_for_and_never_half_a_one() {
        let many: Vec<_> = (0..200).map(|_| line(What::Connected)).collect();
        let (text, taken) = shown(&many, 0);
        assert_eq!(text.lines().count(), taken);
        assert!(text.chars().count() <= TEXT_LIMIT && taken > 20 && taken <= LINES, "{taken}");
        assert!(text.ends_with("Ref `R1`"), "{text}");
        let tiny: Vec<_> = (0..60).map(|n| Line { id: n.to_string(), entry: None }).collect();
        assert!(shown(&tiny, 0).1 <= LINES);
    }

    #[test]
    fn what_was_given_up_is_counted_first_and_what_is_old_tells_its_time() {
        let (text, taken) = shown(&[line(What::Gone)], 12_345);
        assert_eq!((taken, text.lines().count()), (1, 2), "{text}");
        assert!(text.starts_with(":warning: 12345 earlier lines are missing"), "{text}");
        assert_eq!(shown(&[], 1).1, 0);
        let later = NOW.saturating_add(LATE).unwrap();
        let (content, _) = super::lines(&[line(What::Gone)], 0, later);
        let content = serde_json::to_string(&content).unwrap();
        assert!(content.contains("<!date^0^"), "{content}");
    }
}
