//! For how long somebody asks to be left alone.

use std::time::Duration;

use connect_card::clock::{Clock, Moment};
use connect_card::journal::{
    Act, Company, Failure, GRACE, Journal, Outcome, PostFailure, Progress, Stage, Step, Terms,
    WEB_API_DEADLINE,
};
use connect_card::outbound;
use connect_card::slack::pauses::Pauses;
use connect_card::slack::respond::PostError;
use connect_card::work::Intent;
use jiff::{SignedDuration, Timestamp};

use crate::line;

/// Longest pause of Slack's that is kept.
const LONGEST: Duration = Duration::from_secs(600);

/// The header `Retry-After` of an answer, and in a second line its `Date`. Nobody waits past what a person was
/// promised, and nobody is asked again at once for ever.
pub fn retry_after(data: &[u8]) {
    let (asked, date) = line(data);
    let mut answer = http::Response::builder().status(429);
    for (name, value) in [("retry-after", asked), ("date", date)] {
        if let Ok(value) = http::HeaderValue::from_bytes(value) {
            answer = answer.header(name, value);
        }
    }
    let pause = outbound::retry_after(&answer.body("").unwrap().into());

    let asked = std::str::from_utf8(asked).ok().filter(|it| http::HeaderValue::from_str(it).is_ok());
    let asked = asked.unwrap_or_default().trim();
    if !asked.is_empty() && asked.bytes().all(|it| it.is_ascii_digit()) {
        let seconds = asked.trim_start_matches('0');
        let seconds = if seconds.is_empty() { Some(0) } else { seconds.parse::<u64>().ok() };
        assert_eq!(pause.map(|it| it.as_secs()), seconds, "whole seconds are what they say");
    }
    if asked.starts_with('-') {
        assert!(pause.is_none_or(|it| it.is_zero()), "nobody waits for what is over");
    }

    let pauses = Pauses::new(Clock::default());
    pauses.asked("m", "C", pause);
    assert!(pauses.left("m", "C").is_none_or(|left| left <= LONGEST));
    let _ = PostError::Throttled(pause).or(PostError::NotSent("x")).pause();

    // A command that meets nothing else, at Fivetran and at Slack.
    for web_api in [false, true] {
        for stage in [Stage::Create, Stage::Deliver { connection: "c".to_owned(), existed: false }] {
            live(pause, web_api, stage);
        }
    }
}

fn live(pause: Option<Duration>, web_api: bool, stage: Stage) {
    let accepted_at = Timestamp::from_second(1_800_000_000).unwrap();
    let terms = Terms {
        accepted_at,
        web_api,
        intent: Intent::Connect,
        for_few: false,
        joins: false,
        grace: GRACE,
        spread: 7,
    };
    let mut journal: Journal<()> = Journal::new(terms, Progress::of(stage));
    let mut now = accepted_at;
    let mut outcome = Outcome::TakenOver;
    // A call a second would be two hours of calls.
    for _ in 0..3000 {
        let turn = journal.next(outcome, Moment::by_one_clock(now));
        outcome = match turn.act {
            Act::End(_) => return,
            Act::Rest(rest) | Act::Stay(rest) => {
                assert!(rest <= LONGEST + LONGEST, "{pause:?}: a rest of {rest:?}");
                now = now.saturating_add(SignedDuration::try_from(rest).unwrap()).unwrap();
                Outcome::Woken
            }
            Act::Note(_) => Outcome::Noted,
            Act::Company => Outcome::Company(Company::Few),
            Act::Provision(Step::Mint { .. }) => Outcome::Minted(()),
            Act::Provision(_) => Outcome::Failed(Failure::Throttled(pause)),
            Act::Deliver(_) => Outcome::PostFailed(PostFailure::Throttled(pause)),
        };
        let longest = WEB_API_DEADLINE.checked_add(SignedDuration::from_mins(10)).unwrap();
        assert!(now.duration_since(accepted_at) <= longest, "{pause:?} goes on at {now}");
    }
    panic!("{pause:?} is asked for again and again");
}
