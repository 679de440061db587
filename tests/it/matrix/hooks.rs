//! What a response_url comes to: whatever it answers, the person is told once by another way, where there is
//! a token for one; without one, whoever runs the bot learns that nobody could be told.

use std::time::Duration;

use serde_json::json;
use stand_ins::fault::Fault;
use stand_ins::slack::Message;

use super::rule::faults_of;
use super::{side_by_side, time};
use crate::harness::{Setup, client, is_note, link_of, until};

/// What becomes of a response_url.
enum Fate {
    /// Each of its answers is this one.
    Answers(fn() -> Fault),
    /// The first answer is this one, and then it works.
    AtFirst(fn() -> Fault),
    /// Somebody has posted through it five times.
    UsedUp,
    /// It is 31 minutes old, by Slack's clock.
    Expired,
}
use Fate::{Answers, AtFirst, Expired, UsedUp};

fn no(status: u16, word: &str) -> Fault {
    Fault::Says(status, json!({ "ok": false, "error": word }))
}

/// Each with whether the person is told without a token, by the URL itself.
const FATES: &[(&str, Fate, bool)] = &[
    ("404 at first", AtFirst(|| Fault::Page(404, "")), true),
    ("404", Answers(|| Fault::Page(404, "")), false),
    ("404, used up", Answers(|| no(404, "used_url")), false),
    ("404, expired", Answers(|| no(404, "expired_url")), false),
    ("200, expired", Answers(|| no(200, "Expired url")), false),
    ("410", Answers(|| Fault::Page(410, "")), false),
    ("410 of an archived channel", Answers(|| Fault::Page(410, "channel_is_archived")), false),
    ("429 at first", AtFirst(|| Fault::Throttled { retry_after: Some("2".to_owned()) }), true),
    ("429", Answers(|| Fault::Throttled { retry_after: Some("30".to_owned()) }), false),
    ("500 at first", AtFirst(|| Fault::Status(500)), true),
    ("500", Answers(|| Fault::Status(500)), false),
    ("503", Answers(|| Fault::Page(503, "<html></html>")), false),
    ("200 that is late", Answers(|| Fault::SlowAfter(Duration::from_secs(120))), true),
    ("used up", UsedUp, false),
    ("expired", Expired, false),
];

/// What the person reads in the end, and how many could not be told anything.
async fn played(fate: &Fate, has_token: bool, refused: bool) -> (Vec<Message>, i64, usize) {
    let setup = Setup::new().await;
    let setup = if has_token { setup } else { setup.without_token() };
    let bot = setup.start().await;
    let (slack, fivetran) = (bot.slack.clone(), bot.fivetran.clone());
    // It is at work until its response_url is as it shall be.
    let busy = Fault::Throttled { retry_after: None };
    fivetran.faults(|faults| faults.fail_always("create_connection", busy));
    let ack = bot.send("google_ads acme").await;
    let asked = async || (fivetran.calls_to("create_connection") > 0).then_some(());
    until("a first creation", asked).await;
    match fate {
        Answers(fault) => slack.faults(|faults| faults.fail_always("response_url", fault())),
        AtFirst(fault) => slack.faults(|faults| faults.fail_next("response_url", fault(), 1)),
        UsedUp => {
            for _ in 0..5 {
                let post = client().post(&ack.response_url).json(&json!({ "text": "Still here" }));
                assert_eq!(post.send().await.unwrap().status().as_u16(), 200);
            }
        }
        Expired => slack.advance(Duration::from_secs(31 * 60)),
    }
    fivetran.faults(stand_ins::fault::Faults::heal);
    if refused {
        fivetran.faults(|faults| faults.fail_always("create_connection", Fault::Status(400)));
    }
    assert!(time::passes(&bot).await.is_some(), "it never ends");
    let (untold, calls) = (bot.census().await.undeliverable, slack.calls_to("response_url"));
    bot.stop().await;
    slack.shutdown();
    fivetran.shutdown();
    (slack.messages().into_iter().filter(|message| !is_note(message)).collect(), untold, calls)
}

#[test]
fn whatever_becomes_of_a_response_url_the_person_is_told_or_the_operator() {
    let mut cells = Vec::new();
    for (name, fate, tells) in FATES {
        for (has_token, refused) in [(true, true), (false, true), (false, false)] {
            cells.push((*name, fate, *tells, has_token, refused));
        }
    }
    let came = side_by_side(&cells, async |(_, fate, _, has_token, refused)| {
        played(fate, *has_token, *refused).await
    });
    for ((name, _, tells, has_token, refused), came) in cells.into_iter().zip(came) {
        let what = format!("{name}, token: {has_token}, refused: {refused}");
        let (messages, untold, calls) = came.unwrap_or_else(|why| panic!("{what}: {why}"));
        let texts: Vec<_> =
            messages.iter().map(|it| it.payload["text"].as_str().unwrap_or_default().to_owned()).collect();
        let links = messages.iter().filter(|message| link_of(message).is_some()).count();
        let told = texts.iter().filter(|text| text.contains("Fivetran refused the request")).count();
        let sentence = texts.iter().find(|text| text.contains("Fivetran refused the request"));
        let faults = sentence.map(|text| faults_of(text.split(" (ref ").next().unwrap()));
        assert!(faults.is_none_or(|faults| faults.is_empty()), "{what}: {texts:?}");
        // What comes late may be there more than once.
        let is_late = name.contains("late");
        let ends = if refused { told } else { links };
        if has_token || tells {
            assert!(ends == 1 || (is_late && ends > 0), "{what}: {texts:#?}");
            assert!(is_late || untold == 0, "{what}: {texts:#?}");
        } else {
            assert_eq!((ends, untold), (0, 1), "{what}: {texts:#?}");
        }
        // Five that count, each of which may find that Slack does not know the URL yet; those that are told to
        // wait don't, and each waits for half a minute.
        let most = if name == "429" { 64 } else { 3 * 5 };
        assert!(calls <= most, "{what}: {calls} posts");
    }
}
